"""The sequence file format: one .npz, or a folder of ``<class>/<clip>.npy``.

An archive holds ``features`` (sum n_i, d), or one 2-D array a stream under any other name; ``lengths``
(N,), or ``lengths_<stream>`` where streams differ; ``labels`` (N,), whole numbers or strings; and, if wanted,
``splits`` (S, N) with 1 = train, 2 = test, 0 = unused, and ``class_names`` (C,), in which whole-number labels
are then positions. A folder's clips are (n, d) arrays and its subfolders the classes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from acot_core.datasets.archives import MAX_BYTES, read_array, read_arrays
from acot_core.datasets.encoders import check_signals
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.datasets.signals import Signals
from acot_core.files import atomic_write
from acot_core.sequences import check_labels

__all__ = ["read_archive_file", "read_folder", "save_dataset"]

_MAX_CLIPS = 200_000
_RESERVED = ("lengths", "labels", "splits", "class_names")


def read_archive_file(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, labelled: bool = True
) -> Signals:
    """Read an .npz in the sequence file format.

    Parameters
    ----------
    path : str or path-like
    max_bytes : int
        Bound on the inflated arrays together.
    labelled : bool
        Whether ``labels`` must be there; a file that may go without gets one class for all clips.

    Raises
    ------
    ValueError
        The file cannot be read, is unsafe, or its arrays do not fit one another: named in the message.
    """
    arrays = read_arrays(path, max_bytes=max_bytes)
    names = [n for n in arrays if n not in _RESERVED and not n.startswith("lengths_")]
    if not names:
        raise ValueError(f"{path}: expected an array 'features' or one a stream, got {sorted(arrays)}")
    streams = {n: _stream(path, arrays, n) for n in names}
    counts = {n: len(s) for n, s in streams.items()}
    n_clips = counts[names[0]]
    if len(set(counts.values())) > 1:
        raise ValueError(f"{path}: streams differ in their number of clips: {counts}")
    if not 0 < n_clips <= _MAX_CLIPS:
        raise ValueError(f"{path}: expected 1 to {_MAX_CLIPS} clips, got {n_clips}")
    if not labelled and "labels" not in arrays:
        arrays = arrays | {"labels": np.zeros(n_clips, np.int64), "class_names": np.array(["unlabelled"])}
    labels, class_names = _classes(path, arrays, n_clips)
    return Signals(Path(path).stem, streams, labels, class_names, _splits(path, arrays, n_clips))


def _stream(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], name: str) -> list[Tensor]:
    """One stream of an archive as a list of signals, by its ``lengths_<name>`` or the common ``lengths``."""
    rows = arrays[name]
    if rows.ndim < 2 or rows.dtype.kind not in "biuf" or 0 in rows.shape:
        raise ValueError(f"{path}: {name}: expected numbers (sum n_i, d), got {rows.dtype} {rows.shape}")
    key = f"lengths_{name}" if f"lengths_{name}" in arrays else "lengths"
    if key not in arrays:
        raise ValueError(f"{path}: expected an array 'lengths' or 'lengths_{name}', got {sorted(arrays)}")
    lengths = arrays[key]
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        raise ValueError(f"{path}: {key}: expected integers (N,), got {lengths.dtype} {lengths.shape}")
    # As Python integers, which do not overflow.
    counts = lengths.tolist()
    short = [i for i, n in enumerate(counts) if n < 1]
    if short:
        raise ValueError(f"{path}: {key}[{short[0]}] is {counts[short[0]]}, expected at least one frame")
    if sum(counts) != len(rows):
        raise ValueError(f"{path}: {key} sum to {sum(counts)}, but {name} has {len(rows)} rows")
    if not np.isfinite(rows).all():
        t = int(np.flatnonzero(~np.isfinite(rows).reshape(len(rows), -1).all(1))[0])
        raise ValueError(f"{path}: {name}: row {t} holds a NaN or an infinity")
    # Values beyond float32's range became infinite.
    with np.errstate(over="ignore"):
        tensor = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{path}: {name}: holds numbers beyond the range of float32")
    return list(tensor.split(counts))


def _classes(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], n_clips: int
) -> tuple[np.ndarray, list[str]]:
    """Labels as positions in the class names; without names they are made from the labels."""
    if "labels" not in arrays:
        raise ValueError(f"{path}: expected an array 'labels' of shape ({n_clips},), got {sorted(arrays)}")
    try:
        labels = check_labels(arrays["labels"], n_clips)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if "class_names" not in arrays:
        names, positions = np.unique(labels, return_inverse=True)
        return positions.astype(np.int64), [str(name) for name in names]
    names = arrays["class_names"]
    if names.ndim != 1 or len(names) == 0 or len(set(names.tolist())) != len(names):
        raise ValueError(
            f"{path}: class_names: expected distinct names (C,), got {names.dtype} {names.shape}"
        )
    if labels.dtype.kind == "U":
        unknown = sorted(set(labels.tolist()) - set(names.tolist()))
        if unknown:
            raise ValueError(f"{path}: labels: {unknown[0]!r} is not among class_names")
        where = {name: i for i, name in enumerate(names.tolist())}
        return np.array([where[name] for name in labels.tolist()], np.int64), [str(n) for n in names]
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(names):
        raise ValueError(
            f"{path}: labels: expected positions 0 to {len(names) - 1} in class_names, got "
            f"{labels.dtype} {labels.min()} to {labels.max()}"
        )
    return labels.astype(np.int64), [str(name) for name in names]


def _splits(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], n_clips: int) -> np.ndarray:
    splits = arrays.get("splits", np.zeros((0, n_clips), np.int8))
    if splits.ndim != 2 or splits.shape[1] != n_clips or splits.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: splits: expected integers (S, {n_clips}), got {splits.dtype} {splits.shape}"
        )
    if not np.isin(splits, (0, 1, 2)).all():
        raise ValueError(f"{path}: splits: expected 1 = train, 2 = test, 0 = unused, got {np.unique(splits)}")
    for s, row in enumerate(splits):
        if not (row == 1).any():
            raise ValueError(f"{path}: splits[{s}]: no clip to train on")
    return splits


def read_folder(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Signals:
    """Read a folder of ``<class>/<clip>.npy``, in alphabetical order. Links out of the folder are refused.

    Raises
    ------
    ValueError
        No clip, a clip that cannot be read or is outside the folder; names the file.
    """
    root = Path(path)
    files: list[Path] = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files += sorted(p for p in folder.iterdir() if p.suffix == ".npy" and not p.name.startswith("."))
        if len(files) > _MAX_CLIPS:
            raise ValueError(f"{path}: more than {_MAX_CLIPS} clips")
    if not files:
        raise ValueError(f"{path}: expected clips <class>/<clip>.npy in this folder, got none")
    inside = root.resolve()
    signals: list[np.ndarray] = []
    left = max_bytes
    for file in files:
        if not file.resolve().is_relative_to(inside):
            raise ValueError(f"{file}: leads out of {path}")
        array = read_array(file, max_bytes=left)
        left -= array.nbytes
        signals.append(array)
    try:
        stream = check_signals(signals, "clips")
    except ValueError as error:
        raise ValueError(f"{path}: {error} (clips in the order of their paths)") from error
    class_names = sorted({file.parent.name for file in files})
    labels = np.array([class_names.index(file.parent.name) for file in files], np.int64)
    return Signals(root.name, {"features": stream}, labels, class_names, np.zeros((0, len(files)), np.int8))


def save_dataset(path: str | os.PathLike[str], dataset: SequenceDataset) -> Path:
    """Write a dataset in the sequence file format, atomically; `acot_core.datasets.load` reads it back.

    Streams, labels, class names and splits are kept (a split's name becomes its number).

    Examples
    --------
    >>> import tempfile
    >>> from acot_core.datasets import load, planted
    >>> data = planted(n_sequences=12, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load(save_dataset(f"{folder}/mine.npz", data))
    >>> all((a == b).all() for a, b in zip(again.streams["features"], data.streams["features"]))
    True
    """
    arrays: dict[str, np.ndarray] = {}
    for stream, sequences in dataset.streams.items():
        if stream in _RESERVED or stream.startswith("lengths_"):
            raise ValueError(f"streams: {stream!r} is a name that the format keeps for itself")
        arrays[stream] = torch.cat(sequences).numpy()
        arrays[f"lengths_{stream}"] = _lengths(sequences)
    if len({arrays[f"lengths_{s}"].tobytes() for s in dataset.streams}) == 1:
        arrays["lengths"] = _lengths(next(iter(dataset.streams.values())))
        for stream in dataset.streams:
            del arrays[f"lengths_{stream}"]
    arrays["labels"] = dataset.labels
    arrays["class_names"] = np.array(dataset.class_names)
    if dataset.splits:
        arrays["splits"] = np.array(
            [np.where(dataset.used[s], np.where(m, 1, 2), 0) for s, m in dataset.splits.items()], np.int8
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return atomic_write(path, buffer.getvalue())


def _lengths(sequences: Sequence[Tensor]) -> np.ndarray:
    return np.array([len(s) for s in sequences], np.int64)
