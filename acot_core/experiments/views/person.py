"""The person behind a sequence: joints over time, and negatives as the nearest real frames (Sec. 3.3).

A negative is a point among frame features; what it looks like is shown by the frame of another sequence that
is nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from acot_core.datasets import SequenceDataset
from acot_core.datasets.skeletons import joints_of
from acot_core.experiments.record import Record, grid_table
from acot_core.sequences import check_sequences


@dataclass(kw_only=True)
class PersonView(Record):
    """A body over time, and the ghosts of the negatives that each frame is coupled with.

    Attributes
    ----------
    joints : array (n, J, 2)
        One row per frame, y downwards.
    bystanders : array (n, b, 2)
        What moves in the background; b = 0 where nothing is known of it.
    ghosts : array (n, g, J, 2)
        Bodies of the real frames nearest to the g heaviest negatives of each frame, moved onto the body.
    ghost_share : array (n, g)
        Share of the frame's mass that the plan sends there.
    ghost_negative, ghost_sequence, ghost_frame : int arrays (n, g)
        Which negative it is, and of which sequence and frame the ghost is.
    ghost_class : list of n lists of g str
        Class of that sequence.
    bones : list of pairs of int
    head : int
    """

    joints: np.ndarray
    bystanders: np.ndarray
    ghosts: np.ndarray
    ghost_share: np.ndarray
    ghost_negative: np.ndarray
    ghost_sequence: np.ndarray
    ghost_frame: np.ndarray
    ghost_class: list[list[str]]
    bones: list[tuple[int, int]]
    joint_names: list[str]
    head: int
    sequence: int
    class_name: str

    def to_frame(self) -> pd.DataFrame:
        """One row per frame and joint: x and y."""
        table = grid_table(["frame", "joint"], x=self.joints[..., 0], y=self.joints[..., 1])
        return table.assign(joint=np.array(self.joint_names)[table["joint"]])

    def ghost_names(self) -> list[list[str]]:
        """Each frame's ghosts in words."""
        return [
            [
                f"negative {m} ({share:.0%} of the mass) looks like frame {t} of sequence {s}, “{name}”"
                for m, share, s, t, name in zip(
                    self.ghost_negative[i], self.ghost_share[i], self.ghost_sequence[i], self.ghost_frame[i],
                    names, strict=True,
                )
            ]
            for i, names in enumerate(self.ghost_class)
        ]  # fmt: skip


def person_view(
    dataset: SequenceDataset,
    stream: str,
    sequence: int,
    negatives: Any = None,
    plan: Any = None,
    *,
    n_ghosts: int = 1,
) -> PersonView | None:
    """The person of one sequence, with the ghosts of its negatives; None where there are no joints.

    Parameters
    ----------
    dataset, stream, sequence
        Which sequence, of which features the negatives are.
    negatives : array-like (m, d), optional
        Without them there are no ghosts.
    plan : array (n, m), optional
        The plan between frames and negatives (Eq. 12); needed with ``negatives``.
    n_ghosts : int
        g: so many of a frame's heaviest negatives.

    Raises
    ------
    ValueError
        No such stream or sequence, or a plan that does not fit.
    """
    if stream not in dataset.streams:
        raise ValueError(f"stream: expected one of {list(dataset.streams)}, got {stream!r}")
    if not 0 <= sequence < len(dataset):
        raise ValueError(f"sequence: expected 0 to {len(dataset) - 1}, got {sequence}")
    joints = joints_of(dataset, sequence)
    if joints is None:
        return None
    places, skeleton = joints
    n = len(dataset.streams[stream][sequence])
    body = _resample(places, n)
    crowd = dataset.raw.get("bystanders")
    others = np.zeros((n, 0, 2)) if crowd is None else _resample(_pairs(crowd[sequence]), n)
    index = np.zeros((n, 0), np.int64)
    ghosts = _Ghosts(np.zeros((n, 0, *body.shape[1:])), np.zeros((n, 0)), index, index, index)
    if negatives is not None:
        ghosts = _ghosts(dataset, stream, sequence, body, negatives, plan, n_ghosts)
    return PersonView(
        joints=body,
        bystanders=others,
        ghosts=ghosts.bodies,
        ghost_share=ghosts.share,
        ghost_negative=ghosts.negative,
        ghost_sequence=ghosts.sequence,
        ghost_frame=ghosts.frame,
        ghost_class=[[dataset.class_names[dataset.labels[s]] for s in row] for row in ghosts.sequence],
        bones=list(skeleton.bones),
        joint_names=list(skeleton.joints),
        head=skeleton.head,
        sequence=sequence,
        class_name=dataset.class_names[dataset.labels[sequence]],
        config={"dataset": dataset.name, "stream": stream, "sequence": sequence, "n_ghosts": n_ghosts},
    )


