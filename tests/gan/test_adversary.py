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

from acot_core._utils.progress import Cancelled, Progress
from acot_core.gan import wgan as wgan_module
from acot_core.gan._fast import critic_gradients
from acot_core.gan._rmsprop import FusedRMSprop, RMSprop
from acot_core.gan.adversary import Adversary
from acot_core.gan.frame_classifier import accuracy, fooling_rate, linear, train_frame_classifier
from acot_core.gan.negatives import subtract
from acot_core.gan.quality import measure_quality
from acot_core.gan.training import HISTORY_COLUMNS
from acot_core.gan.wgan import MLP, WGAN, Batch
from acot_core.sequences import check_sequences

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


def make_wgan(d: int = D, **changes) -> WGAN:  # type: ignore[no-untyped-def]
    cpu, device = torch.Generator().manual_seed(0), torch.device("cpu")
    zeta = linear(d, C, cpu, device).requires_grad_(False)
    settings = {"sigma": 0.05, "lambda1": 0.5, "lambda2": 0.7, "clip": 0.01, "learning_rate": 1e-3}
    return WGAN(MLP(d, d, d, cpu, device), MLP(d, d, 1, cpu, device), zeta, **(settings | changes))  # type: ignore[arg-type]


def make_batch(steps: int = 3, size: int = 8, d: int = D, seed: int = 1) -> Batch:
    cpu = torch.Generator().manual_seed(seed)
    x = normalize(torch.rand(steps, size, d, generator=cpu, dtype=torch.float32), dim=-1)
    return Batch(
        x,
        x.mean(1, keepdim=True).expand_as(x),
        torch.randint(C, (steps, size), generator=cpu),
        torch.randn(steps, size, d, generator=cpu, dtype=torch.float32),
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


@torch.enable_grad()
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


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("d", "size"), [(7, 5), (16, 64), (256, 64)])
def test_fast_path_equals_autograd_bit_for_bit(d: int, size: int, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fast, plain = make_wgan(d), make_wgan(d, fast=False)
        for seed in range(3):
            batch = make_batch(4, size, d, seed)
            fast.iterate(batch)
            plain.iterate(batch)
    finally:
        torch.set_num_threads(before)
    for name, tensor in fast.state().items():
        assert torch.equal(tensor, plain.state()[name]), name


def test_fast_switches_path_and_not_result(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(*args, **options):  # type: ignore[no-untyped-def]
        calls.append(1)
        return critic_gradients(*args, **options)

    monkeypatch.setattr(wgan_module, "critic_gradients", counted)
    make_wgan(fast=False).iterate(make_batch(3))
    assert not calls
    make_wgan().iterate(make_batch(3))
    assert len(calls) == 2
    a, b = (Adversary(**FAST, random_state=0, fast=fast).fit(X, Y) for fast in (True, False))
    assert isinstance(a._state.wgan.critic_optimiser, FusedRMSprop)
    assert not isinstance(b._state.wgan.critic_optimiser, FusedRMSprop)
    assert_same(a, b)


@torch.enable_grad()
def test_critic_gradients_in_bfloat16_are_close_to_autograd() -> None:
    wgan, b = make_wgan(mixed=True), make_batch(2, 24)
    frames, negatives = b.frames[0], b.frames[1, :16]  # the two means count alike, whatever their sizes
    weights = list(wgan.critic.parameters())
    expected = torch.autograd.grad(-wgan.wasserstein(frames, negatives), weights)
    room = [torch.empty_like(w) for w in weights]
    for gradient, reference in zip(
        critic_gradients(weights, frames, negatives, room, mixed=True), expected, strict=True
    ):
        assert (gradient - reference).norm() <= 0.03 * reference.norm() + 1e-6


@pytest.mark.parametrize("kind", [RMSprop, FusedRMSprop])
def test_rmsprop_agrees_with_torch(kind: type[RMSprop]) -> None:
    ours = [
        torch.randn(300, 200, requires_grad=True, dtype=torch.float32),
        torch.randn(7, requires_grad=True, dtype=torch.float32),
    ]
    theirs = [w.detach().clone().requires_grad_() for w in ours]
    mine, reference = kind(ours, 1e-2, clip=1.5), torch.optim.RMSprop(theirs, 1e-2)
    for seed in range(4):
        cpu = torch.Generator().manual_seed(seed)
        gradients = [torch.randn(w.shape, generator=cpu, dtype=torch.float32) for w in ours]
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_training_on_a_gpu_fools_as_on_the_cpu() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a = Adversary(
            **(FAST | {"n_iter": 300, "device": "cuda", "learning_rate": 1e-3}), random_state=0
        ).fit(X, Y)
    b = Adversary(**(FAST | {"n_iter": 300, "learning_rate": 1e-3}), random_state=0).fit(X, Y)
    assert a.history_["fooling_rate"].iloc[-1] == pytest.approx(b.history_["fooling_rate"].iloc[-1], abs=0.25)
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
    forward, step = wgan.critic.forward, wgan.critic_step

    def watch(frames: Tensor, negatives: Tensor) -> None:
        seen.extend([frames, negatives])
        step(frames, negatives)

    monkeypatch.setattr(wgan.critic, "forward", lambda rows: (seen.append(rows.detach()), forward(rows))[1])
    monkeypatch.setattr(wgan, "critic_step", watch)
    wgan.iterate(batch)
    assert len(seen) == 5  # reals and fakes of each of two critic steps, fakes of the generator's
    for rows in seen:
        assert torch.allclose(rows.norm(dim=-1), torch.ones(len(rows), dtype=torch.float32), atol=1e-5)
    sampled = Adversary(**FAST, random_state=0).fit(X, Y).sample(X, 5).frames
    assert torch.allclose(sampled.norm(dim=-1), torch.ones(len(X), 5, dtype=torch.float32), atol=1e-5)


def test_noise_depends_on_its_sequence() -> None:
    a = Adversary(**(FAST | {"n_iter": 150, "learning_rate": 1e-3}), random_state=0).fit(X, Y)
    quality = measure_quality(a, X, n_repeats=1)
    assert quality.condition_ratio > 2
    assert quality.condition_p < 0.01
    with torch.no_grad():  # the same generator, blind to its input
        a.generator_[0].weight.zero_()
        a.generator_[0].bias.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(0))
    assert measure_quality(a, X, n_repeats=1).condition_ratio == 1.0


@pytest.mark.parametrize("pivot", ["mean", "frame"])
def test_noise_comes_from_the_pivot(pivot: str) -> None:
    a = Adversary(**FAST, sigma=0.0, pivot=pivot, random_state=0).fit(X, Y)
    noise = a.noise(X[:2], "1n")
    frames = check_sequences(X)[0][noise.origin[0, : len(X[0])]]
    pivots = frames.mean(0).expand_as(frames) if pivot == "mean" else frames
    assert torch.allclose(noise.unpad()[0], a.generator_(pivots).detach(), atol=1e-6)


# ------------------------------------------------------------------ training


def test_training_fools_the_classifier() -> None:
    strong = {"n_iter": 300, "learning_rate": 1e-3, "classifier_iter": 300, "lambda1": 1.0, "lambda2": 0.1}
    a = Adversary(**(FAST | strong), random_state=0)
    a.fit(X, Y, held_out=toy(9, seed=5))
    history = a.history_
    assert list(history.columns) == list(HISTORY_COLUMNS)
    train = history[history["split"] == "train"]
    assert train["fooling_rate"].iloc[0] < 0.2
    assert train["fooling_rate"].iloc[-1] > 0.6
    assert set(history["split"]) == {"train", "held_out"}
    assert train["iteration"].tolist() == list(range(0, 301, 5))
    # The last row agrees with what sampling gives.
    noise, sampled = (torch.cat(draw(X, "3n").unpad()) for draw in (a.noise, a.sample))
    origins = a.sample(X, "3n").origin
    frames = torch.cat([x[o[: 3 * len(x)]] for x, o in zip(check_sequences(X), origins, strict=True)])
    rate = float(fooling_rate(a.classifier_, frames, sampled))
    assert rate == pytest.approx(train["fooling_rate"].iloc[-1], abs=0.15)
    assert train["noise_norm"].iloc[-1] == pytest.approx(float(noise.norm(dim=1).mean()), rel=0.1)


def test_fooling_is_not_misclassification() -> None:
    zeta = nn.Linear(3, 3, bias=False)
    zeta.weight.data = torch.eye(3, dtype=torch.float32)
    x = torch.tensor([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.0, 0.1, 0.9]], dtype=torch.float32)
    y = torch.tensor([[0.0, 0.5, 0.5], [0.4, 0.6, 0.1], [0.1, 0.2, 0.9]], dtype=torch.float32)
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
    assert a.history_.equals(b.history_)
    assert torch.equal(a.sample(X, 3).frames, b.sample(X, 3).frames)
    assert not a.history_.equals(Adversary(**FAST, random_state=5).fit(X, Y).history_)


