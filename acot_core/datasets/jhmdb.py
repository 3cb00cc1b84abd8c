"""JHMDB: human poses as two streams, `pose` and `motion` (Sec. 4, "JHMDB dataset").

The annotated 2-D joints of Jhuang et al. (2013), "Towards understanding action recognition", stand in for
the images. A frame is described by where the joints are (as RGB shows appearance) and by how they move (as
FLOW shows motion); a frame encoder then makes the paper's kind of features of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from acot_core.datasets.archives import MAX_BYTES
from acot_core.datasets.storage import Signals, read_archive_file

__all__ = ["motion_descriptor", "pose_descriptor", "read_jhmdb"]

_LAGS = (1, 2, 4, 8)


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
    """Read JHMDB's joints from an .npz or from the official folders, as the streams `pose` and `motion`."""
    file = next(
        (
            f
            for f in (Path(path) / "jhmdb_pose" / "jhmdb_pose.npz", Path(path) / "jhmdb_pose.npz")
            if f.is_file()
        ),
        Path(path),
    )
    signals = read_archive_file(file, max_bytes=max_bytes)
    joints = signals.streams["poses"]
    signals.streams = {
        "pose": [pose_descriptor(x) for x in joints],
        "motion": [motion_descriptor(x) for x in joints],
    }
    signals.extra = {"joints": [x.flatten(1) for x in joints]}
    signals.name = "jhmdb-pose"
    return signals