class _Ghosts(NamedTuple):
    bodies: np.ndarray
    share: np.ndarray
    negative: np.ndarray
    sequence: np.ndarray
    frame: np.ndarray


def _ghosts(
    dataset: SequenceDataset, stream: str, sequence: int, body: np.ndarray, negatives: Any, plan: Any, g: int
) -> _Ghosts:
    sequences = dataset.streams[stream]
    Y = check_sequences([negatives], name="negatives", n_features=sequences[0].shape[1])[0]
    shares = np.asarray(plan, dtype=float) if plan is not None else np.zeros((0, 0))
    n, m = len(body), len(Y)
    if shares.shape != (n, m):
        raise ValueError(f"plan: expected shape ({n}, {m}), got {shares.shape}")
    shares = shares / np.maximum(shares.sum(1, keepdims=True), 1e-300)
    heaviest = np.argsort(-shares, axis=1, kind="stable")[:, : min(g, m)]
    near_sequence, near_frame = _nearest(sequences, Y, sequence)
    of_sequence, of_frame = near_sequence[heaviest], near_frame[heaviest]
    bodies = np.empty((*heaviest.shape, *body.shape[1:]))
    for t, i in np.ndindex(*heaviest.shape):
        s = int(of_sequence[t, i])
        places, _ = joints_of(dataset, s)  # type: ignore[misc]  # all sequences have joints, or none
        row = round(int(of_frame[t, i]) * (len(places) - 1) / max(len(sequences[s]) - 1, 1))
        bodies[t, i] = _onto(places[row], body[t])
    return _Ghosts(bodies, np.take_along_axis(shares, heaviest, 1), heaviest, of_sequence, of_frame)


def _nearest(sequences: list[torch.Tensor], Y: torch.Tensor, excluded: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequence and frame nearest to each negative (m,), among all sequences but its own."""
    lengths = torch.tensor([0 if i == excluded else len(x) for i, x in enumerate(sequences)])
    frames = torch.cat([x for i, x in enumerate(sequences) if i != excluded])
    nearest = (Y.to(frames) @ frames.T).argmax(1)  # (m,d) @ (d,T) -> (m,T); rows of unit norm
    ends = lengths.cumsum(0)
    which = torch.searchsorted(ends, nearest, right=True)
    return which.numpy(), (nearest - (ends - lengths)[which]).numpy()


def _onto(ghost: np.ndarray, body: np.ndarray) -> np.ndarray:
    """A body of the size of another, on the same ground, centred where that is."""
    size = [np.sqrt(np.square(b - b.mean(0)).sum(1).mean()) for b in (ghost, body)]
    scaled = ghost * (size[1] / max(size[0], 1e-9))
    shift = [body[:, 0].mean() - scaled[:, 0].mean(), body[:, 1].max() - scaled[:, 1].max()]
    return scaled + shift


def _pairs(flat: Any) -> np.ndarray:
    array = np.asarray(flat, dtype=float)
    return array.reshape(len(array), -1, 2)


def _resample(places: np.ndarray, n: int) -> np.ndarray:
    """As many rows as there are frames: an encoder with windows makes fewer of them."""
    return places[np.round(np.linspace(0, len(places) - 1, n)).astype(int)]
