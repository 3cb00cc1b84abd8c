"""Problems on the Grassmannian, as solvers see them, and the solvers' answer (Sec. 3.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

__all__ = ["FunctionObjective", "Objective", "RCGResult"]


class Objective(Protocol):
    """B functions on the Grassmannian.

    More is used where present: ``line(U, D, D'D)``, which gives the values along the retraction of U + sD,
    ``kinked`` and ``smoothed_gradient`` (see `ACOTObjective` for these), and ``gram(U, V)``, ``inner(U, V)``
    where points are held in coordinates of their own (see `ReducedObjective`).
    """

    def value(self, U: Tensor) -> Tensor:
        """Values at U (B, d, k): (B,)."""

    def gradient(self, U: Tensor) -> Tensor:
        """Euclidean gradients at U: (B, d, k)."""

    def select(self, index: Tensor) -> Self:
        """The objective of the problems ``index`` int64 (b,)."""


class FunctionObjective:
    """An `Objective` from a function, with gradients by autograd.

    Parameters
    ----------
    function : callable
        ``function(U, index)`` gives the values (b,) of problems ``index`` (b,) at U (b, d, k).
    n_problems : int
    device : torch.device
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        n_problems: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.function = function
        self.index = torch.arange(n_problems, device=device)

    def value(self, U: Tensor) -> Tensor:
        """Values at U (b, d, k): (b,)."""
        with torch.no_grad():
            return self.function(U, self.index)

    def gradient(self, U: Tensor) -> Tensor:
        """Euclidean gradients at U: (b, d, k)."""
        with torch.enable_grad():
            U = U.detach().requires_grad_()
            return torch.autograd.grad(self.function(U, self.index).sum(), U)[0]

    def select(self, index: Tensor) -> Self:
        """The objective of some of the problems."""
        part = type(self)(self.function, 0, self.index.device)
        part.index = self.index[index]
        return part


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
        Why each problem stopped: "gradient" (its norm fell to ``gtol``), "no decrease" (no better point
        along the steepest descent), "iterations" or "cancelled".
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

    def to(self, dtype: torch.dtype) -> RCGResult:
        """The same in another precision."""
        return replace(
            self,
            point=self.point.to(dtype),
            value=self.value.to(dtype),
            gradient_norm=self.gradient_norm.to(dtype),
            history={name: values.to(dtype) for name, values in self.history.items()},
        )
