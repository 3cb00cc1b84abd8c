"""The whole method in three dimensions: objective over every subspace, plan, descent (Eqs. 10-13).

With d = 3 frames and negatives are points of the positive octant of the sphere, and a disk shows every
subspace of dimension 1 or 2 once (`acot_core.experiments.views.disk`): so the objective of Eq. (13), and each
of its terms, is a heat map over the whole Grassmannian, and conjugate gradient is a path on it.

What the contrast is for can be read off there. With T = X - D, D what the coupled negatives lack, its two
first terms are -(beta1 - 1)/n ||U'X||^2 - (2/n) tr(U'X'D U) + const: at beta1 = 1 the frames' own energy
cancels, and what is left is how much of it the adversary took.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core.experiments.record import Record, arguments
from acot_core.experiments.views.disk import directions, disk_grid, subspace_of, to_sphere
from acot_core.riemannian.grassmann import principal_subspace
from acot_core.sequences import check_sequences, pad
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective, barycentric_images
from acot_core.subspace.solve import solve_subspaces
from acot_core.transport import GroundCost, cost_matrix, solve


@dataclass(kw_only=True)
class OctantView(Record):
    """One sequence of the octant with its negatives, plan, landscape and descent.

    Attributes
    ----------
    frames, negatives : arrays (n, 3) and (m, 3)
    plan : array (n, m)
        For UU' = I, as in the first half-step of the alternation.
    images : array (n, 3)
        T, where the plan sends each frame on average.
    path : table
        One row per ``iteration`` of conjugate gradient: the point (``x``, ``y``, ``z``) that stands for the
        subspace (k = 1: its line, k = 2: its normal), the terms ``contrast``, ``distortion`` and ``order`` of
        Eq. (10) unweighted, and ``value``, the objective that is minimised.
    subspace : array (3, k)
        The last point of the path.
    energies : table
        Energy ||U'x_t||^2 of each ``frame``: ``acot`` at the path's end, ``pca`` at its start.
    contrast, distortion, order : arrays (size, size)
        The terms over the disk, rows upwards (`disk_grid`); NaN outside, and empty for size 0.
    """

    frames: np.ndarray
    negatives: np.ndarray
    plan: np.ndarray
    images: np.ndarray
    path: pd.DataFrame
    subspace: np.ndarray
    energies: pd.DataFrame
    contrast: np.ndarray
    distortion: np.ndarray
    order: np.ndarray

    @property
    def landscape(self) -> np.ndarray:
        """The objective over the disk: -contrast + beta1 distortion + beta2 order, (size, size)."""
        beta1, beta2 = self.config["beta1"], self.config["beta2"]
        return -self.contrast + beta1 * self.distortion + beta2 * self.order

    def to_frame(self) -> pd.DataFrame:
        """One row per iteration of the descent."""
        return self.path


class _Traced(ACOTObjective):
    """The objective, and every point at which its value was asked for: the solver asks once per iteration."""

    trail: list[Tensor]

    def value(self, U: Tensor) -> Tensor:
        """Objective at U (B, d, k): (B,)."""
        self.trail.append(U)
        return super().value(U)


def terms_at(objective: ACOTObjective, points: Tensor, k: int) -> dict[str, Tensor]:
    """The terms of one sequence at the subspaces that unit vectors (P, 3) stand for: (P,) each."""
    return objective.terms(subspace_of(points, k))  # (1,n,3) @ (P,3,k): one sequence, many subspaces


def octant_view(
    frames: Any,
    negatives: Any,
    *,
    n_subspaces: int = 1,
    beta1: float = 1.0,
    beta2: float = 10.0,
    eta: float = 0.01,
    method: str = "emd",
    ground_cost: GroundCost = "euclidean",
    n_iter: int = 25,
    size: int = 0,
) -> OctantView:
    """One plan, then conjugate gradient on Eq. (13), with the landscape it descends (Sec. 3.5).

    Parameters
    ----------
    frames, negatives : array-likes (n, 3) and (m, 3)
        Non-negative; scaled to unit norm.
    n_subspaces : {1, 2}
        k.
    beta1, beta2, eta : float
        Weights of Eq. (10).
    method, ground_cost : str
        Of `acot_core.transport.solve`, and the cost that the plan is for.
    n_iter : int
        Iterations of conjugate gradient at most.
    size : int
        Pixels along a side of the landscape; 0 for none.

    Raises
    ------
    ValueError
        Frames or negatives that are not (., 3), non-negative and not zero; k that is not 1 or 2.

    Examples
    --------
    >>> frames = [[0.9, 0.3, 0.1], [0.6, 0.5, 0.6], [0.2, 0.4, 0.9]]
    >>> view = octant_view(frames, [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0]], beta2=0.0, n_iter=50, size=21)
    >>> view.landscape.shape, int(abs(view.subspace[:, 0]).argmax())  # the axis that the negatives lack
    ((21, 21), 2)
    """
    config, start = arguments(locals(), "frames", "negatives"), perf_counter()
    X, Y = _checked(frames, negatives, n_subspaces)
    plan = solve(cost_matrix(X, Y, ground_cost), transport=method).plan
    objective = _Traced(X, plan=plan, negatives=Y, beta1=beta1, beta2=beta2, eta=eta)
    objective.trail = []
    result = solve_subspaces(objective, n_subspaces, n_iter=n_iter)
    # A point whose value was no lower was not taken: there the path stays.
    trail = [objective.trail[0]]
    for before, after, U in zip(
        result.history["value"], result.history["value"][1:], objective.trail[1:], strict=False
    ):
        trail.append(U if float(after) < float(before) else trail[-1])
    points = torch.cat(trail)
    at = terms_at(objective, directions(points), n_subspaces)
    path = pd.DataFrame(directions(points).numpy(), columns=["x", "y", "z"])
    path.insert(0, "iteration", np.arange(len(points)))
    path = path.assign(**{name: term.numpy() for name, term in at.items()})
    path["value"] = -path["contrast"] + beta1 * path["distortion"] + beta2 * path["order"]
    places, inside = disk_grid(size)
    grids = {name: np.full((size, size), np.nan) for name in at}
    if size:
        over = terms_at(objective, to_sphere(places[inside]), n_subspaces)
        for name, term in over.items():
            grids[name][inside.numpy()] = term.numpy()
    return OctantView(
        frames=X[0].numpy(),
        negatives=Y[0].numpy(),
        plan=plan[0].numpy(),
        images=barycentric_images(plan, Y)[0].numpy(),
        path=path,
        subspace=result.point[0].numpy(),
        energies=pd.DataFrame(
            {
                "frame": np.arange(X.shape[1]),
                "acot": objective.energies(result.point)[0].numpy(),
                "pca": objective.energies(points[:1])[0].numpy(),
            }
        ),
        contrast=grids["contrast"],
        distortion=grids["distortion"],
        order=grids["order"],
        config=config,
        seconds=perf_counter() - start,
    )


@dataclass(kw_only=True)
class OctantAlternation(Record):
    """Plan and subspace in turn (Eq. 11), for A rounds.

    Attributes
    ----------
    plans, images : arrays (A, n, m) and (A, n, 3)
        The plan of each round and where it sends the frames.
    points : array (A + 1, 3)
        What stands for the subspace before the first round (PCA's) and after each.
    objective : array (2 A,)
        Value of Eq. (10), to be maximised over U, after every half-step: plan, subspace, plan, ...
    """

    plans: np.ndarray
    images: np.ndarray
    points: np.ndarray
    objective: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """One row per half-step."""
        kinds = np.tile(["plan", "subspace"], len(self.plans))
        rounds = np.repeat(np.arange(len(self.plans)) + 1, 2)
        return pd.DataFrame({"round": rounds, "half_step": kinds, "objective": self.objective})


def octant_alternation(
    frames: Any,
    negatives: Any,
    *,
    n_subspaces: int = 1,
    beta1: float = 1.0,
    beta2: float = 10.0,
    eta: float = 0.01,
    method: str = "emd",
    ground_cost: GroundCost = "euclidean",
    n_iter: int = 5,
    n_alternations: int = 6,
) -> OctantAlternation:
    """The half-steps of `acot_core.subspace.alternate`; arguments as in `octant_view`."""
    start = perf_counter()
    X, Y = _checked(frames, negatives, n_subspaces)
    config: dict[str, Any] = {
        "n_subspaces": n_subspaces, "beta1": beta1, "beta2": beta2, "eta": eta, "ground_cost": ground_cost,
        "n_iter": n_iter,
    }  # fmt: skip
    # Every prefix from the start: the alternation is deterministic, and short.
    rounds = [
        alternate(
            pad([X[0].float()]), pad([Y[0].float()]), transport=method, n_alternations=a, tol=-1.0, **config
        )
        for a in range(1, n_alternations + 1)
    ]
    plans = torch.cat([r.transport.plan for r in rounds]).double()
    first = principal_subspace(X, None, n_subspaces)
    points = torch.cat([first, *(r.subspace.double() for r in rounds)])
    return OctantAlternation(
        plans=plans.numpy(),
        images=barycentric_images(plans, Y.expand(len(plans), -1, -1)).numpy(),
        points=directions(points).numpy(),
        objective=rounds[-1].objective[0].double().numpy(),
        config=config | {"method": method, "n_alternations": n_alternations},
        seconds=perf_counter() - start,
    )


def _checked(frames: Any, negatives: Any, k: int) -> tuple[Tensor, Tensor]:
    """One sequence and its negatives as a batch of one, in double precision."""
    if k not in (1, 2):
        raise ValueError(f"n_subspaces: expected 1 or 2 in three dimensions, got {k!r}")
    X = check_sequences([frames], name="frames", n_features=3)[0]
    Y = check_sequences([negatives], name="negatives", n_features=3)[0]
    return X[None].double(), Y[None].double()