def test_cancelled_fit_equals_a_shorter_fit() -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == "adversary" and progress.step >= 10:
            raise Cancelled

    a = Adversary(**FAST, random_state=0).fit(X, Y, callback=stop)
    assert a.cancelled_
    assert a.is_fitted
    assert a.n_iter_ == 10
    expected = Adversary(**(FAST | {"n_iter": 10}), random_state=0).fit(X, Y)
    assert torch.equal(a.sample(X, 4).frames, expected.sample(X, 4).frames)


def test_cancel_during_the_classifier_leaves_it_unfitted() -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled

    a = Adversary(**FAST, random_state=0).fit(X, Y, callback=stop)
    assert a.cancelled_
    assert not a.is_fitted
    assert a.history_.empty
    for use in (lambda: a.sample(X, 4), lambda: a.save("nowhere")):
        with pytest.raises(NotFittedError):
            use()


def test_progress_reports_time_left_and_values() -> None:
    seen: list[Progress] = []
    Adversary(**FAST, random_state=0).fit(X, Y, callback=seen.append, held_out=(X, Y))
    last = seen[-1]
    assert (last.stage, last.step, last.total) == ("adversary", 20, 20)
    assert last.remaining == 0
    assert {"fooling_rate", "held_out_fooling_rate", "wasserstein"} <= set(last.values)
    assert [p.stage for p in seen[:1]] == ["classifier"]


