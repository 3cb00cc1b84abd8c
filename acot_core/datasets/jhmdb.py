"""JHMDB: human poses as two streams, `pose` and `motion` (Sec. 4, "JHMDB dataset").

The annotated 2-D joints of Jhuang et al. (2013), "Towards understanding action recognition", stand in for
the images. A frame is described by where the joints are (as RGB shows appearance) and by how they move (as
FLOW shows motion); a frame encoder then makes the paper's kind of features of it.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import loadmat, whosmat
from torch import Tensor

from acot_core.datasets.archives import MAX_BYTES, open_regular
from acot_core.datasets.signals import Signals
from acot_core.datasets.storage import read_archive_file

__all__ = ["motion_descriptor", "pose_descriptor", "read_jhmdb"]

_LAGS = (1, 2, 4, 8)
_MAX_SMALL_FILE = 2**20
_MAX_INFLATED = 2**23


def pose_descriptor(joints: Tensor) -> Tensor:
    """Where the joints are: centred and scaled coordinates, and all pairwise distances.

    Parameters
    ----------
    joints : Tensor (n, j, 2)

    Returns
    -------
    Tensor (n, 2 j + j (j - 1) / 2)
    """
    centred, size = _centred(joints)
    centred = centred / size
    first, second = torch.triu_indices(joints.shape[1], joints.shape[1], 1)
    distance = torch.linalg.vector_norm(centred[:, first] - centred[:, second], dim=-1)
    return torch.cat([centred.flatten(1), distance], 1)


def motion_descriptor(joints: Tensor, lags: Sequence[int] = _LAGS) -> Tensor:
    """How the joints move: displacement to the frame 1, 2, 4 and 8 later, by the size of the body.

    Where the clip ends sooner, its last frame is used.

    Parameters
    ----------
    joints : Tensor (n, j, 2)

    Returns
    -------
    Tensor (n, 2 j * number of lags)
    """
    _, size = _centred(joints)
    time = torch.arange(len(joints))
    later = [joints[(time + lag).clamp_max(len(joints) - 1)] for lag in lags]
    return torch.cat([((x - joints) / size.mean()).flatten(1) for x in later], 1)


def _centred(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Joints about their mean (n, j, 2), and the body's size, the root mean square about it (n, 1, 1)."""
    centred = joints - joints.mean(1, keepdim=True)
    size = centred.square().sum(-1, keepdim=True).mean(1, keepdim=True).sqrt()
    return centred, size.clamp_min(1e-6)


