"""Problems on the Grassmannian, as solvers see them, and the solvers' answer (Sec. 3.5)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from acot_core._utils.checks import real_tensor


class Line(Protocol):
    """B functions of one step each."""

    def values(self, steps: Tensor) -> Tensor:
        """Values at steps (B, S): (B, S)."""

    def slopes(self, steps: Tensor) -> Tensor:
        """Derivatives at steps (B, S): (B, S)."""


class Objective:
    """Base of B functions on the Grassmannian; only `value` must be given.

    The other methods are capabilities that a subclass may add: an own gradient, the values along a whole
    retraction (`line`), a gradient smoothed about kinks, points that are held in coordinates of their own
    (`gram`, `inner`, `refresh`; see `acot_core.subspace`).

    Examples
    --------
    >>> from acot_core.riemannian import conjugate_gradient
    >>> class Dominant(Objective):  # the subspace in which A's energy lies
    ...     def __init__(self, A):
    ...         self.A = A  # (B, d, d): tensors are cut by `select`, for problems that are done leave
    ...     def value(self, U):
    ...         return -(U * (self.A @ U)).sum((1, 2))
    >>> A = torch.diag(torch.tensor([3.0, 2.0, 1.0]))[None]
    >>> start = torch.tensor([[[0.6], [0.0], [0.8]]])
    >>> conjugate_gradient(Dominant(A), start, n_iter=50).point.round(decimals=2).abs().flatten().tolist()
    [1.0, 0.0, 0.0]
    """

    @property
    def kinked(self) -> bool:
        """Whether there are kinks, about which `smoothed_gradient` smooths."""
        return False

    def value(self, U: Tensor) -> Tensor:
        """Values at U (B, d, k): (B,)."""
        raise NotImplementedError

    def gradient(self, U: Tensor) -> Tensor:
        """Euclidean gradients at U (B, d, k), here by autograd: (B, d, k)."""
        with torch.enable_grad():
            U = U.detach().requires_grad_()
            return torch.autograd.grad(self.value(U).sum(), U)[0]

    def select(self, index: Tensor | slice) -> Self:
        """The objective of the problems ``index`` (b,): tensor attributes are cut along their first axis."""
        return self._each(lambda value: value[index])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """A copy with every tensor attribute changed."""
        changed = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(changed, name, change(value))
        return changed

    def smoothed_gradient(self, U: Tensor, band: Tensor) -> Tensor:
        """Gradient smoothed in a band (B,), from 1 down to 0, about the kinks: (B, d, k)."""
        return self.gradient(U)

    def line(self, U: Tensor, D: Tensor, S: Tensor) -> Line | None:
        """Values along the retraction of U + sD, with S = D'D (B, k, k); None: taken point by point."""
        return None

    def gram(self, U: Tensor, V: Tensor) -> Tensor:
        """U'V: (B, k, k)."""
        return U.mT @ V

    def inner(self, U: Tensor, V: Tensor) -> Tensor:
        """Inner product, the trace of U'V: (B,)."""
        return (U * V).sum((1, 2))

    def refresh(self, U: Tensor) -> Tensor:
        """The point without the rounding that iterations have accumulated."""
        return U


class FunctionObjective(Objective):
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
        return self.function(U, self.index)


def as_points(initial: Any) -> Tensor:
    """Starting points (B, d, k) in single or double precision.

    Raises
    ------
    ValueError
        Another shape, k > d, or no real numbers.
    """
    points = real_tensor(initial, "initial").detach().clone()
    if points.ndim != 3 or points.shape[2] > points.shape[1] or not bool(points.isfinite().all()):
        got = f"{tuple(points.shape)} {points.dtype}"
        raise ValueError(f"initial: expected shape (B, d, k) with k <= d, of finite numbers, got {got}")
    return points if points.dtype == torch.float64 else points.float()


def as_objective(objective: Objective | Callable[[Tensor], Tensor], points: Tensor) -> Objective:
    """An objective, from a function of all points (B, d, k) at once, too, which need not know which are done.

    Raises
    ------
    ValueError
        It is neither an `Objective` nor a function.
    """
    if isinstance(objective, Objective):
        return objective
    if not callable(objective):
        raise ValueError(f"objective: expected an Objective or a function, got {objective!r}")

    def part(U: Tensor, at: Tensor) -> Tensor:
        values = objective(points.index_copy(0, at, U))
        if not isinstance(values, Tensor) or values.shape != points.shape[:1]:
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"objective: expected one value per point, shape ({len(points)},), got {got}")
        return values[at]

    return FunctionObjective(part, len(points), points.device)


@dataclass(frozen=True)
class DescentResult:
    """Result of a solver for B problems on the Grassmannian.

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
        its last. With ``trace`` also "point", (S + 1, B, d, k).
    """

    point: Tensor
    value: Tensor
    gradient_norm: Tensor
    n_iter: Tensor
    reason: tuple[str, ...]
    history: dict[str, Tensor]

    @property
    def converged(self) -> Tensor:
        """Whether each problem ended at a stationary point, as far as rounding lets it: bool (B,)."""
        stationary = [reason in ("gradient", "no decrease") for reason in self.reason]
        return torch.tensor(stationary, dtype=torch.bool, device=self.point.device)

    def to(self, dtype: torch.dtype) -> DescentResult:
        """The result in another precision."""
        return replace(
            self,
            point=self.point.to(dtype),
            value=self.value.to(dtype),
            gradient_norm=self.gradient_norm.to(dtype),
            history={name: values.to(dtype) for name, values in self.history.items()},
        )
