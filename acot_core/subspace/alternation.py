"""Alternation between the plan and the subspace (Sec. 3.5, Eqs. 11-13).

    max_U min_pi  <pi, dist(f_U(X), Y)> - Omega(X, U)

Fixing U, the plan solves an optimal transport problem between the projected frames UU'X and the negatives Y;
fixing the plan, the subspace minimises Eq. (13) on the Grassmannian. The first plan takes UU' = I, the first
subspace step starts at the principal directions of X, and every later half-step where the last one ended.

Of the frames and the negatives both half-steps need little more than inner products, which are taken once, in
double precision: rounding in single precision, which depends on how sequences are batched, would be amplified
by the alternation. The images of the frames are in the frames' precision: an exact plan adds them up one by
one, the same way in every batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acot_core._utils.checks import check_int, check_number, check_size
from acot_core.riemannian import DescentResult
from acot_core.sequences import Negatives, PaddedSequences
from acot_core.subspace._reduced import frame_products
from acot_core.subspace.objective import ACOTObjective
from acot_core.subspace.solve import SubspaceSolver, solve_subspaces
from acot_core.transport import GroundCost, TransportResult, solve


@dataclass(frozen=True)
class Alternation:
    """Result of the alternation for B sequences.

    Attributes
    ----------
    subspace : Tensor (B, d, k)
        Orthonormal bases U.
    transport : TransportResult
        With the last plan of each sequence, (B, n, m).
    objective : Tensor (B, 2 A)
        Value of Eq. (10), to be maximised over U, after every half-step: plan, subspace, plan, ... A sequence
        that stopped early repeats its last value.
    n_alternations : int64 Tensor (B,)
        Alternations done.
    descent : DescentResult
        The first subspace step of every sequence, with its history.
    """

    subspace: Tensor
    transport: TransportResult
    objective: Tensor
    n_alternations: Tensor
    descent: DescentResult


def _distances(energies: Tensor, norms: Tensor, products: Tensor, metric: GroundCost) -> Tensor:
    """dist(f_U(X), Y) of Eq. (12) from ||UU'x_i||^2 (B, n), ||y_j||^2 (B, m) and x_i'UU'y_j (B, n, m)."""
    square = (energies[:, :, None] + norms[:, None, :]).sub_(products, alpha=2).clamp_min_(0)
    return square.sqrt_() if metric == "euclidean" else square


@torch.no_grad()
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
    negatives : PaddedSequences or Negatives
        Negatives Y (B, m, d); ``transport="identity"`` matches frames with those made from them.
    n_subspaces, beta1, beta2, eta :
        k, β1, β2 and η of Eq. (10).
    transport : str
        A solver of `acot_core.transport.solve`.
    transport_options : mapping, optional
        Passed to it.
    ground_cost : {"euclidean", "sqeuclidean"}
        The cost of Eq. (4), or its square, Eq. (5).
    surrogate : bool
        Whether the subspace step minimises Eq. (13), which is the squared cost's (the paper, whatever the
        ground cost); else the transport cost itself.
    solver : str
        As in `acot_core.subspace.solve.solve_subspaces`.
    n_iter : int
        Iterations of the conjugate gradient in each subspace step.
    n_alternations : int
        Alternations at most.
    tol : float
        A sequence stops when an alternation changed its objective by no more than this, relatively; with one
        below zero it does not.

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> from acot_core.gan.negatives import random_negatives
    >>> from acot_core.sequences import pad
    >>> sequences = planted(n_sequences=12, random_state=0).streams["features"][:3]
    >>> negatives = random_negatives(sequences, 20, 0)
    >>> result = alternate(pad(sequences), negatives, n_subspaces=2, n_alternations=2)
    >>> result.subspace.shape
    torch.Size([3, 64, 2])
    >>> result.objective.shape  # after each plan and each subspace
    torch.Size([3, 4])
    """
    n_subspaces = check_size("n_subspaces", n_subspaces, batch.frames.shape[2])
    n_iter = check_int("n_iter", n_iter, least=0)
    n_alternations = check_int("n_alternations", n_alternations, least=1)
    for name, number in (("beta1", beta1), ("beta2", beta2), ("eta", eta)):
        check_number(name, number)
    tol = check_number("tol", tol, signed=True)
    X, Y, dtype, double = batch.frames, negatives.frames, batch.frames.dtype, torch.float64
    mu, nu = (s.mask.double() / s.lengths[:, None] for s in (batch, negatives))
    options = dict(transport_options or {})
    step_cost: GroundCost = "sqeuclidean" if surrogate else ground_cost
    products = frame_products(X, Y)

    U = X.new_zeros(len(X), X.shape[2], n_subspaces, dtype=double)
    plans = products.xp  # of the same shape, until there is a plan
    value, error = X.new_zeros(len(X), dtype=double), X.new_zeros(len(X), dtype=double)
    iterations = torch.zeros(len(X), dtype=torch.int64, device=X.device)
    converged = torch.zeros(len(X), dtype=torch.bool, device=X.device)
    done = torch.zeros_like(iterations)
    values: list[Tensor] = []
    running = torch.arange(len(X), device=X.device)
    first: DescentResult | None = None
    for iteration in range(n_alternations):
        all_run = len(running) == len(X)  # then nothing is copied
        x, y, xy = (X, Y, products) if all_run else (X[running], Y[running], products.select(running))
        if iteration:
            A, B = x.double() @ U[running], y.double() @ U[running]  # (n,d) @ (d,k) -> (n,k)
            cost = _distances(A.square().sum(2), xy.p_norms, A @ B.mT, ground_cost)
        else:
            cost = _distances(xy.x_norms, xy.p_norms, xy.xp, ground_cost)
        now = dict(options)
        if isinstance(seeds := options.get("seed"), list):  # one per sequence
            now["seed"] = [seeds[i] for i in running.tolist()]
        if transport == "identity" and isinstance(negatives, Negatives):
            now["origin"] = negatives.origin[running]
        answer = solve(cost, mu[running], nu[running], transport, **now)
        plans = answer.plan if all_run else plans.index_copy(0, running, answer.plan)
        value[running], error[running] = answer.value, answer.marginal_error
        iterations[running] += answer.n_iter
        converged[running] = answer.converged

        objective = ACOTObjective(
            x,
            mask=batch.mask[running],
            plan=answer.plan,
            negatives=y,
            beta1=beta1,
            beta2=beta2,
            eta=eta,
            ground_cost=step_cost,
            square_norms=(xy.x_norms, xy.p_norms),
        )
        start = U[running] if iteration else n_subspaces
        gram = xy.of_images(answer.plan) if step_cost == "sqeuclidean" else xy.gram
        result = solve_subspaces(objective, start, solver=solver, n_iter=n_iter, gram=gram)
        first = first or result
        U[running] = result.point
        done[running] += 1
        before = values[-1] if values else torch.full_like(value, float("-inf"))
        after_plan = before.clone()
        after_plan[running] = -result.history["value"][0]
        after_step = after_plan.clone()
        after_step[running] = -result.value
        values += [after_plan, after_step]
        change = (after_step - before)[running].abs()
        running = running[change > tol * after_step[running].abs()]
        if len(running) == 0:
            break
    assert first is not None
    last = TransportResult(plans.to(dtype), value.to(dtype), error.to(dtype), iterations, converged)
    return Alternation(U.to(dtype), last, torch.stack(values, 1).to(dtype), done, first.to(dtype))