# ------------------------------------------------------------------ sampling


def test_sampling_does_not_depend_on_the_other_sequences() -> None:
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


def test_origin_names_the_frame_that_a_negative_was_made_from() -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    noise, negatives = a.noise(X, "2n"), a.sample(X, "2n")
    assert torch.equal(noise.origin, negatives.origin)
    for x, o, z, y in zip(check_sequences(X), noise.origin, noise.unpad(), negatives.unpad(), strict=True):
        assert torch.allclose(subtract(x[o[: len(y)]], z), y, atol=1e-6)
        assert torch.bincount(o[: len(y)]).tolist() == [2] * len(x)
    assert (negatives.origin[~negatives.mask] == -1).all()


def test_fitted_adversaries_are_copied_and_cloned() -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    for twin in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert torch.equal(twin.sample(X, 4).frames, a.sample(X, 4).frames)
    assert not clone(a).is_fitted
    assert clone(a).get_params() == a.get_params()


# ------------------------------------------------------------------ files


def assert_same(a: Adversary, b: Adversary) -> None:
    assert a.history_.equals(b.history_)
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
    uninterrupted = Adversary(**settings, random_state=7).fit(X, Y)

    def killed(progress: Progress) -> None:
        if progress.stage == "adversary" and progress.step == 15:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        Adversary(**settings, random_state=7).fit(X, Y, callback=killed, checkpoint=path, checkpoint_every=7)
    assert Adversary.load(path).n_iter_ == 14  # nothing is lost but the iterations since
    assert_same(Adversary(**settings).fit(X, Y, resume=path), uninterrupted)


def test_resuming_refuses_other_data_and_parameters(tmp_path: Path) -> None:
    path = Adversary(**FAST, random_state=0).fit(X, Y).save(tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="other sequences"):
        Adversary(**FAST).fit(X[1:], Y[1:], resume=path)
    with pytest.raises(ValueError, match=r"sigma = 0\.01"):
        Adversary(**FAST, sigma=0.1).fit(X, Y, resume=path)
    with pytest.raises(ValueError, match="20 iterations"):
        Adversary(**(FAST | {"n_iter": 10})).fit(X, Y, resume=path)


def test_a_file_without_optimisers_samples_alike_and_refuses_to_train(tmp_path: Path) -> None:
    a = Adversary(**FAST, random_state=0).fit(X, Y)
    whole, small = a.save(tmp_path / "whole.safetensors"), a.save(tmp_path / "s.safetensors", resumable=False)
    assert small.stat().st_size < 0.7 * whole.stat().st_size
    b = Adversary.load(small)
    assert torch.equal(a.sample(X, 4).frames, b.sample(X, 4).frames)
    for path in (small, b.save(tmp_path / "again.safetensors")):  # what is not there cannot come back
        with pytest.raises(ValueError, match="saved without its optimisers"):
            Adversary(**FAST).fit(X, Y, resume=path)


def test_damaged_and_foreign_files_are_refused_and_change_nothing(tmp_path: Path) -> None:
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


def test_noise_is_deterministic_at_sigma_zero() -> None:
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
    assert np.isfinite(a.history_.drop(columns="split").to_numpy(dtype=float)).all()


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
def test_bad_training_data_is_refused_with_a_reason(sequences, labels, message) -> None:  # type: ignore[no-untyped-def]
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
            assert len(a.history_) > 0
    finally:
        sys.setswitchinterval(before)
        stop.set()
        other.join()
