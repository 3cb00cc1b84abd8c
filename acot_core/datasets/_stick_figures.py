"""Generated stick figures that do things whose order is their meaning (Sec. 1; Sec. 4, "JHMDB dataset").

A person of 15 joints, those of JHMDB, sits down or stands up, puts something down or picks it up, pulls a
door open or pushes it shut, throws or catches. The two actions of a pair are each other's time reversal, in
law as well. In the stream "pose" no average, maximum, spread or principal direction of the frames can tell
them apart, only order can; in the stream "motion" each frame knows where it is going, and an average can.

What is in the way of order alone: the body sways, the camera drifts, and bystanders wander through the
background, some of them steadily to one side, so that much grows with time that means nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.checks import check_int, check_lengths, check_number
from acot_core.datasets.jhmdb import motion_descriptor, pose_descriptor
from acot_core.datasets.signals import Signals
from acot_core.datasets.skeletons import JHMDB

ACTIONS = ("sit down", "stand up", "put down", "pick up", "open", "close", "throw", "catch")
"""The classes; each odd one is the time reversal of the one before it."""


@dataclass(frozen=True)
class _Pose:
    """Angles of a body in degrees, forwards positive: lean of the trunk; flexion of shoulders, elbows, hips
    and knees, right and left; and how far the pelvis is in front of the feet, in body heights."""

    lean: float = 0
    right_shoulder: float = 4
    left_shoulder: float = 4
    right_elbow: float = 12
    left_elbow: float = 12
    right_hip: float = 2
    left_hip: float = -2
    right_knee: float = 4
    left_knee: float = 4

    def vector(self) -> Tensor:
        """The angles in the order of the fields: (9,)"""
        return torch.tensor([float(getattr(self, field.name)) for field in fields(self)], dtype=torch.float32)


_MOVES: tuple[tuple[_Pose, _Pose, _Pose], ...] = (
    # From standing, leaning over the feet, to a chair.
    (
        _Pose(),
        _Pose(40, 35, 35, 30, 30, 60, 58, 70, 68),
        _Pose(4, 28, 28, 55, 55, 86, 82, 84, 82),
    ),
    # From something held before the belly to the hands on the floor.
    (
        _Pose(2, 30, 30, 75, 75),
        _Pose(45, 60, 60, 45, 45, 30, 26, 45, 42),
        _Pose(82, 92, 92, 8, 8, 44, 40, 66, 62),
    ),
    # A handle: the right arm reaches out, then pulls it to the body.
    (
        _Pose(14, 82, 8, 6, 14, 20, -12, 8, 6),
        _Pose(3, 50, 4, 60, 16, 8, -4, 6, 6),
        _Pose(-8, 0, 0, 112, 18, -4, 12, 10, 14),
    ),
    # Both arms from above the head to straight ahead.
    (
        _Pose(-14, 172, 168, 76, 80, -8, 12, 6, 12),
        _Pose(4, 140, 136, 34, 36, 8, 2, 8, 8),
        _Pose(26, 84, 80, 6, 8, 34, -14, 26, 6),
    ),
)
"""Start, middle and end of the first action of each pair."""

_LENGTHS = {"trunk": 0.30, "neck": 0.12, "upper arm": 0.17, "forearm": 0.16, "thigh": 0.24, "shank": 0.24}
_BREADTH = {"shoulder": 0.12, "hip": 0.08}


def stick_figure_signals(
    *,
    n_people: int = 24,
    length_range: tuple[int, int] = (15, 40),
    sway: float = 1.0,
    camera: float = 1.0,
    background: float = 1.0,
    n_bystanders: int = 6,
    noise: float = 0.01,
    n_splits: int = 1,
    random_state: int = 0,
) -> Signals:
    """Generate people who do each of the eight `ACTIONS` once, as signals of the streams "pose" and "motion".

    A frame's pose is the body's `pose_descriptor` (centred, scaled joints and their pairwise distances),
    followed by the places of the bystanders as seen from the body's centre, in the body's size. Its motion is
    the `motion_descriptor` of joints and bystanders together.

    Parameters
    ----------
    n_people : int
        People with limbs, a place to look from and a tempo of their own; each is a group. There are eight
        sequences of each.
    length_range : pair of int
        Least and greatest number of frames.
    sway : float
        Of the angles: 1 is a smooth wave of some 4 degrees in every joint.
    camera : float
        Of its drift: 1 turns by some 10, rolls by some 4 degrees and zooms by a tenth within a sequence.
    background : float
        How far bystanders wander: 1 is about a body's height. They count as much as joints do.
    n_bystanders : int
        Number of them; every other one has a steady direction, either way with equal probability.
    noise : float
        Of each joint's place, in body heights (Gaussian).
    n_splits : int
        Number of random splits of the people in halves. An untrained encoder looks at nobody whom any split
        tests on: of many splits little is left for it.
    random_state : int
        Seed of everything that is drawn.

    Returns
    -------
    Signals
        Splits "1", "2", ...; ``extra`` keeps ``joints`` (n, 30) and ``bystanders`` (n, 2 n_bystanders) in the
        picture's coordinates, body heights with y downwards; ``groups`` are the people.

    Raises
    ------
    ValueError
        A parameter is out of its range.
    """
    given = dict(locals())
    check_lengths("length_range", length_range, least=4)
    n_people, n_splits, n_bystanders, random_state = (
        check_int(name, given[name], least=least)
        for name, least in {"n_people": 4, "n_splits": 1, "n_bystanders": 0, "random_state": 0}.items()
    )
    for name in ("sway", "camera", "background", "noise"):
        check_number(name, given[name])
    generator = torch.Generator().manual_seed(random_state)
    poses: list[Tensor] = []
    motions: list[Tensor] = []
    joints: list[Tensor] = []
    crowd: list[Tensor] = []
    labels: list[int] = []
    low, high = length_range
    for _ in range(n_people):
        person = _Person.draw(generator)
        for label in range(len(ACTIONS)):
            n = int(torch.randint(low, high + 1, (1,), generator=generator))
            body = person.act(_angles(_MOVES[label // 2], n, sway, generator))
            places = _bystanders(n, n_bystanders, background, generator)
            body, places = _film(body, places, person.yaw, camera, generator)
            body = body + noise * torch.randn(body.shape, generator=generator, dtype=torch.float32)
            if label % 2:
                body, places = body.flip(0), places.flip(0)
            poses.append(_describe(body, places))
            motions.append(motion_descriptor(torch.cat([body, places], 1)))
            joints.append(body.flatten(1))
            crowd.append(places.flatten(1))
            labels.append(label)
    people = np.repeat(np.arange(n_people), len(ACTIONS))
    return Signals(
        "stick-figures",
        {"pose": poses, "motion": motions},
        np.array(labels, np.int64),
        list(ACTIONS),
        np.stack([_halves(people, n_people, [random_state, s]) for s in range(n_splits)]),
        extra={"joints": joints, "bystanders": crowd},
        groups=people,
    )


def _halves(people: np.ndarray, n_people: int, seed: list[int]) -> np.ndarray:
    """1 where a sequence's person is of the training half, else 2: (N,)"""
    train = np.random.default_rng(seed).permutation(n_people)[: n_people // 2]
    return np.where(np.isin(people, train), 1, 2).astype(np.int8)


@dataclass(frozen=True)
class _Person:
    """A body: lengths and breadths in body heights, and the angle that the camera sees it from."""

    length: dict[str, float]
    breadth: dict[str, float]
    yaw: float

    @classmethod
    def draw(cls, generator: torch.Generator) -> _Person:
        def vary(value: float) -> float:
            return value * (
                1 + 0.06 * float(torch.randn((), generator=generator, dtype=torch.float32).clamp(-2, 2))
            )

        return cls(
            {name: vary(value) for name, value in _LENGTHS.items()},
            {name: vary(value) for name, value in _BREADTH.items()},
            math.radians(20 * float(2 * torch.rand((), generator=generator, dtype=torch.float32) - 1)),
        )

    def act(self, angles: Tensor) -> Tensor:
        """The joints (n, 15, 3) of angles (n, 9): ahead, up, to the right; the feet stay where they are."""
        lean, shoulder_r, shoulder_l, elbow_r, elbow_l, hip_r, hip_l, knee_r, knee_l = angles.unbind(1)
        joints = torch.zeros(len(angles), len(JHMDB.joints), 3, dtype=torch.float32)

        def put(joint: int, start: Tensor, length: float, angle: Tensor) -> None:
            """``joint``, ``length`` from ``start`` in the direction of an angle from straight down."""
            step = torch.stack([angle.sin(), -angle.cos(), torch.zeros_like(angle)], 1)
            joints[:, joint] = start + length * step

        def aside(start: Tensor, distance: float) -> Tensor:
            return start + torch.tensor([0.0, 0.0, distance], dtype=torch.float32)

        upright = math.pi - lean  # the trunk's direction, from straight down
        pelvis = torch.zeros(len(angles), 3, dtype=torch.float32)
        put(0, pelvis, self.length["trunk"], upright)
        put(1, pelvis, 0.35 * self.length["trunk"], upright)
        put(2, joints[:, 0], self.length["neck"], upright + 0.3 * lean)
        sides = ((1, 3, 7, 11, shoulder_r, elbow_r, 5, 9, 13, hip_r, knee_r),
                 (-1, 4, 8, 12, shoulder_l, elbow_l, 6, 10, 14, hip_l, knee_l))  # fmt: skip
        for side, top, middle, end, shoulder, elbow, hip, knee, ankle, thigh, bend in sides:
            joints[:, top] = aside(joints[:, 0], side * self.breadth["shoulder"])
            raised = shoulder - 0.4 * lean  # arms hang down from a trunk that leans
            put(middle, joints[:, top], self.length["upper arm"], raised)
            put(end, joints[:, middle], self.length["forearm"], raised + elbow)
            joints[:, hip] = aside(pelvis, side * self.breadth["hip"])
            put(knee, joints[:, hip], self.length["thigh"], thigh)
            put(ankle, joints[:, knee], self.length["shank"], thigh - bend)
        feet = joints[:, 13:15].mean(1, keepdim=True)
        return joints - feet * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float32)


