"""Ground costs and couplings between frames and negatives (Sec. 3.1, Eqs. 2 and 4).

A coupling of mu = sum_i a_i delta(x_i) and nu = sum_j b_j delta(y_j) is a matrix pi >= 0 with row sums a and
column sums b. Problems come in batches: costs (B, n, m), masses a (B, n) and b (B, m), which default to
uniform. A padded row or column is one of zero mass: its part of every plan is exactly zero.

Besides the type of every solver's answer, this module holds the couplings that ignore the cost, which are
the controls for the question whether the learned plan matters.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from acot_core.memory import block_bytes

__all__ = [
    "GroundCost",
    "TransportPlan",
    "check_problem",
    "cost_matrix",
    "identity",
    "random_coupling",
    "uniform",
]

GroundCost = Literal["sqeuclidean", "euclidean"]


@dataclass(frozen=True)
class TransportPlan:
    """Answer of every transport solver, for a batch of B problems.

    Attributes
    ----------
    plan : Tensor (B, n, m)
        The coupling pi.
    value : Tensor (B,)
        Transport cost <pi, c>.
    marginal_error : Tensor (B,)
        l1 distance of the plan's row and column sums from a and b, as a share of the total mass.
    n_iter : int64 Tensor (B,)
        Iterations spent on each problem; 0 for a closed form.
    converged : bool Tensor (B,)
        Whether the solver met its tolerance.
    trace : Tensor (S, B, 2), optional
        Value and marginal error after every check, where a trace was asked for.
    """

    plan: Tensor
    value: Tensor
    marginal_error: Tensor
    n_iter: Tensor
    converged: Tensor
    trace: Tensor | None = None

    def __len__(self) -> int:
        return len(self.plan)


def cost_matrix(X: Tensor, Y: Tensor, metric: GroundCost = "euclidean") -> Tensor:
    """Pairwise distances ||x_i - y_j|| of Eq. (4), or their squares as in Eq. (5).

    Parameters
    ----------
    X : Tensor (B, n, d)
    Y : Tensor (B, m, d)
    metric : {"euclidean", "sqeuclidean"}

    Returns
    -------
    Tensor (B, n, m)

    Raises
    ------
    ValueError
        Shapes that do not match, or an unknown metric.

    Examples
    --------
    >>> X, Y = torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
    >>> cost_matrix(X, Y)
    tensor([[[5., 1.]]])
    >>> cost_matrix(X, Y, "sqeuclidean")
    tensor([[[25.,  1.]]])
    """
    if X.ndim != 3 or Y.ndim != 3 or X.shape[0] != Y.shape[0] or X.shape[2] != Y.shape[2]:
        raise ValueError(
            f"expected frames (B, n, d) and negatives (B, m, d), got {tuple(X.shape)} and {tuple(Y.shape)}"
        )
    if metric not in ("euclidean", "sqeuclidean"):
        raise ValueError(f"metric: expected 'euclidean' or 'sqeuclidean', got {metric!r}")
    cost = X.new_empty(len(X), X.shape[1], Y.shape[1])
    block = max(1, block_bytes(X.device) // ((X.shape[1] + Y.shape[1]) * X.shape[2] * X.element_size()))
    for i in range(0, len(X), block):
        # Distances do not change under a shift; small coordinates keep differences of large squares accurate.
        x, y = X[i : i + block], Y[i : i + block]
        centre = x[:, :1]
        x, y = x - centre, y - centre
        norms = [torch.linalg.vector_norm(z, dim=2).square_() for z in (x, y)]
        square = norms[0][:, :, None] + norms[1][:, None, :]
        square.baddbmm_(x, y.mT, alpha=-2).clamp_min_(0)  # (n,d) @ (d,m) -> (n,m)
        cost[i : i + block] = square if metric == "sqeuclidean" else square.sqrt_()
    return cost


def check_problem(cost: Tensor, a: Tensor | None, b: Tensor | None) -> tuple[Tensor, Tensor]:
    """Masses of a batch of transport problems, uniform where not given, after validation.

    Returns
    -------
    a : Tensor (B, n)
    b : Tensor (B, m), rescaled to the total mass of a

    Raises
    ------
    ValueError
        A cost that is not (B, n, m) or not finite where there is mass; masses of another shape, negative,
        not finite, without any mass, or whose totals differ by more than rounding.
    """
    if cost.ndim != 3 or 0 in cost.shape[1:] or not cost.is_floating_point():
        raise ValueError(
            f"cost: expected floating-point shape (B, n, m), got {tuple(cost.shape)} {cost.dtype}"
        )
    n_problems, n, m = cost.shape
    masses = []
    for name, mass, size in (("a", a, n), ("b", b, m)):
        if mass is None:
            mass = cost.new_full((n_problems, size), 1 / size)
        if mass.shape != (n_problems, size):
            raise ValueError(f"{name}: expected shape {(n_problems, size)}, got {tuple(mass.shape)}")
        masses.append(mass.to(cost))
    a, b = masses
    total_a, total_b = a.sum(1), b.sum(1)
    bad = {
        "a: negative, not finite or without mass": ~((a >= 0).all(1) & (total_a > 0) & total_a.isfinite()),
        "b: negative, not finite or without mass": ~((b >= 0).all(1) & (total_b > 0) & total_b.isfinite()),
        "a and b: total masses differ": (total_a - total_b).abs() > 1e-3 * total_a,
        "cost: not finite": ~torch.stack([cost.amin((1, 2)), cost.amax((1, 2))]).isfinite().all(0),
    }
    table = torch.stack(list(bad.values()))  # one transfer to the host for all checks
    if table.any():
        check, problem = table.nonzero()[0].tolist()
        raise ValueError(f"{list(bad)[check]} (problem {problem} of {n_problems}, cost {tuple(cost.shape)})")
    return a, b * (total_a / total_b)[:, None]


def marginal_error(plan: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """l1 error of both marginals relative to the total mass: (B,)."""
    error = (plan.sum(2) - a).abs().sum(1) + (plan.sum(1) - b).abs().sum(1)
    return error / a.sum(1)


def closed_form(plan: Tensor, cost: Tensor, a: Tensor, b: Tensor) -> TransportPlan:
    """Wrap a plan that no iteration produced."""
    zero = torch.zeros(len(cost), dtype=torch.int64, device=cost.device)
    return TransportPlan(plan, (plan * cost).sum((1, 2)), marginal_error(plan, a, b), zero, zero == 0)


def warn_unconverged(answer: TransportPlan, solver: str) -> TransportPlan:
    """Hand the answer on, with a ConvergenceWarning where a problem missed its tolerance."""
    if not bool(answer.converged.all()):
        missed = (~answer.converged).nonzero()[:, 0]
        worst = float(answer.marginal_error.max())
        warnings.warn(
            f"{solver}: {len(missed)} of {len(answer)} problems did not converge (the first is number "
            f"{int(missed[0])}; largest marginal error {worst:.1e}); allow more iterations",
            ConvergenceWarning,
            stacklevel=3,
        )
    return answer


def uniform(cost: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> TransportPlan:
    """The independent coupling a b': every frame is matched with the mean of the negatives."""
    a, b = check_problem(cost, a, b)
    return closed_form(a[:, :, None] * b[:, None, :], cost, a, b)


