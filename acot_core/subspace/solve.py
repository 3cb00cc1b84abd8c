"""The subspace half-step of Sec. 3.5: from an objective and a starting point to subspaces, at full speed.

The solvers of `acot_core.riemannian` take any objective. For that of Eq. (13) this module chooses the
coordinates they run in: the span of frames, images and starting point (`_reduced`) where that is smaller than
the features' space, and the features' space itself where it is not. Iterates are the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from acot_core._utils.checks import check_choice, check_size
from acot_core._utils.progress import Callback
from acot_core.riemannian import DescentResult, conjugate_gradient, pymanopt_conjugate_gradient
from acot_core.riemannian.grassmann import principal_subspace
from acot_core.subspace._reduced import ReducedObjective
from acot_core.subspace.objective import ACOTObjective

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
) -> DescentResult:
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
    gram : Tensor (B, p, p), optional
        ZZ' of the objective's rows in double precision, where it is known already.
    callback : callable, optional
        Passed to the solver.
    **options
        Passed to the solver: ``beta_rule``, ``retraction``, ``gtol``, ``trace``.

    Returns
    -------
    DescentResult
        In double precision.

    Examples
    --------
    >>> frames = torch.rand(3, 10, 6, generator=torch.Generator().manual_seed(0))
    >>> objective = ACOTObjective(frames, images=torch.zeros_like(frames))
    >>> result = solve_subspaces(objective, 2)  # from the first two principal directions
    >>> result.point.shape
    torch.Size([3, 6, 2])
    >>> bool((result.value <= result.history["value"][0]).all())
    True
    """
    check_choice("solver", solver, ("rcg", "pymanopt"))
    check_choice("coordinates", coordinates, ("auto", "ambient"))
    if gram is None or isinstance(initial, Tensor):  # else no step needs the images themselves
        objective = objective.with_images()
    d = objective.frames.shape[2]
    k = initial.shape[2] if isinstance(initial, Tensor) else check_size("initial", initial, d)
    if solver == "rcg" and coordinates == "auto" and objective.n_responses + k < d:
        reduced = ReducedObjective(objective, initial if isinstance(initial, Tensor) else k, gram)
        result = conjugate_gradient(reduced, reduced.start, n_iter=n_iter, callback=callback, **options)
        history = dict(result.history)
        if "point" in history:
            history["point"] = torch.stack([reduced.lift(objective, point) for point in history["point"]])
        return replace(result, point=reduced.lift(objective, result.point), history=history)
    objective = objective.with_images().to(torch.float64)
    if not isinstance(initial, Tensor):
        initial = principal_subspace(objective.frames, objective.weights > 0, k)
    descend = conjugate_gradient if solver == "rcg" else pymanopt_conjugate_gradient
    return descend(objective, initial.double(), n_iter=n_iter, callback=callback, **options)


def working_bytes(n: int, m: int, d: int, k: int) -> int:
    """Memory that plan and descent of a sequence of n frames and m negatives take beyond these.

    Linear in n where n >= d; otherwise the products of the frames are n x n.
    """
    products = 8 * (n + m) ** 2 if n + m < d and m <= 4 * n else 0
    descent = 64 * n * n if 2 * n + k < d else 40 * n * d + (64 * n * n if n < d else 0)
    return 4 * n * d + 48 * n * m + products + descent + 200 * n * k + 32 * d * k
