"""The disk that shows every line, or every plane, of three-dimensional space once (Lambert's projection).

A subspace of dimension 1 is a point of the unit sphere up to sign, one of dimension 2 its normal. The
hemisphere about c = (1, 1, 1)/sqrt(3) holds one of each pair +p, -p, and the positive octant, where frames
and negatives lie, is its middle. Lambert's azimuthal equal-area projection lays it flat on a disk of radius
sqrt(2): equal areas of the disk are equally many subspaces.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

RADIUS = math.sqrt(2.0)
"""Radius of the disk."""

CENTRE: tuple[float, float, float] = (3**-0.5, 3**-0.5, 3**-0.5)
"""c, the point of the sphere in the middle of the disk."""

AXES: tuple[tuple[float, float, float], ...] = (
    (-(2**-0.5), 2**-0.5, 0.0),
    (-(6**-0.5), -(6**-0.5), 2 * 6**-0.5),
)
"""The disk's axes u (to the right) and v (up, where z is) in space; with c they are a right-handed basis."""


def _basis(like: Tensor) -> tuple[Tensor, Tensor]:
    return torch.tensor(CENTRE, dtype=torch.float64).to(like), torch.tensor(AXES, dtype=torch.float64).to(
        like
    )


def to_disk(points: Tensor) -> Tensor:
    """Project unit vectors (..., 3), each taken up to sign, to the disk: (..., 2).

    Examples
    --------
    >>> [[round(c, 2) for c in place] for place in to_disk(torch.eye(3)).tolist()]  # x, y and z
    [[-0.8, -0.46], [0.8, -0.46], [0.0, 0.92]]
    """
    centre, axes = _basis(points)
    height = points @ centre  # (...,3) @ (3,) -> (...)
    points = points * torch.where(height < 0, -1, 1)[..., None]
    return (2 / (1 + height.abs()))[..., None].sqrt() * (points @ axes.T)


def to_sphere(places: Tensor) -> Tensor:
    """The unit vectors (..., 3) of the hemisphere about c that `to_disk` sends to ``places`` (..., 2)."""
    centre, axes = _basis(places)
    square = places.square().sum(-1, keepdim=True).clamp(max=2)
    return (1 - square / 2) * centre + (1 - square / 4).sqrt() * (places @ axes)


@cache
def disk_grid(size: int) -> tuple[Tensor, Tensor]:
    """A square grid of size x size pixels over the disk: its places (size, size, 2), and which are inside.

    Rows run upwards in v, columns to the right in u; double precision.
    """
    line = (torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(RADIUS * line, RADIUS * line, indexing="ij")
    places = torch.stack([u, v], -1)
    return places, places.square().sum(-1) <= RADIUS**2


def subspace_of(points: Tensor, k: int) -> Tensor:
    """Orthonormal bases (P, 3, k) of the lines along unit vectors (P, 3), or of the planes normal to them.

    Raises
    ------
    ValueError
        k is neither 1 nor 2.
    """
    if k == 1:
        return points[:, :, None]
    if k != 2:
        raise ValueError(f"k: expected 1 or 2 in three dimensions, got {k}")
    # The coordinate axis that the normal is farthest from gives the first direction of the plane.
    axis = torch.nn.functional.one_hot(points.abs().argmin(1), 3).to(points)
    first = torch.nn.functional.normalize(torch.linalg.cross(points, axis), dim=1)
    return torch.stack([first, torch.linalg.cross(points, first)], 2)


def directions(subspaces: Tensor) -> Tensor:
    """The points of the hemisphere (B, 3) that stand for subspaces (B, 3, k): their line, or their normal."""
    U = subspaces
    points = U[:, :, 0] if U.shape[2] == 1 else torch.linalg.cross(U[:, :, 0], U[:, :, 1])
    return points * torch.where(points @ _basis(points)[0] < 0, -1, 1)[:, None]
