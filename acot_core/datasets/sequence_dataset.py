"""A labelled set of sequences with its streams and splits (Sec. 4; App. B, "Datasets and Features").

A stream is one kind of frame feature of the same sequences (RGB and FLOW in the paper). A split says which
sequences a model is fitted on and which it is tested on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core.datasets.shown import Shown
from acot_core.sequences import check_labels, check_sequences, normalize_frames


@dataclass(frozen=True)
class SequenceDataset:
    """Sequences of frame features, one list per stream, with labels and train/test splits.

    Parameters
    ----------
    name : str
        What the data are called.
    streams : dict of str to list of N Tensor (n_i, d)
        Features of the paper's kind: non-negative float32 rows of unit l2 norm. The streams hold the same
        sequences in the same order; lengths and d may differ between them.
    labels : int array (N,)
        Position of each sequence's class in ``class_names``.
    class_names : list of str
    splits : dict of str to bool array (N,)
        True where a sequence belongs to the training part of that split.
    used : dict of str to bool array (N,), optional
        True where a sequence belongs to either part of that split; default: every sequence is used. One
        outside both parts still has features, is never fitted on and never counted.
    groups : array (N,), optional
        The source of each sequence (the video it was cut from, the person): integers or strings. Sequences of
        one group resemble one another, so no split or fold that is made here puts a group on both sides.
        None where the sources are not known.
    raw : dict of str to list of N Tensor (n_i, c), optional
        The signals before they were encoded, for baselines that read signals. Every stream has an entry
        (the features themselves where nothing was encoded); further entries may be there ("joints").
    config : dict, optional
        How the data were made: encoder, window, seed, ...
    shown : Shown, optional
        Names, frame rates and thumbnails of the sequences.

    Raises
    ------
    ValueError
        Sequences, labels, class names or splits do not fit one another; the message names the culprit.
    """

    name: str
    streams: dict[str, list[Tensor]]
    labels: np.ndarray
    class_names: list[str]
    splits: dict[str, np.ndarray]
    used: dict[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None
    raw: dict[str, list[Tensor]] = field(default_factory=dict, repr=False)
    config: dict[str, Any] = field(default_factory=dict)
    shown: Shown = field(default_factory=Shown, repr=False)

    def __post_init__(self) -> None:
        if not self.streams:
            raise ValueError(f"{self.name}: expected at least one stream of sequences, got none")
        put = object.__setattr__
        streams = {s: _check_stream(x, s) for s, x in self.streams.items()}
        put(self, "streams", streams)
        n_sequences = len(next(iter(streams.values())))
        for stream, sequences in (self.streams | self.raw).items():
            if len(sequences) != n_sequences:
                raise ValueError(
                    f"{self.name}: {stream} holds {len(sequences)} sequences, expected {n_sequences}"
                )
        put(self, "raw", streams | self.raw)
        put(self, "class_names", [str(name) for name in self.class_names])
        put(self, "labels", _check_class_indices(self.labels, n_sequences, len(self.class_names)))
        put(self, "groups", check_groups(self.groups, n_sequences))
        self.shown.check(n_sequences)
        put(self, "splits", _check_masks(self.splits, n_sequences, "splits"))
        used = {name: self.used.get(name, np.ones(n_sequences, bool)) for name in self.splits}
        put(self, "used", _check_masks(used, n_sequences, "used"))
        put(self, "splits", {name: train & self.used[name] for name, train in self.splits.items()})
        for name, train in self.splits.items():
            if not train.any():
                raise ValueError(f"splits[{name!r}]: no sequence to train on")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        streams = ", ".join(f"{s} (d={x[0].shape[1]})" for s, x in self.streams.items())
        groups = "" if self.groups is None else f", {len(np.unique(self.groups))} groups"
        kind = self.config.get("encoder", "none")
        encoder = "" if kind == "none" else f", encoder {kind}"
        return (
            f"SequenceDataset({self.name!r}: {len(self)} sequences, {len(self.class_names)} classes, "
            f"streams {streams}, splits {', '.join(self.splits) or 'none'}{groups}{encoder})"
        )

    def split(self, name: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the sequences to train on and to test on.

        Parameters
        ----------
        name : str, optional
            Name of the split; the first one by default.

        Raises
        ------
        ValueError
            The data have no such split.
        """
        if name is None and self.splits:
            name = next(iter(self.splits))
        if name not in self.splits:
            raise ValueError(f"split: expected one of {list(self.splits)}, got {name!r}")
        train, used = self.splits[name], self.used[name]
        return np.flatnonzero(train), np.flatnonzero(~train & used)

    def subset(self, index: np.ndarray | Sequence[int]) -> SequenceDataset:
        """The sequences at ``index``, in that order; splits in which none of them trains are dropped."""
        rows = np.arange(len(self))[np.asarray(index)]
        splits = {s: m[rows] for s, m in self.splits.items() if m[rows].any()}
        return replace(
            self,
            streams={s: [x[i] for i in rows] for s, x in self.streams.items()},
            raw={s: [x[i] for i in rows] for s, x in self.raw.items()},
            labels=self.labels[rows],
            groups=None if self.groups is None else self.groups[rows],
            shown=self.shown.subset(rows),
            splits=splits,
            used={s: self.used[s][rows] for s in splits},
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per sequence and stream: class, name, group, frames, features, part in each split."""
        parts = {
            s: np.where(m, "train", np.where(self.used[s], "test", "unused")) for s, m in self.splits.items()
        }
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "sequence": np.arange(len(self)),
                        "stream": stream,
                        "class": [self.class_names[c] for c in self.labels],
                        "n_frames": [len(x) for x in sequences],
                        "n_features": sequences[0].shape[1],
                    }
                    | ({} if self.shown.names is None else {"name": self.shown.names})
                    | ({} if self.groups is None else {"group": self.groups})
                    | {f"split {s}": part for s, part in parts.items()}
                )
                for stream, sequences in self.streams.items()
            ],
            ignore_index=True,
        )

    def fingerprint(self) -> str:
        """A short hash of features, labels, groups and splits: equal for equal data, whatever their name."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for stream in sorted(self.streams):
            digest.update(stream.encode())
            for frames in self.streams[stream]:
                digest.update(repr(tuple(frames.shape)).encode() + frames.contiguous().numpy().tobytes())
        digest.update(self.labels.tobytes() + repr(self.class_names).encode())
        for name in sorted(self.splits):
            digest.update(name.encode() + self.splits[name].tobytes() + self.used[name].tobytes())
        if self.groups is not None:  # which sequences belong together, not what the groups are called
            _, first, codes = np.unique(self.groups, return_index=True, return_inverse=True)
            digest.update(first[codes].tobytes())
        return digest.hexdigest()


def _check_stream(sequences: Sequence[Any], name: str) -> list[Tensor]:
    """`check_sequences`, in one go where all is well: a set of short sequences is slow to walk through."""
    tensors = all(isinstance(x, Tensor) and x.dtype == torch.float32 and x.ndim == 2 for x in sequences)
    if len(sequences) and tensors and len({x.shape[1] for x in sequences}) == 1:
        frames = torch.cat(list(sequences)).cpu()
        lengths = [len(x) for x in sequences]
        if 0 not in (*frames.shape, *lengths) and bool(
            torch.isfinite(frames).all() & (frames >= 0).all() & (frames > 0).any(1).all()
        ):
            # Rows of unit norm stay as they are to the last bit: what is saved, cut or loaded again is equal.
            off = (torch.linalg.vector_norm(frames, dim=1, keepdim=True) - 1).abs() > 1e-6
            frames = torch.where(off, normalize_frames(frames), frames)
            # Cloned, as a view would take all the frames along wherever it is sent or saved.
            return [x.clone() for x in frames.split(lengths)]
    return check_sequences(sequences, name=name)


def check_groups(groups: Any, n_sequences: int) -> np.ndarray | None:
    """Validate groups: None, or one integer or string for each sequence, (N,).

    Raises
    ------
    ValueError
        Wrong shape or length, or values that are neither integers nor strings.
    """
    if groups is None:
        return None
    try:
        array = np.asarray(groups)
    except ValueError as error:
        raise ValueError(f"groups: expected shape ({n_sequences},), got nested lists") from error
    if array.dtype.kind == "O" and all(isinstance(g, str) for g in array.ravel()):
        array = array.astype(str)
    if array.shape != (n_sequences,) or array.dtype.kind not in "iuU":
        raise ValueError(
            f"groups: expected integers or strings of shape ({n_sequences},), one per sequence, "
            f"got {array.dtype} {array.shape}"
        )
    return array


def _check_class_indices(labels: Any, n_sequences: int, n_classes: int) -> np.ndarray:
    array = check_labels(labels, n_sequences)
    if array.dtype.kind not in "iu":
        raise ValueError(f"labels: expected integers, positions in class_names, got dtype {array.dtype}")
    outside = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(outside):
        i = int(outside[0])
        raise ValueError(
            f"labels[{i}] is {array[i]}, expected 0 to {n_classes - 1} ({n_classes} class names)"
        )
    return array.astype(np.int64)


def _check_masks(masks: Mapping[str, Any], n_sequences: int, what: str) -> dict[str, np.ndarray]:
    checked = {}
    for name, mask in masks.items():
        array = np.asarray(mask)
        if array.shape != (n_sequences,) or array.dtype != bool:
            raise ValueError(
                f"{what}[{name!r}]: expected a boolean array of shape ({n_sequences},), "
                f"got {array.dtype} {array.shape}"
            )
        checked[str(name)] = array
    return checked
