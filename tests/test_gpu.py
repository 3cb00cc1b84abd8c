"""GPU: the same numbers as on the CPU, no waiting for the device within a step; the command for it all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core.gan._noise import content_keys, normal, permutations
from acot_core.gan.frame_classifier import linear
from acot_core.gan.negatives import random_negatives
from acot_core.gan.wgan import MLP, WGAN, Batch
from acot_core.images import load_image_model
from acot_core.riemannian.grassmann import projection_kernel, random_point
from acot_core.sequences import PaddedSequences, check_sequences, pad
from acot_core.subspace import ACOTObjective, alternate, solve_subspaces
from benchmarks import gpu

CUDA = torch.cuda.is_available()
needs_cuda = [pytest.mark.gpu, pytest.mark.skipif(not CUDA, reason="needs CUDA")]
RNG = np.random.default_rng(0)
CLIPS = [RNG.random((n, 24)) + 0.01 for n in (4, 9, 6, 12, 5, 7)]
LABELS = np.arange(6) % 2


def wgan(device: torch.device, d: int = 32) -> tuple[WGAN, Batch]:
    cpu = torch.Generator().manual_seed(0)
    zeta = linear(d, 3, cpu, device).requires_grad_(False)
    networks = MLP(d, d, d, cpu, device), MLP(d, d, 1, cpu, device), zeta
    made = WGAN(*networks, sigma=0.05, lambda1=0.1, lambda2=1.0, clip=0.01, learning_rate=1e-4)
    x = torch.nn.functional.normalize(torch.rand(6, 16, d, generator=cpu), dim=-1)
    classes, noise = torch.randint(3, (6, 16), generator=cpu), torch.randn(6, 16, d, generator=cpu)
    return made, Batch(*(part.to(device) for part in (x, x, classes, noise)))


def waits(call: Any) -> list[str]:
    """What of a call makes the host wait for the device: values read, and copies to the host."""
    call()  # warms up
    with profile(activities=[ProfilerActivity.CPU]) as record:
        call()
    names = {event.key for event in record.key_averages()}
    reasons = ("_local_scalar_dense", "aten::item", "Synchronize", "DtoH", "aten::nonzero")
    return sorted(name for name in names if any(reason in name for reason in reasons))


def test_an_iteration_of_the_wgan_never_waits_for_the_device() -> None:
    device = torch.device("cuda" if CUDA else "cpu")
    made, batch = wgan(device)
    assert waits(lambda: made.iterate(batch)) == []
    assert waits(lambda: float(made.wasserstein(batch.frames[0], batch.frames[1])))  # a wait is seen


def test_counter_based_numbers_never_wait_for_the_device() -> None:
    keys = content_keys(check_sequences(CLIPS), 0).to("cuda" if CUDA else "cpu")
    assert waits(lambda: normal(keys, 20, 24)) == []


def test_the_command_runs_on_the_cpu(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    before = torch.get_num_threads()
    try:
        gpu.main(["--device", "cpu", "--no-tests", "--output", str(tmp_path / "gpu.json")])
    finally:
        torch.set_num_threads(before)
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert {row["task"] for row in record["results"]} == {"IPOT", "WGAN", "pooling", "sampling"}
    for row in record["results"]:
        assert row["seconds"] > 0 < row["floor"]  # which is lower on a machine without other work
        assert row["above_floor"] == pytest.approx(row["seconds"] / row["floor"])
    table = capsys.readouterr().out.splitlines()[-len(record["results"]) :]
    assert [line.split()[0] for line in table] == [row["task"] for row in record["results"]]


class TestOnCuda:
    """Every part on the GPU against the CPU."""

    pytestmark = needs_cuda

    def test_random_numbers_are_the_same_to_the_bit(self) -> None:
        keys = content_keys(check_sequences(CLIPS), 3)
        lengths = torch.tensor([len(x) for x in CLIPS])
        assert torch.equal(normal(keys.cuda(), 50, 24).cpu(), normal(keys, 50, 24))
        here, there = permutations(keys, lengths), permutations(keys.cuda(), lengths.cuda()).cpu()
        assert torch.equal(here, there)

    def test_random_negatives(self) -> None:
        here, there = (random_negatives(CLIPS, "2n", 0, device=device) for device in ("cpu", "cuda"))
        assert there.frames.is_cuda
        assert torch.equal(there.origin.cpu(), here.origin)
        torch.testing.assert_close(there.frames.cpu(), here.frames, rtol=1e-3, atol=1e-5)

    def test_adversarial_negatives(self, tmp_path) -> None:  # type: ignore[no-untyped-def]
        settings = {"n_iter": 5, "classifier_iter": 10, "precision": "float32", "random_state": 0}
        path = Adversary(device="cpu", **settings).fit(CLIPS, LABELS).save(tmp_path / "a")
        here, there = (Adversary.load(path, device).sample(CLIPS, "2n") for device in ("cpu", "cuda"))
        assert torch.equal(there.origin.cpu(), here.origin)
        torch.testing.assert_close(there.frames.cpu(), here.frames, rtol=1e-3, atol=1e-4)

    def test_wgan(self) -> None:
        (here, batch), (there, copy) = wgan(torch.device("cpu")), wgan(torch.device("cuda"))
        here.iterate(batch)
        there.iterate(copy)
        for name, tensor in here.state().items():
            if name.endswith("squares"):  # the steps themselves are as good as signs of gradients
                torch.testing.assert_close(there.state()[name].cpu(), tensor, rtol=1e-2, atol=1e-9)
        losses = [
            made.generator_loss(b.frames[0], made.noise(b.pivots[0], b.normal[0]), b.classes[0])
            for made, b in ((here, batch), (there, copy))
        ]
        assert float(losses[1]) == pytest.approx(float(losses[0]), rel=1e-3)

    @pytest.mark.parametrize("negatives", ["random", "others", "self", RNG.random((8, 24))])
    def test_pooling_and_the_kernel(self, negatives: Any) -> None:
        settings = {"beta1": 0.5, "negatives": negatives, "n_negatives": 12, "random_state": 0}
        for k, transport in ((1, "emd"), (3, "uniform")):
            U = [
                ACOTPooling(k, device=d, transport=transport, **settings).fit_transform(CLIPS)
                for d in ("cpu", "cuda")
            ]
            projectors = [u @ u.transpose(0, 2, 1) for u in U]
            np.testing.assert_allclose(projectors[1], projectors[0], atol=1e-3)
            predicted = [GrassmannSVC().fit(u, LABELS).predict(u).tolist() for u in U]
            assert predicted[0] == predicted[1]

    def test_a_small_memory_changes_nothing(self) -> None:
        settings = {"negatives": "random", "device": "cuda", "transport": "uniform", "random_state": 0}
        pooled = ACOTPooling(2, **settings).fit_transform(CLIPS)
        pieces = ACOTPooling(2, batch_bytes=1, **settings).fit_transform(CLIPS)
        projectors = [u @ u.transpose(0, 2, 1) for u in (pooled, pieces)]
        np.testing.assert_allclose(projectors[1], projectors[0], atol=1e-4)

    def test_memory_stays_within_batch_bytes(self) -> None:
        sequences = [RNG.random((40, 256)).astype(np.float32) for _ in range(400)]
        for n_bytes in (2**26, 2**28):
            pooling = ACOTPooling(2, negatives="random", device="cuda", batch_bytes=n_bytes, random_state=0)
            pooling.fit(sequences).transform(sequences[:8])  # libraries take their workspace
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            pooling.transform(sequences)
            assert torch.cuda.max_memory_allocated() - before <= n_bytes

    def test_the_same_call_gives_the_same_bits(self) -> None:
        settings = {"negatives": "random", "device": "cuda", "n_alternations": 2, "random_state": 0}
        first, second = (ACOTPooling(2, **settings).fit_transform(CLIPS) for _ in range(2))
        assert np.array_equal(first, second)
        settings = {"n_iter": 5, "classifier_iter": 10, "precision": "float32", "random_state": 0}
        adversaries = [Adversary(device="cuda", **settings).fit(CLIPS, LABELS) for _ in range(2)]
        first, second = (a.sample(CLIPS, "2n").frames.cpu().numpy() for a in adversaries)
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("k", [1, 3])
    @pytest.mark.parametrize("ground_cost", ["sqeuclidean", "euclidean"])
    @pytest.mark.parametrize("surrogate", [True, False])
    def test_alternation_in_double_precision(self, k: int, ground_cost: str, surrogate: bool) -> None:
        X = pad(check_sequences(CLIPS))
        Y = random_negatives(CLIPS, 9, 0)
        results = [
            alternate(
                PaddedSequences(X.frames.double().to(device), X.mask.to(device)),
                PaddedSequences(Y.frames.double().to(device), Y.mask.to(device)),
                n_subspaces=k, transport="emd", ground_cost=ground_cost, surrogate=surrogate,
                n_alternations=2, tol=0.0,
            )
            for device in ("cpu", "cuda")
        ]  # fmt: skip
        torch.testing.assert_close(results[1].objective.cpu(), results[0].objective, rtol=1e-6, atol=1e-9)

    def test_the_kernel_of_retrieval(self) -> None:
        U = random_point(30, 24, 3, torch.Generator().manual_seed(0), dtype=torch.float64)
        here, there = projection_kernel(U, U), projection_kernel(U.cuda(), U.cuda()).cpu()
        torch.testing.assert_close(there, here, rtol=1e-6, atol=1e-12)

    def test_descent_does_not_wait_in_every_iteration(self) -> None:
        X, Y = (torch.rand(8, n, 64, generator=torch.Generator().manual_seed(n)).cuda() for n in (9, 12))
        objective = ACOTObjective(X, plan=torch.full((8, 9, 12), 1 / 108).cuda(), negatives=Y)

        def waits_of(n_iter: int) -> int:
            with profile(activities=[ProfilerActivity.CPU]) as record:
                solve_subspaces(objective, 2, n_iter=n_iter)
            return sum(e.count for e in record.key_averages() if e.key == "aten::_local_scalar_dense")

        waits_of(1)  # warms up
        assert waits_of(9) == waits_of(1)  # the first look at the device is in the tenth

    def test_several_streams(self) -> None:
        expected = random_negatives(CLIPS, "2n", 0, device="cuda").frames
        streams = [torch.cuda.Stream() for _ in range(3)]
        made = []
        for stream in streams:
            with torch.cuda.stream(stream):
                made.append(random_negatives(CLIPS, "2n", 0, device="cuda").frames)
        torch.cuda.synchronize()
        for frames in made:
            assert torch.equal(frames, expected)

    def test_images(self) -> None:
        images, labels = RNG.random((4, 3, 32, 32)).astype(np.float32), [0, 1, 2, 3]
        here, there = (load_image_model("shapes", d).perturb(images, labels, 2) for d in ("cpu", "cuda"))
        for name in ("perturbed", "probabilities_after", "noise_norm"):
            torch.testing.assert_close(getattr(there, name).cpu(), getattr(here, name), rtol=1e-3, atol=2e-3)
