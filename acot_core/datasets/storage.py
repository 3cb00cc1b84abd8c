"""The sequence file format: one .npz (for folders of arrays see `acot_core.datasets.folders`).

An archive holds ``features`` (sum n_i, d), or one 2-D array per stream under any other name; ``lengths``
(N,), or ``lengths_<stream>`` where streams differ; ``labels`` (N,), whole numbers or strings; and, if wanted,
``splits`` (S, N) with 1 = train, 2 = test, 0 = unused, ``class_names`` (C,), in which whole-number labels
are then positions, and ``groups`` (N,), integers or strings: the source of each sequence. A stream may hold
arrays per frame, (sum n_i, J, 3) for J joints, which are flattened.

For showing there may be ``names`` (N,), ``frame_rate`` (rows per second: one number, or (N,)), ``joints``
(sum n_i, J, 2 or 3) and ``thumbnails`` uint8 (M, h, w, 3) with ``thumbnail_lengths`` (N,) and
``thumbnail_rows`` (M,), the frames they show; ``encoder`` are lines that say what made the features. Other
arrays of one dimension or none (``fps``, time stamps) are no streams: they are left out, with a warning.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.files import atomic_write
from acot_core._utils.old_names import getter
from acot_core.datasets.archives import MAX_BYTES, looks_like_a_bomb, read_arrays, to_float32
from acot_core.datasets.sequence_dataset import SequenceDataset, check_groups
from acot_core.datasets.shown import Shown
from acot_core.datasets.signals import DataWarning, Signals
from acot_core.sequences import check_labels

_MAX_CLIPS = 200_000
_RESERVED = (
    "lengths", "labels", "splits", "class_names", "groups", "names", "frame_rate", "joints", "thumbnails",
    "thumbnail_lengths", "thumbnail_rows", "encoder",
)  # fmt: skip


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
        Whether ``labels`` must be there; a file that may go without gets one class for all sequences.

    Raises
    ------
    ValueError
        The file cannot be read, is unsafe, or its arrays do not fit one another: named in the message.
    """
    arrays = read_arrays(path, max_bytes=max_bytes)
    names = [n for n in arrays if n not in _RESERVED and not n.startswith("lengths_")]
    others = [n for n in names if n != "features" and arrays[n].ndim < 2]
    if others:
        warnings.warn(
            f"{path}: {', '.join(others)}: no streams (sum n_i, d), left out", DataWarning, stacklevel=2
        )
        names = [n for n in names if n not in others]
    if not names:
        raise ValueError(f"{path}: expected an array 'features' or one per stream, got {sorted(arrays)}")
    streams = {n: _stream(path, arrays, n) for n in names}
    counts = {n: len(s) for n, s in streams.items()}
    n_sequences = counts[names[0]]
    if len(set(counts.values())) > 1:
        raise ValueError(f"{path}: streams differ in their number of sequences: {counts}")
    if not 0 < n_sequences <= _MAX_CLIPS:
        raise ValueError(f"{path}: expected 1 to {_MAX_CLIPS} clips, got {n_sequences}")
    if not labelled and "labels" not in arrays:
        arrays = arrays | {"labels": np.zeros(n_sequences, np.int64), "class_names": np.array(["unlabelled"])}
    labels, class_names = _classes(path, arrays, n_sequences)
    try:
        groups = check_groups(arrays.get("groups"), n_sequences)
        shown = Shown.from_arrays(arrays, n_sequences)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    splits = _splits(path, arrays, n_sequences)
    extra = {}
    if "joints" in arrays:
        extra["joints"] = [x.flatten(1) for x in _stream(path, arrays, "joints")]
        if len(extra["joints"]) != n_sequences:
            raise ValueError(f"{path}: joints of {len(extra['joints'])} sequences, expected {n_sequences}")
    made_by = [str(line) for line in np.atleast_1d(arrays.get("encoder", np.array([], str)))]
    return Signals(Path(path).stem, streams, labels, class_names, splits, extra, groups, shown, made_by)


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
    return list(to_float32(rows, f"{path}: {name}").split(counts))


