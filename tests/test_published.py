"""Problems that the neighbouring libraries publish, solved by ours with the same answers.

pymanopt's examples on the Grassmannian (dominant invariant subspace; low-rank approximation; the Rayleigh
quotient, for k = 1) and the cases that POT's unit tests of `emd`, `sinkhorn` and the one-dimensional distance
stand on: identical clouds, permutations, mass that must move a known way, empty weights, known values. What
is solved is described in their documentation; the code here is our own.
"""

from __future__ import annotations

import numpy as np
import ot
import pymanopt
import pytest
import torch
from torch import Tensor

from acot_core.riemannian import (
    BETA_RULES,
    FunctionObjective,
    conjugate_gradient,
    pymanopt_conjugate_gradient,
)
from acot_core.riemannian.grassmann import distance, random_point
from acot_core.transport import cost_matrix, emd, ipot, sinkhorn, solve

D = torch.float64


# ---------------------------------------------------------------- pymanopt


def spectra(B: int, d: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Symmetric matrices with known eigenvalues (gap 1) and eigenvectors, leading first."""
    generator = torch.Generator().manual_seed(seed)
    Q = random_point(B, d, d, generator, dtype=D)
    values = torch.arange(d, 0, -1, dtype=D).expand(B, d)
    return (Q * values[:, None, :]) @ Q.mT, values, Q


@pytest.mark.parametrize("rule", sorted(BETA_RULES))
@pytest.mark.parametrize(("d", "k"), [(10, 1), (20, 3), (32, 8)])
def test_dominant_invariant_subspace(rule: str, d: int, k: int) -> None:
    """max trace(U'AU): the sum of the k largest eigenvalues, at their eigenvectors."""
    A, values, Q = spectra(2, d, seed=d + k)
    objective = FunctionObjective(lambda U, i: -((A[i] @ U) * U).sum((1, 2)), 2)
    start = random_point(2, d, k, torch.Generator().manual_seed(1), dtype=D)
    n_iter = 2000 if rule == "steepest-descent" else 300
    result = conjugate_gradient(objective, start, n_iter=n_iter, beta_rule=rule, gtol=1e-7)
    torch.testing.assert_close(-result.value, values[:, :k].sum(1), rtol=1e-8, atol=0)
    assert distance(result.point, Q[:, :, :k]).max() < 1e-5


def test_dominant_invariant_subspace_by_pymanopt_itself() -> None:
    A, values, _ = spectra(1, 16, seed=3)
    matrix = A[0].numpy()
    manifold = pymanopt.manifolds.Grassmann(16, 3)

    @pymanopt.function.numpy(manifold)
    def cost(U: np.ndarray) -> float:
        return -float(np.trace(U.T @ matrix @ U))

    @pymanopt.function.numpy(manifold)
    def gradient(U: np.ndarray) -> np.ndarray:
        return -2 * matrix @ U

    start = random_point(1, 16, 3, torch.Generator().manual_seed(0), dtype=D)
    problem = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient)
    theirs = pymanopt.optimizers.ConjugateGradient(verbosity=0, max_iterations=300).run(
        problem, initial_point=start[0].numpy()
    )
    objective = FunctionObjective(lambda U, i: -((A[i] @ U) * U).sum((1, 2)), 1)
    ours = conjugate_gradient(objective, start, n_iter=300)
    wrapped = pymanopt_conjugate_gradient(objective, start, n_iter=300)
    assert theirs.cost == pytest.approx(-float(values[0, :3].sum()), rel=1e-8)
    for result in (ours, wrapped):
        assert float(result.value[0]) == pytest.approx(theirs.cost, rel=1e-8)
        assert distance(result.point, torch.from_numpy(theirs.point)[None]).max() < 1e-4


def test_low_rank_approximation() -> None:
    """min ||A - UU'A||_F^2: what the singular values after the k-th leave (Eckart-Young)."""
    generator = torch.Generator().manual_seed(4)
    ends = random_point(3, 12, 9, generator, dtype=D), random_point(3, 9, 9, generator, dtype=D)
    A = (ends[0] * torch.arange(9, 0, -1, dtype=D)) @ ends[1].mT  # singular values 9, 8, ..., 1
    objective = FunctionObjective(lambda U, i: (A[i] - U @ (U.mT @ A[i])).square().sum((1, 2)), 3)
    start = random_point(3, 12, 4, generator, dtype=D)
    result = conjugate_gradient(objective, start, n_iter=500)
    left, values, _ = torch.linalg.svd(A)
    torch.testing.assert_close(result.value, values[:, 4:].square().sum(1), rtol=1e-8, atol=0)
    assert distance(result.point, left[:, :, :4]).max() < 1e-4


# ---------------------------------------------------------------- POT


def cloud(n: int, seed: int, d: int = 2) -> Tensor:
    return torch.randn(1, n, d, generator=torch.Generator().manual_seed(seed), dtype=D)


def test_a_cloud_is_at_no_distance_from_itself() -> None:
    X = cloud(60, 0)
    answer = emd(cost_matrix(X, X, "sqeuclidean"))
    torch.testing.assert_close(answer.plan[0], torch.eye(60, dtype=D) / 60)
    assert float(answer.value[0]) == pytest.approx(0, abs=1e-12)
    assert float(ipot(cost_matrix(X, X, "sqeuclidean"), tol=1e-6, n_iter=5000).value[0]) < 1e-3


def test_a_permuted_cloud_is_found_again() -> None:
    X = cloud(40, 1)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    plan = emd(cost_matrix(X, X[:, order])).plan[0]
    assert torch.equal(plan.argmax(0), order)


def test_a_shift_costs_its_square() -> None:
    X = cloud(30, 3)
    shift = torch.tensor([3.0, 4.0], dtype=D)
    answer = emd(cost_matrix(X, X + shift, "sqeuclidean"))
    assert float(answer.value[0]) == pytest.approx(25.0)
    assert float(emd(cost_matrix(X, X + shift)).value[0]) == pytest.approx(5.0)


@pytest.mark.parametrize("method", ["emd", "ipot", "sinkhorn"])
def test_the_one_dimensional_distance_is_that_of_sorted_samples(method: str) -> None:
    X, Y = cloud(25, 4, d=1), cloud(25, 5, d=1) + 2
    options = {"ipot": {"tol": 1e-4, "n_iter": 5000}, "sinkhorn": {"epsilon": 0.02, "n_iter": 5000}}
    value = float(solve(cost_matrix(X, Y), transport=method, **options.get(method, {})).value[0])
    exact = float((X[0, :, 0].sort().values - Y[0, :, 0].sort().values).abs().mean())
    assert value == pytest.approx(exact, rel=1e-6 if method == "emd" else 1e-2)
    assert exact == pytest.approx(float(ot.wasserstein_1d(X[0, :, 0].numpy(), Y[0, :, 0].numpy())))


def test_masses_decide_where_mass_goes() -> None:
    """Two sources, two sinks, all at unit distance but two: the plan is forced by the marginals."""
    cost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=D)
    a, b = torch.tensor([[0.7, 0.3]], dtype=D), torch.tensor([[0.4, 0.6]], dtype=D)
    answer = emd(cost, a, b)
    torch.testing.assert_close(answer.plan, torch.tensor([[[0.4, 0.3], [0.0, 0.3]]], dtype=D))
    assert float(answer.value[0]) == pytest.approx(0.3)


