"""Skeletons: names of joints, the bones between them, and the joints that a data set has for showing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acot_core.datasets.archives import read_whole


@dataclass(frozen=True)
class Skeleton:
    """Joints by name, pairs of joints that a bone links, and the joint that a head is drawn at."""

    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    head: int


JHMDB = Skeleton(
    ("neck", "belly", "face", "right shoulder", "left shoulder", "right hip", "left hip", "right elbow",
     "left elbow", "right knee", "left knee", "right wrist", "left wrist", "right ankle", "left ankle"),
    ((2, 0), (0, 1), (0, 3), (0, 4), (3, 7), (7, 11), (4, 8), (8, 12), (1, 5), (1, 6), (5, 9), (9, 13),
     (6, 10), (10, 14)),
    2,
)  # fmt: skip
"""The 15 joints of JHMDB (Jhuang et al., 2013)."""

MSR_ACTION3D = Skeleton(
    ("right shoulder", "left shoulder", "neck", "spine", "right hip", "left hip", "pelvis", "right elbow",
     "left elbow", "right wrist", "left wrist", "right hand", "left hand", "right knee", "left knee",
     "right ankle", "left ankle", "right foot", "left foot", "head"),
    ((19, 2), (2, 3), (3, 6), (2, 0), (2, 1), (0, 7), (7, 9), (9, 11), (1, 8), (8, 10), (10, 12), (6, 4),
     (6, 5), (4, 13), (13, 15), (15, 17), (5, 14), (14, 16), (16, 18)),
    19,
)  # fmt: skip
"""The 20 joints of MSR Action3D (Li, Zhang & Liu, 2010)."""

_BY_SIZE = {30: (JHMDB, 2), 60: (MSR_ACTION3D, 3)}


def joints_of(dataset: Any, sequence: int) -> tuple[np.ndarray, Skeleton] | None:
    """Joints of one sequence in the plane, y downwards, and their skeleton; None where it has none.

    Parameters
    ----------
    dataset : SequenceDataset
        Its ``raw`` may hold "joints": 15 of two coordinates per frame (JHMDB, y downwards), or 20 of three
        (MSR Action3D, y upwards; seen from the front).
    sequence : int
        Its position.

    Returns
    -------
    array (n, number of joints, 2), Skeleton
        As many rows as were recorded: an encoder with windows may have made fewer frames of them.
    """
    joints = dataset.raw.get("joints")
    if joints is None or joints[sequence].shape[1] not in _BY_SIZE:
        return None
    skeleton, dimension = _BY_SIZE[joints[sequence].shape[1]]
    places = np.asarray(joints[sequence], dtype=float).reshape(len(joints[sequence]), -1, dimension)
    if dimension == 3:
        places = places[..., :2] * [1.0, -1.0]
    return places, skeleton


def read_skeleton(path: str | os.PathLike[str], *, max_bytes: int) -> np.ndarray:
    """Joints (T, J, 3) in metres of a recording of a Kinect, in the text format of NTU RGB+D (``.skeleton``).

    Of several people the one who is in most frames is taken; frames without that person are left out.

    Parameters
    ----------
    path : str or path-like
        Lines: number of frames; for each frame the number of bodies; for each body its identity and state,
        the number of joints, and for each joint x, y, z and more.
    max_bytes : int
        Refuse a longer file.

    Raises
    ------
    ValueError
        The file ends early, holds something else or nobody; names the file and the line.
    """
    lines = read_whole(Path(path), max_bytes).decode("utf-8", "replace").split("\n")
    at = 0

    def take(what: str, convert: Any) -> Any:
        nonlocal at
        line = lines[at] if at < len(lines) else ""
        at += 1
        try:
            return convert(line.split())
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}: line {at}: expected {what}, got {line[:60]!r}") from error

    bodies: dict[str, list[np.ndarray]] = {}
    for _ in range(take("the number of frames", lambda fields: int(fields[0]))):
        for _ in range(take("the number of bodies", lambda fields: int(fields[0]))):
            name = take("a body's identity", lambda fields: fields[0])
            n = take("the number of joints", lambda fields: int(fields[0]))
            rows = [take("x y z of a joint", lambda fields: [float(v) for v in fields[:3]]) for _ in range(n)]
            if any(len(row) != 3 for row in rows):
                raise ValueError(f"{path}: line {at}: expected x y z of each of {n} joints")
            bodies.setdefault(name, []).append(np.array(rows, np.float32).reshape(n, 3))
    if not bodies:
        raise ValueError(f"{path}: holds nobody")
    most = max(bodies.values(), key=len)
    if len({frame.shape for frame in most}) > 1:
        raise ValueError(f"{path}: the number of joints changes")
    return np.stack(most)
