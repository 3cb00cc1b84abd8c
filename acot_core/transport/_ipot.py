"""IPOT, the inexact proximal point method for batches of rectangular transport problems (Sec. 3.5, Eq. 12).

IPOT (Xie et al., 2019) is the proximal point method for the transport problem with the Kullback-Leibler
divergence: pi_{t+1} = argmin <pi, c> + beta KL(pi || pi_t), each proximal problem being approximated by one
Sinkhorn scaling. It converges to the exact plan for any beta; a smaller beta needs fewer iterations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from acot_core._utils.checks import check_int, check_number
from acot_core._utils.threads import parallel_map
from acot_core.transport._sinkhorn import log_scalings, proportion
from acot_core.transport.couplings import Problem, TransportResult, marginal_error, ordinary_range

_CHECK_EVERY = 10
_BLOCK_BYTES = 2**22  # kernel and plan, twice each, of the problems that are iterated together on a CPU
_MARGINAL_TOLERANCE = 1e-4


def ipot(
    cost: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    beta: float | Tensor | None = None,
    n_iter: int = 1000,
    tol: float = 1e-3,
    initial: Tensor | None = None,
    trace: bool | Collection[int] = False,
) -> TransportResult:
    """Inexact proximal point method (Eq. 12), stopped by a certificate.

    Parameters
    ----------
    cost : Tensor (B, n, m), or (n, m) for one problem
    a, b : Tensors (B, n) and (B, m), optional
        Masses; zero on padding.
    beta : float or Tensor (B,), optional
        Proximal step in the unit of the cost. Default: a tenth of each problem's range of costs.
    n_iter : int
        Iterations at most.
    tol : float
        A problem is finished when its relative duality gap, which bounds the distance to the exact value,
        is at most this; looked at every tenth iteration. The plan is then rounded to its marginals (as in
        Altschuler et al., 2017), so that it is a coupling. 0: all iterations are made and nothing is
        rounded; ``converged`` means marginals to 1e-4.
    initial : Tensor (B, n, m), optional
        Plan to start from; it is mixed with 1 % of a b', since an entry of zero would stay zero, and
        potentials are fitted to it. On random problems whose costs changed by 1 % this took more iterations
        than a fresh start, since mass returns slowly to entries that were nearly zero.
    trace : bool or collection of int
        Record value and marginal error after every iteration, or after these.

    Returns
    -------
    TransportResult

    Warns
    -----
    ConvergenceWarning
        Some problem did not reach ``tol`` in ``n_iter`` iterations.

    Notes
    -----
    The gradient of ``value`` in the cost is the plan: right where the plan is exact, and so to within
    ``tol``; a check by differences (`torch.autograd.gradcheck`) needs 1e-9 or so. The plan has none.

    Costs are shifted and divided by their range, so that their unit does not matter. Those that are many
    times beta underflow as kernels; such batches are iterated in the log domain.

    Examples
    --------
    >>> cost = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # each point has a partner at no cost
    >>> ipot(cost).plan.round(decimals=2).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    n_iter, tol = check_int("n_iter", n_iter, least=1), check_number("tol", tol)
    problem = Problem.of(cost, a, b, mass_gradients=False)
    plan, count, converged, traced = _iterate(problem, beta, n_iter, tol, initial, trace)
    return problem.result(plan, count, converged, traced, warn="ipot" if tol > 0 else "")


