"""Generated sequences that meet the paper's assumptions (Sec. 1 and 3).

The paper's premises are that a class shows itself in a low-dimensional subspace, that it is buried in a
background which all classes share, and that its energy in that subspace grows with time (Sec. 3.4). Here
every pair of classes has two cues: in one class of the pair the first grows while the second fades, in the
other it is the reverse. Each class is thus the time reversal of its partner, frame set for frame set, so
that no average, maximum, spread or principal direction of the frames can tell the two apart: only order can.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.sequences import normalize_frames

__all__ = ["planted"]


def planted(
    *,
    n_sequences: int = 192,
    n_pairs: int = 4,
    dimension: int = 64,
    length_range: tuple[int, int] = (15, 40),
    cue_strength: float = 1.0,
    background: float = 1.0,
    n_background: int = 6,
    noise: float = 0.05,
    n_splits: int = 3,
    random_state: int = 0,
) -> SequenceDataset:
    """Generate sequences whose classes differ only in the order of their frames, pair by pair.

    Frame t of a sequence is ReLU(cue_t + background_t + noise_t), scaled to unit norm. The cue is
    ``cue_strength`` times s_t a + (1 - s_t) b with s_t rising from 0 to 1 for one class of a pair and falling
    for the other; a and b share no coordinate and belong to the pair. The background is made of
    ``n_background`` directions that all classes share; each wanders through a sequence along smooth random
    waves, and half of them trend upwards or downwards. Its law is the same forwards and backwards.

    Parameters
    ----------
    n_sequences : int
        Number N of sequences, spread evenly over the classes.
    n_pairs : int
        Number of pairs of classes; there are twice as many classes.
    dimension : int
        Number d of features of a frame, at least 6 for each pair (three for each cue).
    length_range : pair of int
        Least and greatest number of frames.
    cue_strength, background, noise : float
        Strength of the class cue, of the shared background, and standard deviation of the Gaussian noise
        that every feature of every frame gets.
    n_background : int
        Number of background directions.
    n_splits : int
        Number of random stratified splits, half of each class to train on.
    random_state : int
        Seed of everything that is drawn.

    Returns
    -------
    SequenceDataset
        With the one stream "features" and splits "1", "2", ...

    Raises
    ------
    ValueError
        A parameter is out of its range.
    """
    n_classes = 2 * n_pairs
    low, high = length_range
    for name, value, least in (
        ("n_pairs", n_pairs, 1),
        ("n_sequences", n_sequences, 2 * n_classes),
        ("dimension", dimension, 6 * n_pairs),
        ("length_range[0]", low, 2),
        ("length_range[1]", high, low),
        ("n_splits", n_splits, 1),
        ("n_background", n_background, 0),
        ("cue_strength", cue_strength, 0),
        ("background", background, 0),
        ("noise", noise, 0),
    ):
        if not value >= least:
            raise ValueError(f"{name}: expected at least {least}, got {value}")

    generator = torch.Generator().manual_seed(random_state)
    cues = _cues(n_pairs, dimension, generator)
    shared = torch.rand(n_background, dimension, generator=generator)
    shared = normalize_frames(shared * (torch.rand(n_background, dimension, generator=generator) < 0.5))

    labels = np.arange(n_sequences) % n_classes
    sequences: list[Tensor] = []
    for label in labels:
        n = int(torch.randint(low, high + 1, (1,), generator=generator))
        rising = torch.linspace(0, 1, n)[:, None]
        share = rising if label % 2 == 0 else 1 - rising
        first, second = cues[label // 2]
        frames = cue_strength * (share * first + (1 - share) * second)
        frames = (
            frames + background * _wander(n, n_background, generator) @ shared
        )  # (n, b) @ (b, d) -> (n, d)
        frames = frames + noise * torch.randn(n, dimension, generator=generator)
        sequences.append(normalize_frames(frames.relu()))
    return SequenceDataset(
        name="planted",
        streams={"features": sequences},
        labels=labels,
        class_names=[
            f"pair {c // 2 + 1} {'forwards' if c % 2 == 0 else 'backwards'}" for c in range(n_classes)
        ],
        splits={
            str(s + 1): stratified_mask(labels, 0.5, np.random.default_rng([random_state, s]))
            for s in range(n_splits)
        },
        config={
            "n_sequences": n_sequences,
            "n_pairs": n_pairs,
            "dimension": dimension,
            "length_range": (low, high),
            "cue_strength": cue_strength,
            "background": background,
            "n_background": n_background,
            "noise": noise,
            "random_state": random_state,
        },
    )


def _cues(n_pairs: int, dimension: int, generator: torch.Generator) -> Tensor:
    """Two unit non-negative cues for each pair, on three coordinates each, disjoint: (n_pairs, 2, d)."""
    cues = torch.zeros(2 * n_pairs, dimension)
    places = torch.randperm(dimension, generator=generator)[: 6 * n_pairs].reshape(2 * n_pairs, 3)
    cues.scatter_(1, places, 0.5 + torch.rand(2 * n_pairs, 3, generator=generator))
    return normalize_frames(cues).reshape(n_pairs, 2, dimension)


def _wander(n: int, n_directions: int, generator: torch.Generator) -> Tensor:
    """Smooth non-negative amplitudes (n, b), of the same law when reversed in time."""
    time = torch.linspace(-1, 1, n)[:, None]
    frequency = 0.5 + 1.5 * torch.rand(n_directions, generator=generator)
    phase = 2 * torch.pi * torch.rand(n_directions, generator=generator)
    trend = torch.rand(n_directions, generator=generator) * 2 - 1
    trend[n_directions // 2 :] = 0
    return (1 + 0.5 * torch.sin(torch.pi * frequency * time + phase) + 0.5 * trend * time).clamp_min(0)


def stratified_mask(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """True for about ``share`` of the clips of each class, drawn by ``rng``; at least one of each. (N,)"""
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        mask[rng.permutation(members)[: max(1, round(share * len(members)))]] = True
    return mask
