"""The subspace half-step of Sec. 3.5: from an objective and a starting point to subspaces, at full speed.

The solvers of `acot_core.riemannian` take any objective. For that of Eq. (13) this module chooses the
coordinates they run in: the span of frames, images and starting point (`acot_core.reduced`) where that is
smaller than the features' space, and the features' space itself where it is not. Iterates are the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from acot_core.objective import ACOTObjective
from acot_core.progress import Callback
from acot_core.reduced import ReducedObjective, lift
from acot_core.riemannian import RCGResult, conjugate_gradient, pymanopt_conjugate_gradient

__all__ = ["Coordinates", "SubspaceSolver", "solve_subspaces"]

SubspaceSolver = Literal["rcg", "pymanopt"]
Coordinates = Literal["auto", "reduced", "ambient"]


def solve_subspaces(
    objective: ACOTObjective,
    initial: Tensor,
    *,
    solver: SubspaceSolver = "rcg",
    n_iter: int = 5,
    coordinates: Coordinates = "auto",
    callback: Callback | None = None,
    **options: Any,
) -> RCGResult:
    """Minimise Eq. (13) for every sequence of a batch.

    Parameters
    ----------
    objective : ACOTObjective
        Of B sequences.
    initial : Tensor (B, d, k)
        Orthonormal starting points.
    solver : {"rcg", "pymanopt"}
        The batched conjugate gradient, or pymanopt's in a loop (the reference).
    n_iter : int
        Iterations at most.
    coordinates : {"auto", "reduced", "ambient"}
        Where to iterate. All run in double precision and give the same points.
    callback : callable, optional
        Passed to the solver.
    **options
        Passed to the solver: ``beta_rule``, ``retraction``, ``gtol``.

    Returns
    -------
    RCGResult
        In the dtype of ``initial``.
    """
    if solver not in ("rcg", "pymanopt"):
        raise ValueError(f"solver: expected 'rcg' or 'pymanopt', got {solver!r}")
    if coordinates not in ("auto", "reduced", "ambient"):
        raise ValueError(f"coordinates: expected 'auto', 'reduced' or 'ambient', got {coordinates!r}")
    d, k = initial.shape[1:]
    double = torch.float64
    if solver == "pymanopt":
        result = pymanopt_conjugate_gradient(
            objective.to(double), initial.to(double), n_iter=n_iter, callback=callback, **options
        )
        point = result.point.to(initial)
    elif coordinates == "reduced" or (coordinates == "auto" and objective.n_rows + k < d):
        reduced = ReducedObjective(objective, initial)
        result = conjugate_gradient(reduced, reduced.start, n_iter=n_iter, callback=callback, **options)
        point = lift(objective, initial, result.point)
    else:
        result = conjugate_gradient(
            objective.to(double), initial.to(double), n_iter=n_iter, callback=callback, **options
        )
        point = result.point.to(initial)
    return replace(
        result,
        point=point,
        value=result.value.to(initial),
        gradient_norm=result.gradient_norm.to(initial),
        history={name: values.to(initial) for name, values in result.history.items()},
    )
