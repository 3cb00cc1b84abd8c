"""Transport solvers: marginals, values, padding, batches, scales (Sec. 3.1 and 3.5, Eqs. 2, 4 and 12)."""

from __future__ import annotations

import threading
import warnings
from time import perf_counter

import joblib
import numpy as np
import ot
import pytest
import torch
from generated import cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from acot_core.transport import (
    METHODS,
    TransportResult,
    _emd,
    cost_matrix,
    emd,
    ipot,
    random_coupling,
    sinkhorn,
    solve,
)
from acot_core.transport._ipot import _in_log_domain, _in_primal_domain

SOLVERS = sorted(METHODS)


def problem(
    B: int = 4, n: int = 7, m: int = 11, seed: int = 0, dtype: torch.dtype = torch.float64, d: int = 5
) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    X, Y = (torch.rand(B, size, d, generator=g, dtype=dtype) for size in (n, m))
    a, b = (torch.rand(B, size, generator=g, dtype=dtype) + 0.1 for size in (n, m))
    return cost_matrix(X, Y), a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True)


def check(answer: TransportResult, cost: Tensor, a: Tensor, b: Tensor, tol: float) -> None:
    """Every field of an answer."""
    assert answer.plan.shape == cost.shape
    assert answer.plan.dtype == cost.dtype
    assert (answer.plan >= 0).all()
    torch.testing.assert_close(answer.plan.sum(2), a, rtol=0, atol=tol)
    torch.testing.assert_close(answer.plan.sum(1), b, rtol=0, atol=tol)
    torch.testing.assert_close(answer.value, (answer.plan * cost).sum((1, 2)))
    error = (answer.plan.sum(2) - a).abs().sum(1) + (answer.plan.sum(1) - b).abs().sum(1)
    torch.testing.assert_close(answer.marginal_error, error / a.sum(1), rtol=1e-3, atol=1e-6)
    assert answer.n_iter.shape == answer.converged.shape == (len(cost),)
    assert answer.converged.dtype == torch.bool


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", SOLVERS)
def test_marginals_and_fields(method: str, dtype: torch.dtype) -> None:
    cost, a, b = problem(dtype=dtype)
    answer = solve(cost, a, b, method)
    check(answer, cost, a, b, 1e-5 if method != "sinkhorn" else 1e-4)
    assert answer.converged.all()


@pytest.mark.parametrize("method", SOLVERS)
def test_batch_equals_loop(method: str) -> None:
    cost, a, b = problem(B=5)
    batch = solve(cost, a, b, method)
    for i in range(5):
        one = solve(cost[i : i + 1], a[i : i + 1], b[i : i + 1], method)
        tol = 1e-4 if method == "sinkhorn" else 1e-9  # which goes on until the whole batch is done
        torch.testing.assert_close(batch.plan[i], one.plan[0], rtol=0, atol=tol)


@pytest.mark.parametrize("method", SOLVERS)
def test_padding_is_zero_mass(method: str) -> None:
    cost, a, b = problem(B=3, n=6, m=8)
    padded = torch.full((3, 9, 13), 7.0, dtype=cost.dtype)
    padded[:, :6, :8] = cost
    A, B = torch.zeros(3, 9, dtype=cost.dtype), torch.zeros(3, 13, dtype=cost.dtype)
    A[:, :6], B[:, :8] = a, b
    plain, answer = solve(cost, a, b, method), solve(padded, A, B, method)
    assert (answer.plan[:, 6:] == 0).all()
    assert (answer.plan[:, :, 8:] == 0).all()
    torch.testing.assert_close(answer.plan[:, :6, :8], plain.plan, rtol=0, atol=1e-9)


