"""Batched Riemannian conjugate gradient against closed forms, pymanopt, and loops over its problems."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from acot_core._utils.progress import Cancelled
from acot_core.riemannian import (
    BETA_RULES,
    FunctionObjective,
    Objective,
    conjugate_gradient,
    pymanopt_conjugate_gradient,
)
from acot_core.riemannian._conjugate_gradient import _Turn
from acot_core.riemannian.grassmann import distance, random_point
from acot_core.riemannian.line_search import backtracking
from acot_core.subspace.objective import ACOTObjective
from acot_core.subspace.solve import solve_subspaces
from acot_core.transport import cost_matrix, emd

D = torch.float64


def acot_objective(B: int, dtype: torch.dtype = D, device: str = "cpu") -> ACOTObjective:
    g = torch.Generator().manual_seed(7)
    X, Y = (torch.rand(B, size, 40, generator=g, dtype=D) for size in (9, 14))
    X = X + torch.linspace(0, 1, 9, dtype=D)[None, :, None] * torch.rand(B, 1, 40, generator=g, dtype=D)
    X, Y = ((Z / Z.norm(dim=2, keepdim=True)).to(device, dtype) for Z in (X, Y))
    return ACOTObjective(X, plan=emd(cost_matrix(X, Y)).plan, negatives=Y)


class Dominant(Objective):
    """-tr(U'AU)/2: the dominant subspace problem."""

    def __init__(self, A: Tensor) -> None:
        self.A = A

    def value(self, U: Tensor) -> Tensor:
        return -0.5 * (U * (self.A @ U)).sum((1, 2))

    def gradient(self, U: Tensor) -> Tensor:
        return -self.A @ U


def matrices(B: int = 6, d: int = 12, dtype: torch.dtype = D) -> Tensor:
    g = torch.Generator().manual_seed(0)
    Q = random_point(B, d, d, g, dtype=dtype)
    return Q @ torch.diag_embed(torch.linspace(1, 5, d, dtype=dtype).expand(B, d)) @ Q.mT


@pytest.mark.parametrize("retraction", ["qr", "polar"])
@pytest.mark.parametrize("rule", sorted(BETA_RULES))
def test_dominant_subspace(rule: str, retraction: str) -> None:
    A = matrices()
    U0 = random_point(6, 12, 3, torch.Generator().manual_seed(1), dtype=D)
    result = conjugate_gradient(
        Dominant(A), U0, n_iter=400, beta_rule=rule, retraction=retraction, gtol=1e-5  # type: ignore[arg-type]
    )  # fmt: skip
    exact = torch.linalg.eigh(A)[1][:, :, -3:]
    assert (distance(result.point, exact) < 1e-3).all()
    assert set(result.reason) <= {"gradient", "no decrease"}
    history = result.history["value"]
    assert (history[1:] <= history[:-1]).all()
    torch.testing.assert_close(history[-1], result.value)
    torch.testing.assert_close(Dominant(A).value(result.point), result.value)


def test_dominant_subspace_is_pymanopts_answer() -> None:
    A = matrices(B=2)
    U0 = random_point(2, 12, 2, torch.Generator().manual_seed(1), dtype=D)
    ours = conjugate_gradient(Dominant(A), U0, n_iter=300)
    theirs = pymanopt_conjugate_gradient(Dominant(A), U0, n_iter=300)
    torch.testing.assert_close(ours.value, theirs.value, rtol=1e-8, atol=0)
    assert (distance(ours.point, theirs.point) < 1e-3).all()


def test_function_by_autograd_mean_subspace_is_pymanopts() -> None:
    """The Karcher mean in the projection metric: the subspace nearest to several given ones."""
    given = random_point(4 * 5, 8, 2, torch.Generator().manual_seed(3), dtype=D).reshape(4, 5, 8, 2)

    def function(U: Tensor, index: Tensor) -> Tensor:
        inner = torch.einsum("bidk,bdl->bikl", given[index], U)
        return (2 - inner.square().sum((2, 3))).sum(1)

    U0 = given[:, 0].contiguous()
    objective = FunctionObjective(function, 4)
    ours = conjugate_gradient(objective, U0, n_iter=200)
    theirs = pymanopt_conjugate_gradient(objective, U0, n_iter=200)
    torch.testing.assert_close(ours.value, theirs.value, rtol=1e-6, atol=0)
    total = (given @ given.mT).sum(1)
    exact = torch.linalg.eigh(total)[1][:, :, -2:]
    assert (distance(ours.point, exact) < 1e-3).all()


@pytest.mark.parametrize("dtype", [torch.float32, D])
@pytest.mark.parametrize("retraction", ["qr", "polar"])
def test_batch_equals_loop(retraction: str, dtype: torch.dtype) -> None:
    A = matrices(dtype=dtype)
    U0 = random_point(6, 12, 3, torch.Generator().manual_seed(1), dtype=dtype)
    batch = conjugate_gradient(Dominant(A), U0, n_iter=8, retraction=retraction)  # type: ignore[arg-type]
    for i in range(6):
        part = slice(i, i + 1)
        one = conjugate_gradient(Dominant(A[part]), U0[part], n_iter=8, retraction=retraction)  # type: ignore[arg-type]
        torch.testing.assert_close(batch.value[i], one.value[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(batch.point[i], one.point[0], rtol=0, atol=1e-3 if dtype != D else 1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, D])
@pytest.mark.parametrize("k", [1, 3])
def test_acot_batch_equals_loop(k: int, dtype: torch.dtype) -> None:
    batch = acot_objective(5, dtype=dtype)
    result = solve_subspaces(batch, k, n_iter=10)
    for i in range(5):
        one = solve_subspaces(batch.select(torch.tensor([i])), k, n_iter=10)
        torch.testing.assert_close(result.value[i], one.value[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_acot_is_not_above_pymanopt(k: int) -> None:
    objective = acot_objective(12)
    for n_iter in (5, 100):
        ours = solve_subspaces(objective, k, n_iter=n_iter)
        theirs = solve_subspaces(objective, k, n_iter=n_iter, solver="pymanopt")
        assert float(ours.value.mean()) <= float(theirs.value.mean()) + 1e-4 * abs(float(theirs.value.mean()))


def test_finished_problems_do_not_move() -> None:
    A = matrices(B=3)
    exact = torch.linalg.eigh(A)[1][:, :, -2:]
    U0 = random_point(3, 12, 2, torch.Generator().manual_seed(4), dtype=D)
    U0[1] = exact[1]
    result = conjugate_gradient(Dominant(A), U0, n_iter=20, gtol=1e-8)
    assert torch.equal(result.point[1], exact[1])
    assert result.reason[1] == "gradient"
    assert result.n_iter.tolist()[1] == 0
    assert result.n_iter.tolist()[0] == 20
    assert torch.equal(result.history["value"][:, 1], result.history["value"][:1, 1].expand(21))


@pytest.mark.parametrize("wild", [torch.inf, -torch.inf, torch.nan, 3.0, -3.0])
def test_directions_descend_whatever_a_rule_says(wild: float, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def search(value_at, f, slope, first, running, **options):
        h = 1e-3 * first
        difference = (value_at(h) - value_at(-h)) / (2 * h)
        torch.testing.assert_close(slope[running], difference[running], rtol=1e-2, atol=1e-6)
        assert (slope[running] < 0).all()
        searched.append(len(f))
        return backtracking(value_at, f, slope, first, running, **options)

    monkeypatch.setattr("acot_core.riemannian._conjugate_gradient.backtracking", search)
    monkeypatch.setitem(BETA_RULES, "wild", lambda turn: torch.full_like(turn.gg, wild))
    U0 = random_point(6, 12, 3, torch.Generator().manual_seed(1), dtype=D)
    result = conjugate_gradient(Dominant(matrices()), U0, n_iter=12, beta_rule="wild")
    assert len(searched) == 12
    assert (result.history["value"].diff(dim=0) < 0).all()
    if not abs(wild) < torch.inf:  # of no use at all
        steepest = conjugate_gradient(Dominant(matrices()), U0, n_iter=12, beta_rule="steepest-descent")
        assert torch.equal(result.point, steepest.point)


def test_stops_where_not_even_the_steepest_descent_descends() -> None:
    """Not before: a direction that fails is followed by the steepest descent."""

    class Moody(Dominant):
        calls = 0

        def gradient(self, U: Tensor) -> Tensor:
            self.calls += 1
            return super().gradient(U)

        def value(self, U: Tensor) -> Tensor:  # nothing is gained in the third iteration
            return super().value(U) + (self.calls == 3)

    U0 = random_point(6, 12, 3, torch.Generator().manual_seed(1), dtype=D)
    moody = Moody(matrices())
    result = conjugate_gradient(moody, U0, n_iter=6)
    values = result.history["value"]
    assert (values[3] == values[2]).all()
    assert (values[4:].diff(dim=0) < 0).all()
    assert result.reason == ("iterations",) * 6
    # At the optimum, with a tolerance that is never met.
    ended = conjugate_gradient(Dominant(matrices()), U0, n_iter=2000, gtol=0)
    assert ended.reason == ("no decrease",) * 6
    assert (ended.n_iter < 1000).all()
    assert (ended.gradient_norm < 1e-5).all()


def test_callback_and_cancel() -> None:
    U0 = random_point(6, 12, 3, torch.Generator().manual_seed(1), dtype=D)
    seen = []

    def stop(progress) -> None:  # type: ignore[no-untyped-def]
        seen.append(progress.step)
        if progress.step == 3:
            raise Cancelled

    result = conjugate_gradient(Dominant(matrices()), U0, n_iter=50, callback=stop)
    assert seen == [1, 2, 3]
    assert result.reason == ("cancelled",) * 6
    assert (result.value < Dominant(matrices()).value(U0)).all()


def test_unknown_options() -> None:
    U0 = random_point(1, 4, 2, torch.Generator().manual_seed(1))
    objective = Dominant(torch.eye(4)[None])
    with pytest.raises(ValueError, match="beta_rule: expected one of"):
        conjugate_gradient(objective, U0, beta_rule="newton")
    with pytest.raises(ValueError, match="retraction"):
        conjugate_gradient(objective, U0, retraction="cayley")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"initial: expected shape \(B, d, k\)"):
        conjugate_gradient(objective, U0[0])
    with pytest.raises(ValueError, match=r"solver: expected one of .*'rcg', 'pymanopt'"):
        solve_subspaces(acot_objective(2), 1, solver="magic")  # type: ignore[arg-type]


def test_solver_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
    solve_subspaces(acot_objective(2), 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()  # type: ignore[index]  # noqa: NPY002


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu() -> None:
    here = solve_subspaces(acot_objective(4), 2)
    there = solve_subspaces(acot_objective(4, device="cuda"), 2)
    assert there.point.is_cuda
    torch.testing.assert_close(there.value.cpu(), here.value, rtol=1e-6, atol=1e-8)


def test_rules_for_beta_are_those_of_the_literature() -> None:
    g, old, d = (torch.tensor([[[x], [y]]], dtype=torch.float64) for x, y in ((3, 1), (1, 2), (-2, 1)))
    turn = _Turn(
        gg=torch.tensor([10.0]), oo=torch.tensor([5.0]), dd=torch.tensor([5.0]), dg=torch.tensor([-5.0]),
        g=g, d=d, carry=lambda: old, inner=lambda U, V: (U * V).sum((1, 2)),
    )  # fmt: skip
    # <g, old> = 5, <d, g> = -5, <d, old> = 0, y = g - old = (2, -1), <y, y> = 5, <d, y> = -5.
    expected = {
        "fletcher-reeves": 10 / 5,
        "polak-ribiere": (10 - 5) / 5,
        "hestenes-stiefel": 0.0,  # (10 - 5) / -5, truncated
        "hager-zhang": (5 - 2 * 5 * -5 / -5) / -5,  # <y - 2 d <y, y> / <d, y>, g> / <d, y>
        "steepest-descent": 0.0,
    }
    assert set(expected) == set(BETA_RULES)
    for name, value in expected.items():
        assert float(BETA_RULES[name](turn)) == pytest.approx(value), name


def test_where_the_subspace_is_everything_nothing_leaves_the_manifold() -> None:
    g = torch.Generator().manual_seed(0)
    X, T = (torch.rand(400, 5, 2, generator=g, dtype=D) for _ in "XT")
    U = random_point(400, 2, 2, g, dtype=D)  # k = d: every gradient is zero but for rounding
    point = conjugate_gradient(ACOTObjective(X, T), U, n_iter=10).point
    assert (point.mT @ point - torch.eye(2, dtype=D)).abs().max() < 1e-12


def test_a_trace_holds_the_point_after_every_iteration() -> None:
    generator = torch.Generator().manual_seed(5)
    frames = torch.rand(3, 9, 6, generator=generator, dtype=torch.float64)
    objective = ACOTObjective(frames, torch.rand(3, 9, 6, generator=generator, dtype=torch.float64))
    start = random_point(3, 6, 2, generator, dtype=torch.float64)
    traced = conjugate_gradient(objective, start, n_iter=6, trace=True).history["point"]
    assert torch.equal(traced[0], start)
    for step in (1, 3, 6):
        alone = conjugate_gradient(objective, start, n_iter=step)
        assert torch.allclose(traced[step], alone.point, atol=1e-12)
        assert torch.allclose(objective.value(traced[step]), alone.value)