@torch.no_grad()
def _iterate(
    problem: Problem,
    beta: float | Tensor | None,
    n_iter: int,
    tol: float,
    initial: Any,
    trace: bool | Collection[int],
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Plans, iterations, convergence and trace; costs in units of their range, masses of their total."""
    cost, real, total = problem.cost.detach(), problem.real, problem.a.sum(1)
    a, b = problem.a / total[:, None], problem.b / total[:, None]
    unit = ordinary_range(cost, real)
    step = proportion("beta", beta, 0.1, problem) / unit
    # A constant taken from a row changes no iterate: the smallest cost of each becomes zero.
    rows = _finite(torch.where(real, cost, torch.inf).amin(2, keepdim=True))
    shifted = torch.where(real, cost - rows, 0).div_(unit[:, None, None])
    offset = (rows[:, :, 0] * a).sum(1) / unit
    ratio = float((shifted.amax((1, 2)) / step).max()) if len(cost) else 0.0
    start, potential = real.to(cost.dtype), torch.zeros_like(b)
    if initial is not None:
        warm = torch.as_tensor(initial).to(cost)
        if warm.shape != cost.shape or torch.as_tensor(initial).ndim != problem.given.ndim:
            expected = tuple(problem.given.shape)
            raise ValueError(
                f"initial: expected shape {expected}, got {tuple(torch.as_tensor(initial).shape)}"
            )
        if not bool(((warm >= 0) & warm.isfinite()).all()):
            raise ValueError("initial: expected a plan, got negative entries, NaN or infinity")
        warm = warm.reshape(cost.shape) / total[:, None, None]
        start = 0.99 * warm + 0.01 * a[:, :, None] * b[:, None, :]
        potential = _fit_potential(shifted, warm, a, b)

    plan = torch.empty_like(cost)
    count = torch.zeros(len(cost), dtype=torch.int64, device=cost.device)
    met = torch.zeros(len(cost), dtype=torch.bool, device=cost.device)
    values: list[Tensor] = []
    recorded = _recorded(trace, n_iter)
    looks = sorted({*range(_CHECK_EVERY, n_iter, _CHECK_EVERY), *recorded, n_iter})
    block = max(1, len(cost))
    if cost.device.type == "cpu" and not recorded:
        block = max(1, _BLOCK_BYTES // (4 * cost[0].numel() * cost.element_size())) if len(cost) else 1

    def solve(at: slice) -> None:
        c, p, q, g = shifted[at], a[at], b[at], potential[at] / step[at, None]
        iterate = _in_log_domain if ratio > 200 else _in_primal_domain
        steps = iterate(c, p, q, step[at], start[at], g, ratio, looks)
        open_ = torch.ones_like(met[at])
        for done, P, f in steps:
            if done in recorded:
                values.append(torch.stack([(P * cost).sum((1, 2)) * total, marginal_error(P, a, b)], 1))
            last = done >= n_iter
            if tol > 0 or last:
                if tol > 0:
                    P = _round(P, p, q)
                close = _close(c, P.to(c), p, q, f.to(c), offset[at], real[at], tol)
                stop = open_ & (close | last)
                plan[at] = torch.where(stop[:, None, None], P.to(c), plan[at])
                met[at] |= open_ & close
                count[at] += torch.where(stop, done, 0)
                open_ = open_ & ~stop
            if last or (tol > 0 and not bool(open_.any())):
                break

    parts = [slice(i, i + block) for i in range(0, len(cost), block)]
    if len(parts) > 1:
        deque(parallel_map(solve, parts), maxlen=0)
    elif parts:
        solve(parts[0])
    if tol == 0:
        met = marginal_error(plan, a, b) <= _MARGINAL_TOLERANCE
    traced = torch.stack(values).to(problem.given.dtype) if values else None
    return plan.mul_(total[:, None, None]), count, met, traced


def _recorded(trace: bool | Collection[int], n_iter: int) -> set[int]:
    """The iterations of a trace: all, none, or those named."""
    if isinstance(trace, bool):
        return set(range(1, n_iter + 1)) if trace else set()
    if not all(1 <= t <= n_iter for t in trace):
        raise ValueError(f"trace: expected iterations of 1 to n_iter = {n_iter}, got {sorted(trace)}")
    return set(trace)


def _fit_potential(c: Tensor, P: Tensor, a: Tensor, b: Tensor, n_iter: int = 30) -> Tensor:
    """Column potentials g (B, m) for which f_i + g_j = c_ij where P has mass, by least squares."""
    rows, columns = P.sum(2).clamp_min(1e-30), P.sum(1).clamp_min(1e-30)
    g = torch.zeros_like(b)
    for _ in range(n_iter):
        f = ((P * c).sum(2) - (P @ g[:, :, None])[:, :, 0]) / rows
        g = ((P * c).sum(1) - (f[:, None, :] @ P)[:, 0]) / columns
    return torch.where(b > 0, g, 0)


def _finite(x: Tensor) -> Tensor:
    return torch.where(x.isfinite(), x, 0)


def _close(
    c: Tensor, P: Tensor, a: Tensor, b: Tensor, f: Tensor, offset: Tensor, real: Tensor, tol: float
) -> Tensor:
    """Whether couplings P are within tol of the optimum, by weak duality: (B,)."""
    apart = torch.where(real, c, torch.inf)
    g = _finite((apart - f[:, :, None]).amin(1))  # the best g for f, and then the best f for g
    f = _finite((apart - g[:, None, :]).amin(2))
    bound = (a * f).sum(1) + (b * g).sum(1)
    value = (P * c).sum((1, 2))
    # Near a value of zero, relative to a thousandth of the costs' range, whose unit is one here.
    scale = (value + offset).abs() + 1e-3 * c.amax((1, 2)).clamp_max(1)
    return (value - bound <= tol * scale) & (marginal_error(P, a, b) <= _MARGINAL_TOLERANCE)


def _round(P: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A coupling near P: rows and columns with too much are scaled down, what is missing is spread."""
    P = P * (a / P.sum(2).clamp_min(1e-30)).clamp_max(1)[:, :, None]
    P = P * (b / P.sum(1).clamp_min(1e-30)).clamp_max(1)[:, None, :]
    short_a, short_b = (a - P.sum(2)).clamp_min(0), (b - P.sum(1)).clamp_min(0)
    share = short_b / short_b.sum(1, keepdim=True).clamp_min(1e-30)
    return P + short_a[:, :, None] * share[:, None, :]


def _in_primal_domain(
    c: Tensor,
    a: Tensor,
    b: Tensor,
    step: Tensor,
    start: Tensor,
    g: Tensor,
    ratio: float,
    looks: list[int],
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Iterations, plan and row potentials, after the iterations ``looks`` (ascending).

    The plan is diag(u) (P * K^s) diag(v): scalings are collected, and multiplied into P only before K^s could
    underflow or somebody looks.
    """
    dtype = torch.float64 if ratio > 30 else c.dtype
    c, a, b, step, g = (t.to(dtype) for t in (c, a, b, step, g))
    P = start.to(dtype, copy=True)
    kernel = torch.exp(-c / step[:, None, None])
    kernel_t = kernel.mT.contiguous()
    # Entries that vanish too early could leave a row or column with nothing to scale.
    tiny = torch.finfo(dtype).tiny
    floor = (start > 0).to(dtype) * tiny**0.5
    period = max(1, min(20, int((30 if dtype == torch.float32 else 300) / max(ratio, 1))))
    a, b = a[:, None, :], b[:, None, :]  # rows, since row times matrix is the fast product on a CPU
    no_a, no_b = a == 0, b == 0
    v_last = g[:, None, :].exp()  # the scaling that the last iteration ended with
    done = 0
    for look in looks:
        while done < look:
            P_t = P.mT.contiguous()
            u, v = torch.ones_like(a), torch.ones_like(b)
            for _ in range(min(period, look - done)):
                P, P_t = P.mul_(kernel), P_t.mul_(kernel_t)
                u_old, v_old = u, v
                u = a / ((v * v_last) @ P_t + no_a)  # (1,m) @ (m,n) -> (1,n)
                v = b / (u @ P + no_b)  # (1,n) @ (n,m) -> (1,m)
                v_last = v / v_old.clamp_min(tiny)
                done += 1
            P = torch.maximum(P.mul_(u.mT).mul_(v), floor)
        yield done, P, step[:, None] * (u / u_old.clamp_min(tiny)).clamp_min(tiny).log()[:, 0]


def _in_log_domain(
    c: Tensor,
    a: Tensor,
    b: Tensor,
    step: Tensor,
    start: Tensor,
    g: Tensor,
    ratio: float,
    looks: list[int],
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The same for any ratio of cost to beta, in logarithms and double precision."""
    c, step, g = c.double(), step.double(), g.double()[:, None, :]
    log_a, log_b = a.double().log()[:, :, None], b.double().log()[:, None, :]
    log_plan = start.double().log()
    kernel = -c / step[:, None, None]
    g = torch.where(log_b.isinf(), log_b, g)
    for before, look in pairwise([0, *looks]):
        for _ in range(before, look):
            log_kernel = log_plan + kernel
            f, g = log_scalings(log_kernel, g, log_a, log_b)
            log_plan = f + log_kernel + g
        yield look, log_plan.exp(), step[:, None] * _finite(f[:, :, 0])
