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

from acot_core.grassmann import principal_subspace
from acot_core.objective import ACOTObjective
from acot_core.progress import Callback
from acot_core.reduced import ReducedObjective
from acot_core.riemannian import RCGResult, conjugate_gradient, pymanopt_conjugate_gradient

__all__ = ["Coordinates", "SubspaceSolver", "solve_subspaces"]

SubspaceSolver = Literal["rcg", "pymanopt"]
Coordinates = Literal["auto", "ambient"]


def solve_subspaces(
    objective: ACOTObjective,
    initial: Tensor | int,
    *,
    solver: SubspaceSolver = "rcg",
    n_iter: int = 5,
    coordinates: Coordinates = "auto",
    gram: Tensor | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> RCGResult:
    """Minimise Eq. (13) for every sequence of a batch.

    Parameters
    ----------
    objective : ACOTObjective
        Of B sequences.
    initial : Tensor (B, d, k) or int k
        Orthonormal starting points; or k, for a start at the top-k principal directions of the frames.
    solver : {"rcg", "pymanopt"}
        The batched conjugate gradient, or pymanopt's in a loop (the reference).
    n_iter : int
        Iterations at most.
    coordinates : {"auto", "ambient"}
        Where to iterate: in the span where it is smaller than the features' space, or always in the latter.
        Both run in double precision and give the same points.
    gram : Tensor (B, n, n), optional
        XX' of the objective's frames in double precision, where it is known already.
    callback : callable, optional
        Passed to the solver.
    **options
        Passed to the solver: ``beta_rule``, ``retraction``, ``gtol``.

    Returns
    -------
    RCGResult
        In double precision.

    Examples
    --------
    >>> frames = torch.rand(3, 10, 6, generator=torch.Generator().manual_seed(0))
    >>> objective = ACOTObjective(frames, images=torch.zeros_like(frames))
    >>> found = solve_subspaces(objective, 2)  # from the first two principal directions
    >>> found.point.shape
    torch.Size([3, 6, 2])
    >>> bool((found.value <= found.history["value"][0]).all())
    True
    """
    if solver not in ("rcg", "pymanopt"):
        raise ValueError(f"solver: expected 'rcg' or 'pymanopt', got {solver!r}")
    if coordinates not in ("auto", "ambient"):
        raise ValueError(f"coordinates: expected 'auto' or 'ambient', got {coordinates!r}")
    d = objective.frames.shape[2]
    k = initial if isinstance(initial, int) else initial.shape[2]
    if solver == "rcg" and coordinates == "auto" and objective.n_responses + k < d:
        reduced = ReducedObjective(objective, initial, gram)
        result = conjugate_gradient(reduced, reduced.start, n_iter=n_iter, callback=callback, **options)
        return replace(result, point=reduced.lift(objective, result.point))
    objective = objective.to(torch.float64)
    if isinstance(initial, int):
        initial = principal_subspace(objective.frames, objective.weights > 0, initial)
    descend = conjugate_gradient if solver == "rcg" else pymanopt_conjugate_gradient
    return descend(objective, initial.double(), n_iter=n_iter, callback=callback, **options)
