"""Negatives from frames and noise (Sec. 3.3, Eq. 9; App. B.2), and random ones (Sec. 4.1, "COT + Random").

A negative is y = γ(x - x̂): the frame x less the noise x̂, through a ReLU and scaled to unit norm, so that it
lies in the space of the features. App. B.2 writes x + x̂; Eq. (9) and Sec. 3.3 subtract, and so do we.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from acot_core.sequences import PaddedSequences, check_sequences, content_seed, pad

__all__ = ["cycle_frames", "draw_pairs", "number_of_negatives", "random_negatives", "subtract"]


def subtract(frames: Tensor, noise: Tensor) -> Tensor:
    """γ(x - x̂) = ReLU(x - x̂) / ||ReLU(x - x̂)||, the negative of Eq. (9).

    The one definition that critic, generator, sampling and random negatives share. Differentiable in both.

    Parameters
    ----------
    frames, noise : Tensor (..., d)
        Frames x and the noise x̂ taken from them.

    Returns
    -------
    Tensor (..., d)
        Rows of unit l2 norm; a row whose noise leaves nothing of the frame is zero.
    """
    return torch.nn.functional.normalize(torch.relu(frames - noise), dim=-1)


def number_of_negatives(n_negatives: int | str, n_frames: int) -> int:
    """m for a sequence of n frames: ``n_negatives`` itself, or a multiple of n such as "2n" (Table 1).

    Raises
    ------
    ValueError
        ``n_negatives`` is neither a positive int nor a string of a positive int followed by "n".
    """
    if isinstance(n_negatives, int) and not isinstance(n_negatives, bool) and n_negatives > 0:
        return n_negatives
    if isinstance(n_negatives, str) and n_negatives.endswith("n") and n_negatives[:-1].isdecimal():
        factor = int(n_negatives[:-1])
        if factor > 0:
            return factor * n_frames
    raise ValueError(f"n_negatives: expected a positive int or a string such as '2n', got {n_negatives!r}")


def cycle_frames(n_frames: int, n_negatives: int, generator: torch.Generator) -> Tensor:
    """Which frame each negative is made from: a random permutation of the n frames, cycled to length m.

    Every frame serves as often as any other (m a multiple of n) or at most once more. int64 (m,).
    """
    order = torch.randperm(n_frames, generator=generator)
    return order.repeat(-(-n_negatives // n_frames))[:n_negatives]


def draw_pairs(sequence: Tensor, n_negatives: int | str, seed: int) -> tuple[Tensor, Tensor]:
    """For one checked sequence (n, d) the m frames to make negatives from, and ε ~ N(0, I) for each.

    Depends on the seed and the sequence's own content only: (m, d), (m, d) on the CPU.
    """
    generator = torch.Generator().manual_seed(content_seed(sequence, seed))
    m = number_of_negatives(n_negatives, len(sequence))
    frames = sequence[cycle_frames(len(sequence), m, generator)]
    return frames, torch.randn(frames.shape, generator=generator)


def random_negatives(
    sequences: Sequence[Any], n_negatives: int | str, seed: int, *, n_features: int | None = None
) -> PaddedSequences:
    """Negatives from noise that knows nothing of the data: y = γ(x - max(x) z), z ~ N(0, I).

    The baseline "COT + Random" of Table 1 (Sec. 4.1): max(x) is the frame's largest entry.

    Parameters
    ----------
    sequences : sequence of N array-likes (n_i, d)
        Non-negative frame features; scaled to unit norm.
    n_negatives : int or str
        m, or "2n" for twice as many as a sequence has frames.
    seed : int
        The noise of a sequence depends on this and the sequence's own content only.
    n_features : int, optional
        The d to insist on.

    Returns
    -------
    PaddedSequences
        frames (N, max m_i, d) on the CPU, in unit norm; for small d a negative may be all zero.

    Raises
    ------
    ValueError
        Bad sequences or a bad ``n_negatives``.

    Examples
    --------
    >>> negatives = random_negatives([[[0.6, 0.8]] * 3, [[1.0, 0.0]] * 5], "2n", seed=0)
    >>> negatives.lengths.tolist()
    [6, 10]
    """
    negatives = []
    for frames in check_sequences(sequences, n_features=n_features):
        chosen, normal = draw_pairs(frames, n_negatives, seed)
        negatives.append(subtract(chosen, chosen.amax(-1, keepdim=True) * normal))
    return pad(negatives)