def identity(cost: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> TransportPlan:
    """The monotone coupling: frame t keeps "its own" negatives, in order (the north-west corner rule).

    For n = m it is diag(a); for m = 2n frame t is matched with negatives 2t and 2t + 1.
    """
    a, b = check_problem(cost, a, b)
    return closed_form(_north_west(a, b), cost, a, b)


def random_coupling(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, seed: int | Sequence[int] = 0
) -> TransportPlan:
    """A random vertex of the transport polytope: the north-west corner rule after random permutations.

    Parameters
    ----------
    cost : Tensor (B, n, m)
    a, b : Tensors (B, n) and (B, m), optional
    seed : int or B ints
        Each problem draws from its own generator, so that its plan depends neither on the batch nor on
        padding.
    """
    a, b = check_problem(cost, a, b)
    seeds = [seed] * len(cost) if isinstance(seed, int) else list(seed)
    if len(seeds) != len(cost):
        raise ValueError(f"seed: expected an int or {len(cost)} ints, one a problem, got {len(seeds)}")
    plan = torch.zeros_like(cost)
    for i, s in enumerate(seeds):
        generator = torch.Generator().manual_seed(s)
        order = []
        for mass in (a[i], b[i]):
            real = mass.nonzero()[:, 0]
            order.append(real[torch.randperm(len(real), generator=generator).to(real.device)])
        rows, columns = order
        plan[i, rows[:, None], columns] = _north_west(a[i : i + 1, rows], b[i : i + 1, columns])[0]
    return closed_form(plan, cost, a, b)


def _north_west(a: Tensor, b: Tensor) -> Tensor:
    """pi_ij = overlap of the intervals of a_i and b_j when masses are laid end to end: (B, n, m)."""
    # In double precision: the ends of the intervals are sums, and their differences must give a and b back.
    end_a, end_b = a.double().cumsum(1), b.double().cumsum(1)
    start_a, start_b = end_a - a, end_b - b
    stop = torch.minimum(end_a[:, :, None], end_b[:, None, :])
    start = torch.maximum(start_a[:, :, None], start_b[:, None, :])
    return (stop - start).clamp_min(0).to(a)