def _angles(move: tuple[_Pose, _Pose, _Pose], n: int, sway: float, generator: torch.Generator) -> Tensor:
    """The angles of one performance, in radians (n, 9): its own tempo, extent and sway."""
    begin, end = 0.2 * torch.rand(2, generator=generator, dtype=torch.float32)
    time = ((torch.linspace(0, 1, n, dtype=torch.float32) - begin) / (1 - begin - end)).clamp(0, 1)[:, None]
    first, middle, last = (pose.vector() for pose in move)
    through = 2 * middle - (first + last) / 2  # a Bezier curve's control point: the middle is passed half way
    share = time * time * (3 - 2 * time)
    curve = (1 - share) ** 2 * first + 2 * share * (1 - share) * through + share**2 * last
    extent = 1 + 0.1 * torch.randn((), generator=generator, dtype=torch.float32).clamp(-1.5, 1.5)
    centre = (first + last) / 2
    wave = _waves(n, curve.shape[1], generator)
    return torch.deg2rad(centre + extent * (curve - centre) + 4 * sway * wave)


def _bystanders(n: int, count: int, background: float, generator: torch.Generator) -> Tensor:
    """Places of bystanders (n, count, 3), of the same law when reversed in time."""
    start = torch.rand(count, 3, generator=generator, dtype=torch.float32) * torch.tensor(
        [2.0, 0.8, 1.0], dtype=torch.float32
    )
    start = start + torch.tensor([-1.0, 0.1, -1.5], dtype=torch.float32)
    sign = 2 * torch.randint(0, 2, (count,), generator=generator).float() - 1
    speed = 0.5 + torch.rand(count, generator=generator, dtype=torch.float32)
    speed[1::2] = 0
    time = torch.linspace(-1, 1, n, dtype=torch.float32)[:, None, None]
    steady = (sign * speed)[:, None] * torch.tensor([1.0, 0.15, 0.0], dtype=torch.float32) * time
    wave = _waves(n, 2 * count, generator).reshape(n, count, 2)
    wander = torch.cat([0.25 * wave, torch.zeros(n, count, 1, dtype=torch.float32)], 2)
    return start + background * (steady + wander)


