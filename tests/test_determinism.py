"""Same seed, same result: on one thread or two, in one batch or many, in a notebook or in the dashboard.

What holds on a CPU:

- The same number of threads: equal to the bit, whatever ran in the process before.
- Another number of threads: data sets, noise, negatives of a given adversary, pooling, kernel and classifier
  are equal to the bit. Training of an adversary is not, for the products that give its gradients are added up
  in another order; over the first 60 iterations its history agrees to 0.005, its negatives to 0.005 an entry.
  Training on one thread would make it so and take 1.6 times as long at d = 256, 1.8 times at 1024
  (benchmarks.adversary on two cores); sweeps and the explorer, which use the cores for several trainings, do
  train on one thread.
- One batch or many, n_jobs: equal to rounding, since a padded product is another product.

On CUDA, sums run in an order that the hardware chooses: results there repeat to rounding, not to the bit, and
training, which is chaotic, to the same quality only. Negatives are drawn on the CPU everywhere.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
import torch
from acot_explorer.cache_keys import AdversaryRequest
from acot_explorer.jobs import JobRunner
from acot_explorer.state import Settings
from acot_explorer.store import load_dataset, train_adversary
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core.baselines import GRP, KRP, AveragePooling, DiscriminativePooling, PCASubspace, RankPooling
from acot_core.datasets import load

DATA = load("planted", random_state=0)
CLIPS, LABELS = DATA.streams["features"], DATA.labels
Value = TypeVar("Value")


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_one_thread_and_two(work: Callable[[], Value]) -> tuple[Value, Value]:
    results = []
    for number in (1, 2):
        with threads(number):
            results.append(work())
    return results[0], results[1]


def adversary(seed: Any = 0, **changes: Any) -> Adversary:
    settings = {"n_iter": 60, "classifier_iter": 60, "device": "cpu", "random_state": seed}
    return Adversary(**(settings | changes)).fit(CLIPS, LABELS)


def pooling(**changes: Any) -> ACOTPooling:
    settings = {"n_subspaces": 3, "negatives": "random", "random_state": 0, "device": "cpu"}
    return ACOTPooling(**(settings | changes))


def test_training_depends_on_the_number_of_threads_by_rounding_alone() -> None:
    """Not to the bit: products are added up in another order. Sweeps and dashboard train on one thread."""
    one, two = on_one_thread_and_two(adversary)
    pd.testing.assert_frame_equal(one.history_, two.history_, rtol=5e-3, atol=5e-3)
    negatives = [a.sample(CLIPS[:5], 20).frames for a in (one, two)]
    torch.testing.assert_close(*negatives, rtol=0, atol=5e-3)


def test_what_a_given_adversary_leads_to_does_not_depend_on_threads_by_one_bit() -> None:
    data = load("planted", random_state=0, dimension=256, n_sequences=60)  # wide: products are split
    sequences, labels = data.streams["features"], data.labels
    given = Adversary(n_iter=20, classifier_iter=20, device="cpu", random_state=0).fit(sequences, labels)

    def work() -> list[np.ndarray]:
        pooled = pooling(adversary=given, negatives="adversarial", n_negatives=20).fit_transform(sequences)
        scores = GrassmannSVC().fit(pooled, labels).decision_function(pooled)
        return [given.sample(sequences, 20).frames.numpy(), pooled, scores]

    one, two = on_one_thread_and_two(work)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("transport", ["emd", "ipot", "sinkhorn", "random"])
def test_pooling_does_not_depend_on_threads_or_batches(transport: str) -> None:
    options = {"sinkhorn": {"n_iter": 100}}.get(transport)
    changes = {"transport": transport, "transport_options": options, "n_negatives": 20}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of Sinkhorn, which is stopped early
        one, two = on_one_thread_and_two(lambda: pooling(**changes).fit_transform(CLIPS[:24]))
        small = pooling(**changes, batch_bytes=1).fit(CLIPS[:24]).transform(CLIPS[:24])
    assert np.array_equal(two, one)
    np.testing.assert_allclose(small, one, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "baseline",
    [GRP(2), PCASubspace(2), RankPooling(), DiscriminativePooling(2), KRP(2, n_landmarks=32)],
    ids=lambda b: type(b).__name__,
)
def test_baselines_do_not_depend_on_threads_and_repeat(baseline: Any) -> None:
    one, two = on_one_thread_and_two(lambda: baseline.fit(CLIPS[:12]).transform(CLIPS[:12]))
    again = baseline.fit(CLIPS[:12]).transform(CLIPS[:12])
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-4)
    np.testing.assert_allclose(again, one, rtol=0, atol=1e-4)


def test_seeds_repeat_to_the_bit_and_differ_from_one_another() -> None:
    first, again, other = adversary(7), adversary(7), adversary(8)
    pd.testing.assert_frame_equal(first.history_, again.history_, check_exact=True)
    assert torch.equal(first.sample(CLIPS[:3], 9).frames, again.sample(CLIPS[:3], 9).frames)
    assert not first.history_.equals(other.history_)
    assert not torch.equal(first.sample(CLIPS[:3], 9).frames, first.sample(CLIPS[:3], 9, 1).frames)
    models = [make_pipeline(pooling(random_state=s), GrassmannSVC()).fit(CLIPS, LABELS) for s in (0, 0, 1)]
    scores = [model.decision_function(CLIPS) for model in models]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_global_generators_are_neither_read_nor_set() -> None:
    def draw(seed: int) -> tuple[np.ndarray, float, float]:
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (to see that it does not matter)
        pooled = pooling(adversary=adversary(3, n_iter=5), negatives="adversarial").fit_transform(CLIPS[:4])
        return pooled, float(torch.rand(1)), float(np.random.rand())  # noqa: NPY002

    numpy_state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        (one, a, x), (two, b, y) = draw(0), draw(1)
        assert np.array_equal(one, two)
        torch.manual_seed(0)
        assert float(torch.rand(1)) == a != b
        assert x != y
    np.random.set_state(numpy_state)  # noqa: NPY002


@pytest.mark.parametrize(
    "method", [AveragePooling, GRP, PCASubspace, RankPooling, DiscriminativePooling, KRP]
)
def test_methods_and_classifiers_leave_the_global_generators_alone(method: Any) -> None:
    with torch.random.fork_rng():
        before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
        pooled = method().fit_transform(CLIPS[:12])
        if pooled.ndim == 3:
            GrassmannSVC().fit(pooled, LABELS[:12]).predict(pooled)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), before[1], strict=True))  # noqa: NPY002


def test_notebook_and_dashboard_train_the_same_adversary() -> None:
    """The notebooks call `Adversary`, the dashboard a job in another thread; both from the same settings."""
    settings = Settings(seed=0, sigma=0.1)
    request = AdversaryRequest.of(settings)
    runner = JobRunner(workers=1)
    job = runner.submit("it", "Training", lambda callback: train_adversary(request, 60, callback))
    assert job._future is not None
    job._future.result(timeout=250)
    runner.shutdown()
    assert job.state == "done", job.error
    data = load_dataset(request.data)
    sequences, (train, test) = data.streams[request.stream], data.split()
    in_a_notebook = Adversary(n_iter=60, device="cpu", **request.arguments()).fit(
        [sequences[i] for i in train],
        data.labels[train],
        held_out=([sequences[i] for i in test], data.labels[test]),
    )
    pd.testing.assert_frame_equal(job.result.history_, in_a_notebook.history_, check_exact=True)
    here, there = (a.sample(sequences[:3], 10).frames for a in (in_a_notebook, job.result))
    assert torch.equal(here, there)


def test_sessions_that_pool_at_the_same_time_do_not_disturb_each_other() -> None:
    alone = pooling().fit_transform(CLIPS[:8])
    pooled: list[np.ndarray] = []
    workers = [
        threading.Thread(target=lambda: pooled.append(pooling().fit_transform(CLIPS[:8]))) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(pooled) == 4
    assert all(np.array_equal(alone, other) for other in pooled)
