"""Generated sequences that meet the paper's assumptions (Sec. 1 and 3).

The paper's premises are that a class shows itself in a low-dimensional subspace, that it is buried in a
background which all classes share, and that its energy in that subspace grows with time (Sec. 3.4). Here
every pair of classes has two cues: in one class of the pair the first grows while the second fades, in the
other it is the reverse. Each class is thus the time reversal of its partner, frame set for frame set, so
that no average, maximum, spread or principal direction of the frames can tell the two apart: only order can.
Whatever knows the pair and not the order is right half of the time.

The background is what makes this hard for order alone: its directions wander as well, some of them steadily
upwards, and every sequence has an appearance of its own that does not change. The adversary, which hides
cues and leaves the rest, tells the two apart.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.checks import check_int, check_lengths, check_number
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.sequences import normalize_frames


def planted(
    *,
    n_sequences: int = 192,
    n_pairs: int = 3,
    dimension: int = 64,
    length_range: tuple[int, int] = (15, 40),
    cue_strength: float = 1.0,
    cue_size: int = 6,
    background: float = 1.0,
    n_background: int = 6,
    trend: float = 1.5,
    appearance: float = 1.0,
    noise: float = 0.05,
    n_splits: int = 3,
    random_state: int = 0,
) -> SequenceDataset:
    """Generate sequences whose classes differ only in the order of their frames, pair by pair.

    Frame t of a sequence is ReLU(cue_t + background_t + appearance + noise_t), scaled to unit norm:

    - cue: ``cue_strength`` (s_t a + (1 - s_t) b), with s_t rising evenly from 0 to 1 for one class of a pair
      and falling for the other; a and b share no feature and belong to the pair;
    - background: ``background`` times ``n_background`` directions that all classes share, whose amplitudes
      wander along smooth random waves, half of them about a random upward or downward ``trend``; their law is
      the same forwards and backwards;
    - appearance: a random direction for each sequence, of norm ``appearance``, constant in time;
    - noise: Gaussian, of standard deviation ``noise``, in every feature of every frame.

    Parameters
    ----------
    n_sequences : int
        Number N of sequences, spread evenly over the classes.
    n_pairs : int
        Number of pairs of classes; there are twice as many classes.
    dimension : int
        Number d of features of a frame; at least 2 n_pairs cue_size.
    length_range : pair of int
        Least and greatest number of frames.
    cue_strength, background, trend, appearance, noise : float
        See above; 1 is the norm of a cue at its height.
    cue_size : int
        Number of features that a cue has.
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
    config = dict(locals())
    check_lengths("length_range", length_range, least=2)
    least = {"n_pairs": 1, "cue_size": 1, "n_splits": 1, "n_background": 0, "random_state": 0}
    n_pairs, cue_size, n_splits, n_background, random_state = (
        check_int(name, config[name], least=number) for name, number in least.items()
    )
    n_sequences = check_int("n_sequences", n_sequences, least=4 * n_pairs)
    dimension = check_int("dimension", dimension, least=2 * n_pairs * cue_size)
    for name in ("cue_strength", "background", "trend", "appearance", "noise"):
        check_number(name, config[name])
    generator = torch.Generator().manual_seed(random_state)
    cues = _cues(n_pairs, dimension, cue_size, generator)
    shared = _sparse_directions(n_background, dimension, 0.5, generator)
    labels = np.arange(n_sequences) % (2 * n_pairs)
    low, high = length_range
    sequences: list[Tensor] = []
    for label in labels:
        n = int(torch.randint(low, high + 1, (1,), generator=generator))
        rising = torch.linspace(0, 1, n, dtype=torch.float32)[:, None]
        share = rising if label % 2 == 0 else 1 - rising
        first, second = cues[label // 2]
        frames = cue_strength * (share * first + (1 - share) * second)
        wander = _wander(n, n_background, trend, generator)
        frames = frames + background * wander @ shared  # (n, b) @ (b, d) -> (n, d)
        frames = frames + appearance * _sparse_directions(1, dimension, 0.3, generator)
        frames = frames + noise * torch.randn(n, dimension, generator=generator, dtype=torch.float32)
        sequences.append(normalize_frames(frames.relu()))
    classes = range(2 * n_pairs)
    return SequenceDataset(
        name="planted",
        streams={"features": sequences},
        labels=labels,
        class_names=[f"pair {c // 2 + 1} {'backwards' if c % 2 else 'forwards'}" for c in classes],
        splits={
            str(s + 1): stratified_mask(labels, 0.5, np.random.default_rng([random_state, s]))
            for s in range(n_splits)
        },
        config={k: v for k, v in config.items() if k != "n_splits"} | {"length_range": [low, high]},
    )


def _cues(n_pairs: int, dimension: int, size: int, generator: torch.Generator) -> Tensor:
    """Two unit non-negative cues for each pair, of ``size`` features each, disjoint: (n_pairs, 2, d)."""
    cues = torch.zeros(2 * n_pairs, dimension, dtype=torch.float32)
    places = torch.randperm(dimension, generator=generator)[: 2 * n_pairs * size].reshape(2 * n_pairs, size)
    cues.scatter_(1, places, 0.5 + torch.rand(2 * n_pairs, size, generator=generator, dtype=torch.float32))
    return normalize_frames(cues).reshape(n_pairs, 2, dimension)


def _sparse_directions(count: int, dimension: int, density: float, generator: torch.Generator) -> Tensor:
    """Random non-negative unit directions in which about a share ``density`` of the features is active."""
    values = torch.rand(count, dimension, generator=generator, dtype=torch.float32)
    active = torch.rand(count, dimension, generator=generator, dtype=torch.float32) < density
    return normalize_frames(values * active)


def _wander(n: int, n_directions: int, trend: float, generator: torch.Generator) -> Tensor:
    """Smooth non-negative amplitudes (n, b), of the same law when reversed in time."""
    time = torch.linspace(-1, 1, n, dtype=torch.float32)[:, None]
    frequency, phase, slope = torch.rand(3, n_directions, generator=generator, dtype=torch.float32)
    waves = torch.sin(torch.pi * ((0.5 + 1.5 * frequency) * time + 2 * phase))
    slope = torch.where(slope < 0.5, slope - 1, slope)  # of either sign, half of ``trend`` or more
    slope[n_directions // 2 :] = 0
    return (1.5 + waves + trend * slope * time).clamp_min(0)


def stratified_mask(
    labels: np.ndarray, share: float, rng: np.random.Generator, groups: np.ndarray | None = None
) -> np.ndarray:
    """True for about ``share`` of the sequences of each class, drawn by ``rng``; at least one of each. (N,)

    With ``groups`` (N,) the sequences of one group stay together: groups are drawn in random order, the
    largest first, and each goes where it keeps the shares of all classes nearest to ``share``. Both sides get
    a group if there are two; the sequences of a single group are all True.
    """
    if groups is not None:
        return _grouped_mask(labels, share, rng, groups)
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        mask[rng.permutation(members)[: max(1, round(share * len(members)))]] = True
    return mask


def _grouped_mask(
    labels: np.ndarray, share: float, rng: np.random.Generator, groups: np.ndarray
) -> np.ndarray:
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((group.max() + 1, label.max() + 1))
    np.add.at(counts, (group, label), 1)  # sequences of each group and class
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    chosen, taken, seen = np.zeros(len(counts), bool), np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
    for g in order:
        seen += counts[g]
        with_it, without = taken + counts[g] - share * seen, taken - share * seen
        chosen[g] = with_it @ with_it <= without @ without
        taken += chosen[g] * counts[g]
    if len(counts) > 1 and chosen.all():
        chosen[order[-1]] = False
    chosen[order[0]] |= not chosen.any()
    return chosen[group]
