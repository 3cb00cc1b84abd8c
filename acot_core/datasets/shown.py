"""Names, frame rates and thumbnails of the recordings, for showing and never used as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Thumbnails(NamedTuple):
    """Small pictures of one sequence, uint8 (m, height, width, 3), and the frames ``rows`` (m,) they show."""

    pictures: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Shown:
    """Names, frame rates and thumbnails of N sequences, each None where they are not known.

    Parameters
    ----------
    names : list of N str, optional
        What the sequences are called, the file's name for example.
    frame_rate : float array (N,), optional
        Frames (rows) per second.
    thumbnails : list of N Thumbnails, optional

    Joints are raw data: `SequenceDataset.raw` ["joints"], drawn by `acot_core.datasets.skeletons`.

    Raises
    ------
    ValueError
        Numbers or shapes that do not fit the N sequences (by `check`).
    """

    names: list[str] | None = None
    frame_rate: np.ndarray | None = None
    thumbnails: list[Thumbnails] | None = None

    def subset(self, rows: np.ndarray | Sequence[int]) -> Shown:
        """Names, rates and thumbnails of the sequences at ``rows``, in that order."""
        return Shown(
            None if self.names is None else [self.names[i] for i in rows],
            None if self.frame_rate is None else self.frame_rate[np.asarray(rows, int)],
            None if self.thumbnails is None else [self.thumbnails[i] for i in rows],
        )

    def strided(self, stride: int) -> Shown:
        """Names, pictures and joints for sequences of windows that start every ``stride`` frames."""
        if stride == 1:
            return self
        return Shown(
            self.names,
            None if self.frame_rate is None else self.frame_rate / stride,
            None
            if self.thumbnails is None
            else [Thumbnails(t.pictures, t.rows // stride) for t in self.thumbnails],
        )

    def check(self, n_sequences: int) -> None:
        """Raise a ValueError unless everything is there for N sequences or not at all."""
        for name in ("names", "frame_rate", "thumbnails"):
            value = getattr(self, name)
            if value is not None and len(value) != n_sequences:
                raise ValueError(f"{name}: expected one per sequence, {n_sequences}, got {len(value)}")
        rate = self.frame_rate
        if rate is not None and not (np.isfinite(rate).all() and (rate > 0).all()):
            raise ValueError(f"frame_rate: expected positive numbers (N,), got {rate[:5]}")

    @staticmethod
    def from_arrays(arrays: dict[str, np.ndarray], n_sequences: int) -> Shown:
        """Read the arrays of the sequence file format (see `acot_core.datasets.storage`).

        Raises
        ------
        ValueError
            An array that does not fit; named in the message.
        """
        names, rate = arrays.get("names"), arrays.get("frame_rate")
        if names is not None and (names.shape != (n_sequences,) or names.dtype.kind != "U"):
            raise ValueError(f"names: expected strings ({n_sequences},), got {names.dtype} {names.shape}")
        if rate is not None:
            if rate.shape not in ((), (1,), (n_sequences,)) or rate.dtype.kind not in "iuf":
                raise ValueError(
                    f"frame_rate: expected numbers ({n_sequences},) or one, got {rate.dtype} {rate.shape}"
                )
            rate = np.broadcast_to(rate.astype(float), (n_sequences,)).copy()
        shown = Shown(
            None if names is None else [str(name) for name in names],
            rate,
            _thumbnails(arrays, n_sequences) if "thumbnails" in arrays else None,
        )
        shown.check(n_sequences)
        return shown

    def to_arrays(self) -> dict[str, Any]:
        """The arrays of the sequence file format."""
        arrays: dict[str, Any] = {}
        if self.names is not None:
            arrays["names"] = np.array(self.names)
        if self.frame_rate is not None:
            arrays["frame_rate"] = np.asarray(self.frame_rate, float)
        if self.thumbnails is not None and any(len(t.rows) for t in self.thumbnails):
            arrays["thumbnails"] = np.concatenate([t.pictures for t in self.thumbnails])
            arrays["thumbnail_rows"] = np.concatenate([t.rows for t in self.thumbnails]).astype(np.int64)
            arrays["thumbnail_lengths"] = np.array([len(t.rows) for t in self.thumbnails], np.int64)
        return arrays


def _thumbnails(arrays: dict[str, np.ndarray], n_sequences: int) -> list[Thumbnails]:
    pictures, rows, lengths = (
        arrays.get(name) for name in ("thumbnails", "thumbnail_rows", "thumbnail_lengths")
    )
    if pictures is None or pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
        got = None if pictures is None else (pictures.dtype, pictures.shape)
        raise ValueError(f"thumbnails: expected uint8 (number, height, width, 3), got {got}")
    if lengths is None or lengths.shape != (n_sequences,) or lengths.dtype.kind not in "iu":
        raise ValueError(f"thumbnail_lengths: expected whole numbers ({n_sequences},)")
    if rows is None or rows.shape != (len(pictures),) or rows.dtype.kind not in "iu":
        raise ValueError(f"thumbnail_rows: expected whole numbers ({len(pictures)},), one per thumbnail")
    counts = [int(n) for n in lengths]
    if min(counts, default=0) < 0 or sum(counts) != len(pictures):
        raise ValueError(f"thumbnail_lengths sum to {sum(counts)}, but there are {len(pictures)} thumbnails")
    cuts = np.cumsum(counts)[:-1]
    return [Thumbnails(*pair) for pair in zip(np.split(pictures, cuts), np.split(rows, cuts), strict=True)]