def _classes(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], n_sequences: int
) -> tuple[np.ndarray, list[str]]:
    """Labels as positions in the class names; without names they are made from the labels."""
    if "labels" not in arrays:
        raise ValueError(
            f"{path}: expected an array 'labels' of shape ({n_sequences},), got {sorted(arrays)}"
        )
    try:
        labels = check_labels(arrays["labels"], n_sequences)
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


def _splits(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], n_sequences: int) -> np.ndarray:
    splits = arrays.get("splits", np.zeros((0, n_sequences), np.int8))
    if splits.ndim != 2 or splits.shape[1] != n_sequences or splits.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: splits: expected integers (S, {n_sequences}), got {splits.dtype} {splits.shape}"
        )
    if not np.isin(splits, (0, 1, 2)).all():
        raise ValueError(f"{path}: splits: expected 1 = train, 2 = test, 0 = unused, got {np.unique(splits)}")
    for s, row in enumerate(splits):
        if not (row == 1).any():
            raise ValueError(f"{path}: splits[{s}]: no sequence to train on")
        if not (row == 2).any():
            warnings.warn(
                f"{path}: splits[{s}]: no sequence to test on (here 1 = train, 2 = test, 0 = unused)",
                DataWarning,
                stacklevel=2,
            )
    return splits


def save_dataset(path: str | os.PathLike[str], dataset: SequenceDataset) -> Path:
    """Write a dataset in the sequence file format, atomically; `acot_core.datasets.load` reads it back.

    Streams, labels, class names, groups, splits, joints and what `Shown` holds are stored; a split's name
    becomes its number. The file says that its frames are features, so that none is encoded again.

    Raises
    ------
    ValueError
        A name that the file cannot hold: of a stream, one that is no file's name or that the format keeps for
        itself; of a class, one that is another's, too; a NUL at the end of any.

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
    twice = [name for name in dataset.class_names if dataset.class_names.count(name) > 1]
    if twice:
        raise ValueError(f"class_names: {twice[0]!r} names two classes")
    for what, names in (("class_names", dataset.class_names), ("names", dataset.shown.names or [])):
        if ends := [name for name in names if name.endswith("\0")]:
            raise ValueError(f"{what}: {ends[0]!r} ends in a NUL, which numpy drops")
    arrays: dict[str, np.ndarray] = {}
    for stream, sequences in dataset.streams.items():
        if stream in _RESERVED or stream.startswith("lengths_"):
            raise ValueError(f"streams: {stream!r} is a name that the format reserves")
        plain = stream.encode("utf-8", "ignore").decode() == stream and len(stream) < 1000
        if not stream or not plain or set(stream) & set("/\\:\0") or stream.startswith("."):
            raise ValueError(f"streams: {stream[:80]!r} cannot be the name of an array in a file")
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
    if dataset.groups is not None:
        arrays["groups"] = dataset.groups
    arrays |= dataset.shown.to_arrays()
    if "joints" in dataset.raw:
        arrays["joints"] = torch.cat(dataset.raw["joints"]).numpy()
        arrays["lengths_joints"] = _lengths(dataset.raw["joints"])
    kind = dataset.config.get("encoder", "none")
    made_by = ["features as they came"] if kind == "none" else [f"acot_core.datasets.encode, {kind}"]
    arrays["encoder"] = np.array(dataset.config.get("made_by", made_by))
    data = _archive(arrays, zipfile.ZIP_DEFLATED)
    if looks_like_a_bomb(sum(array.nbytes for array in arrays.values()), len(data)):
        data = _archive(arrays, zipfile.ZIP_STORED)
    return atomic_write(path, data)


def _archive(arrays: dict[str, np.ndarray], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:  # np.savez refuses some names
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def _lengths(sequences: Sequence[Tensor]) -> np.ndarray:
    return np.array([len(s) for s in sequences], np.int64)


globals()["__getattr__"] = getter(__name__)  # names of 0.1