def test_ipot_and_emd_agree_with_pot_on_50_rectangular_problems() -> None:
    for seed in range(10):
        cost, _, _ = problem(B=5, n=5 + 3 * seed, m=40 - 2 * seed, seed=seed, dtype=torch.float32)
        theirs = [ot.emd2([], [], c.double().numpy()) for c in cost]
        for method in (emd, ipot):
            np.testing.assert_allclose(method(cost).value, theirs, rtol=1e-3)


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_exact_plans_in_parallel_equal_those_of_a_loop(backend: str) -> None:
    cost, a, b = problem(B=130, n=5)  # more than two threads' parts
    with joblib.parallel_config(backend, n_jobs=2):
        together = emd(cost, a, b)
    one_by_one = [emd(cost[[i]], a[[i]], b[[i]]) for i in range(len(cost))]
    torch.testing.assert_close(together.plan, torch.cat([each.plan for each in one_by_one]), rtol=0, atol=0)
    assert together.converged.all()


def test_ipot_equals_the_iteration_written_out() -> None:
    cost, a, b = problem(B=3, n=9, m=6)
    for beta in (0.5, 0.1, 0.02):
        K, P, v = torch.exp(-cost / beta), torch.ones_like(cost), torch.full_like(b, 1 / 6)[:, :, None]
        for _ in range(137):
            Q = K * P
            u = a[:, :, None] / (Q @ v)
            v = b[:, :, None] / (Q.mT @ u)
            P = u * Q * v.mT
        ours = ipot(cost, a, b, beta=beta, n_iter=137, tol=0.0)
        torch.testing.assert_close(ours.plan, P, rtol=0, atol=1e-5)
        assert (ours.n_iter == 137).all()


def test_ipot_log_domain_equals_the_primal() -> None:
    cost, a, b = problem(B=3)
    step, start = torch.full((3,), 0.05, dtype=cost.dtype), torch.ones_like(cost)
    runs = [
        [
            (done, plan.clone(), f)
            for done, plan, f in iterate(
                cost, a, b, step, start, torch.zeros_like(b), 40.0, [10, 20, 30, 40, 50, 55]
            )
        ]
        for iterate in (_in_primal_domain, _in_log_domain)
    ]
    for (done, plan, f), (done_too, log_plan, log_f) in zip(*runs, strict=True):
        assert done == done_too
        torch.testing.assert_close(plan, log_plan)
        torch.testing.assert_close(f, log_f)
    assert done == 55


def test_ipot_certificate_is_honest() -> None:
    cost, a, b = problem(B=20, n=15, m=25, seed=3)
    exact = emd(cost, a, b).value
    for tol in (1e-2, 1e-3, 1e-4):
        answer = ipot(cost, a, b, tol=tol, n_iter=20_000)
        assert answer.converged.all()
        assert (answer.value - exact <= 1.1 * tol * exact).all()
        assert (answer.value >= exact * (1 - 1e-6)).all()


def test_ipot_warm_start_reaches_the_same_value() -> None:
    cost, a, b = problem(B=6, n=12, m=15, seed=5)
    near = cost * (1 + 0.01 * torch.rand(cost.shape, generator=torch.Generator().manual_seed(0)))
    exact = emd(near, a, b)
    for start in (ipot(cost, a, b).plan, exact.plan):  # a neighbour's plan; a vertex, with zeros
        warm = ipot(near, a, b, initial=start, n_iter=20_000)
        torch.testing.assert_close(warm.value, exact.value, rtol=1.1e-3, atol=0)
    # It is used: the first iterations differ from those of a fresh start.
    few = [ipot(near, a, b, n_iter=2, tol=0.0, initial=s).value for s in (exact.plan, None)]
    assert ((few[0] - few[1]).abs() > 1e-3).all()
    with pytest.raises(ValueError, match=r"initial: expected shape \(6, 12, 15\)"):
        ipot(near, a, b, initial=exact.plan[:2])


def test_ipot_trace() -> None:
    cost, a, b = problem()
    answer = ipot(cost, a, b, n_iter=30, tol=0.0, trace=True)
    assert answer.trace is not None
    assert answer.trace.shape == (30, 4, 2)
    torch.testing.assert_close(answer.trace[-1, :, 0], answer.value)
    torch.testing.assert_close(answer.trace[-1, :, 1], answer.marginal_error)
    assert ipot(cost, a, b).trace is None
    some = ipot(cost, a, b, n_iter=30, tol=0.0, trace=(1, 7, 30)).trace
    torch.testing.assert_close(some, answer.trace[[0, 6, 29]])
    with pytest.raises(ValueError, match="trace: expected iterations of 1 to n_iter = 30"):
        ipot(cost, a, b, n_iter=30, trace=(0, 31))


