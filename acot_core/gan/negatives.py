"""Negatives from frames and noise (Sec. 3.3, Eq. 9; App. B.2), and random ones (Sec. 4.1, "COT + Random").

A negative is y = γ(x - x̂): the frame x minus the noise x̂, through a ReLU and scaled to unit norm, so that it
lies in the space of the features. App. B.2 writes x + x̂; Eq. (9) and Sec. 3.3 subtract, and so do we.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from acot_core._utils.blocks import block_bytes
from acot_core._utils.checks import check_int, takes_reals
from acot_core.gan._noise import content_keys, normal, permutations
from acot_core.sequences import CheckedSequences, Negatives, PaddedSequences, check_sequences, pad


@takes_reals("frames", "noise", axes=1)
def subtract(frames: Tensor, noise: Tensor) -> Tensor:
    """Negative of Eq. (9): γ(x - x̂) = ReLU(x - x̂) / ||ReLU(x - x̂)||.

    The one definition, for critic, generator, sampling and random negatives alike. Differentiable in both.

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
    """Number m of negatives for a sequence of n frames: an int, or a multiple of n such as "2n" (Table 1).

    Raises
    ------
    ValueError
        ``n_negatives`` is neither a positive int nor a string of a positive int followed by "n".
    """
    if isinstance(n_negatives, Integral) and not isinstance(n_negatives, bool) and 0 < n_negatives < 2**63:
        return int(n_negatives)
    if isinstance(n_negatives, str) and n_negatives.endswith("n") and n_negatives[:-1].isdecimal():
        factor = int(n_negatives[:-1])
        if factor > 0:
            return factor * n_frames
    raise ValueError(f"n_negatives: expected a positive int or a string such as '2n', got {n_negatives!r}")


def draw_negatives(
    sequences: CheckedSequences,
    n_negatives: int | str,
    seed: int,
    make: Callable[[Tensor, Tensor, PaddedSequences, Tensor], object],
    *,
    device: torch.device,
) -> Negatives:
    """Negatives of each sequence from its frames, each as often as any other or once more, and from noise.

    Which frames they are made from and their noise depend on the seed and the sequence's own content only.

    Parameters
    ----------
    make : callable
        (frames x (b, m, d), ε ~ N(0, I) (b, m, d), their b sequences, room (b, m, d) for the negatives). On a
        CPU b = 1: one sequence is what the cache holds, and the last bits of a product depend on what else is
        in the batch.
    """
    lengths = torch.tensor([len(s) for s in sequences], device=device)
    counts = torch.tensor([number_of_negatives(n_negatives, len(s)) for s in sequences], device=device)
    most, d = int(counts.max()), sequences[0].shape[1]
    keys = content_keys(sequences, seed).to(device)
    cycle = torch.arange(most, device=device) % lengths[:, None]
    origin = permutations(keys, lengths).gather(1, cycle)
    mask = torch.arange(most, device=device) < counts[:, None]
    negatives = sequences[0].new_empty(len(sequences), most, d, device=device)
    step = 1 if device.type == "cpu" else max(1, block_bytes(device) // (8 * most * d))
    for i in range(0, len(sequences), step):
        at = slice(i, i + step)
        chunk, m = _block(sequences[at]).to(device), int(counts[at].max())
        rows = origin[at, :m] + chunk.mask.shape[1] * torch.arange(len(chunk), device=device)[:, None]
        x = chunk.frames.reshape(-1, d).index_select(0, rows.view(-1)).view(len(chunk), m, d)
        negatives[at, m:] = 0
        make(x, normal(keys[at], m, d), chunk, negatives[at, :m])
        if len(chunk) > 1:
            negatives[at, :m] *= mask[at, :m, None]
    return Negatives(negatives, mask, origin.masked_fill(~mask, -1))


def _block(sequences: Sequence[Tensor]) -> PaddedSequences:
    """A padded batch; of one sequence its own memory."""
    if len(sequences) > 1:
        return pad(sequences)
    frames = sequences[0][None]
    return PaddedSequences(frames, torch.ones(frames.shape[:2], dtype=torch.bool))


def random_negatives(
    sequences: Sequence[Any],
    n_negatives: int | str,
    seed: int,
    *,
    n_features: int | None = None,
    device: torch.device | str = "cpu",
) -> Negatives:
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
        The expected d.
    device : torch.device or str
        Where to draw them: the numbers are the same everywhere.

    Returns
    -------
    Negatives
        frames (N, max m_i, d) of unit norm; for small d a negative may be all zero.

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
    seed = check_int("seed", seed, least=0)
    checked = check_sequences(sequences, n_features=n_features)

    def make(x: Tensor, normal: Tensor, _: PaddedSequences, out: Tensor) -> None:
        torch.sub(x, normal.mul_(x.amax(-1, keepdim=True)), out=out).relu_()
        out.div_(torch.linalg.vector_norm(out, dim=-1, keepdim=True).clamp_min_(1e-12))

    return draw_negatives(checked, n_negatives, seed, make, device=torch.device(device))
