"""The frames that the adversary trains on, as one table with the pivot of each (Sec. 3.2).

z ~ N(X̄, σ² I): every frame refers to its sequence's mean X̄, or to itself where the pivot is the frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acot_core.sequences import check_labels, check_sequences

__all__ = ["FrameTable", "frame_table"]


@dataclass(frozen=True)
class FrameTable:
    """Frames of all sequences: ``frames`` (T, d), ``classes`` (T,), ``pivots`` (P, d), ``pivot_of`` (T,)."""

    frames: Tensor
    classes: Tensor
    pivots: Tensor
    pivot_of: Tensor
    fingerprint: str

    @property
    def n_features(self) -> int:
        """d"""
        return self.frames.shape[1]

    def to(self, device: torch.device) -> FrameTable:
        """The same table on another device."""
        return FrameTable(
            self.frames.to(device),
            self.classes.to(device),
            self.pivots.to(device),
            self.pivot_of.to(device),
            self.fingerprint,
        )


def frame_table(
    sequences: Sequence[Any],
    labels: Any,
    *,
    pivot: str,
    classes: np.ndarray | None = None,
    n_features: int | None = None,
    name: str = "sequences",
) -> tuple[FrameTable, np.ndarray]:
    """Validate sequences (n_i, d) and labels (N,) and lay them out as one table on the CPU.

    Parameters
    ----------
    classes : (c,) array, optional
        The classes that may occur; None takes those of ``labels``, at least two.

    Returns
    -------
    FrameTable, (c,) array of the classes in order

    Raises
    ------
    ValueError
        Bad sequences or labels; a single class; d = 1; a label that is not among ``classes``.
    """
    checked = check_sequences(sequences, name=name, n_features=n_features)
    array = check_labels(labels, len(checked))
    if checked[0].shape[1] == 1:
        raise ValueError(
            f"{name}: d = 1, but unit-norm frames of 1 feature(s) are all alike; expected d >= 2"
        )
    if classes is None:
        classes = np.unique(array)
        if len(classes) < 2:
            raise ValueError(
                f"labels: only class {classes.tolist()[0]!r} occurs; there must be more than one class"
            )
    unknown = ~np.isin(array, classes)
    if unknown.any():
        i = int(np.flatnonzero(unknown)[0])
        raise ValueError(f"{name}: label {i} is {array[i].item()!r}, which is none of {classes.tolist()}")
    lengths = torch.tensor([len(s) for s in checked])
    frames = torch.cat(checked)
    of_sequence = torch.from_numpy(np.searchsorted(classes, array).astype(np.int64))
    targets = of_sequence.repeat_interleave(lengths)
    if pivot == "mean":
        pivots = torch.stack([s.mean(0) for s in checked])
        pivot_of = torch.arange(len(checked)).repeat_interleave(lengths)
    else:
        pivots, pivot_of = frames, torch.arange(len(frames))
    digest = hashlib.blake2b(digest_size=16)
    for part in (lengths, targets, frames):
        digest.update(part.contiguous().numpy().tobytes())
    digest.update(repr(classes.tolist()).encode())
    return FrameTable(frames, targets, pivots, pivot_of, digest.hexdigest()), classes
