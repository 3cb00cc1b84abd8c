"""Sequences and negatives in three dimensions, where the whole method can be seen (Sec. 3.2-3.4).

A frame is ReLU((a_t, b_t, c s_t) + noise) in unit norm: a_t and b_t wander along random waves whose law is
the same forwards and backwards, which is the background that all classes share; c s_t, along z, is the cue.
In the first class it grows with time. Its reversal is the second class; a sequence without it is background.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from acot_core._utils.progress import Progress
from acot_core.gan.adversary import Adversary
from acot_core.gan.negatives import subtract
from acot_core.sequences import check_sequences, normalize_frames

OctantPreset = Literal["growing", "reversed", "wandering"]

OCTANT_PRESETS: dict[str, str] = {
    "growing": "a cue along z that grows",
    "reversed": "the same frames in reverse order",
    "wandering": "background alone",
}
"""Names of the generated sequences, and what each is."""

_WAVE, _NOISE = 0.55, 0.05
_PER_CLASS = 24
_LONGEST = 64


def octant_sequence(
    preset: str = "growing", n_frames: int = 20, *, cue: float = 1.0, random_state: int = 0
) -> Tensor:
    """Generate one sequence of unit non-negative frames: (n_frames, 3).

    Parameters
    ----------
    preset : {"growing", "reversed", "wandering"}
    n_frames : int
        2 to 64.
    cue : float
        Height of the cue; 1 makes it as large as the background.
    random_state : int
        Seed. The reversed sequence of a seed has the frames of the growing one.

    Examples
    --------
    >>> grows, falls = (octant_sequence(name, random_state=3) for name in ("growing", "reversed"))
    >>> bool((grows.flip(0) == falls).all())
    True
    """
    if preset not in OCTANT_PRESETS:
        raise ValueError(f"preset: expected one of {sorted(OCTANT_PRESETS)}, got {preset!r}")
    if not 2 <= n_frames <= _LONGEST:
        raise ValueError(f"n_frames: expected 2 to {_LONGEST}, got {n_frames}")
    generator = torch.Generator().manual_seed(random_state)
    time = torch.linspace(0, 1, n_frames, dtype=torch.float32)
    frequency, phase = torch.rand(2, 2, 1, generator=generator, dtype=torch.float32)
    background = 1 + _WAVE * torch.sin(2 * math.pi * ((0.6 + 0.5 * frequency) * time + phase))  # (2, n)
    height = 0.15 if preset == "wandering" else 0.15 + 1.35 * time
    growth = cue * torch.as_tensor(height, dtype=torch.float32).expand(n_frames)
    noise = _NOISE * torch.randn(n_frames, 3, generator=generator, dtype=torch.float32)
    frames = normalize_frames((torch.stack([*background, growth], 1) + noise).relu())
    return frames.flip(0) if preset == "reversed" else frames


@dataclass(frozen=True)
class Snapshot:
    """The generator g after ``iteration`` steps, with its row of the history on the training frames.

    ``fooling_rate``: share of frames with argmin ζ(y) = argmax ζ(x); ``noise_norm``: mean norm of the noise.
    """

    iteration: int
    fooling_rate: float
    noise_norm: float
    wasserstein: float
    generator: nn.Module


def train_on_octant(
    *,
    sigma: float = 0.01,
    lambda1: float = 1.0,
    lambda2: float = 1.0,
    n_iter: int = 240,
    every: int = 5,
    random_state: int = 0,
    callback: Callable[[Snapshot], None] | None = None,
) -> tuple[Adversary, list[Snapshot]]:
    """Train an adversary on 24 sequences with the growing cue and 24 of background alone, and watch it learn.

    Parameters
    ----------
    sigma, lambda1, lambda2 : float
        σ of the latent and the weights of Eq. (9).
    n_iter, every : int
        Generator steps, and steps between two snapshots.
    callback : callable, optional
        Gets each `Snapshot` as soon as there is one; may raise `Cancelled`.

    Returns
    -------
    Adversary, list of Snapshot
        The first snapshot is of iteration 0.
    """
    classes = ("wandering", "growing")
    sequences = [
        octant_sequence(preset, random_state=1000 * c + i)
        for c, preset in enumerate(classes)
        for i in range(_PER_CLASS)
    ]
    labels = [c for c in range(len(classes)) for _ in range(_PER_CLASS)]
    # Small networks learn within a second at a higher rate than the paper's; precision is named so that the
    # numbers do not depend on the hardware.
    adversary = Adversary(
        sigma=sigma, lambda1=lambda1, lambda2=lambda2, n_iter=n_iter, hidden=16, learning_rate=3e-3, clip=0.1,
        classifier_iter=300, classifier_learning_rate=0.05, eval_every=every, precision="float32",
        device="cpu", random_state=random_state,
    )  # fmt: skip
    snapshots: list[Snapshot] = []

    def watch(progress: Progress) -> None:
        due = progress.stage == "adversary" and (progress.step % every == 0 or progress.step == n_iter)
        if due and not (snapshots and snapshots[-1].iteration == progress.step):
            row = {name: progress.values[name] for name in ("fooling_rate", "noise_norm", "wasserstein")}
            generator = copy.deepcopy(adversary.generator_).requires_grad_(False)
            snapshots.append(Snapshot(progress.step, generator=generator, **row))
            if callback is not None:
                callback(snapshots[-1])

    adversary.fit(sequences, labels, callback=watch)
    return adversary, snapshots


@cache
def _normal(n_negatives: int, random_state: int) -> Tensor:
    """ε ~ N(0, I) for each negative, the same for whatever frames: (m, 3)."""
    generator = torch.Generator().manual_seed(random_state)
    return torch.randn(n_negatives, 3, generator=generator, dtype=torch.float32)


def adversarial_negatives(
    generator: nn.Module, frames: Any, n_negatives: int, *, sigma: float = 0.01, random_state: int = 0
) -> tuple[Tensor, Tensor]:
    """Negatives y = γ(x - x̂) of one sequence, x̂ = g(X̄ + σ ε) (Eq. 9), in the order of its frames.

    ε depends on the seed alone, so that the negatives move smoothly when a frame is moved.

    Returns
    -------
    negatives : Tensor (m', 3)
        Of unit norm, m' <= m: a negative of which the noise leaves nothing is left out.
    made_from : int64 Tensor (m',)
        The frame of each.
    """
    X = check_sequences([frames], name="frames", n_features=3)[0]
    made_from = torch.arange(n_negatives) * len(X) // n_negatives
    with torch.no_grad():
        noise = generator(X.mean(0) + sigma * _normal(n_negatives, random_state))
    return _remaining(subtract(X[made_from], noise), made_from)


def random_octant_negatives(frames: Any, n_negatives: int, *, random_state: int = 0) -> tuple[Tensor, Tensor]:
    """Negatives y = γ(x - max(x) z), z ~ N(0, I), of one sequence (Sec. 4.1, "COT + Random").

    z depends on the seed alone. Returns as `adversarial_negatives` does.
    """
    X = check_sequences([frames], name="frames", n_features=3)[0]
    made_from = torch.arange(n_negatives) * len(X) // n_negatives
    chosen = X[made_from]
    noise = chosen.amax(1, keepdim=True) * _normal(n_negatives, random_state)
    return _remaining(subtract(chosen, noise), made_from)


def _remaining(negatives: Tensor, made_from: Tensor) -> tuple[Tensor, Tensor]:
    there = negatives.square().sum(1) > 0
    return negatives[there], made_from[there]