def read_jhmdb(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Signals:
    """Read JHMDB's joints as the streams `pose` and `motion`, with the joints themselves as raw data.

    Parameters
    ----------
    path : str or path-like
        An .npz with ``poses`` (sum n_i, 15, 2) in the sequence file format; or a folder that holds
        jhmdb_pose.npz; or the official folders: ``joint_positions/<class>/<clip>/joint_positions.mat`` and
        ``splits/<class>_test_split<s>.txt``, as published by Jhuang et al.

    Raises
    ------
    ValueError
        No such file there, or one that cannot be read; the message names it.
    """
    root = Path(path)
    official = next((f for f in (root, root / "JHMDB") if (f / "joint_positions").is_dir()), None)
    if official is not None:
        signals = _read_official(official)
    else:
        files = [root / "jhmdb_pose" / "jhmdb_pose.npz", root / "jhmdb_pose.npz"] if root.is_dir() else [root]
        file = next((f for f in files if f.exists()), None)
        if file is None:
            raise ValueError(f"{path}: expected jhmdb_pose.npz, or folders joint_positions and splits")
        signals = read_archive_file(file, max_bytes=max_bytes)
    joints = signals.streams.get("poses", [])
    if not joints or joints[0].ndim != 3 or joints[0].shape[2] != 2:
        raise ValueError(
            f"{path}: expected an array 'poses' (sum n_i, joints, 2), got {list(signals.streams)}"
        )
    signals.name = "jhmdb-pose"
    signals.streams = {
        "pose": [pose_descriptor(x) for x in joints],
        "motion": [motion_descriptor(x) for x in joints],
    }
    signals.extra = {"joints": [x.flatten(1) for x in joints]}
    return signals


def _read_official(root: Path) -> Signals:
    """The published folders: clips in the order of their paths, splits by their numbers."""
    inside = root.resolve()
    files = sorted(root.glob("joint_positions/*/*/joint_positions.mat"))
    if not files:
        raise ValueError(f"{root}: expected joint_positions/<class>/<clip>/joint_positions.mat, got none")
    joints = []
    for file in files:
        if not file.resolve().is_relative_to(inside):
            raise ValueError(f"{file}: leads out of {root}")
        joints.append(_read_joints(file))
    class_names = sorted({file.parts[-3] for file in files})
    labels = np.array([class_names.index(file.parts[-3]) for file in files], np.int64)
    place = {(file.parts[-3], file.parts[-2]): i for i, file in enumerate(files)}
    splits: dict[int, np.ndarray] = {}
    for file in sorted((root / "splits").glob("*_test_split*.txt")):
        name, number = file.stem.rsplit("_test_split", 1)
        if not file.resolve().is_relative_to(inside) or not number.isdecimal():
            raise ValueError(f"{file}: expected a file <class>_test_split<number>.txt in {root}")
        row = splits.setdefault(int(number), np.zeros(len(files), np.int8))
        for line, (clip, part) in enumerate(_read_split(file), 1):
            if (name, clip) not in place:
                raise ValueError(f"{file}: line {line}: there is no clip {name}/{clip[:80]}")
            row[place[name, clip]] = part
    rows = np.array([splits[s] for s in sorted(splits)], np.int8).reshape(-1, len(files))
    return Signals("jhmdb-pose", {"poses": joints}, labels, class_names, rows)


def _read_split(file: Path) -> list[tuple[str, int]]:
    """Lines ``<clip>.avi <1 or 2>``."""
    with open_regular(file) as stream:
        text = stream.read(_MAX_SMALL_FILE + 1)
    if len(text) > _MAX_SMALL_FILE:
        raise ValueError(f"{file}: more than {_MAX_SMALL_FILE} bytes, which is no list of clips")
    pairs = []
    for number, line in enumerate(text.decode("utf-8", "replace").split("\n"), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
            raise ValueError(f"{file}: line {number}: expected '<clip>.avi 1' or 2, got {line[:80]!r}")
        pairs.append((fields[0].removesuffix(".avi"), int(fields[1])))
    return pairs


def _check_inflation(content: bytes) -> None:
    """Refuse a MATLAB file whose compressed elements inflate to more than joints need; scipy inflates all."""
    place = 128  # after the header come elements: type, size, data
    while place + 8 <= len(content):
        kind, size = struct.unpack("<II", content[place : place + 8])
        if kind == 15:
            inflate = zlib.decompressobj()
            inflate.decompress(content[place + 8 : place + 8 + size], _MAX_INFLATED)
            if inflate.unconsumed_tail:
                raise ValueError(f"inflates to more than {_MAX_INFLATED} bytes")
        place += 8 + size


def _stream(content: bytes) -> Any:
    return io.BytesIO(content)  # which scipy reads, though its type hints do not say so


def _read_joints(file: Path) -> Tensor:
    """``pos_world`` (2, joints, n) of a MATLAB file, as (n, joints, 2)."""
    with open_regular(file) as stream:
        content = stream.read(_MAX_SMALL_FILE + 1)
    if len(content) > _MAX_SMALL_FILE:
        raise ValueError(f"{file}: more than {_MAX_SMALL_FILE} bytes, which are no joints of a clip")
    try:
        # Shapes first: compressed data may inflate to a thousand times their size.
        _check_inflation(content)
        shapes = {name: (shape, kind) for name, shape, kind in whosmat(_stream(content))}
        shape, kind = shapes.get("pos_world", ((), "nothing"))
        if kind not in ("double", "single") or len(shape) != 3 or math.prod(shape) > 10**6:
            raise ValueError(f"expected pos_world (2, joints, n), got {kind} {shape}")
        array = loadmat(_stream(content), variable_names=["pos_world"])["pos_world"]
    except Exception as error:  # scipy raises nearly anything on a damaged file
        raise ValueError(f"{file}: no readable MATLAB file of joints ({error})") from error
    if array.shape[0] != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(f"{file}: pos_world: expected finite numbers (2, joints, n), got {array.shape}")
    return torch.from_numpy(np.ascontiguousarray(array.T, dtype=np.float32))