@cases(200)
@given(
    exponent=st.integers(-6, 6),
    n=st.integers(1, 6),
    m=st.integers(1, 6),
    duplicates=st.booleans(),
    padding=st.integers(0, 2),
    beta=st.sampled_from([None, 0.1]),
)
def test_ipot_at_any_scale(
    exponent: int, n: int, m: int, duplicates: bool, padding: int, beta: float | None
) -> None:
    g = torch.Generator().manual_seed(n + 10 * m)
    X, Y = torch.rand(2, n, 3, generator=g), torch.rand(2, m, 3, generator=g)
    if duplicates:
        X[:, n // 2 :], Y[:, : m // 2 + 1] = X[:, :1], X[:, :1]
    cost = torch.nn.functional.pad(10.0**exponent * cost_matrix(X, Y), (0, padding, 0, padding))
    a = torch.nn.functional.pad(torch.full((2, n), 1 / n), (0, padding))
    b = torch.nn.functional.pad(torch.full((2, m), 1 / m), (0, padding))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = ipot(cost, a, b, beta=beta, n_iter=2000)
    assert answer.plan.isfinite().all()
    assert (answer.marginal_error <= 1e-4).all() or any(w.category is ConvergenceWarning for w in caught)
    if beta is None:
        assert answer.converged.all()
        scale = cost.amax((1, 2))
        assert ((answer.value - emd(cost, a, b).value).abs() <= 2e-3 * scale).all()
    if padding:
        assert (answer.plan[:, n:] == 0).all()
        assert (answer.plan[:, :, m:] == 0).all()


def test_unconverged_is_said() -> None:
    cost, a, b = problem(B=3, n=30, m=40)
    with pytest.warns(ConvergenceWarning, match=r"ipot: 3 of 3 problems"):
        answer = ipot(cost, a, b, n_iter=10, tol=1e-8)
    assert not answer.converged.any()
    with pytest.warns(ConvergenceWarning, match="sinkhorn"):
        sinkhorn(cost, a, b, epsilon=1e-3, n_iter=10)
    with pytest.warns(ConvergenceWarning, match="emd"):
        emd(cost, a, b, max_pivots=1)


def test_plans_are_couplings_not_assignments() -> None:
    """Known fault of earlier code: a plan hardened by a row argmax keeps rows and breaks columns."""
    cost, a, b = problem(B=3, n=5, m=9)
    for method in ("ipot", "emd"):
        plan = solve(cost, a, b, method).plan
        assert ((plan > 1e-9).sum(2) > 1).any()
        torch.testing.assert_close(plan.sum(1), b, rtol=0, atol=1e-6)


def test_any_number_of_negatives() -> None:
    """Known fault of earlier code: negatives had to be a multiple of the positives."""
    for m in (1, 3, 7, 16):
        cost = problem(B=2, n=5, m=m)[0]
        for method in SOLVERS:
            assert solve(cost, transport=method).plan.shape == (2, 5, m)


@pytest.mark.parametrize(("n", "m"), [(4, 8), (4, 4), (4, 10), (5, 3), (1, 3)])
def test_identity_couples_frames_with_negatives_made_from_them(n: int, m: int) -> None:
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(n, generator=generator).repeat(-(-m // n))[:m]
    origin = torch.stack([order, order.flip(0)])
    answer = solve(torch.rand(2, n, m, dtype=torch.float64), transport="identity", origin=origin)
    assert answer.marginal_error.max() < 1e-12
    to_own_negatives = answer.plan * (origin[:, None] == torch.arange(n)[:, None])
    counts = torch.bincount(order, minlength=n)
    most = torch.minimum(counts / m, torch.tensor(1 / n))  # neither a frame nor its negatives have more mass
    torch.testing.assert_close(to_own_negatives.sum(2), most.double().expand(2, n), rtol=0, atol=1e-7)
    if m % n == 0:
        torch.testing.assert_close(to_own_negatives, answer.plan)


def test_identity_with_padding_and_without_origins() -> None:
    a, b = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[0.25, 0.25, 0.25, 0.25, 0.0]])
    plan = solve(torch.rand(1, 3, 5), a, b, "identity", origin=torch.tensor([[1, 0, 0, 1, -1]])).plan[0]
    expected = torch.tensor([[0, 0.25, 0.25, 0, 0], [0.25, 0, 0, 0.25, 0], [0, 0, 0, 0, 0]])
    torch.testing.assert_close(plan, expected)
    nowhere = solve(torch.rand(1, 3, 5), a, b, "identity", origin=torch.full((1, 5), -1)).plan[0]
    torch.testing.assert_close(nowhere, a[0][:, None] * b[0])
    for bad in (torch.zeros(1, 4, dtype=torch.int64), torch.full((1, 5), 3), torch.zeros(1, 5)):
        with pytest.raises(ValueError, match="origin"):
            solve(torch.rand(1, 3, 5), a, b, "identity", origin=bad)


def test_identity_without_origins_goes_in_order() -> None:
    cost = torch.rand(1, 3, 6)
    plan = solve(cost, transport="identity").plan[0]
    torch.testing.assert_close(plan, torch.eye(3).repeat_interleave(2, 1) / 6)
    square = solve(torch.rand(1, 4, 4), transport="identity").plan[0]
    torch.testing.assert_close(square, torch.eye(4) / 4)


def test_random_coupling_is_seeded_and_alone() -> None:
    cost = torch.rand(3, 5, 8)
    plan = random_coupling(cost, seed=[1, 2, 1]).plan
    torch.testing.assert_close(plan[0], plan[2])
    assert not torch.equal(plan[0], plan[1])
    torch.testing.assert_close(plan[1], random_coupling(cost[1:2], seed=2).plan[0])
    assert ((plan > 0).sum((1, 2)) <= 12).all()  # a vertex of the polytope
    state = torch.get_rng_state()
    random_coupling(cost)
    assert torch.equal(torch.get_rng_state(), state)


def test_cost_matrix() -> None:
    X, Y = torch.rand(2, 4, 6), torch.rand(2, 5, 6)
    naive = (X[:, :, None] - Y[:, None]).norm(dim=3)
    torch.testing.assert_close(cost_matrix(X, Y), naive)
    torch.testing.assert_close(cost_matrix(X, Y, "sqeuclidean"), naive**2)
    far = 1000 + 1e-2 * X  # squares of a million, differences of a thousandth
    naive = (far[:, :, None] - far[:, None]).norm(dim=3)
    torch.testing.assert_close(cost_matrix(far, far), naive, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, a, b: (c[0, 0], a, b), r"cost: expected .*\(B, n, m\) or \(n, m\), got \(11,\)"),
        (lambda c, a, b: (c[0], a, b), r"a: expected shape \(7,\), got \(4, 7\)"),
        (lambda c, a, b: (c, a[:, :-1], b), r"a: expected shape \(4, 7\), got \(4, 6\)"),
        (lambda c, a, b: (c, a, -b), "b: negative"),
        (lambda c, a, b: (c, 0 * a, b), "a: negative, not finite or without mass"),
        (lambda c, a, b: (c, 2 * a, b), "total masses differ"),
        (
            lambda c, a, b: (c.index_fill(0, torch.tensor(2), torch.nan), a, b),
            r"cost: not finite \(problem 2",
        ),
    ],
)
@pytest.mark.parametrize("method", SOLVERS)
def test_bad_input(method: str, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        solve(*change(*problem()), transport=method)


def test_bad_options() -> None:
    cost, a, b = problem()
    with pytest.raises(ValueError, match="transport: expected 'auto' or one of"):
        solve(cost, a, b, "magic")
    with pytest.raises(ValueError, match="beta: expected positive"):
        ipot(cost, a, b, beta=0.0)
    with pytest.raises(ValueError, match="epsilon: expected positive"):
        sinkhorn(cost, a, b, epsilon=-1.0)
    with pytest.raises(ValueError, match="metric"):
        cost_matrix(cost, cost, "cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected frames"):
        cost_matrix(cost, cost[:, :, :2])
    with pytest.raises(ValueError, match="seed: expected an int or 4"):
        random_coupling(cost, a, b, seed=[1, 2])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", SOLVERS)
def test_cuda_equals_cpu(method: str) -> None:
    cost, a, b = problem()
    here = solve(cost, a, b, transport=method)
    there = solve(cost.cuda(), a.cuda(), b.cuda(), transport=method)
    assert there.plan.is_cuda
    torch.testing.assert_close(there.plan.cpu(), here.plan, rtol=0, atol=1e-6)


# ------------------------------------------------------------------ POT's network simplex


def test_simplex_says_which_problems_it_finished() -> None:
    assert _emd._exact_plans(*padded_problem(), 100_000)[1].all()
    assert not _emd._exact_plans(*padded_problem(), 1)[1].any()


def padded_problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masses and costs of 20 problems, some with padding."""
    cost, a, b = (each.numpy() for each in problem(20, 30, 60))
    a[3, 25:], b[5, 40:] = 0, 0
    return a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True), cost


def test_starting_potentials_save_pivots_and_change_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = padded_problem()

    def solved(pivots: int) -> int:
        return int(_emd._exact_plans(*problems, pivots)[1].sum())

    plans, optimal = _emd._exact_plans(*problems, 100_000)
    assert optimal.all()
    soon = [solved(pivots) for pivots in range(50, 400, 50)]
    monkeypatch.setattr(_emd, "_reduced_costs", lambda a, b, cost: (cost.copy(), np.zeros(len(a))))
    np.testing.assert_allclose(plans, _emd._exact_plans(*problems, 100_000)[0], atol=1e-15)
    later = [solved(pivots) for pivots in range(50, 400, 50)]
    assert sum(soon) > sum(later)
    assert all(x >= y for x, y in zip(soon, later, strict=True))


def test_starting_potentials_of_few_problems_are_found_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, reduced_costs = [], _emd._reduced_costs

    def watched(*problems: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        threads.append(torch.get_num_threads())
        return reduced_costs(*problems)

    monkeypatch.setattr(_emd, "_reduced_costs", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _emd._exact_plans(*padded_problem(), 100_000)
    finally:
        torch.set_num_threads(before)
    assert threads == [1]


@pytest.mark.parametrize("scale", [0.0, 1e-320, 1e-300, 1e-30, 1e30, 1e300])
def test_reduced_costs_are_finite_at_any_scale_and_differ_by_potentials_alone(scale: float) -> None:
    a, b, cost = padded_problem()
    cost = scale * cost
    reduced, offset = _emd._reduced_costs(a, b, cost)
    assert np.isfinite(offset).all()
    assert np.isfinite(reduced).all()

    def without_potentials(c: np.ndarray) -> np.ndarray:
        return c[:, 1:, 1:] - c[:, :-1, 1:] - c[:, 1:, :-1] + c[:, :-1, :-1]

    np.testing.assert_allclose(
        without_potentials(reduced), without_potentials(cost), rtol=0, atol=1e-13 * cost.max() + 1e-322
    )


def test_other_threads_work_while_the_simplex_does() -> None:
    cost = np.random.default_rng(0).random((1, 700, 700))
    mass = np.full((1, 700), 1 / 700)
    ticks, stop = [perf_counter()], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            if (now := perf_counter()) > ticks[-1] + 1e-4:
                ticks.append(now)

    other = threading.Thread(target=tick)
    other.start()
    began = perf_counter()
    _emd._exact_plans(mass, mass, cost, 1_000_000)
    lasted = perf_counter() - began
    stop.set()
    other.join()
    assert any(0.2 < (t - began) / lasted < 0.6 for t in ticks)
