"""Exact transport plans by POT's network simplex, for batches (Eq. 2).

The simplex takes fewer pivots from good dual potentials of rows and columns, and <pi, c - f1' - 1g'> is
<pi, c> minus a constant whatever the potentials f and g are. A few of Sinkhorn's scalings give them. POT
releases the GIL while it pivots.

Its tolerances are absolute. Costs are therefore shifted and divided by their range, and where some are so
large that no plan would use them (a million among distances) they are cut, lest the others drown in their
rounding. That a plan is optimal for the costs as they were is then shown by its duality gap.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from ot.lp import emd_wrap
from torch import Tensor

from acot_core._utils.checks import check_int
from acot_core._utils.threads import parallel_map, single_threaded
from acot_core.transport.couplings import Problem, TransportResult, ordinary_range

_HEAT, _SCALINGS = 0.05, 5  # Sinkhorn's epsilon, as a share of a problem's mean cost, and how often it scales
_PART = 64  # problems that a thread (or a process, if joblib is told so) takes at a time
_STEEP = 1e4  # costs up to this many times a bound on the value are no trouble
_GAP = 1e-9  # of the value, with 1e-12 of the largest cost for rounding: what counts as optimal


def emd(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, *, max_pivots: int = 1_000_000
) -> TransportResult:
    """Exact plans by the network simplex of POT (on the CPU, in double precision), as a drop-in for `ipot`.

    Parameters
    ----------
    cost : Tensor (B, n, m), or (n, m) for one problem
    a, b : Tensors (B, n) and (B, m), optional
        Masses; zero on padding.
    max_pivots : int
        Limit of the simplex for each problem.

    Returns
    -------
    TransportResult
        On the cost's device and in its dtype. ``converged``: the duality gap is at most 1e-9 of the value
        (and 1e-12 of the costs' range, for rounding), whatever the costs' unit.

    Warns
    -----
    ConvergenceWarning
        Some problem did not converge.

    Notes
    -----
    Of more than 64 problems several are solved at once, by a thread pool.

    Examples
    --------
    >>> cost = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> emd(cost).plan
    tensor([[0.5000, 0.0000],
            [0.0000, 0.5000]])
    """
    max_pivots = check_int("max_pivots", max_pivots, least=1)
    problem = Problem.of(cost, a, b, mass_gradients=False)
    total = problem.a.detach().double().sum(1)
    M, p, q = (
        each.detach().to("cpu", torch.float64).numpy() for each in (problem.cost, problem.a, problem.b)
    )
    p = p / total.cpu().numpy()[:, None]
    q = q * (p.sum(1) / q.sum(1))[:, None]  # equal to the last bit that the simplex looks at
    plans, converged = (torch.from_numpy(each) for each in _exact_plans(p, q, M, max_pivots))
    plan = plans.to(problem.cost.detach()).mul_(total[:, None, None])
    return problem.result(plan, converged=converged.to(plan.device), warn="emd")


def _exact_plans(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray, max_pivots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Optimal plans (B, n, m) for masses a (B, n), b (B, m) and costs (B, n, m), and whether each is (B,)."""
    problems = [np.ascontiguousarray(each, np.float64) for each in (a, b, cost)]
    if len(cost) <= _PART:
        with single_threaded():
            return _solve_part(problems, max_pivots)
    parts = ([each[i : i + _PART] for each in problems] for i in range(0, len(cost), _PART))
    solved = parallel_map(partial(_solve_part, max_pivots=max_pivots), parts)
    plans, optimal = zip(*solved, strict=True)
    return np.concatenate(plans), np.concatenate(optimal)


def _solve_part(problems: list[np.ndarray], max_pivots: int) -> tuple[np.ndarray, np.ndarray]:
    a, b, given = problems
    cost = _scaled(a, b, given)
    cut = np.ones(len(cost))  # where costs are cut; the largest is one
    steep = (b * cost.min(1)).sum(1) < 1 / _STEEP  # a bound on the value from below
    if steep.any():
        real = (a[steep] > 0)[:, :, None] & (b[steep] > 0)[:, None, :]
        ordinary = ordinary_range(*(torch.from_numpy(each) for each in (cost[steep], real))).numpy()
        cut[steep] = np.minimum(1, 1e3 * ordinary)
    plans, optimal = _certified(a, b, cost, cut, max_pivots)
    while len(at := np.flatnonzero(~optimal & (cut < 1))):  # costs that were cut are used: cut less
        cut[at] = np.minimum(1e3 * cut[at], 1)
        plans[at], optimal[at] = _certified(a[at], b[at], cost[at], cut[at], max_pivots)
    return plans, optimal


def _certified(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray, cut: np.ndarray, max_pivots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Plans for costs that are cut, and whether they are shown to be optimal for the costs themselves."""
    scale = cut[:, None, None]
    uncut = (cut == 1).all()
    c = cost if uncut else np.minimum(cost / scale, 1)
    plans, value, gap, finished = _pivot(a, b, c, max_pivots)
    if not uncut:
        plans[plans < 1e-15] = 0  # rounding of the masses, which a cost of 1e26 would not forgive
        gap = gap + (plans * (cost / scale - c)).sum((1, 2))  # what the cut hid
    return plans, finished & (gap <= _GAP * value + 1e-12)


def _scaled(a: np.ndarray, b: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Costs shifted and divided so that they run from zero to one; one on padding."""
    cost = torch.from_numpy(given)
    if a.all() and b.all():
        low, high = cost.amin((1, 2), keepdim=True), cost.amax((1, 2), keepdim=True)
    else:
        real = torch.from_numpy((a > 0)[:, :, None] & (b > 0)[:, None, :])
        low = torch.where(real, cost, torch.inf).amin((1, 2), keepdim=True)
        high = torch.where(real, cost, -torch.inf).amax((1, 2), keepdim=True)
        cost = torch.where(real, cost, high)
    spread = high - low
    return cost.sub(low).div_(torch.where(spread > 0, spread, 1)).numpy()


def _pivot(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray, max_pivots: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The simplex on costs up to one: plans, values, duality gaps, and whether it came to its end."""
    reduced, offset = _reduced_costs(a, b, cost)
    plans, u = np.zeros_like(cost), np.empty_like(a)
    value, finished = np.empty(len(cost)), np.empty(len(cost), bool)
    for i in range(len(cost)):
        plans[i], value[i], u[i], _, code = emd_wrap.emd_c(a[i], b[i], reduced[i], max_pivots, 1)
        finished[i] = code == 1
    # Weak duality: whatever u is, and v the best for it, no plan costs less than <a, u> + <b, v>.
    reduced -= np.where(a > 0, u, -np.inf)[:, :, None]
    bound = (a * u).sum(1) + (b * reduced.min(1)).sum(1)
    return plans, value + offset, value - bound, finished


def _reduced_costs(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """c - f1' - 1g' (B, n, m) for potentials near the optimal ones, and <a, f> + <b, g> (B,)."""
    c = torch.from_numpy(cost)
    epsilon = _HEAT * c.mean((1, 2), keepdim=True)
    # In numpy, whose products of many small matrices and vectors take a tenth of torch's time.
    K = c.float().mul_(-1 / epsilon.float()).exp_().numpy()
    rows, columns = (mass[:, :, None].astype(np.float32) for mass in (a, b))
    tiny = np.finfo(np.float32).tiny
    v = np.ones_like(columns)
    with np.errstate(all="ignore"):
        for _ in range(_SCALINGS):
            u = rows / np.maximum(K @ v, tiny)
            v = columns / np.maximum(K.transpose(0, 2, 1) @ u, tiny)
        # Costs that are all the same, or of a scale that single precision lacks, have no such potentials.
        f, g = (np.nan_to_num(epsilon.numpy() * np.log(each), posinf=0, neginf=0) for each in (u, v))
    offset = (a * f[:, :, 0]).sum(1) + (b * g[:, :, 0]).sum(1)
    return (c - torch.from_numpy(f)).sub_(torch.from_numpy(g).mT).numpy(), offset
