"""Units change nothing: scaled costs, features and data, permutations and rotations, in generated cases.

Each test takes every public function of its kind. A *law* is a function of (seed, unit) that gives values,
each with the power of the unit that it must grow by: transport values grow as the cost does, plans do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from generated import cases, problems, quiet, seeds
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from acot_core import ACOTPooling, GrassmannSVC, StreamFusion, zip_streams
from acot_core.baselines import (
    GRP,
    KRP,
    AveragePooling,
    DiscriminativePooling,
    DTWClassifier,
    MaxPooling,
    PCASubspace,
    RankPooling,
    SupervisedPooling,
)
from acot_core.classify import grassmann_kernel
from acot_core.datasets import FrameEncoder, encode, nonnegative
from acot_core.gan.two_sample import (
    classifier_test,
    energy_distance,
    nearest_distance,
    nearest_neighbour_test,
)
from acot_core.images.saliency import noise_map, overlap
from acot_core.riemannian import BETA_RULES, conjugate_gradient, pymanopt_conjugate_gradient
from acot_core.riemannian.grassmann import (
    distance,
    orthonormalize,
    principal_angles,
    principal_subspace,
    project,
    projection_kernel,
    random_point,
    retract_polar,
    retract_qr,
)
from acot_core.sequences import check_sequences, normalize_frames, pad
from acot_core.subspace import ACOTObjective, alternate, barycentric_images, solve_subspaces
from acot_core.subspace.theorem1 import (
    decomposition,
    projection_robust,
    robust_distances,
    subspace_robust,
    variational_term,
)
from acot_core.transport import METHODS, cost_matrix, emd, ipot, sinkhorn, solve

D = torch.float64
exponents = st.integers(-16, 16)
Law = Callable[[int, float], list[tuple[Any, float]]]


class Sizes:
    """Sizes and numbers that depend on the seed alone."""

    def __init__(self, seed: int) -> None:
        self.g = torch.Generator().manual_seed(seed)
        self.n, self.m, self.d = (int(torch.randint(2, high, (), generator=self.g)) for high in (12, 14, 8))
        self.k = int(torch.randint(1, self.d, (), generator=self.g))

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.g, dtype=D)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.g, dtype=D)

    def masses(self, size: int, batch: int = 2) -> Tensor:
        mass = self.uniform(batch, size) + 0.1
        return mass / mass.sum(1, keepdim=True)

    def order(self, size: int) -> Tensor:
        return torch.randperm(size, generator=self.g)


def rotation(d: int, seed: int) -> Tensor:
    return random_point(1, d, d, torch.Generator().manual_seed(seed), dtype=D)[0]


def assert_same(actual: Any, expected: Any, rtol: float, what: str) -> None:
    """Equal, but for rounding in units of the largest number."""
    a, b = (np.asarray(torch.as_tensor(np.asarray(each), dtype=D)) for each in (actual, expected))
    assert a.shape == b.shape, what
    assert np.isfinite(a).all(), what
    scale = np.abs(b).max(initial=0)
    assert np.abs(a - b).max(initial=0) <= rtol * scale + 1e-300, (what, a, b)


def assert_law(law: Law, seed: int, unit: float, rtol: float, what: str) -> None:
    for i, ((actual, power), (expected, _)) in enumerate(zip(law(seed, unit), law(seed, 1.0), strict=True)):
        back = torch.as_tensor(np.asarray(actual), dtype=D) / unit**power
        assert_same(back, expected, rtol, f"{what}, value {i}, unit {unit}")


# ---------------------------------------------------------------- units of costs, masses, points, functions


def transport_law(solver: str, **options: Any) -> Law:
    def law(seed: int, s: float) -> list[tuple[Any, float]]:
        z = Sizes(seed)
        cost, a, b = z.uniform(2, z.n, z.m), z.masses(z.n), z.masses(z.m)
        answer = solve(s * cost, a, b, solver, **options)
        return [
            (answer.plan, 0), (answer.value, 1), (answer.marginal_error + 1, 0), (answer.converged, 0),
            (answer.n_iter, 0),
        ]  # fmt: skip

    return law


def mass_law(solver: str) -> Law:
    def law(seed: int, s: float) -> list[tuple[Any, float]]:
        z = Sizes(seed)
        answer = solve(z.uniform(2, z.n, z.m), s * z.masses(z.n), s * z.masses(z.m), solver)
        return [(answer.plan, 1), (answer.value, 1), (answer.marginal_error + 1, 0), (answer.converged, 0)]

    return law


def weighted_transport(seed: int, s: float) -> list[tuple[Any, float]]:
    """Weights of the entropy and of the proximal step in the cost's unit."""
    z = Sizes(seed)
    cost = z.uniform(2, z.n, z.m)
    answers = sinkhorn(s * cost, epsilon=0.1 * s, n_iter=20, tol=0), ipot(s * cost, beta=0.1 * s, n_iter=50)
    return [(answer.plan, 0) for answer in answers]


