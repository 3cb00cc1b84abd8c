"""Alternation between the plan and the subspace (Sec. 3.5, Eqs. 11-13).

    max_U min_pi  <pi, dist(f_U(X), Y)> - Omega(X, U)

Fixing U, the plan solves an optimal transport problem between the projected frames UU'X and the negatives Y;
fixing the plan, the subspace minimises Eq. (13) on the Grassmannian. The first plan takes UU' = I, the first
subspace step starts at the principal directions of X, and every later half-step where the last one ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acot_core.grassmann import principal_subspace
from acot_core.objective import ACOTObjective
from acot_core.riemannian import RCGResult
from acot_core.sequences import PaddedSequences
from acot_core.subspaces import SubspaceSolver, solve_subspaces
from acot_core.transport import GroundCost, TransportPlan, cost_matrix, solve

__all__ = ["Alternation", "alternate", "projected_cost"]


@dataclass(frozen=True)
class Alternation:
    """What the alternation found for B sequences.

    Attributes
    ----------
    subspace : Tensor (B, d, k)
        Orthonormal bases U.
    plan : TransportPlan
        The last plan of each sequence, (B, n, m).
    objective : Tensor (B, 2 A)
        Value of Eq. (10), to be maximised over U, after every half-step: plan, subspace, plan, ... A sequence
        that stopped early repeats its last value.
    n_alternations : int64 Tensor (B,)
        Alternations done.
    descent : RCGResult
        The first subspace step of every sequence, with its history.
    """

    subspace: Tensor
    plan: TransportPlan
    objective: Tensor
    n_alternations: Tensor
    descent: RCGResult


def projected_cost(frames: Tensor, negatives: Tensor, U: Tensor | None, metric: GroundCost) -> Tensor:
    """dist(f_U(X), Y) of Eq. (12): (B, n, m). ``U`` None stands for UU' = I."""
    projected = frames if U is None else (frames @ U) @ U.mT  # (n,d) @ (d,k) @ (k,d) -> (n,d)
    return cost_matrix(projected, negatives, metric)


def alternate(
    batch: PaddedSequences,
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 1,
    beta1: float = 1.0,
    beta2: float = 10.0,
    eta: float = 0.01,
    transport: str = "auto",
    transport_options: Mapping[str, Any] | None = None,
    ground_cost: GroundCost = "euclidean",
    surrogate: bool = True,
    solver: SubspaceSolver = "rcg",
    n_iter: int = 5,
    n_alternations: int = 1,
    tol: float = 1e-5,
) -> Alternation:
    """Learn one subspace for each of B sequences.

    Parameters
    ----------
    batch : PaddedSequences
        Frames X (B, n, d).
    negatives : PaddedSequences
        Negatives Y (B, m, d).
    n_subspaces, beta1, beta2, eta :
        k, β1, β2 and η of Eq. (10).
    transport : str
        A method of `acot_core.transport.solve`.
    transport_options : mapping, optional
        Passed to it.
    ground_cost : {"euclidean", "sqeuclidean"}
        The cost of Eq. (4), or its square, Eq. (5).
    surrogate : bool
        Whether the subspace step minimises Eq. (13), which is the squared cost's (the paper, whatever the
        ground cost); else the transport cost itself.
    solver : str
        As in `acot_core.subspaces.solve_subspaces`.
    n_iter : int
        Iterations of the conjugate gradient in each subspace step.
    n_alternations : int
        Alternations at most.
    tol : float
        A sequence stops when an alternation changed its objective by no more than this, relatively.
    """
    k, X, Y = n_subspaces, batch.frames, negatives.frames
    options = dict(transport_options or {})
    step_cost: GroundCost = "sqeuclidean" if surrogate else ground_cost

    U = principal_subspace(X, batch.mask, k)
    plan_of = X.new_zeros(len(X), X.shape[1], Y.shape[1])
    value, error = X.new_zeros(len(X)), X.new_zeros(len(X))
    spent = torch.zeros(len(X), dtype=torch.int64, device=X.device)
    converged = torch.zeros(len(X), dtype=torch.bool, device=X.device)
    done = torch.zeros_like(spent)
    values: list[Tensor] = []
    running = torch.arange(len(X), device=X.device)
    first: RCGResult | None = None
    for iteration in range(n_alternations):
        x, y, a, b = X[running], Y[running], batch.weights[running], negatives.weights[running]
        cost = projected_cost(x, y, U[running] if iteration else None, ground_cost)
        plan = solve(cost, a, b, transport, **options)
        plan_of[running], value[running], error[running] = plan.plan, plan.value, plan.marginal_error
        spent[running] += plan.n_iter
        converged[running] = plan.converged

        objective = ACOTObjective(
            x,
            mask=batch.mask[running],
            plan=plan.plan,
            negatives=y,
            beta1=beta1,
            beta2=beta2,
            eta=eta,
            ground_cost=step_cost,
        )
        result = solve_subspaces(objective, U[running], solver=solver, n_iter=n_iter)
        first = first or result
        U[running] = result.point
        done[running] += 1
        before = values[-1] if values else X.new_full((len(X),), float("-inf"))
        after_plan = before.clone()
        after_plan[running] = -result.history["value"][0]
        after_step = after_plan.clone()
        after_step[running] = -result.value
        values += [after_plan, after_step]
        change = (after_step - before)[running].abs()
        running = running[change > tol * after_step[running].abs().clamp_min(1e-12)]
        if len(running) == 0:
            break
    assert first is not None
    plans = TransportPlan(plan_of, value, error, spent, converged)
    return Alternation(U, plans, torch.stack(values, 1), done, first)
