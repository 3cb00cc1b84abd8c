"""Line searches along a retraction, for many problems at once, each with its own step (Sec. 3.5).

`backtracking` is Armijo's rule and needs values alone. `curve` is for objectives that can tell their values
along the whole curve cheaply (`acot_core.subspace.objective` can: all that a step changes are rational
functions of the step, with coefficients known in advance): it looks at many steps at once and takes the best.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from acot_core.riemannian.problem import Line

SUFFICIENT_DECREASE = 1e-4
"""Armijo's constant of `curve`, whose steps are near-minimal anyway."""

_COARSE = tuple(2.0**j for j in range(-10, 4))
_FINE = 6  # points inside the bracket


def backtracking(
    value_at: Callable[[Tensor], Tensor],
    f: Tensor,
    slope: Tensor,
    first: Tensor,
    running: Tensor,
    *,
    share: float = 0.3,
    contraction: float = 0.5,
    n_trials: int = 25,
) -> Tensor:
    """First step of first, first c, first c^2, ... that satisfies Armijo's rule.

    Parameters
    ----------
    value_at : callable
        Values (B,) of the objective after steps (B,).
    f, slope : Tensors (B,)
        Value and directional derivative (negative) at the current points.
    first : Tensor (B,)
        First step to try.
    running : bool Tensor (B,)
        Problems that are to be searched.
    share : float
        Armijo's constant: a step must gain this share of what the slope promises.
    contraction, n_trials : float, int
        Factor from one trial to the next, and the largest number of trials.

    Returns
    -------
    Tensor (B,)
        Step of each problem; 0 where none was found or the problem is not running.
    """
    step, trial = torch.zeros_like(f), first
    searching = running
    for _ in range(n_trials):
        gained = value_at(trial) <= f + share * trial * slope
        step = torch.where(searching & gained, trial, step)
        searching = searching & ~gained
        if not searching.any():
            break
        trial = trial * contraction
    return step


def curve(line: Line, f: Tensor, slope: Tensor, guess: Tensor, longest: Tensor) -> Tensor:
    """Best step near the lowest point of a geometric grid about ``guess``, by the sign of the derivative.

    The step depends continuously on the data: it is where the derivative, interpolated, vanishes, and not the
    argmin of values that differ by rounding.

    Parameters
    ----------
    line : Line
        The objective along the curve.
    f, slope : Tensors (B,)
        Value and derivative (negative) at the current points.
    guess : Tensor (B,)
        Step the grid is laid around.
    longest : Tensor (B,)
        Steps beyond this are not looked at.

    Returns
    -------
    Tensor (B,)
        0 where no step of the grid satisfies Armijo's rule.
    """
    coarse = torch.tensor(_COARSE, dtype=f.dtype).to(f.device, non_blocking=True)  # a GPU need not wait
    trial = torch.minimum(guess[:, None] * coarse, longest[:, None])  # (B, S)
    lowest, at = line.values(trial).min(1, keepdim=True)
    best = trial.gather(1, at)
    decreases = lowest <= f[:, None] + SUFFICIENT_DECREASE * best * slope[:, None]

    # A minimum lies between the lowest point and its neighbour downhill: it falls at low and rises at high.
    steps = torch.cat([torch.zeros_like(best), trial, longest[:, None]], 1)
    at = at + (line.slopes(best) < 0)
    low, high = steps.gather(1, at), steps.gather(1, at + 1)
    fractions = torch.linspace(0, 1, _FINE + 2, dtype=f.dtype, device=f.device)
    trial = torch.lerp(low, high, fractions)  # (B, F + 2), ends included
    slopes = line.slopes(trial)
    at = (slopes[:, 1:-1] < 0).cumprod(1).sum(1, keepdim=True)  # the last point that still falls
    low, high = trial.gather(1, at), trial.gather(1, at + 1)
    falling, climbing = slopes.gather(1, at), slopes.gather(1, at + 1)
    share = (falling / (falling - climbing)).nan_to_num(1.0).clamp(0, 1)
    polished = torch.lerp(low, high, share)
    better = line.values(polished) <= lowest
    return torch.where(decreases, torch.where(better, polished, best), 0)[:, 0]
