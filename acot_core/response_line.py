"""The objective of Eq. (13) along a retraction: values and slopes at many steps for the price of small sums.

For orthonormal U and tangent D (U'D = 0) the retraction of U + sD is (U + sD)(I + s^2 D'D)^{-1/2}, up to a
rotation, which the objective does not see. In the eigenbasis of D'D, with eigenvalues l_j, every energy and
every inner product is a sum over the k columns of (a_j + s b_j)(c_j + s d_j) / (1 + s^2 l_j): three numbers a
column, known in advance, times functions of s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from acot_core.objective import ACOTObjective

__all__ = ["Line", "make_line"]


class Line(Protocol):
    """B functions of one step each."""

    def values(self, steps: Tensor) -> Tensor:
        """Values at steps (B, S): (B, S)."""

    def slopes(self, steps: Tensor) -> Tensor:
        """Derivatives at steps (B, S): (B, S)."""


def make_line(objective: ACOTObjective, E: Tensor, F: Tensor, S: Tensor) -> Line:
    """The line through responses E = ZU with direction F = ZD (B, p, k), where S = D'D (B, k, k)."""
    E, F = E.mT, F.mT
    if S.shape[-1] == 1:
        eigenvalues = S[:, :, 0]
    else:
        eigenvalues, basis = torch.linalg.eigh(S)
        E, F = basis.mT @ E, basis.mT @ F
    kind = _SquaredLine if objective.plan is None else _DistanceLine
    return kind(objective, E, F, eigenvalues.clamp_min(0))


class _SquaredLine:
    """With the squared ground cost, where the contrast is one of those sums, too."""

    def __init__(self, objective: ACOTObjective, E: Tensor, F: Tensor, eigenvalues: Tensor) -> None:
        n = objective.weights.shape[1]
        A, DA = E[:, :, :n], F[:, :, :n]
        # What the frames' squares and products with the images add up to is linear in A and in B alike.
        B = torch.sub(2 * E[:, :, n:], A, alpha=1 + objective.beta1)
        DB = torch.sub(2 * F[:, :, n:], DA, alpha=1 + objective.beta1)
        # Coefficients of the three functions, (B, 3k, n). That 1 is such a sum, too, takes care of constants.
        smooth = torch.cat([A * B, torch.addcmul(A * DB, DA, B), DA * DB], 1)
        energy = torch.cat([A * A, 2 * A * DA, DA * DA], 1)
        one = torch.cat([torch.ones_like(eigenvalues), torch.zeros_like(eigenvalues), eigenvalues], 1)
        one = one / eigenvalues.shape[1]  # (B, 3k)
        self.linear = torch.bmm(smooth, objective.weights[:, :, None])[:, :, 0]
        constant = objective.beta1 * objective.frame_norm - objective.image_norm
        self.linear = torch.addcmul(self.linear, one, constant[:, None])[:, None, :]  # (B, 1, 3k)
        rise = torch.add(energy[:, :, :-1] - energy[:, :, 1:], one[:, :, None], alpha=objective.eta)
        # Weights are not negative, so that they may as well be inside of the hinge.
        self.rise = rise * (objective.beta2 * objective.pair_weights)[:, None, :]  # (B, 3k, n-1)
        self.eigenvalues = eigenvalues[:, None, :]

    def _functions(self, steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s = steps[:, :, None]
        square = s.square()
        scale = torch.reciprocal(1 + square * self.eigenvalues)  # (B, S, k)
        return s, scale, torch.cat([scale, s * scale, square * scale], 2)  # (B, S, 3k)

    def values(self, steps: Tensor) -> Tensor:
        functions = self._functions(steps)[2]
        excess = torch.bmm(functions, self.rise)  # (S,3k) @ (3k,n-1) -> (S,n-1)
        return (functions * self.linear).sum(2) + excess.relu_().sum(2)

    def slopes(self, steps: Tensor) -> Tensor:
        s, scale, functions = self._functions(steps)
        square = scale.square()
        bend = 2 * s * square
        # Derivatives of the three functions: 1/q, s/q and s^2/q for q = 1 + s^2 l.
        changes = torch.cat([-self.eigenvalues * bend, 2 * square - scale, bend], 2)
        active = (torch.bmm(functions, self.rise) > 0).to(changes)
        return (changes * torch.baddbmm(self.linear, active, self.rise.mT)).sum(2)


class _DistanceLine:
    """With the distance itself as ground cost: step by step."""

    def __init__(self, objective: ACOTObjective, E: Tensor, F: Tensor, eigenvalues: Tensor) -> None:
        self.objective, self.E, self.F, self.eigenvalues = objective, E.mT, F.mT, eigenvalues

    def _move(self, s: Tensor) -> tuple[Tensor, Tensor]:
        scale = torch.rsqrt(1 + s[:, None].square() * self.eigenvalues)[:, None, :]  # (B, 1, k)
        moved = (self.E + s[:, None, None] * self.F) * scale
        return moved, self.F * scale - moved * (s[:, None] * self.eigenvalues)[:, None, :] * scale.square()

    def values(self, steps: Tensor) -> Tensor:
        return torch.stack([self.objective.response_value(self._move(s)[0]) for s in steps.unbind(1)], 1)

    def slopes(self, steps: Tensor) -> Tensor:
        slopes = []
        for s in steps.unbind(1):
            moved, change = self._move(s)
            slopes.append((self.objective.response_gradient(moved) * change).sum((1, 2)))
        return torch.stack(slopes, 1)
