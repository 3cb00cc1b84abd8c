"""Baselines: each against its definition; padding, order of the batch and bad input."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor

from acot_core.baselines import (
    GRP,
    KRP,
    AveragePooling,
    DiscriminativePooling,
    DTWClassifier,
    MaxPooling,
    MiniRocketClassifier,
    PCASubspace,
    RankPooling,
    rank_pooling,
)
from acot_core.baselines.discriminative import _MarginLoss
from acot_core.baselines.signals import resample
from acot_core.gan.negatives import random_negatives
from acot_core.riemannian.grassmann import projection_kernel, random_point
from acot_core.sequences import check_sequences, normalize_frames, pad

POOLINGS = [
    AveragePooling(), MaxPooling(), RankPooling(), PCASubspace(2), GRP(2), KRP(2, n_landmarks=20),
    DiscriminativePooling(2),
]  # fmt: skip
names = [type(p).__name__ for p in POOLINGS]


def make(lengths: tuple[int, ...] = (5, 12, 8, 1, 20), d: int = 10, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sequences = [torch.rand(n, d, generator=generator, dtype=torch.float32) + 0.01 for n in lengths]
    return [s / s.norm(dim=1, keepdim=True) for s in sequences]


def same(a: np.ndarray, b: np.ndarray) -> None:
    """Equal descriptors; of subspaces, equal spans."""
    if a.ndim == 3:
        overlap = np.diag(projection_kernel(torch.tensor(a.copy()), torch.tensor(b.copy())).numpy())
        np.testing.assert_allclose(overlap, a.shape[2], atol=2e-4)
    else:
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS, ids=names)
def test_alone_or_in_a_batch(pooling) -> None:
    X = make()
    fitted = clone(pooling).fit(X)
    together = fitted.transform(X)
    assert len(together) == len(X)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    same(np.concatenate([fitted.transform([x]) for x in X]), together)
    same(fitted.transform(X[::-1])[::-1], together)


@pytest.mark.parametrize("pooling", POOLINGS, ids=names)
def test_bad_input(pooling) -> None:
    fitted = clone(pooling).fit(make())
    with pytest.raises(ValueError, match=r"X\[1\].*NaN"):
        fitted.transform([make()[0], torch.full((3, 10), torch.nan)])
    with pytest.raises(ValueError, match=r"X\[0\].*10 features"):
        fitted.transform(make(d=7))
    with pytest.raises(ValueError, match="at least one"):
        clone(pooling).fit([])


def test_average_and_max_by_hand() -> None:
    X = make()
    np.testing.assert_allclose(AveragePooling().fit_transform(X)[1], X[1].mean(0), atol=1e-6)
    np.testing.assert_allclose(MaxPooling().fit_transform(X)[2], X[2].amax(0), atol=1e-6)


def test_pca_keeps_the_most_energy() -> None:
    X = make((9,))
    U = PCASubspace(3).fit_transform(X)[0]
    kept = float((X[0] @ torch.from_numpy(U)).square().sum())
    singular = torch.linalg.svdvals(X[0]).square()
    assert kept == pytest.approx(float(singular[:3].sum()), rel=1e-5)


def rising(n: int = 20, d: int = 8, seed: int = 0) -> Tensor:
    """A strong constant direction, and a weaker one whose energy grows with time."""
    generator = torch.Generator().manual_seed(seed)
    frames = 0.02 * torch.rand(n, d, generator=generator, dtype=torch.float32)
    frames[:, 0] += 1
    frames[:, 3] += torch.linspace(0.05, 0.9, n, dtype=torch.float32)
    return frames / frames.norm(dim=1, keepdim=True)


def test_grp_trades_distortion_for_order() -> None:
    X = [rising()]

    def grows(U: np.ndarray) -> float:
        energy = (X[0] @ torch.from_numpy(U[0])).square().sum(1)
        return float((energy[1:] > energy[:-1]).float().mean())

    free = GRP(1, beta2=0).fit_transform(X)
    same(free, PCASubspace(1).fit_transform(X))
    ordered = GRP(1, beta2=30, n_iter=30).fit_transform(X)
    assert grows(ordered) > 0.95 > grows(free)
    assert abs(ordered[0, 3, 0]) > abs(free[0, 3, 0]) + 0.1


def test_projection_is_the_mean_of_the_projected_frames() -> None:
    X = make()
    U = torch.from_numpy(GRP(2).fit_transform(X)[1])
    expected = ((X[1] @ U) @ U.T).mean(0)
    np.testing.assert_allclose(GRP(2, output="projection").fit_transform(X)[1], expected, atol=1e-5)


def test_rank_pooling_orders_the_running_means() -> None:
    X = [rising()]
    u = RankPooling().fit_transform(X)[0]
    assert np.linalg.norm(u) == pytest.approx(1, abs=1e-5)
    means = X[0].cumsum(0) / torch.arange(1, 21)[:, None]
    scores = torch.nn.functional.normalize(means, dim=1).numpy() @ u
    assert (np.diff(scores) > 0).all()
    backwards = RankPooling().fit_transform([X[0].flip(0)])[0]
    assert u @ backwards < 0


def test_krp_is_blind_to_nothing_linear_when_the_kernel_is_flat() -> None:
    """With a tiny gamma the kernel is almost constant: every subspace is almost the same direction."""
    X = make((6, 9, 7))
    U = torch.from_numpy(KRP(1, gamma=1e-6, beta2=0, n_landmarks=10).fit_transform(X))
    assert projection_kernel(U, U).min() > 0.99
    U = torch.from_numpy(KRP(1, gamma=50.0, beta2=0, n_landmarks=22).fit_transform(X))
    assert projection_kernel(U, U).min() < 0.5


def test_rank_pooling_of_a_long_sequence_finds_the_same_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    X = make((2100,), seed=5)
    long = RankPooling().fit_transform(X)
    monkeypatch.setattr("acot_core.baselines.rank_pooling._LONG", 2100)
    np.testing.assert_allclose(long, RankPooling().fit_transform(X), atol=2e-3)


@torch.enable_grad()
def test_margin_loss_gradient() -> None:
    batch = pad(make((6, 9)))
    noise = random_negatives(batch.unpad(), "1n", 0).frames
    loss = _MarginLoss(batch, noise, 0.5, 2.0, 0.01)
    loss.rows, loss.weights, loss.pair_weights = (
        t.double() for t in (loss.rows, loss.weights, loss.pair_weights)
    )
    U = random_point(2, 10, 2, torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    (expected,) = torch.autograd.grad(loss.value(U).sum(), U)
    torch.testing.assert_close(loss.gradient(U.detach()), expected)
    torch.testing.assert_close(
        loss.select(torch.tensor([1])).value(U.detach()[1:]), loss.value(U.detach())[1:]
    )


def test_discriminative_pooling_lowers_its_loss() -> None:
    X = make((20,), seed=3)
    pooling = DiscriminativePooling(1, beta2=1.0, margin=1.0, n_iter=20, random_state=0).fit(X)
    batch = pad(check_sequences(X))
    loss = _MarginLoss(batch, random_negatives(batch.unpad(), "1n", pooling.seed_).frames, 1.0, 1.0, 0.01)
    start = loss.value(torch.tensor(PCASubspace(1).fit_transform(X)))
    assert loss.value(torch.tensor(pooling.transform(X))) < start - 1e-3


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        (GRP(0), "n_subspaces"),
        (GRP(11), "exceeds the 10 features"),
        (GRP(beta2=-1.0), "beta2"),
        (GRP(output="matrix"), "output"),
        (RankPooling(C=0), "C: expected"),
        (KRP(gamma=-1), "gamma"),
        (KRP(5, n_landmarks=3), "n_landmarks"),
    ],
)
def test_bad_parameters(pooling, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pooling.fit(make())


def signals(seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Two classes of signals of unequal length: rising and falling."""
    rng = np.random.default_rng(seed)
    labels = np.arange(16) % 2
    X = []
    for label in labels:
        n = int(rng.integers(12, 25))
        ramp = np.linspace(0, 1, n) if label else np.linspace(1, 0, n)
        X.append(np.stack([ramp, rng.normal(size=n) * 0.1], 1) * 50)
    return X, labels


