"""A labelled set of sequences with its streams and splits (Sec. 4; App. B, "Datasets and Features").

A stream is one kind of frame feature of the same clips (RGB and FLOW in the paper). A split says which clips
a model is fitted on and which it is tested on.
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

from acot_core.sequences import check_labels, check_sequences, normalize_frames

__all__ = ["SequenceDataset"]


@dataclass(frozen=True)
class SequenceDataset:
    """Sequences of frame features, one list a stream, with labels and train/test splits.

    Parameters
    ----------
    name : str
        What the data are called.
    streams : dict of str to list of N Tensor (n_i, d)
        Features of the paper's kind: non-negative float32 rows of unit l2 norm. The streams hold the same
        clips in the same order; lengths and d may differ between them.
    labels : int array (N,)
        Position of each clip's class in ``class_names``.
    class_names : list of str
    splits : dict of str to bool array (N,)
        True where a clip belongs to the training part of that split.
    used : dict of str to bool array (N,), optional
        True where a clip belongs to either part of that split; default: every clip is used. A clip outside
        both parts still has features, is never fitted on and never counted.
    raw : dict of str to list of N Tensor (n_i, c), optional
        The signals before they were encoded, for baselines that read signals. Every stream has an entry
        (the features themselves where nothing was encoded); further entries may be there ("joints").
    config : dict, optional
        How the data were made: encoder, window, seed, ...

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
    raw: dict[str, list[Tensor]] = field(default_factory=dict, repr=False)
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.streams:
            raise ValueError(f"{self.name}: expected at least one stream of sequences, got none")
        put = object.__setattr__
        streams = {s: _check_stream(x, s) for s, x in self.streams.items()}
        put(self, "streams", streams)
        n_clips = len(next(iter(streams.values())))
        for stream, sequences in (self.streams | self.raw).items():
            if len(sequences) != n_clips:
                raise ValueError(f"{self.name}: {stream} holds {len(sequences)} clips, expected {n_clips}")
        put(self, "raw", streams | self.raw)
        put(self, "class_names", [str(name) for name in self.class_names])
        put(self, "labels", _check_class_indices(self.labels, n_clips, len(self.class_names)))
        put(self, "splits", _check_masks(self.splits, n_clips, "splits"))
        used = {name: self.used.get(name, np.ones(n_clips, bool)) for name in self.splits}
        put(self, "used", _check_masks(used, n_clips, "used"))
        put(self, "splits", {name: train & self.used[name] for name, train in self.splits.items()})
        for name, train in self.splits.items():
            if not train.any():
                raise ValueError(f"splits[{name!r}]: no clip to train on")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        streams = ", ".join(f"{s} (d={x[0].shape[1]})" for s, x in self.streams.items())
        return (
            f"SequenceDataset({self.name!r}: {len(self)} clips, {len(self.class_names)} classes, "
            f"streams {streams}, splits {', '.join(self.splits) or 'none'})"
        )

    def split(self, name: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the clips to train on and to test on.

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
        """The clips at ``index``, in that order; splits in which none of them trains are dropped."""
        rows = np.arange(len(self))[np.asarray(index)]
        splits = {s: m[rows] for s, m in self.splits.items() if m[rows].any()}
        return replace(
            self,
            streams={s: [x[i] for i in rows] for s, x in self.streams.items()},
            raw={s: [x[i] for i in rows] for s, x in self.raw.items()},
            labels=self.labels[rows],
            splits=splits,
            used={s: self.used[s][rows] for s in splits},
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a clip and stream: class, number of frames, features a frame, part in each split."""
        parts = {
            s: np.where(m, "train", np.where(self.used[s], "test", "unused")) for s, m in self.splits.items()
        }
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "clip": np.arange(len(self)),
                        "stream": stream,
                        "class": [self.class_names[c] for c in self.labels],
                        "n_frames": [len(x) for x in sequences],
                        "n_features": sequences[0].shape[1],
                    }
                    | {f"split {s}": part for s, part in parts.items()}
                )
                for stream, sequences in self.streams.items()
            ],
            ignore_index=True,
        )

    def fingerprint(self) -> str:
        """A short hash of features, labels and splits: equal for equal data, whatever they are called."""
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
        return digest.hexdigest()


def _check_stream(sequences: Sequence[Any], name: str) -> list[Tensor]:
    """`check_sequences`, in one go where all is well: a set of short clips is slow to walk through."""
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


def _check_class_indices(labels: Any, n_clips: int, n_classes: int) -> np.ndarray:
    array = check_labels(labels, n_clips)
    if array.dtype.kind not in "iu":
        raise ValueError(f"labels: expected integers, positions in class_names, got dtype {array.dtype}")
    outside = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(outside):
        i = int(outside[0])
        raise ValueError(
            f"labels[{i}] is {array[i]}, expected 0 to {n_classes - 1} ({n_classes} class names)"
        )
    return array.astype(np.int64)


def _check_masks(masks: Mapping[str, Any], n_clips: int, what: str) -> dict[str, np.ndarray]:
    checked = {}
    for name, mask in masks.items():
        array = np.asarray(mask)
        if array.shape != (n_clips,) or array.dtype != bool:
            raise ValueError(
                f"{what}[{name!r}]: expected a boolean array of shape ({n_clips},), "
                f"got {array.dtype} {array.shape}"
            )
        checked[str(name)] = array
    return checked