def costs(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    X, Y = s * z.normal(2, z.n, z.d), s * z.normal(2, z.m, z.d)
    return [(cost_matrix(X, Y), 1), (cost_matrix(X, Y, "sqeuclidean"), 2)]


def theorem(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    X, Y = s * z.normal(2, z.n, z.d), s * z.normal(2, z.m, z.d)
    terms = decomposition(X, Y, orthonormalize(z.normal(2, z.d, z.k)))
    value, bound, _ = subspace_robust(X, Y, z.k, n_iter=5)
    return [*((term, 2) for term in terms), (variational_term(Y, z.k), 2), (value, 2), (bound, 2)]


def robust(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    X, Y = s * z.normal(1, z.n, z.d), s * z.normal(1, z.m, z.d)
    actual = robust_distances(X, Y, z.k, n_starts=0, n_iter=1)
    return [
        (actual.projection, 2), (actual.contrastive, 2), (actual.subspace, 2), (actual.subspace_bound, 2),
        (actual.upper_bound, 2),
    ]  # fmt: skip


def descent_law(**options: Any) -> Law:
    def law(seed: int, s: float) -> list[tuple[Any, float]]:
        z = Sizes(seed)
        A = z.normal(2, z.d, z.d)
        A, start = A @ A.mT, orthonormalize(z.normal(2, z.d, z.k))
        actual = conjugate_gradient(lambda U: -s * (U * (A @ U)).sum((1, 2)), start, n_iter=6, **options)
        reasons = [["gradient", "no decrease", "iterations"].index(reason) for reason in actual.reason]
        P = actual.point @ actual.point.mT
        return [(P, 0), (actual.value, 1), (actual.n_iter, 0), (reasons, 0), (actual.converged, 0)]

    return law


def geometry(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    U, Z = orthonormalize(z.normal(2, z.d, z.k)), s * z.normal(2, z.d, z.k)
    return [(project(U, Z), 1), (orthonormalize(Z), 0), (normalize_frames(Z), 0)]


def principal(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    X = z.normal(2, z.n, z.d) * torch.logspace(0, -2, z.d, dtype=D)
    V = principal_subspace(s * X, None, z.k)
    return [((X @ V).square().sum((1, 2)), 0)]


def images(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    plan, Y = z.uniform(2, z.n, z.m), z.normal(2, z.m, z.d)
    return [(barycentric_images(s * plan, Y), 0), (barycentric_images(plan, s * Y), 1)]


def two_samples(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    a, b = s * z.normal(z.n + 2, z.d), s * (z.normal(z.m + 2, z.d) + 0.5)
    return [
        (energy_distance(a, b) + 10 * s, 1), (nearest_distance(a, b), 1), (nearest_neighbour_test(a, b), 0),
        (classifier_test(a, b), 0),
    ]  # fmt: skip


def saliency(seed: int, s: float) -> list[tuple[Any, float]]:
    z = Sizes(seed)
    noise, map_ = s * z.normal(3, 3, 8, 8), s * z.uniform(3, 8, 8)
    return [(noise_map(noise), 1), (overlap(noise_map(noise), map_), 0)]


def gamma(seed: int, s: float) -> list[tuple[Any, float]]:
    frames = s * Sizes(seed).normal(3, 4)
    return [(nonnegative(frames), 1), (nonnegative(frames, "relu"), 1)]


CLOSED: dict[str, tuple[Law, float]] = {
    **{f"{solver}, cost": (transport_law(solver), 1e-9) for solver in METHODS if solver not in ("ipot",)},
    **{f"{solver}, masses": (mass_law(solver), 1e-6) for solver in METHODS},
    "ipot, cost": (transport_law("ipot"), 1e-6),
    "sinkhorn and ipot, weights": (weighted_transport, 1e-6),
    "cost_matrix": (costs, 1e-9), "Theorem 1": (theorem, 1e-7), "geometry": (geometry, 1e-9),
    "principal_subspace": (principal, 1e-9), "barycentric_images": (images, 1e-9),
    "two samples": (two_samples, 1e-9), "saliency": (saliency, 1e-6), "nonnegative": (gamma, 1e-12),
}  # fmt: skip
ITERATED: dict[str, tuple[Law, float]] = {
    **{f"conjugate gradient, {rule}": (descent_law(beta_rule=rule), 1e-5) for rule in BETA_RULES},
    "conjugate gradient, polar": (descent_law(retraction="polar"), 1e-5),
}


@cases(250)
@given(st.sampled_from(list(CLOSED)), seeds, exponents)
def test_laws_of_units(name: str, seed: int, exponent: int) -> None:
    law, rtol = CLOSED[name]
    with quiet(most=9):
        assert_law(law, seed, 10.0**exponent, rtol, name)


@cases(250)
@given(st.sampled_from(list(ITERATED)), seeds, exponents)
def test_laws_of_units_where_steps_are_searched(name: str, seed: int, exponent: int) -> None:
    law, rtol = ITERATED[name]
    assert_law(law, seed, 2.0 ** (3 * exponent), rtol, name)


@cases(200)
@given(seeds, exponents)
def test_unit_of_the_robust_distances(seed: int, exponent: int) -> None:
    assert_law(robust, seed, 2.0 ** (3 * exponent), 1e-5, "robust_distances")


@cases(200)
@given(problems(largest=25), st.sampled_from(["emd", "ipot"]), st.floats(-1e3, 1e3))
def test_plans_do_not_depend_on_a_constant(
    problem: tuple[Tensor, Tensor | None, Tensor | None], transport: str, constant: float
) -> None:
    cost, a, b = (None if each is None else each.double() for each in problem)
    assert cost is not None
    with quiet():
        best = emd(cost, a, b).value
        answer = solve(cost + constant * cost.amax(), a, b, transport)
    excess = (answer.plan * cost).sum((1, 2)) - best
    allowed = 1e-9 if transport == "emd" else 2e-3 * (1 + abs(constant))
    assert (excess <= allowed * (cost.amax((1, 2)) + 1e-300))[answer.converged].all()


@cases(250)
@given(st.integers(2, 30), st.floats(0, 0.9), st.integers(3, 32), exponents, seeds)
def test_forbidden_pairs_leave_the_others_their_optimum(
    n: int, share: float, big: int, unit: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cost, forbidden = rng.random((n, n)), rng.random((n, n)) < share
    np.fill_diagonal(forbidden, False)
    rows, columns = linear_sum_assignment(np.where(forbidden, 1e4, cost))
    best = cost[rows, columns].mean()
    answer = emd(torch.from_numpy(10.0**unit * np.where(forbidden, 10.0**big, cost)))
    assert answer.converged
    assert float(answer.value) / 10.0**unit == pytest.approx(best, rel=1e-9)


@cases(250)
@given(problems(largest=20), exponents, st.sampled_from(["emd", "ipot"]))
def test_converged_is_shown_by_a_duality_gap(
    problem: tuple[Tensor, Tensor | None, Tensor | None], exponent: int, transport: str
) -> None:
    """By another solver: no plan is cheaper than what HiGHS finds, and what converged is as cheap."""
    from scipy.optimize import linprog

    cost, a, b = (None if each is None else each.double() for each in problem)
    assert cost is not None
    with quiet():
        answer = solve(10.0**exponent * cost, a, b, transport)
    c = cost[0].numpy()
    n, m = c.shape
    p, q = (np.full(z, 1 / z) if mass is None else mass[0].numpy() for mass, z in ((a, n), (b, m)))
    sums = np.concatenate([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    best = linprog(c.ravel() / c.max(), A_eq=sums, b_eq=np.r_[p, q * p.sum() / q.sum()]).fun * c.max()
    excess = float((answer.plan[0] * cost[0]).sum()) - best
    if bool(answer.converged[0]):
        spread = float(cost[0].amax() - cost[0].amin())
        assert excess <= (1e-6 if transport == "emd" else 2e-3) * (abs(best) + spread)
    else:
        assert transport == "ipot"


# ---------------------------------------------------------------- units of features and signals


def clips(seed: int, count: int = 6, d: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    d = d or int(rng.integers(4, 9))
    return [
        rng.random((n, d)) + 0.02 + np.linspace(0, 1, n)[:, None] * rng.random(d)
        for n in rng.integers(2, 12, count)
    ]


# From one's own negatives (m, d), which turn with the features.
QUIET: dict[str, Callable[[np.ndarray], Any]] = {
    "average": lambda given: AveragePooling(),
    "max": lambda given: MaxPooling(),
    "PCA": lambda given: PCASubspace(2),
    "GRP": lambda given: GRP(2),
    "rank": lambda given: RankPooling(),
    "ACOT, given": lambda given: ACOTPooling(2, negatives=given, random_state=0),
}
# With noise that is keyed by the frames' bits or drawn per feature, or without a contrast (kinks alone).
NOISY: dict[str, Callable[[np.ndarray], Any]] = {
    "ACOT, self": lambda given: ACOTPooling(1, negatives="self", transport="ipot", random_state=0),
    "ACOT, others": lambda given: ACOTPooling(negatives="others", random_state=0, output="projection"),
    "ACOT, random": lambda given: ACOTPooling(2, negatives="random", random_state=0),
    "KRP": lambda given: KRP(2, n_landmarks=8),
    "discriminative": lambda given: DiscriminativePooling(2),
    "supervised": lambda given: SupervisedPooling("lda"),
}
POOLINGS = QUIET | NOISY


def spans(pooled: np.ndarray) -> np.ndarray:
    return pooled @ pooled.swapaxes(1, 2) if pooled.ndim == 3 else pooled


@cases(250)
@given(st.sampled_from(list(POOLINGS)), seeds, st.integers(-50, 50))
def test_a_scale_of_each_frame_changes_no_pooling(name: str, seed: int, most: int) -> None:
    """By powers of two, which change no bit of a direction."""
    X, y = clips(seed), np.arange(6) % 2
    rng = np.random.default_rng(seed)
    scaled = [x * 2.0 ** rng.integers(min(0, most), max(0, most) + 1, len(x))[:, None] for x in X]
    pooling = POOLINGS[name](X[0])
    expected = pooling.fit(X, y).transform(X)
    np.testing.assert_array_equal(pooling.fit(scaled, y).transform(scaled), expected)


@cases(200)
@given(st.sampled_from(list(QUIET)), seeds)
def test_an_order_of_features_permutes_every_pooling(name: str, seed: int) -> None:
    X, y = clips(seed), np.arange(6) % 2
    order = np.random.default_rng(seed).permutation(X[0].shape[1])
    turned = [x[:, order] for x in X]
    given = clips(seed + 1, 1, X[0].shape[1])[0]  # of the frames themselves no contrast is left
    expected = QUIET[name](given).fit(X, y).transform(X)[:, order]
    actual = QUIET[name](given[:, order]).fit(turned, y).transform(turned)
    assert_same(spans(actual), spans(expected), 1e-3, name)


@cases(200)
@given(st.sampled_from(["average", "max", "PCA", "GRP", "ACOT, given"]), seeds)
def test_an_order_of_frames_changes_no_pooling_without_order(name: str, seed: int) -> None:
    X = clips(seed)
    rng = np.random.default_rng(seed)
    mixed = [x[rng.permutation(len(x))] for x in X]
    pooling = QUIET[name](clips(seed + 1, 1, X[0].shape[1])[0])
    if name in ("GRP", "ACOT, given"):
        pooling.set_params(beta2=0)
    expected = pooling.fit(X).transform(X)
    assert_same(spans(pooling.fit(mixed).transform(mixed)), spans(expected), 1e-3, name)


@cases(250)
@given(seeds, st.lists(st.integers(-9, 9), min_size=3, max_size=3), st.integers(1, 3), st.floats(-100, 100))
def test_units_and_origins_of_channels_change_no_encoded_frame(
    seed: int, units: list[int], window: int, offset: float
) -> None:
    """A channel in micrometres, or in degrees of another scale (which costs single precision two digits)."""
    rng = np.random.default_rng(seed)
    signals = [rng.normal(size=(n, 3)) for n in rng.integers(2, 9, 5)]
    other = [10.0 ** np.array(units) * (x + offset) for x in signals]
    one, two = (torch.cat(encode(each, n_features=12, window=window)) for each in (signals, other))
    assert_same(two, one, 2e-3, "encode")
    fitted = FrameEncoder(n_features=12, window=window).fit(other)
    assert_same(torch.cat(fitted.transform(other)), two, 1e-6, "FrameEncoder")


def test_units_of_channels_change_no_neighbour_under_time_warping() -> None:
    rng = np.random.default_rng(0)
    X, units = [rng.normal(size=(n, 3)) for n in (6, 8, 9, 7)], [1e-9, 1.0, 1e9]
    plain, other = DTWClassifier().fit(X, [0, 1, 0, 1]), [x * units for x in X]
    scaled = DTWClassifier().fit(other, [0, 1, 0, 1])
    assert_same(scaled.similarity(other, other), plain.similarity(X, X), 1e-6, "similarity")


# ---------------------------------------------------------------- rotations and orders


@cases(250)
@given(st.integers(2, 30), st.integers(2, 12), exponents, seeds, st.data())
def test_principal_subspaces_follow_rotations_and_no_unit(
    n: int, d: int, unit: int, seed: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, min(n, d)))
    X = torch.randn(1, n, d, generator=torch.Generator().manual_seed(seed), dtype=D)
    X = X * torch.logspace(0, -2, d, dtype=D)  # well apart
    X, Q = X @ rotation(d, seed + 1), rotation(d, seed)
    U = principal_subspace(X, None, k)
    energy = (X @ U).square().sum()
    for Z, back in ((10.0**unit * X, torch.eye(d, dtype=D)), (X @ Q, Q)):
        V = back @ principal_subspace(Z, None, k)
        torch.testing.assert_close((X @ V).square().sum(), energy, rtol=1e-9, atol=0)


class Turned(Sizes):
    """Subspaces, tangents and points, and the same in other coordinates."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.Q = rotation(self.d, seed)
        self.U, self.V = (orthonormalize(self.normal(2, self.d, self.k)) for _ in range(2))
        self.Z = project(self.U, self.normal(2, self.d, self.k))
        self.X, self.Y = self.normal(2, self.n, self.d), self.normal(2, self.m, self.d)
        self.QU, self.QV, self.QZ = self.Q @ self.U, self.Q @ self.V, self.Q @ self.Z
        self.XQ, self.YQ = self.X @ self.Q.T, self.Y @ self.Q.T


# Found after a rotation, what it should be, tolerance.
TURNED: dict[str, Callable[[Turned], tuple[Any, Any, float]]] = {
    "project": lambda z: (project(z.QU, z.Q @ z.V), z.Q @ project(z.U, z.V), 1e-9),
    "retract_qr": lambda z: (retract_qr(z.QU, z.QZ), z.Q @ retract_qr(z.U, z.Z), 1e-6),
    "retract_polar": lambda z: (retract_polar(z.QU, z.QZ), z.Q @ retract_polar(z.U, z.Z), 1e-6),
    "principal_angles": lambda z: (principal_angles(z.QU, z.QV), principal_angles(z.U, z.V), 1e-6),
    "distance": lambda z: (distance(z.QU, z.QV), distance(z.U, z.V), 1e-6),
    "projection_kernel": lambda z: (projection_kernel(z.QU, z.QV), projection_kernel(z.U, z.V), 1e-9),
    "grassmann_kernel": lambda z: (
        grassmann_kernel(z.QU.numpy(), z.QV.numpy()), grassmann_kernel(z.U.numpy(), z.V.numpy()), 1e-9,
    ),
    "cost_matrix": lambda z: (cost_matrix(z.XQ, z.YQ), cost_matrix(z.X, z.Y), 1e-7),
    "decomposition": lambda z: (
        torch.stack(decomposition(z.XQ, z.YQ, z.QU)), torch.stack(decomposition(z.X, z.Y, z.U)), 1e-8,
    ),
    "variational_term": lambda z: (variational_term(z.YQ, z.k), variational_term(z.Y, z.k), 1e-9),
    "subspace_robust": lambda z: (
        subspace_robust(z.XQ, z.YQ, z.k, n_iter=8)[0], subspace_robust(z.X, z.Y, z.k, n_iter=8)[0], 1e-6,
    ),
    "projection_robust": lambda z: (
        projection_robust(z.XQ, z.YQ, z.k, n_starts=0, n_iter=2)[0],
        projection_robust(z.X, z.Y, z.k, n_starts=0, n_iter=2)[0], 1e-4,
    ),
    "energy_distance": lambda z: (
        energy_distance(z.XQ[0], z.YQ[0]) + 10, energy_distance(z.X[0], z.Y[0]) + 10, 1e-9,
    ),
    "barycentric_images": lambda z: (
        barycentric_images(z.uniform(2, 3, z.m) * 0 + 1, z.YQ), z.Y.mean(1, keepdim=True).expand(-1, 3, -1)
        @ z.Q.T, 1e-9,
    ),
}  # fmt: skip


@cases(250)
@given(st.sampled_from(list(TURNED)), seeds)
def test_rotations_turn_geometry_costs_and_robust_distances(name: str, seed: int) -> None:
    actual, expected, rtol = TURNED[name](Turned(seed))
    assert_same(actual, expected, rtol, name)


@cases(200)
@given(seeds, st.sampled_from(["fletcher-reeves", "steepest-descent", "pymanopt"]))
def test_descent_on_eq_13_follows_rotations(seed: int, rule: str) -> None:
    z = Sizes(seed)
    X, T, Q = normalize_frames(z.uniform(2, z.n, z.d)), z.uniform(2, z.n, z.d), rotation(z.d, seed)
    start = orthonormalize(z.normal(2, z.d, z.k))
    points = []
    for turn in (torch.eye(z.d, dtype=D), Q):
        objective = ACOTObjective(X @ turn, T @ turn)
        if rule == "pymanopt":
            actual = pymanopt_conjugate_gradient(objective, turn.T @ start, n_iter=2)
        else:
            actual = solve_subspaces(objective, turn.T @ start, n_iter=2, beta_rule=rule)
        assert_same(actual.value, objective.value(actual.point), 1e-9, "value")
        points.append(turn @ actual.point)
    value = ACOTObjective(X, T).value
    assert_same(value(points[1]), value(points[0]), 1e-4, "value after rotation")


@cases(200)
@given(seeds, st.sampled_from(["emd", "uniform"]))
def test_alternation_follows_rotations_and_orders(seed: int, transport: str) -> None:
    """Of frames and negatives; the values of Eq. (10), since equal values may have several subspaces."""
    z = Sizes(seed)
    k = min(z.k, z.n)  # beyond, bases are completed by axes
    X, Y, Q = (
        normalize_frames(z.uniform(z.n, z.d)),
        normalize_frames(z.uniform(z.m, z.d)),
        rotation(z.d, seed),
    )
    expected = alternate(pad([X]), pad([Y]), n_subspaces=k, transport=transport)
    for what, A, B in (("rotation", X @ Q, Y @ Q), ("order of negatives", X, Y[z.order(z.m)])):
        actual = alternate(pad([A]), pad([B]), n_subspaces=k, transport=transport)
        assert_same(actual.transport.value, expected.transport.value, 1e-9, what)
        assert_same(actual.objective, expected.objective, 1e-3, what)


@cases(250)
@given(problems(largest=12), seeds, st.sampled_from(["emd", "ipot", "sinkhorn", "uniform"]))
def test_an_order_of_rows_and_columns_permutes_plans(
    problem: tuple[Tensor, Tensor | None, Tensor | None], seed: int, transport: str
) -> None:
    cost, a, b = (None if each is None else each.double() for each in problem)
    assert cost is not None
    z = Sizes(seed)
    rows, columns = z.order(cost.shape[1]), z.order(cost.shape[2])
    with quiet(most=4):
        plain = solve(cost, a, b, transport)
        turned = solve(
            cost[:, rows][:, :, columns],
            None if a is None else a[:, rows],
            None if b is None else b[:, columns],
            transport,
        )
    both = plain.converged & turned.converged
    rtol = {"emd": 1e-8, "ipot": 5e-3}.get(transport, 1e-8)
    spread = cost.amax((1, 2)) + plain.value.abs()
    assert ((plain.value - turned.value).abs() <= rtol * spread)[both].all()
    if transport in ("sinkhorn", "uniform"):  # strictly convex, or in closed form: the plan is the only one
        assert_same(turned.plan, plain.plan[:, rows][:, :, columns], 1e-6, transport)


@cases(200)
@given(seeds, st.permutations(["x", "y", "z"]), exponents)
def test_names_of_classes_and_the_unit_of_weights_change_no_decision(
    seed: int, names: Sequence[str], exponent: int
) -> None:
    z = Sizes(seed)
    U = orthonormalize(z.normal(12, 6, 2)).numpy()
    y = np.arange(12) % 3
    plain, renamed = GrassmannSVC(), GrassmannSVC()
    actual = renamed.fit(U, np.array(names)[y]).predict(U)
    expected = np.array(names)[plain.fit(U, y).predict(U)]
    scores = np.sort(plain.decision_function(U))
    clear = scores[:, -1] - scores[:, -2] > 1e-6  # votes tie now and then
    assert (actual == expected)[clear].all()
    streams = zip_streams({"a": list(U), "b": list(U[::-1].copy())})
    weights = {"a": 1.0, "b": 3.0}
    of = {"a": _Stacked(), "b": _Stacked()}
    one = StreamFusion(of, weights).fit(streams, y).decision_function(streams)
    two = StreamFusion(of, {s: 10.0**exponent * w for s, w in weights.items()}).fit(streams, y)
    assert_same(two.decision_function(streams), one, 1e-9, "StreamFusion")


class _Stacked(GrassmannSVC):
    """For subspaces in a list, as streams hold them."""

    def fit(self, X: Any, y: Any) -> Any:
        return super().fit(np.stack(X), y)

    def decision_function(self, X: Any) -> np.ndarray:
        return super().decision_function(np.stack(X))


def test_every_law_tells_a_wrong_power() -> None:
    """The laws above can fail: a wrong power of the unit is noticed."""

    def wrong(seed: int, s: float) -> list[tuple[Any, float]]:
        return [(value, power + 1) for value, power in costs(seed, s)]

    with pytest.raises(AssertionError, match="unit 10"):
        assert_law(wrong, 0, 10.0, 1e-3, "cost_matrix")
    assert check_sequences([[[5, 0], [0, 2]]])[0].tolist() == [[1, 0], [0, 1]]
