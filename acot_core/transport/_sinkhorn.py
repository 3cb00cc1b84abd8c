"""Sinkhorn's algorithm for entropic transport, in the log domain, for batches (Sec. 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from acot_core._utils.checks import check_int, check_number
from acot_core.transport.couplings import Problem, TransportResult, marginal_error, ordinary_range

_CHECK_EVERY = 10


def sinkhorn(
    cost: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    epsilon: float | Tensor | None = None,
    n_iter: int = 1000,
    tol: float = 1e-4,
) -> TransportResult:
    """Entropic transport: argmin <pi, c> + epsilon KL(pi || a b'), in the log domain.

    Parameters
    ----------
    cost : Tensor (B, n, m), or (n, m) for one problem
    a, b : Tensors (B, n) and (B, m), optional
        Masses; zero on padding.
    epsilon : float or Tensor (B,), optional
        Weight of the entropy, in the unit of the cost. Default: a twentieth of each problem's range of costs.
    n_iter : int
        Iterations at most.
    tol : float
        Marginal error at which a batch is finished.

    Returns
    -------
    TransportResult
        Differentiable with respect to cost, masses and ``epsilon`` (its default is a share of the costs, and
        counts), through the iterations.

    Warns
    -----
    ConvergenceWarning
        Some problem did not reach ``tol`` in ``n_iter`` iterations.

    Examples
    --------
    >>> cost = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    >>> sinkhorn(cost, epsilon=1.0).plan.round(decimals=2).tolist()  # much entropy: blurred
    [[0.37, 0.13], [0.13, 0.37]]
    """
    n_iter, tol = check_int("n_iter", n_iter, least=1), check_number("tol", tol)
    problem = Problem.of(cost, a, b)
    strength = proportion("epsilon", epsilon, 0.05, problem)[:, None, None].double()
    kernel = -problem.cost.double() / strength
    # Only where there is mass is there a logarithm (and a gradient of it).
    log_a, log_b = (
        torch.where(mass > 0, mass, 1).double().log().masked_fill(mass == 0, -torch.inf)
        for mass in (problem.a[:, :, None], problem.b[:, None, :])
    )
    g = torch.where(log_b.isinf(), log_b, 0)
    done = 0
    for done in range(1, n_iter + 1):
        f, g = log_scalings(kernel, g, log_a, log_b)
        if done % _CHECK_EVERY == 0:
            with torch.no_grad():
                error = marginal_error((f + kernel + g).exp(), problem.a, problem.b)
            if bool((error <= tol).all()):
                break
    plan = (f + kernel + g).exp().to(problem.cost.dtype)
    error = marginal_error(plan.detach(), problem.a, problem.b)
    count = torch.full((len(plan),), done, device=plan.device)
    return problem.result(plan, count, error <= 2 * tol, warn="sinkhorn")


def proportion(name: str, value: float | Tensor | None, share: float, problem: Problem) -> Tensor:
    """A weight in the cost's unit per problem (B,): as given, or this share of the range of costs."""
    cost = problem.cost
    if value is None:
        return share * ordinary_range(cost, problem.real)
    try:
        weight = torch.as_tensor(value).to(cost).expand(len(cost))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: expected a number or one per problem, got {value!r}") from error
    if not bool(((weight > 0) & weight.isfinite()).all()):
        raise ValueError(f"{name}: expected positive numbers, got {value!r}")
    return weight


def log_scalings(log_kernel: Tensor, g: Tensor, log_a: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    """One Sinkhorn iteration in the log domain: rows first, then columns. (B, n, 1), (B, 1, m)"""
    f = log_a - torch.logsumexp(log_kernel + g, 2, keepdim=True)
    f = torch.where(log_a.isinf(), log_a, f)
    g = log_b - torch.logsumexp(log_kernel + f, 1, keepdim=True)
    return f, torch.where(log_b.isinf(), log_b, g)
