"""Folders of features or skeletons: ``<class>/<clip>.npy``, or ``<class>/<clip>/<frame>.npy``.

A clip is (T, d), or (d, T) where ``time_axis=1`` says so; (T, J, 2 or 3) for joints; axes of length one in
between, (T, 1, 1, d), are dropped. Beside .npy, files may be .mat or .skeleton (the text of NTU RGB+D).
Groups and splits are read from the names and lists of HMDB-51, JHMDB and UCF-101, where they follow these
(see `acot_core.datasets.schemes`).
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from acot_core.datasets.archives import MAX_BYTES, read_array, to_float32
from acot_core.datasets.matlab import read_matlab
from acot_core.datasets.schemes import find_splits, groups_from_names
from acot_core.datasets.shown import Shown
from acot_core.datasets.signals import DataWarning, Signals
from acot_core.datasets.skeletons import read_skeleton

TimeAxis = Literal[0, 1]
VIDEO_SUFFIXES = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
_SUFFIXES = (".npy", ".mat", ".skeleton")
_MAX_CLIPS = 200_000


def read_folder(
    path: str | os.PathLike[str], *, time_axis: TimeAxis | None = None, max_bytes: int = MAX_BYTES
) -> Signals:
    """Read a folder of clips, in alphabetical order. Hidden files (``._*`` of macOS) are passed over.

    Parameters
    ----------
    path : str or path-like
    time_axis : {0, 1}, optional
        Which axis of a clip is time. By default 0, with a warning where all clips are of one shape; where
        they have the same rows and different columns, the error asks for it.
    max_bytes : int
        Bound on all arrays together.

    Raises
    ------
    ValueError
        No clip, a clip that cannot be read, is no sequence, does not fit the others or is outside the folder;
        names the file.
    """
    root = Path(path)
    inside = root.resolve()
    files = _clips(root)
    if not files and any(f.suffix.lower() in VIDEO_SUFFIXES for f in (*root.glob("*/*"), *root.glob("*"))):
        raise ValueError(f"{path}: holds videos; encode them first: acot encode {path} --out mine.npz")
    if not files:
        raise ValueError(
            f"{path}: expected clips <class>/<clip>.npy, .mat, .skeleton or <class>/<clip>/<frame>.npy, "
            "got none"
        )
    arrays: list[np.ndarray] = []
    left = max_bytes
    for file in files:
        array = _read_clip(file, inside, left)
        left -= array.nbytes
        arrays.append(array)
    stream = _oriented(root, files, arrays, time_axis)
    labels = [file.parent.name for file in files]
    names = [file.stem if file.suffix in _SUFFIXES else file.name for file in files]
    class_names = sorted(set(labels))
    splits, missing = find_splits(root, names, labels)
    if missing:
        shown = ", ".join(missing[:3])
        warnings.warn(
            f"{path}: {len(missing)} clips of split lists are not here: {shown}", DataWarning, stacklevel=2
        )
    return Signals(
        root.name,
        {"features": stream},
        np.array([class_names.index(label) for label in labels], np.int64),
        class_names,
        splits,
        groups=groups_from_names(names, labels),
        shown=Shown(names=[f"{label}/{name}" for label, name in zip(labels, names, strict=True)]),
    )


def visible(folder: Path) -> list[Path]:
    """Contents of a folder in alphabetical order, but for hidden files."""
    return sorted(p for p in folder.iterdir() if not p.name.startswith("."))


def _clips(root: Path) -> list[Path]:
    """Files of clips, or folders of frames."""
    clips: list[Path] = []
    for folder in (p for p in visible(root) if p.is_dir()):
        clips += [p for p in visible(folder) if (_frames(p) if p.is_dir() else p.suffix.lower() in _SUFFIXES)]
        if len(clips) > _MAX_CLIPS:
            raise ValueError(f"{root}: more than {_MAX_CLIPS} clips")
    return clips


def _frames(folder: Path) -> list[Path]:
    """Files of frames in the order of the numbers in their names: 2 comes before 10."""
    return sorted((p for p in visible(folder) if p.suffix.lower() == ".npy"), key=by_number)


def by_number(file: Path) -> list[tuple[int, str]]:
    """A key that sorts files by the numbers in their names."""
    return [(int(s), "") if s.isdecimal() else (-1, s) for s in re.split(r"(\d+)", file.stem)]


def _read_clip(clip: Path, inside: Path, max_bytes: int) -> np.ndarray:
    if not clip.is_dir():
        return _checked(clip, _read_file(clip, inside, max_bytes))
    frames = [_read_file(frame, inside, max_bytes) for frame in _frames(clip)]
    if len({frame.shape for frame in frames}) > 1:
        raise ValueError(f"{clip}: frames differ in shape: {sorted({f.shape for f in frames})[:3]}")
    if sum(frame.nbytes for frame in frames) > max_bytes:
        raise ValueError(f"{clip}: more than the {max_bytes} bytes accepted")
    array = np.stack(frames)
    joints = array.ndim == 3 and array.shape[2] in (2, 3)
    return _checked(clip, array if joints else array.reshape(len(array), -1))


def _read_file(file: Path, inside: Path, max_bytes: int) -> np.ndarray:
    if not file.resolve().is_relative_to(inside):
        raise ValueError(f"{file}: leads out of {inside}")
    readers: dict[str, Callable[..., np.ndarray]] = {".mat": read_matlab, ".skeleton": read_skeleton}
    return readers.get(file.suffix.lower(), read_array)(file, max_bytes=max_bytes)


def _checked(file: Path, array: np.ndarray) -> np.ndarray:
    if array.ndim > 2:  # (T, 1, 1, d)
        middle = tuple(axis for axis in range(1, array.ndim - 1) if array.shape[axis] == 1)
        array = array.squeeze(middle)
    joints = array.ndim == 3 and array.shape[2] in (2, 3)
    if array.dtype.kind not in "biuf" or not (array.ndim == 2 or joints) or 0 in array.shape:
        raise ValueError(
            f"{file}: expected numbers (T, d), or joints (T, J, 2 or 3), got {array.dtype} {array.shape}"
        )
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{file}: holds a NaN or an infinity at {where}")
    return array


def _oriented(
    root: Path, files: list[Path], arrays: list[np.ndarray], time_axis: TimeAxis | None
) -> list[Tensor]:
    """All clips with time first and equal frames."""
    if time_axis not in (None, 0, 1):
        raise ValueError(f"time_axis: expected 0, 1 or None, got {time_axis!r}")
    flat = all(a.ndim == 2 for a in arrays)
    if time_axis == 1 and not flat:
        raise ValueError(f"{root}: time_axis=1: expected clips (d, T), got {arrays[0].shape}")
    if time_axis is None and flat and len({a.shape for a in arrays}) == 1 and min(arrays[0].shape) > 1:
        warnings.warn(
            f"{root}: all clips are of shape {arrays[0].shape}: rows were taken for frames; "
            "pass time_axis=1 if they are columns, time_axis=0 to be rid of this",
            DataWarning,
            stacklevel=3,
        )
    arrays = [a.T for a in arrays] if time_axis == 1 else arrays
    columns = flat and time_axis is None and len({len(a) for a in arrays}) == 1
    hint = f"; if columns are frames, {len(arrays[0])} features each, pass time_axis=1" if columns else ""
    stream = []
    for file, array in zip(files, arrays, strict=True):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{file}: expected frames of shape {arrays[0].shape[1:]} as in {files[0]}, "
                f"got an array of shape {array.shape}{hint}"
            )
        stream.append(to_float32(array, str(file)))
    return stream
