"""The reference: pymanopt's conjugate gradient, one problem at a time, in double precision (Sec. 3.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.checks import check_choice, check_int
from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.riemannian.grassmann import project
from acot_core.riemannian.problem import DescentResult, Objective, as_objective, as_points

_RULES = {
    "fletcher-reeves": "FletcherReeves",
    "polak-ribiere": "PolakRibiere",
    "hestenes-stiefel": "HestenesStiefel",
    "hager-zhang": "HagerZhang",
}


def pymanopt_conjugate_gradient(
    objective: Objective | Callable[[Tensor], Tensor],
    initial: Tensor,
    *,
    n_iter: int = 5,
    beta_rule: str = "fletcher-reeves",
    callback: Callback | None = None,
) -> DescentResult:
    """Minimise B functions on the Grassmannian with pymanopt, in a loop.

    pymanopt's own product of Grassmannians would tie the problems to one step size. Its optimiser runs with
    its default (adaptive) line search.

    Parameters
    ----------
    objective : Objective or callable
        As for `conjugate_gradient`. Evaluated in its own precision, on its own device.
    initial : Tensor (B, d, k)
    n_iter : int
    beta_rule : {"fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "hager-zhang"}
    callback : callable, optional
        Gets a `Progress` after every problem.

    Returns
    -------
    DescentResult
        Reasons are "gradient", "no decrease", "iterations" or "cancelled" (problems not reached stay at their
        start); the history has first and last state only.
    """
    check_choice("beta_rule", beta_rule, sorted(_RULES))
    n_iter = check_int("n_iter", n_iter, least=1)
    initial = as_points(initial)
    objective = as_objective(objective, initial)
    clock = Clock("subspace", len(initial), callback)
    point, reasons = initial.clone(), ["cancelled"] * len(initial)
    count = torch.zeros(len(initial), dtype=torch.int64)
    for i in range(len(initial)):
        result = _solve_one(
            objective.select(torch.tensor([i], device=initial.device)), initial[i], n_iter, beta_rule
        )
        point[i] = torch.from_numpy(np.ascontiguousarray(result.point)).to(initial)
        count[i] = result.iterations - 1  # pymanopt counts evaluations of the starting point
        stop = result.stopping_criterion
        reasons[i] = "gradient" if "norm" in stop else "no decrease" if "step" in stop else "iterations"
        try:
            clock.report(i + 1)
        except Cancelled:
            break
    values, norms = [], []
    for U in (initial, point):
        values.append(objective.value(U).detach())
        norms.append(torch.linalg.matrix_norm(project(U, objective.gradient(U))))
    history = {"value": torch.stack(values), "gradient_norm": torch.stack(norms)}
    return DescentResult(point, values[-1], norms[-1], count.to(initial.device), tuple(reasons), history)


def _solve_one(objective: Objective, initial: Tensor, n_iter: int, beta_rule: str) -> Any:
    import pymanopt  # here, for it cannot be imported where docstrings are stripped (python -OO)

    manifold = pymanopt.manifolds.Grassmann(*initial.shape)

    def tensor(U: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(U)).to(initial)[None]

    @pymanopt.function.numpy(manifold)
    def cost(U: Any) -> float:
        with torch.no_grad():
            return float(objective.value(tensor(U)))

    @pymanopt.function.numpy(manifold)
    def gradient(U: Any) -> Any:
        return objective.gradient(tensor(U))[0].double().cpu().numpy()

    problem = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient)
    # It stops when its count, which starts at one, reaches the limit.
    optimizer = pymanopt.optimizers.ConjugateGradient(
        beta_rule=_RULES[beta_rule], max_iterations=n_iter + 1, verbosity=0
    )
    start = np.linalg.qr(initial.double().cpu().numpy())[0]
    return optimizer.run(problem, initial_point=start)
