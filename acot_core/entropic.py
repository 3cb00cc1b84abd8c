"""Iterative transport solvers for batches of rectangular problems: IPOT (Sec. 3.5, Eq. 12) and Sinkhorn.

IPOT (Xie et al., 2019) is the proximal point method for the transport problem with the Kullback-Leibler
divergence: pi_{t+1} = argmin <pi, c> + beta KL(pi || pi_t), each proximal problem being approximated by one
Sinkhorn scaling. It converges to the exact plan for any beta.
"""

from __future__ import annotations

import torch
from torch import Tensor

from acot_core.couplings import TransportPlan, check_problem, marginal_error

__all__ = ["ipot", "sinkhorn"]


def _log_scalings(log_kernel: Tensor, g: Tensor, log_a: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    """One Sinkhorn iteration in the log domain: rows first, then columns. (B, n, 1), (B, 1, m)"""
    f = log_a - torch.logsumexp(log_kernel + g, 2, keepdim=True)
    f = torch.where(log_a.isinf(), log_a, f)
    g = log_b - torch.logsumexp(log_kernel + f, 1, keepdim=True)
    return f, torch.where(log_b.isinf(), log_b, g)


def ipot(
    cost: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    beta: float | Tensor | None = None,
    n_iter: int = 1000,
    tol: float = 1e-4,
    initial: Tensor | None = None,
    trace: bool = False,
) -> TransportPlan:
    """Inexact proximal point method (Eq. 12). See the module's docstring."""
    a, b = check_problem(cost, a, b)
    scale = cost.abs().amax((1, 2)).clamp_min(torch.finfo(cost.dtype).tiny)
    step = 0.1 * scale if beta is None else torch.as_tensor(beta, dtype=cost.dtype, device=cost.device)
    kernel = -cost / step.reshape(-1, 1, 1)
    log_a, log_b = a.log()[:, :, None], b.log()[:, None, :]
    log_plan = (log_a + log_b) if initial is None else initial.log()
    g = torch.where(log_b.isinf(), log_b, 0)
    done = 0
    for done in range(1, n_iter + 1):
        log_kernel = log_plan + kernel
        f, g = _log_scalings(log_kernel, g, log_a, log_b)
        update = f + log_kernel + g
        change = (update.exp() - log_plan.exp()).abs().sum((1, 2))
        log_plan = update
        if done % 10 == 0 and bool((change <= 1e-2 * tol * a.sum(1)).all()):
            break
    plan = log_plan.exp()
    error = marginal_error(plan, a, b)
    count = torch.full((len(cost),), done, device=cost.device)
    return TransportPlan(plan, (plan * cost).sum((1, 2)), error, count, error <= max(tol, 1e-4))


def sinkhorn(
    cost: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    epsilon: float = 0.05,
    n_iter: int = 1000,
    tol: float = 1e-4,
) -> TransportPlan:
    """Entropic transport: argmin <pi, c> + epsilon KL(pi || a b'), in the log domain."""
    a, b = check_problem(cost, a, b)
    kernel = -cost / epsilon
    log_a, log_b = a.log()[:, :, None], b.log()[:, None, :]
    g = torch.where(log_b.isinf(), log_b, 0)
    done = 0
    for done in range(1, n_iter + 1):
        f, g = _log_scalings(kernel, g, log_a, log_b)
        if done % 10 == 0 and bool((marginal_error((f + kernel + g).exp(), a, b) <= tol).all()):
            break
    plan = (f + kernel + g).exp()
    error = marginal_error(plan, a, b)
    count = torch.full((len(cost),), done, device=cost.device)
    return TransportPlan(plan, (plan * cost).sum((1, 2)), error, count, error <= tol)