def _film(
    body: Tensor, places: Tensor, yaw: float, camera: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Both as the drifting camera sees them: (n, 15, 2) and (n, count, 2), y downwards."""
    turn, roll, zoom, right, up = _waves(len(body), 5, generator).unbind(1)
    turn = yaw + math.radians(10) * camera * turn
    roll = math.radians(4) * camera * roll
    points = torch.cat([body, places], 1)
    ahead = points[..., 0] * turn.cos()[:, None] + points[..., 2] * turn.sin()[:, None]
    height = points[..., 1]
    x = ahead * roll.cos()[:, None] - height * roll.sin()[:, None]
    y = ahead * roll.sin()[:, None] + height * roll.cos()[:, None]
    shift = 0.1 * camera * torch.stack([right, up], 1)[:, None]
    seen = (1 + 0.1 * camera * zoom)[:, None, None] * torch.stack([x, -y], 2) + shift
    return seen[:, : body.shape[1]], seen[:, body.shape[1] :]


def _waves(n: int, count: int, generator: torch.Generator) -> Tensor:
    """Smooth random waves (n, count) between -1 and 1, of the same law when reversed in time."""
    time = torch.linspace(-1, 1, n, dtype=torch.float32)[:, None]
    frequency, phase = torch.rand(2, count, generator=generator, dtype=torch.float32)
    return torch.sin(torch.pi * ((0.5 + 1.5 * frequency) * time + 2 * phase))


def _describe(body: Tensor, places: Tensor) -> Tensor:
    """What a frame's signal holds: (n, 135 + 2 bystanders)"""
    centre = body.mean(1, keepdim=True)
    size = (body - centre).square().sum(-1).mean(1).sqrt()[:, None, None].clamp_min(1e-6)
    return torch.cat([pose_descriptor(body), ((places - centre) / size).flatten(1)], 1)
