"""Signed features (CLIP, DINO, embeddings): the operator gamma that makes them non-negative (Sec. 3.3).

The method subtracts noise from features and keeps what is above zero, y = gamma(x - x_hat), so that negatives
stay in the features' own space: there, features are expected to be non-negative. Of signed ones,
``gamma="split"`` makes their positive and their negative parts, [max(x, 0), max(-x, 0)] with 2 d entries:
nothing is lost, norms stay, and the product of two frames keeps the terms of equal sign (of opposite signs,
it becomes 0 in place of negative). ``gamma="relu"`` keeps the positive parts alone.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from acot_core._utils.checks import takes_reals
from acot_core.sequences import normalize_frames

Gamma = Literal["split", "relu"]


def check_gamma(gamma: str | None) -> None:
    """Raise a ValueError if ``gamma`` is none of None, "split" and "relu"."""
    if gamma is not None and gamma not in get_args(Gamma):
        raise ValueError(f"gamma: expected one of {list(get_args(Gamma))} or None, got {gamma!r}")


@takes_reals("frames", axes=1)
def nonnegative(frames: Tensor, gamma: Gamma = "split") -> Tensor:
    """Apply gamma to signed features.

    Parameters
    ----------
    frames : Tensor (..., d)
    gamma : "split" or "relu"

    Returns
    -------
    Tensor (..., 2 d) for "split", (..., d) for "relu"; non-negative.

    Examples
    --------
    >>> import torch
    >>> nonnegative(torch.tensor([[3.0, -4.0]])).tolist()
    [[3.0, 0.0, 0.0, 4.0]]
    >>> nonnegative(torch.tensor([[3.0, -4.0]]), "relu").tolist()
    [[3.0, 0.0]]
    """
    check_gamma(gamma)
    positive = frames.clamp_min(0)
    return positive if gamma == "relu" else torch.cat([positive, (-frames).clamp_min(0)], -1)


def unit_features(frames: Tensor) -> Tensor:
    """Scale non-negative features (n, d) to unit norm; a zero row becomes constant, favouring no feature."""
    silent = (frames == 0).all(1, keepdim=True)
    return normalize_frames(torch.where(silent, 1.0, frames))
