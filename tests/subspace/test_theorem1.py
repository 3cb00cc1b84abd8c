"""Theorem 1 and the robust distances (Sec. 3.1.1)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from acot_core.riemannian.grassmann import random_point
from acot_core.subspace.theorem1 import (
    decomposition,
    projection_robust,
    robust_distances,
    subspace_robust,
    variational_term,
)
from acot_core.transport import cost_matrix, emd


def sets(B: int, n: int, m: int, d: int, seed: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(B, size, d, generator=g, dtype=torch.float64) for size in (n, m))  # type: ignore


def test_decomposition_holds_for_every_subspace() -> None:
    X, Y = sets(50, 6, 9, 5, 0)
    for k in (1, 2, 4):
        U = random_point(50, 5, k, torch.Generator().manual_seed(k), dtype=torch.float64)
        contrastive, projection, rest = decomposition(X, Y, U)
        torch.testing.assert_close(contrastive, projection + rest, rtol=1e-10, atol=1e-12)
        assert (rest > 0).all()


@pytest.mark.parametrize("k", [1, 2])
def test_theorem_1_on_500_instances(k: int) -> None:
    X, Y = sets(500, 4, 5, 3, k)
    distances = robust_distances(X, Y, k, n_starts=0, n_iter=5)
    assert (distances.projection <= distances.contrastive + 1e-9).all()
    assert (distances.contrastive <= distances.upper_bound + 1e-9).all()
    assert (distances.subspace_bound <= distances.subspace + 1e-9).all()
    # Max-min is at most min-max, and the convex problem's bracket is narrow.
    assert (distances.projection <= distances.subspace + 1e-9).all()
    assert ((distances.subspace - distances.subspace_bound) / distances.subspace).median() < 0.2


def test_equality_at_full_dimension() -> None:
    X, Y = sets(20, 5, 7, 3, 3)
    distances = robust_distances(X, Y, 3, n_starts=1, n_iter=2)
    exact = emd(cost_matrix(X, Y, "sqeuclidean")).value
    for value in (distances.projection, distances.contrastive, distances.subspace, distances.upper_bound):
        torch.testing.assert_close(value, exact, rtol=1e-8, atol=1e-10)


def test_variational_term_is_the_maximum() -> None:
    _, Y = sets(10, 2, 8, 5, 4)
    term = variational_term(Y, 2)
    _, vectors = torch.linalg.eigh(Y.mT @ Y)
    U = vectors[:, :, :2]  # what is left out is largest when the smallest directions are kept
    attained = (Y - (Y @ U) @ U.mT).square().sum(2).mean(1)
    torch.testing.assert_close(term, attained)
    other = random_point(10, 5, 2, torch.Generator().manual_seed(0), dtype=torch.float64)
    assert ((Y - (Y @ other) @ other.mT).square().sum(2).mean(1) <= term).all()


def test_projection_robust_is_not_below_pot() -> None:
    dr = pytest.importorskip("ot.dr", exc_type=ImportError)  # it needs autograd
    X, Y = sets(4, 12, 15, 4, 5)
    Y = 0.3 * Y
    Y[:, :, 1:3] += torch.tensor([2.0, -1.5])  # one maximum stands out
    value, point = projection_robust(0.3 * X, Y, 2, n_starts=3)
    torch.testing.assert_close(decomposition(0.3 * X, Y, point)[1], value)
    start = random_point(4, 4, 2, torch.Generator().manual_seed(0), dtype=torch.float64)
    for i in range(len(X)):
        a, b = (torch.full((len(z),), 1 / len(z), dtype=torch.float64).numpy() for z in (X[i], Y[i]))
        _, U = dr.projection_robust_wasserstein(
            0.3 * X[i].numpy(), Y[i].numpy(), a, b, tau=0.05, U0=start[i].numpy(), reg=1.0, k=2, maxiter=300
        )
        theirs = decomposition(0.3 * X[i : i + 1], Y[i : i + 1], torch.from_numpy(U)[None])[1]
        assert float(theirs) <= float(value[i]) * (1 + 1e-6)
        assert float(theirs) >= 0.98 * float(value[i])


def test_projection_robust_recovers_a_planted_direction() -> None:
    X, _ = sets(3, 30, 1, 6, 6)
    X = 0.05 * X
    Y = X.clone()
    Y[:, :, 2] += 1  # the sets differ along one coordinate only
    value, point = projection_robust(X, Y, 1)
    assert (point[:, 2, 0].abs() > 0.99).all()
    torch.testing.assert_close(value, torch.ones(3, dtype=torch.float64), rtol=0.02, atol=0)


def test_subspace_robust_brackets() -> None:
    X, Y = sets(5, 8, 8, 4, 7)
    value, bound, plan = subspace_robust(X, Y, 2, n_iter=200)
    torch.testing.assert_close(plan.sum(2), torch.full((5, 8), 1 / 8, dtype=torch.float64))
    assert (bound <= value).all()
    assert ((value - bound) / value < 0.25).all()


def test_bad_k() -> None:
    X, Y = sets(1, 3, 3, 4, 8)
    with pytest.raises(ValueError, match="1 <= k <= d = 4, got 5"):
        projection_robust(X, Y, 5)