@pytest.mark.timeout(1800)  # where aeon is new, its first import compiles for minutes of a core
@pytest.mark.parametrize("model", [DTWClassifier(), MiniRocketClassifier(84)], ids=["dtw", "minirocket"])
def test_signal_classifiers(model) -> None:
    pytest.importorskip("aeon")
    X, y = signals()
    generator = np.random.get_state()  # noqa: NPY002
    model = clone(model).fit(X, y)
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(generator, after, strict=True))
    other, truth = signals(1)
    assert (model.predict(other) == truth).mean() >= 0.9
    scores = model.decision_function(other)
    assert scores.shape == (16, 2)
    assert (model.classes_[scores.argmax(1)] == model.predict(other)).all()


def test_resample_keeps_the_ends() -> None:
    X, _ = signals()
    short = resample(X[:2], 10)
    assert short.shape == (2, 2, 10)
    np.testing.assert_allclose(short[0, :, [0, -1]], X[0][[0, -1]], rtol=1e-5)
    with pytest.raises(ValueError, match=r"X\[0\]"):
        resample([np.zeros((0, 2))], 10)


def test_grp_minimises_distortion_and_order_at_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences of what is handed to the solver, beside the two terms by hand: no contrast is left."""
    generator = torch.Generator().manual_seed(0)
    frames = normalize_frames(torch.rand(9, 6, generator=generator, dtype=torch.float64))
    seen = []
    monkeypatch.setattr(
        rank_pooling,
        "solve_subspaces",
        lambda objective, start, **_: seen.append(objective) or SimpleNamespace(point=start),
    )
    batch = pad([frames])
    rank_pooling.ordered_subspace(batch, GRP(2, beta1=1.7, beta2=3.0, eta=0.01, n_iter=5))

    def by_hand(U: Tensor) -> Tensor:
        energy = (frames @ U).square().sum(1)
        hinge = torch.relu(energy[:-1] + 0.01 - energy[1:])
        return 1.7 * (frames - frames @ U @ U.T).square().sum(1).mean() + 3.0 * hinge.mean()

    U, V = random_point(2, 6, 2, generator, dtype=torch.float64)
    value_U, value_V = (seen[0].value(W[None])[0] for W in (U, V))
    torch.testing.assert_close(value_U - value_V, by_hand(U) - by_hand(V))