def test_an_empty_weight_takes_no_part() -> None:
    cost = cost_matrix(cloud(6, 6), cloud(5, 7))
    a = torch.tensor([[0.5, 0.5, 0, 0, 0, 0]], dtype=D)
    answer = emd(cost, a)
    assert (answer.plan[0, 2:] == 0).all()
    torch.testing.assert_close(answer.value, emd(cost[:, :2]).value)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 7), (7, 1), (13, 29), (50, 50)])
def test_values_and_plans_are_pots(n: int, m: int) -> None:
    rng = np.random.default_rng(n * m)
    cost = rng.random((n, m))
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    ours = emd(*(torch.from_numpy(t)[None] for t in (cost, a, b)))
    np.testing.assert_allclose(ours.plan[0], ot.emd(a, b, cost), atol=1e-12)
    assert float(ours.value[0]) == pytest.approx(ot.emd2(a, b, cost))
    near = ipot(*(torch.from_numpy(t)[None] for t in (cost, a, b)), tol=1e-4, n_iter=5000)
    assert float(near.value[0]) == pytest.approx(ot.emd2(a, b, cost), rel=1e-3)


@pytest.mark.parametrize("epsilon", [1.0, 0.1, 0.02])
def test_entropic_plans_are_pots(epsilon: float) -> None:
    cost = cost_matrix(cloud(20, 8), cloud(15, 9), "sqeuclidean")
    cost = cost / cost.max()
    ours = sinkhorn(cost, epsilon=epsilon, n_iter=20_000, tol=1e-9)
    a, b = np.full(20, 1 / 20), np.full(15, 1 / 15)
    theirs = ot.sinkhorn(
        a, b, cost[0].numpy(), epsilon, method="sinkhorn_log", numItermax=20_000, stopThr=1e-10
    )
    np.testing.assert_allclose(ours.plan[0], theirs, atol=1e-7)
    # It lies between the exact value and that of the independent coupling.
    independent = solve(cost, transport="uniform").value[0]
    assert float(emd(cost).value[0]) <= float(ours.value[0]) <= float(independent)
