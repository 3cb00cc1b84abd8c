"""Riemannian conjugate gradient on the Grassmannian for many independent problems in one batch (Sec. 3.5).

Every problem has its own step, line search, restart and stopping. The reference is pymanopt, which solves
one problem at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor

from acot_core.grassmann import project, retract_polar, retract_qr
from acot_core.progress import Callback, Cancelled, Clock

__all__ = ["Objective", "RCGResult", "conjugate_gradient", "pymanopt_conjugate_gradient"]


class Objective(Protocol):
    """What `conjugate_gradient` needs of B functions on the Grassmannian."""

    def value(self, U: Tensor) -> Tensor:
        """Values at U (B, d, k): (B,)."""

    def gradient(self, U: Tensor) -> Tensor:
        """Euclidean gradients at U: (B, d, k)."""

    def select(self, index: Tensor) -> Self:
        """The objective of some of the problems."""


@dataclass(frozen=True)
class RCGResult:
    """What a solver of B problems on the Grassmannian found.

    Attributes
    ----------
    point : Tensor (B, d, k)
    value : Tensor (B,)
    gradient_norm : Tensor (B,)
        Norm of the Riemannian gradient at ``point``.
    n_iter : int64 Tensor (B,)
        Iterations spent on each problem.
    reason : tuple of B str
        Why each problem stopped: "gradient" (its norm fell to ``gtol``), "no decrease" (the line search
        found no better point), "iterations" or "cancelled".
    history : dict of Tensors (S + 1, B)
        "value" and "gradient_norm" before the first and after every iteration; a finished problem repeats
        its last.
    """

    point: Tensor
    value: Tensor
    gradient_norm: Tensor
    n_iter: Tensor
    reason: tuple[str, ...]
    history: dict[str, Tensor]


def _inner(A: Tensor, B: Tensor) -> Tensor:
    return (A * B).sum((1, 2))


def _fletcher_reeves(g: Tensor, old: Tensor, d: Tensor, gg: Tensor, gg_old: Tensor) -> Tensor:
    return gg / gg_old


def _polak_ribiere(g: Tensor, old: Tensor, d: Tensor, gg: Tensor, gg_old: Tensor) -> Tensor:
    return (_inner(g, g - old) / gg_old).clamp_min(0)


def _hestenes_stiefel(g: Tensor, old: Tensor, d: Tensor, gg: Tensor, gg_old: Tensor) -> Tensor:
    difference = g - old
    return (_inner(g, difference) / _inner(d, difference)).clamp_min(0)


def _steepest(g: Tensor, old: Tensor, d: Tensor, gg: Tensor, gg_old: Tensor) -> Tensor:
    return torch.zeros_like(gg)


BETA_RULES: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "fletcher-reeves": _fletcher_reeves,
    "polak-ribiere": _polak_ribiere,
    "hestenes-stiefel": _hestenes_stiefel,
    "steepest-descent": _steepest,
}
RETRACTIONS = {"qr": retract_qr, "polar": retract_polar}


def conjugate_gradient(
    objective: Objective,
    initial: Tensor,
    *,
    n_iter: int = 5,
    beta_rule: str = "fletcher-reeves",
    retraction: Literal["qr", "polar"] = "qr",
    gtol: float = 1e-6,
    sufficient_decrease: float = 1e-4,
    contraction: float = 0.5,
    max_backtracks: int = 25,
    callback: Callback | None = None,
) -> RCGResult:
    """Minimise B functions on the Grassmannian, each on its own.

    Parameters
    ----------
    objective : Objective
    initial : Tensor (B, d, k)
        Orthonormal bases to start from.
    n_iter : int
        Iterations at most (the paper uses 5).
    beta_rule : {"fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "steepest-descent"}
    retraction : {"qr", "polar"}
    gtol : float
        A problem stops where the norm of its Riemannian gradient is at most this.
    sufficient_decrease, contraction, max_backtracks : float, float, int
        Armijo's constant, factor and limit of the backtracking line search.
    callback : callable, optional
        Gets a `Progress` after every iteration; raising `Cancelled` stops with the points found so far.

    Returns
    -------
    RCGResult
    """
    if beta_rule not in BETA_RULES:
        raise ValueError(f"beta_rule: expected one of {sorted(BETA_RULES)}, got {beta_rule!r}")
    if retraction not in RETRACTIONS:
        raise ValueError(f"retraction: expected one of {sorted(RETRACTIONS)}, got {retraction!r}")
    retract, rule = RETRACTIONS[retraction], BETA_RULES[beta_rule]
    clock = Clock("subspace", n_iter, callback)
    U = initial
    f, g = objective.value(U), project(U, objective.gradient(U))
    gg = _inner(g, g)
    d = -g
    step = 0.5 / gg.sqrt().clamp_min(torch.finfo(U.dtype).tiny)
    count = torch.zeros(len(U), dtype=torch.int64, device=U.device)
    stuck = torch.zeros(len(U), dtype=torch.bool, device=U.device)
    values, norms = [f], [gg.sqrt()]
    cancelled = False
    for iteration in range(1, n_iter + 1):
        running = (gg.sqrt() > gtol) & ~stuck
        if not running.any():
            break
        slope = _inner(g, d)
        restart = slope >= 0
        d = torch.where(restart[:, None, None], -g, d)
        slope = torch.where(restart, -gg, slope)
        alpha = 2 * step
        best, f_best, searching = U, f, running.clone()
        for _ in range(max_backtracks):
            trial = retract(U, alpha[:, None, None] * d)
            f_trial = objective.value(trial)
            good = searching & (f_trial <= f + sufficient_decrease * alpha * slope) & (f_trial < f)
            best = torch.where(good[:, None, None], trial, best)
            f_best = torch.where(good, f_trial, f_best)
            step = torch.where(good, alpha, step)
            searching = searching & ~good
            if not searching.any():
                break
            alpha = torch.where(searching, alpha * contraction, alpha)
        # A direction along which nothing is gained is dropped for steepest descent; if it was that already,
        # the problem is finished.
        steepest = restart | (_inner(d + g, d + g) == 0)
        stuck = stuck | (searching & steepest)
        moved = running & ~searching
        g_best = project(best, objective.gradient(best))
        gg_best = torch.where(moved, _inner(g_best, g_best), gg)
        g_old, d_old = project(best, g), project(best, d)
        beta = rule(g_best, g_old, d_old, gg_best, gg)
        d_best = -g_best + torch.nan_to_num(beta, posinf=0.0)[:, None, None] * d_old
        keep = moved[:, None, None]
        d = torch.where(keep, d_best, -g)
        U, f, g, gg = best, f_best, torch.where(keep, g_best, g), gg_best
        count += running
        values.append(f)
        norms.append(gg.sqrt())
        if callback is not None:
            try:
                clock.report(iteration, value=float(f.mean()), running=float(running.sum()))
            except Cancelled:
                cancelled = True
                break
    reason = tuple(
        "gradient" if done else "no decrease" if s else "cancelled" if cancelled else "iterations"
        for done, s in zip((norms[-1] <= gtol).tolist(), stuck.tolist(), strict=True)
    )
    history = {"value": torch.stack(values), "gradient_norm": torch.stack(norms)}
    return RCGResult(U, f, gg.sqrt(), count, reason, history)


def pymanopt_conjugate_gradient(objective: Objective, initial: Tensor, *, n_iter: int = 5) -> RCGResult:
    """The reference: pymanopt's conjugate gradient, one problem after the other, in double precision.

    Parameters and result are those of `conjugate_gradient`; the history holds first and last state only.
    """
    import numpy as np
    import pymanopt

    points, counts = [], []
    for i in range(len(initial)):
        part = objective.select(torch.tensor([i], device=initial.device))
        manifold = pymanopt.manifolds.Grassmann(*initial.shape[1:])

        def tensor(U: Any) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(U)).to(initial)[None]

        @pymanopt.function.numpy(manifold)
        def cost(U: Any, part: Objective = part) -> float:
            return float(part.value(tensor(U)))

        @pymanopt.function.numpy(manifold)
        def gradient(U: Any, part: Objective = part) -> Any:
            return part.gradient(tensor(U))[0].double().cpu().numpy()

        problem = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient)
        optimizer = pymanopt.optimizers.ConjugateGradient(
            beta_rule="FletcherReeves", max_iterations=n_iter, verbosity=0
        )
        result = optimizer.run(problem, initial_point=initial[i].double().cpu().numpy())
        points.append(tensor(result.point)[0])
        counts.append(result.iterations)
    point = torch.stack(points)
    ends = []
    for U in (initial, point):
        g = project(U, objective.gradient(U))
        ends.append((objective.value(U), _inner(g, g).sqrt()))
    history = {
        "value": torch.stack([v for v, _ in ends]),
        "gradient_norm": torch.stack([n for _, n in ends]),
    }
    count = torch.tensor(counts, device=initial.device)
    return RCGResult(point, *ends[-1], count, ("pymanopt",) * len(point), history)
