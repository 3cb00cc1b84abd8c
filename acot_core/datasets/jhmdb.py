"""JHMDB: human poses as two streams, `pose` and `motion` (Sec. 4, "JHMDB dataset").

The annotated 2-D joints of Jhuang et al. (2013), "Towards understanding action recognition", stand in for
the images. A frame is described by where the joints are (as RGB shows appearance) and by how they move (as
FLOW shows motion); a frame encoder then makes the paper's kind of features of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from acot_core.datasets.archives import MAX_BYTES
from acot_core.datasets.matlab import read_matlab
from acot_core.datasets.schemes import find_splits, groups_from_names
from acot_core.datasets.shown import Shown
from acot_core.datasets.signals import Signals
from acot_core.datasets.storage import read_archive_file

_LAGS = (1, 2, 4, 8)
_MAX_SMALL_FILE = 2**20
_MAX_INFLATED = 2**23


def pose_descriptor(joints: Tensor) -> Tensor:
    """Positions of the joints: centred and scaled coordinates, and all pairwise distances.

    Parameters
    ----------
    joints : Tensor (n, j, 2 or 3)

    Returns
    -------
    Tensor (n, 2 j + j (j - 1) / 2), or 3 j in space
    """
    centred, size = _centred(joints)
    centred = centred / size
    first, second = torch.triu_indices(joints.shape[1], joints.shape[1], 1)
    distance = torch.linalg.vector_norm(centred[:, first] - centred[:, second], dim=-1)
    return torch.cat([centred.flatten(1), distance], 1)


def motion_descriptor(joints: Tensor, lags: Sequence[int] = _LAGS) -> Tensor:
    """Motion of the joints: displacement to the frame 1, 2, 4 and 8 later, by the size of the body.

    Where the sequence ends sooner, its last frame is used.

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
    return _described(signals, joints)


def as_pose_and_motion(signals: Signals, path: str | os.PathLike[str]) -> Signals:
    """Skeletons in space, ``features`` (sum n_i, 3 J), as the streams `pose` and `motion`.

    Raises
    ------
    ValueError
        There are no such features.
    """
    rows = signals.streams.get("features", [])
    if not rows or rows[0][0].numel() % 3:
        raise ValueError(f"{path}: expected an array 'features' (sum n_i, 3 J), got {list(signals.streams)}")
    return _described(signals, [x.reshape(len(x), -1, 3) for x in rows])


def _described(signals: Signals, joints: list[Tensor]) -> Signals:
    signals.streams = {
        "pose": [pose_descriptor(x) for x in joints],
        "motion": [motion_descriptor(x) for x in joints],
    }
    signals.extra = {"joints": [x.flatten(1) for x in joints]}
    return signals


def _read_official(root: Path) -> Signals:
    """The published folders: sequences in the order of their paths, splits by their numbers."""
    inside = root.resolve()
    files = sorted(root.glob("joint_positions/[!.]*/[!.]*/joint_positions.mat"))
    if not files:
        raise ValueError(f"{root}: expected joint_positions/<class>/<clip>/joint_positions.mat, got none")
    joints = []
    for file in files:
        if not file.resolve().is_relative_to(inside):
            raise ValueError(f"{file}: leads out of {root}")
        joints.append(_read_joints(file))
    classes, names = [file.parts[-3] for file in files], [file.parts[-2] for file in files]
    class_names = sorted(set(classes))
    labels = np.array([class_names.index(label) for label in classes], np.int64)
    splits, _ = find_splits(root, names, classes, strict=True)
    called = Shown(names=[f"{label}/{name}" for label, name in zip(classes, names, strict=True)])
    groups = groups_from_names(names, classes)
    return Signals("jhmdb-pose", {"poses": joints}, labels, class_names, splits, groups=groups, shown=called)


def _read_joints(file: Path) -> Tensor:
    """``pos_world`` (2, joints, n) of a MATLAB file, as (n, joints, 2)."""
    array = read_matlab(file, "pos_world", max_bytes=_MAX_SMALL_FILE, max_inflated=_MAX_INFLATED)
    if array.ndim != 3 or array.shape[0] != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(f"{file}: pos_world: expected finite numbers (2, joints, n), got {array.shape}")
    return torch.from_numpy(np.ascontiguousarray(array.T, dtype=np.float32))
