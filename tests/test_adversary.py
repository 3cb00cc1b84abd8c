"""The adversary: Eqs. (8) and (9), training, history, sampling, checkpoints; known faults of earlier code."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn
from torch.nn.functional import normalize

from acot_core.adversary import Adversary
from acot_core.adversary_training import HISTORY_COLUMNS
from acot_core.cuda_graph import GraphedIteration
from acot_core.frame_classifier import accuracy, fooling_rate, linear, train_frame_classifier
from acot_core.progress import Cancelled, Progress
from acot_core.quality import measure_quality
from acot_core.rmsprop import RMSprop
from acot_core.wgan import WGAN, Batch

D, C = 16, 3
FAST = {"n_iter": 20, "classifier_iter": 50, "eval_every": 5, "precision": "float32", "device": "cpu"}


def toy(n: int = 18, seed: int = 0, d: int = D) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences whose class lies in where their mass is."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % C
    sequences = []
    for label in labels:
        base = rng.random(d) * 0.3
        base[label * (d // C) : (label + 1) * (d // C)] += 1
        sequences.append(np.abs(base + 0.1 * rng.standard_normal((int(rng.integers(4, 9)), d))) + 1e-3)
    return sequences, labels


X, Y = toy()


def make_wgan(**changes) -> WGAN:  # type: ignore[no-untyped-def]
    cpu = torch.Generator().manual_seed(0)
    zeta = linear(D, C, cpu, torch.device("cpu")).requires_grad_(False)
    settings = {
        "hidden": D, "sigma": 0.05, "lambda1": 0.5, "lambda2": 0.7, "adversarial": True, "clip": 0.01,
        "learning_rate": 1e-3, "mixed": False, "generator": cpu,
    }  # fmt: skip
    return WGAN(zeta, **(settings | changes))  # type: ignore[arg-type]


def make_batch(steps: int = 3, size: int = 8) -> Batch:
    cpu = torch.Generator().manual_seed(1)
    x = normalize(torch.rand(steps, size, D, generator=cpu), dim=-1)
    return Batch(
        x,
        x.mean(1, keepdim=True).expand_as(x),
        torch.randint(C, (steps, size), generator=cpu),
        torch.randn(steps, size, D, generator=cpu),
    )


# ------------------------------------------------------------------ equations


def test_generator_loss_is_equation_9_written_out() -> None:
    wgan, b = make_wgan(), make_batch(1)
    x, z, label = b.frames[0], b.pivots[0] + 0.05 * b.normal[0], b.classes[0]
    noise = wgan.generator(z)
    y = torch.relu(x - noise)
    y = y / y.norm(dim=1, keepdim=True)
    p = (-wgan.classifier(y)).softmax(1)[torch.arange(len(x)), label]  # softmin of the logits
    expected = -wgan.critic(y).mean() - 0.5 * p.log().mean() + 0.7 * (noise**2).sum(1).mean()
    got = wgan.generator_loss(x, wgan.noise(b.pivots[0], b.normal[0]), label)
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)


def test_plain_wgan_is_equation_8() -> None:
    wgan, b = make_wgan(adversarial=False), make_batch(1)
    noise = wgan.noise(b.pivots[0], b.normal[0])
    y = normalize(torch.relu(noise), dim=-1)  # y comes from g alone
    assert torch.allclose(wgan.negatives(b.frames[0], noise), y)
    got = wgan.generator_loss(b.frames[0], noise, b.classes[0])
    assert float(got) == pytest.approx(float(-wgan.critic(y).mean()), rel=1e-6)


def naive_rmsprop(weights: list[Tensor], squares: list[Tensor], rate: float, clip: float | None) -> None:
    """By hand, from the gradients that backward() left."""
    with torch.no_grad():
        for w, v in zip(weights, squares, strict=True):
            assert w.grad is not None
            v.copy_(0.99 * v + 0.01 * w.grad**2)
            w -= rate * w.grad / (v + 1e-16) ** 0.5
            if clip is not None:
                w.clamp_(-clip, clip)
            w.grad = None


def test_an_iteration_equals_the_plain_loop() -> None:
    fast, slow, batch = make_wgan(), make_wgan(), make_batch(4)
    fast.iterate(batch)
    h, g = list(slow.critic.parameters()), list(slow.generator.parameters())
    h_squares, g_squares = [torch.zeros_like(w) for w in h], [torch.zeros_like(w) for w in g]
    for i in range(3):
        x = batch.frames[i]
        y = slow.negatives(x, slow.noise(batch.pivots[i], batch.normal[i])).detach()
        (slow.critic(y).mean() - slow.critic(x).mean()).backward()
        naive_rmsprop(h, h_squares, 1e-3, 0.01)
    noise = slow.noise(batch.pivots[3], batch.normal[3])
    slow.generator_loss(batch.frames[3], noise, batch.classes[3]).backward()
    naive_rmsprop(g, g_squares, 1e-3, None)
    for name, tensor in fast.state().items():
        # The last bias of the critic shifts both means: its gradient is zero but for rounding.
        if "squares" not in name and name != "critic.4.bias":
            assert torch.allclose(tensor, slow.state()[name], atol=1e-4), name


def test_critic_climbs_and_generator_descends() -> None:
    wgan, b = make_wgan(learning_rate=1e-4, clip=0.2), make_batch(1, 64)
    noise = wgan.noise(b.pivots[0], b.normal[0]).detach()
    y = wgan.negatives(b.frames[0], noise)
    before = float(wgan.wasserstein(b.frames[0], y))
    wgan.critic_step(b.frames[0], y)
    first = float(wgan.wasserstein(b.frames[0], y))
    wgan.critic_step(b.frames[0], y)
    assert float(wgan.wasserstein(b.frames[0], y)) > first > before - 1
    loss = float(wgan.generator_loss(b.frames[0], wgan.noise(b.pivots[0], b.normal[0]), b.classes[0]))
    wgan.generator_step(b.frames[0], b.pivots[0], b.classes[0], b.normal[0])
    after = float(wgan.generator_loss(b.frames[0], wgan.noise(b.pivots[0], b.normal[0]), b.classes[0]))
    assert after < loss


@pytest.mark.parametrize(("mixed", "rtol"), [(False, 1e-5), (True, 0.03)])
def test_critic_gradients_are_those_of_autograd(mixed: bool, rtol: float) -> None:
    wgan, b = make_wgan(mixed=mixed), make_batch(2, 24)
    frames, negatives = b.frames[0], b.frames[1, :16]  # the two means count alike, whatever their sizes
    expected = torch.autograd.grad(-wgan.wasserstein(frames, negatives), list(wgan.critic.parameters()))
    found = wgan.critic_optimiser.gradients
    wgan.critic_gradients(frames, negatives, found)
    for gradient, reference in zip(found, expected, strict=True):
        assert (gradient - reference).norm() <= rtol * reference.norm() + 1e-6


def test_rmsprop_agrees_with_torch() -> None:
    ours = [torch.randn(300, 200, requires_grad=True), torch.randn(7, requires_grad=True)]
    theirs = [w.detach().clone().requires_grad_() for w in ours]
    mine, reference = RMSprop(ours, 1e-2, clip=1.5), torch.optim.RMSprop(theirs, 1e-2)
    for seed in range(4):
        cpu = torch.Generator().manual_seed(seed)
        gradients = [torch.randn(w.shape, generator=cpu) for w in ours]
        # ε lies inside our root and outside torch's: the same, but for gradients as small as ε.
        gradients = [g.sign() * (g.abs() + 0.01) for g in gradients]
        mine.step(gradients)
        for w, g in zip(theirs, gradients, strict=True):
            w.grad = g
        reference.step()
        for w in theirs:
            w.data.clamp_(-1.5, 1.5)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
        assert float(a.detach().abs().max()) <= 1.5


def test_mixed_precision_stays_near_float32() -> None:
    exact, mixed, batch = make_wgan(), make_wgan(mixed=True), make_batch(1, 64)
    a = exact.generator_loss(batch.frames[0], exact.noise(batch.pivots[0], batch.normal[0]), batch.classes[0])
    b = mixed.generator_loss(batch.frames[0], mixed.noise(batch.pivots[0], batch.normal[0]), batch.classes[0])
    assert a.dtype == b.dtype == torch.float32
    assert float(b) == pytest.approx(float(a), rel=0.02)
    assert float(a) != float(b)  # the option does something


def test_graphed_iteration_equals_the_plain_one() -> None:
    """With a stand-in for the recording, which only a GPU can do: buffers, restoration and order are ours."""

    def record(function):  # type: ignore[no-untyped-def]
        for _ in range(3):
            function()
        return function

    plain, graphed, batch = make_wgan(), make_wgan(), make_batch()
    iterate = GraphedIteration(graphed, make_batch(3), record)
    for changed in (batch, Batch(batch.frames.flip(1), batch.pivots, batch.classes, batch.normal)):
        plain.iterate(changed)
        iterate(changed)
    for name, tensor in plain.state().items():
        assert torch.equal(tensor, graphed.state()[name]), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_training_on_a_gpu_records_a_graph_and_fools() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a = Adversary(
            **(FAST | {"n_iter": 300, "device": "cuda", "learning_rate": 1e-3}), random_state=0
        ).fit(X, Y)
    b = Adversary(**(FAST | {"n_iter": 300, "learning_rate": 1e-3}), random_state=0).fit(X, Y)
    assert a.history["fooling_rate"].iloc[-1] == pytest.approx(b.history["fooling_rate"].iloc[-1], abs=0.25)
    assert a.sample(X, "2n").frames.is_cuda


# ------------------------------------------------------------------ known faults of earlier code


def test_classifier_is_frozen_while_the_gan_trains() -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    b = Adversary(**(FAST | {"n_iter": 0}), random_state=0).fit(X, Y)
    assert torch.equal(a.classifier_.weight, b.classifier_.weight)
    assert not a.classifier_.weight.requires_grad
    assert not torch.equal(a.generator_[0].weight, b.generator_[0].weight)


def test_weights_are_clipped_after_each_critic_step() -> None:
    wgan, batch = make_wgan(learning_rate=1.0), make_batch(2)
    wgan.critic_step(batch.frames[0], batch.frames[1])  # a step far beyond the bound
    assert all(float(w.detach().abs().max()) <= 0.01 for w in wgan.critic.parameters())


def test_critic_generator_and_sampling_see_the_same_normalised_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    wgan, batch = make_wgan(), make_batch(3)
    seen: list[Tensor] = []
    forward, gradients = wgan.critic.forward, wgan.critic_gradients

    def watch(frames: Tensor, negatives: Tensor, out: list[Tensor]) -> None:
        seen.extend([frames, negatives])
        gradients(frames, negatives, out)

    monkeypatch.setattr(wgan.critic, "forward", lambda rows: (seen.append(rows.detach()), forward(rows))[1])
    monkeypatch.setattr(wgan, "critic_gradients", watch)
    wgan.iterate(batch)
    assert len(seen) == 5  # reals and fakes of each of two critic steps, fakes of the generator's
    for rows in seen:
        assert torch.allclose(rows.norm(dim=-1), torch.ones(len(rows)), atol=1e-5)
    sampled = Adversary(**FAST, random_state=0).fit(X, Y).sample(X, 5).frames
    assert torch.allclose(sampled.norm(dim=-1), torch.ones(len(X), 5), atol=1e-5)


def test_the_condition_is_used() -> None:
    a = Adversary(**(FAST | {"n_iter": 150, "learning_rate": 1e-3}), random_state=0).fit(X, Y)
    quality = measure_quality(a, X, n_repeats=1)
    assert quality.condition_ratio > 2
    assert quality.condition_p < 0.01
    with torch.no_grad():  # the same generator, blind to its input
        a.generator_[0].weight.zero_()
        a.generator_[0].bias.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(0))
    assert measure_quality(a, X, n_repeats=1).condition_ratio == 1.0


@pytest.mark.parametrize("pivot", ["mean", "frame"])
def test_noise_is_that_of_the_pivot(pivot: str) -> None:
    a = Adversary(**FAST, sigma=0.0, pivot=pivot, random_state=0).fit(X, Y)
    frames, noise = a.draw(X[:2], "1n")
    pivots = frames[0].mean(0).expand_as(frames[0]) if pivot == "mean" else frames[0]
    assert torch.allclose(noise[0], a.generator_(pivots).detach(), atol=1e-6)


# ------------------------------------------------------------------ training


def test_training_fools_the_classifier() -> None:
    strong = {"n_iter": 300, "learning_rate": 1e-3, "classifier_iter": 300, "lambda1": 1.0, "lambda2": 0.1}
    a = Adversary(**(FAST | strong), random_state=0)
    a.fit(X, Y, held_out=toy(9, seed=5))
    history = a.history
    assert list(history.columns) == list(HISTORY_COLUMNS)
    train = history[history["split"] == "train"]
    assert train["fooling_rate"].iloc[0] < 0.2
    assert train["fooling_rate"].iloc[-1] > 0.6
    assert set(history["split"]) == {"train", "held_out"}
    assert train["iteration"].tolist() == list(range(0, 301, 5))
    # The last row agrees with what sampling gives.
    frames, noise = (torch.cat(part) for part in a.draw(X, "3n"))
    rate = float(fooling_rate(a.classifier_, frames, a.negatives(frames, noise)))
    assert rate == pytest.approx(train["fooling_rate"].iloc[-1], abs=0.15)
    assert train["noise_norm"].iloc[-1] == pytest.approx(float(noise.norm(dim=1).mean()), rel=0.1)


def test_rates_are_what_they_say() -> None:
    zeta = nn.Linear(3, 3, bias=False)
    zeta.weight.data = torch.eye(3)
    x = torch.tensor([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.0, 0.1, 0.9]])
    y = torch.tensor([[0.0, 0.5, 0.5], [0.4, 0.6, 0.1], [0.1, 0.2, 0.9]])
    assert float(fooling_rate(zeta, x, y)) == pytest.approx(1 / 3)  # misclassified alone is not fooled


def test_frame_classifier_learns() -> None:
    frames = torch.cat([torch.tensor(s, dtype=torch.float32) for s in X])
    frames = normalize(frames, dim=1)
    targets = torch.tensor(Y).repeat_interleave(torch.tensor([len(s) for s in X]))
    steps: list[int] = []
    zeta = train_frame_classifier(
        frames, targets, C, generator=torch.Generator().manual_seed(0), n_iter=200, learning_rate=1e-2,
        callback=lambda p: steps.append(p.step),
    )  # fmt: skip
    assert accuracy(zeta, frames, targets) > 0.95
    assert steps == [50, 100, 150, 200]


def test_same_seed_same_result_and_no_global_seed() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a = Adversary(**FAST, random_state=4).fit(X, Y)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    b = Adversary(**FAST, random_state=4).fit(X, Y)
    assert a.history.equals(b.history)
    assert torch.equal(a.sample(X, 3).frames, b.sample(X, 3).frames)
    assert not a.history.equals(Adversary(**FAST, random_state=5).fit(X, Y).history)


def test_cancel_keeps_what_was_trained() -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == "adversary" and progress.step >= 10:
            raise Cancelled

    a = Adversary(**FAST, random_state=0).fit(X, Y, stop)
    assert a.cancelled_
    assert a.is_fitted
    assert a.n_iter_ == 10
    expected = Adversary(**(FAST | {"n_iter": 10}), random_state=0).fit(X, Y)
    assert torch.equal(a.sample(X, 4).frames, expected.sample(X, 4).frames)


def test_cancel_during_the_classifier_leaves_it_unfitted() -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled

    a = Adversary(**FAST, random_state=0).fit(X, Y, stop)
    assert a.cancelled_
    assert not a.is_fitted
    assert a.history.empty
    for use in (lambda: a.sample(X, 4), lambda: a.save("nowhere")):
        with pytest.raises(NotFittedError):
            use()


def test_progress_reports_time_left_and_values() -> None:
    seen: list[Progress] = []
    Adversary(**FAST, random_state=0).fit(X, Y, seen.append, held_out=(X, Y))
    last = seen[-1]
    assert (last.stage, last.step, last.total) == ("adversary", 20, 20)
    assert last.remaining == 0
    assert {"fooling_rate", "held_out_fooling_rate", "wasserstein"} <= set(last.values)
    assert [p.stage for p in seen[:1]] == ["classifier"]


# ------------------------------------------------------------------ sampling


def test_sampling_does_not_depend_on_the_company() -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    together = a.sample(X, "2n", random_state=3).unpad()
    for i in (0, 5, 11):
        alone = a.sample([X[i]], "2n", random_state=3).frames[0]
        assert alone.shape == (2 * len(X[i]), D)
        assert torch.allclose(alone, together[i], atol=1e-6)
    assert not torch.allclose(
        a.sample(X, "2n", random_state=4).frames, a.sample(X, "2n", random_state=3).frames
    )
    assert a.noise(X, 4).frames.shape == (len(X), 4, D)


def test_fitted_adversaries_are_copied_and_cloned() -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    for twin in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert torch.equal(twin.sample(X, 4).frames, a.sample(X, 4).frames)
    assert not clone(a).is_fitted
    assert clone(a).get_params() == a.get_params()


# ------------------------------------------------------------------ files


def assert_same(a: Adversary, b: Adversary) -> None:
    assert a.history.equals(b.history)
    for name, tensor in a._state.wgan.state().items():
        assert torch.equal(tensor, b._state.wgan.state()[name]), name


def test_save_and_load(tmp_path: Path) -> None:
    a = Adversary(**FAST, random_state=0).fit(X, np.array(["a", "b", "c"])[Y])
    b = Adversary.load(a.save(tmp_path / "a.safetensors"), device="cpu")
    assert_same(a, b)
    assert torch.equal(a.sample(X, 4).frames, b.sample(X, 4).frames)
    assert b.classes_.tolist() == ["a", "b", "c"]
    assert b.get_params() == a.get_params()
    assert b.fingerprint_ == a.fingerprint_


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resuming_gives_the_uninterrupted_history_to_the_bit(tmp_path: Path, precision: str) -> None:
    settings = FAST | {"precision": precision}
    path = tmp_path / "c.safetensors"
    whole = Adversary(**settings, random_state=7).fit(X, Y)

    def killed(progress: Progress) -> None:
        if progress.stage == "adversary" and progress.step == 15:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Adversary(**settings, random_state=7).fit(X, Y, killed, checkpoint=path, checkpoint_every=7)
    assert Adversary.load(path).n_iter_ == 14  # nothing is lost but the iterations since
    assert_same(Adversary(**settings).fit(X, Y, resume=path), whole)


def test_resuming_refuses_other_data_and_parameters(tmp_path: Path) -> None:
    path = Adversary(**FAST, random_state=0).fit(X, Y).save(tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="other sequences"):
        Adversary(**FAST).fit(X[1:], Y[1:], resume=path)
    with pytest.raises(ValueError, match=r"sigma = 0\.01"):
        Adversary(**FAST, sigma=0.1).fit(X, Y, resume=path)
    with pytest.raises(ValueError, match="20 iterations"):
        Adversary(**(FAST | {"n_iter": 10})).fit(X, Y, resume=path)


def test_damaged_and_foreign_files_are_refused_and_harm_nothing(tmp_path: Path) -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    before = a.sample(X, 4).frames
    good = a.save(tmp_path / "good.safetensors")
    data = good.read_bytes()
    bad = tmp_path / "bad.safetensors"
    for content in (b"", data[:100], data[:-1], data[: len(data) // 2], b"\x80\x04K\x01.", b"hello" * 100):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.safetensors"):
            Adversary.load(bad)
        with pytest.raises(ValueError, match=r"bad\.safetensors"):
            a.fit(X, Y, resume=bad)
    assert torch.equal(a.sample(X, 4).frames, before)
    with pytest.raises(FileNotFoundError):
        Adversary.load(tmp_path / "none")

    tensors = load_file(good)
    save_file(tensors, bad)  # no header of ours
    with pytest.raises(ValueError, match="expected 'acot-adversary'"):
        Adversary.load(bad)
    from safetensors import safe_open

    with safe_open(good, "pt") as file:
        header = dict(file.metadata())
    save_file({k: v for k, v in tensors.items() if k != "critic_squares"}, bad, header)
    with pytest.raises(ValueError, match="critic_squares"):
        Adversary.load(bad)
    save_file(tensors, bad, header | {"version": "99"})
    with pytest.raises(ValueError, match="version 99"):
        Adversary.load(bad)
    metadata = json.loads(header["metadata"])
    save_file(tensors, bad, header | {"metadata": json.dumps(metadata | {"n_features": D + 1})})
    with pytest.raises(ValueError, match=r"complete|expected shape"):
        Adversary.load(bad)


# ------------------------------------------------------------------ degenerate cases and bad input


def test_sigma_zero_makes_the_noise_certain() -> None:
    a = Adversary(**FAST, sigma=0.0, random_state=0).fit(X, Y)
    noise = a.noise(X[:1], 4).frames[0]
    assert torch.equal(noise, noise[:1].expand_as(noise))
    assert measure_quality(a, X, n_repeats=1).diversity == pytest.approx(0, abs=1e-6)


def test_degenerate_sets_are_handled() -> None:
    big = Adversary(**(FAST | {"batch_size": 1000, "n_iter": 2}), random_state=0).fit(X[:3], Y[:3])
    assert big.is_fitted
    single = [*X[:6], X[0][:1]]  # a class of one clip with one frame
    a = Adversary(**FAST, random_state=0).fit(single, [*Y[:6], 9])
    assert a.sample(single, "2n").lengths.tolist()[-1] == 2
    assert np.isfinite(a.history.drop(columns="split").to_numpy(dtype=float)).all()


@pytest.mark.parametrize(
    ("sequences", "labels", "message"),
    [
        (X[:1], Y[:1], "only class 0 occurs"),
        (X, np.zeros(len(X)), "only class 0"),
        ([s[:, :1] for s in X], Y, "d = 1"),
        (X, Y[:-1], "expected shape"),
        ([], [], "at least one sequence"),
        ([*X[:-1], -X[-1]], Y, "negative entry"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_a_reason(sequences, labels, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        Adversary(**FAST).fit(sequences, labels)


def test_held_out_labels_must_be_known() -> None:
    with pytest.raises(ValueError, match="held_out: label 0 is 7"):
        Adversary(**FAST).fit(X, Y, held_out=(X[:2], [7, 0]))


@pytest.mark.parametrize(
    "bad",
    [
        {"sigma": -1}, {"sigma": float("nan")}, {"lambda1": "a"}, {"lambda2": float("inf")}, {"n_iter": -1},
        {"n_iter": 1.5}, {"n_critic": 0}, {"batch_size": 0}, {"hidden": 0}, {"pivot": "median"}, {"clip": 0},
        {"learning_rate": 0}, {"precision": "half"}, {"target": "x"}, {"adversarial": 1}, {"eval_every": 0},
    ],
)  # fmt: skip
def test_bad_parameters_are_named(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(bad))}: expected"):
        Adversary(**(FAST | bad)).fit(X, Y)  # type: ignore[arg-type]


def test_the_history_can_be_read_while_another_thread_trains() -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    row, stop, before = a._state.history[-1], threading.Event(), sys.getswitchinterval()

    def train() -> None:
        while not stop.is_set() and len(a._state.history) < 20_000:
            a._state.history.append(row)

    sys.setswitchinterval(1e-6)
    other = threading.Thread(target=train)
    try:
        other.start()
        for _ in range(50):
            assert len(a.history) > 0
    finally:
        sys.setswitchinterval(before)
        stop.set()
        other.join()
