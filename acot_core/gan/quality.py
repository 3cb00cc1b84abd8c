"""Quality of negatives (Sec. 3.2-3.3): they fool, are close to the data, depend on their sequence, vary.

"As the noise is closer to the data (hard negatives), the quality of the learned representation improves"
(Sec. 3.2), yet it must not carry what the classifier needs (Sec. 3.3). Both are measured here, and compared
with random noise of the same norm, together with two ways in which a conditional GAN can fail unseen: a
generator that ignores its condition, and one that ignores its latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acot_core.gan.adversary import Adversary
from acot_core.gan.frame_classifier import fooling_rate, misclassification_rate
from acot_core.gan.negatives import subtract
from acot_core.gan.two_sample import (
    classifier_test,
    energy_distance,
    nearest_distance,
    nearest_neighbour_test,
)
from acot_core.sequences import check_sequences, resolve_seed

__all__ = [
    "Quality",
    "condition_test",
    "equal_norm_noise",
    "knowable_rate",
    "measure_quality",
]


@dataclass(frozen=True)
class Quality:
    """Measures of an adversary's negatives; those with ``random_`` are of random noise of the same norm.

    Attributes
    ----------
    fooling_rate, random_fooling_rate : float
        Share of negatives with argmin ζ(y) = argmax ζ(x) (App. B.2).
    misclassification_rate, random_misclassification_rate : float
        Share with argmax ζ(y) != argmax ζ(x).
    separability, random_separability, data_separability : float
        Accuracy of the classifier two-sample test between frames and negatives, frames and random negatives,
        and two samples of frames: 0.5 where they are alike, 1 where they are told apart.
    neighbour_separability, random_neighbour_separability, data_neighbour_separability : float
        The same by the nearest-neighbour test.
    distance, random_distance, data_distance : float
        Mean distance of a negative, of a random one and of a frame to the nearest frame of other sequences.
    energy, random_energy, data_energy : float
        Energy distance between frames and negatives, random negatives and other frames: 0 where alike.
    knowable_rate : float
        Share of frames whose class the generator could know (`knowable_rate`): about the most that the
        fooling rate can come to.
    condition_ratio : float
        Squared distance of noise between sequences over that between draws of one sequence: 1 where the
        condition is ignored.
    condition_p : float
        p-value of the permutation test of "the condition is ignored".
    diversity : float
        Mean distance between two draws of one sequence over the mean noise norm: 0 where z is ignored.
    noise_norm : float
        Mean ||x̂||.
    """

    fooling_rate: float
    random_fooling_rate: float
    misclassification_rate: float
    random_misclassification_rate: float
    separability: float
    random_separability: float
    data_separability: float
    neighbour_separability: float
    random_neighbour_separability: float
    data_neighbour_separability: float
    distance: float
    random_distance: float
    data_distance: float
    energy: float
    random_energy: float
    data_energy: float
    knowable_rate: float
    condition_ratio: float
    condition_p: float
    diversity: float
    noise_norm: float


def equal_norm_noise(noise: Tensor, generator: torch.Generator) -> Tensor:
    """Noise in random directions, each row as long as that of ``noise`` (n, d); drawn by a CPU generator."""
    normal = torch.randn(noise.shape, generator=generator, dtype=torch.float32).to(noise.device)
    return torch.nn.functional.normalize(normal, dim=-1) * torch.linalg.vector_norm(
        noise, dim=-1, keepdim=True
    )


def condition_test(
    noise: Tensor, generator: torch.Generator, n_permutations: int = 199
) -> tuple[float, float]:
    """Permutation test of whether noise depends on its sequence more than on z.

    Parameters
    ----------
    noise : Tensor (G, R, d)
        R draws of the noise of each of G >= 2 sequences, R >= 2.
    generator : torch.Generator
        A CPU generator, for the permutations.

    Returns
    -------
    ratio : float
        Mean squared distance between draws of different sequences over that between draws of one; infinite
        where the draws of one are all the same, but those of others differ.
    p_value : float
        Of the permutation test: how often a random regrouping of the G R draws brings those of a group as
        close together as the true grouping does.

    Raises
    ------
    ValueError
        Fewer than two sequences or two draws.
    """
    groups, draws = noise.shape[:2]
    if groups < 2 or draws < 2:
        raise ValueError(f"noise: expected at least 2 sequences with 2 draws, got shape {tuple(noise.shape)}")
    rows = noise.double().reshape(groups * draws, -1)
    rows = rows - rows.mean(0)
    total = rows.square().sum()

    def within(order: Tensor) -> Tensor:
        """Squares about each group's mean, summed: (G R,) -> scalar."""
        return total - rows[order].view(groups, draws, -1).mean(1).square().sum() * draws

    inside = within(torch.arange(len(rows), device=rows.device)).clamp_min(0)
    # Mean squared distances follow from sums of squares: 2 SS / (R - 1) in a group of R, alike for all rows.
    near = 2 * inside / (groups * (draws - 1))
    pairs = len(rows) * (len(rows) - 1) / 2
    near_pairs = groups * draws * (draws - 1) / 2
    far = (len(rows) * total - near_pairs * near) / (pairs - near_pairs)
    permuted = torch.stack(
        [
            within(torch.randperm(len(rows), generator=generator).to(rows.device))
            for _ in range(n_permutations)
        ]
    )
    p_value = (1 + int((permuted <= inside).sum())) / (n_permutations + 1)
    ratio = float(far / near) if near > 1e-12 * far else (float("inf") if far > 0 else 1.0)
    return ratio, p_value


def measure_quality(
    adversary: Adversary,
    sequences: Sequence[Any],
    *,
    n_draws: int = 8,
    n_repeats: int = 5,
    random_state: int | np.random.RandomState | np.random.Generator | None = 0,
) -> Quality:
    """Measure the negatives of a fitted adversary on sequences, those of training or others.

    For the two-sample tests the sequences are cut into two halves at random: frames come from one half, the
    negatives from the other, and of each sequence there is one only. A frame would otherwise find its own
    neighbour in time, or the negative made from it.

    Parameters
    ----------
    adversary : Adversary
        Fitted.
    sequences : sequence of N >= 6 array-likes (n_i, d)
    n_draws : int
        Draws of the noise of each sequence, for condition and diversity.
    n_repeats : int
        Random halves to average the two-sample tests over.

    Raises
    ------
    ValueError
        Bad sequences or fewer than six.
    """
    checked = check_sequences(sequences, n_features=adversary.n_features_in_)
    if len(checked) < 6:
        raise ValueError(f"sequences: expected at least 6, got {len(checked)}")
    seed = resolve_seed(random_state)
    cpu = torch.Generator().manual_seed(seed % 2**63)
    frames, noise = _frames_and_noise(adversary, checked, "1n", seed)
    negatives, random = _both_negatives(adversary, frames, noise, cpu)
    classifier = adversary.classifier_

    tests = [_closeness(adversary, checked, seed + i, cpu) for i in range(n_repeats)]
    # Draws that share their pivot: of one sequence's mean, or of one frame, given as a sequence of its own.
    owners = checked if adversary.pivot == "mean" else [s[len(s) // 2, None] for s in checked]
    draws = adversary.noise(owners, n_draws, seed).frames
    ratio, p_value = condition_test(draws, cpu)
    spread = torch.stack([torch.pdist(group).mean() for group in draws]).mean()
    return Quality(
        fooling_rate=float(fooling_rate(classifier, frames, negatives)),
        random_fooling_rate=float(fooling_rate(classifier, frames, random)),
        misclassification_rate=float(misclassification_rate(classifier, frames, negatives)),
        random_misclassification_rate=float(misclassification_rate(classifier, frames, random)),
        **{name: float(np.mean([test[name] for test in tests])) for name in tests[0]},
        knowable_rate=knowable_rate(adversary, checked, seed),
        condition_ratio=ratio,
        condition_p=p_value,
        diversity=float(spread / torch.linalg.vector_norm(draws, dim=-1).mean().clamp_min(1e-12)),
        noise_norm=float(torch.linalg.vector_norm(noise, dim=-1).mean()),
    )


def _frames_and_noise(
    adversary: Adversary, sequences: list[Tensor], n_negatives: int | str, seed: int
) -> tuple[Tensor, Tensor]:
    """Frames x that negatives are made from, and their noise x̂, of all sequences: (sum m_i, d) each."""
    noise = adversary.noise(sequences, n_negatives, seed)
    origins = [origin[mask] for origin, mask in zip(noise.origin, noise.mask, strict=True)]
    frames = torch.cat([s.to(o.device)[o] for s, o in zip(sequences, origins, strict=True)])
    return frames, noise.frames[noise.mask]


def _both_negatives(
    adversary: Adversary, frames: Tensor, noise: Tensor, cpu: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Negatives of frames (n, d) by the adversary's noise, and by random noise of equal norm: (n, d) each."""
    return adversary._state.wgan.negatives(frames, noise), subtract(frames, equal_norm_noise(noise, cpu))


_CLOSENESS = {
    "separability": classifier_test,
    "neighbour_separability": nearest_neighbour_test,
    "distance": nearest_distance,
    "energy": energy_distance,
}


def _closeness(
    adversary: Adversary, sequences: list[Tensor], seed: int, cpu: torch.Generator
) -> dict[str, float]:
    """Frames against negatives, random negatives and other frames, by every test."""
    order = torch.randperm(len(sequences), generator=cpu).tolist()
    half = len(order) // 2
    here = [sequences[i] for i in order[:half]]
    there = [sequences[i] for i in order[half : 2 * half]]
    picks = [int(torch.randint(len(s), (), generator=cpu)) for s in here]
    frames, noise = _frames_and_noise(adversary, there, 1, seed)
    data = torch.stack([s[i] for s, i in zip(here, picks, strict=True)]).to(frames)
    negatives, random = _both_negatives(adversary, frames, noise, cpu)
    others = {"": negatives, "random_": random, "data_": frames}
    return {
        prefix + name: test(data, other)
        for name, test in _CLOSENESS.items()
        for prefix, other in others.items()
    }


@torch.no_grad()
def knowable_rate(adversary: Adversary, sequences: Sequence[Any], seed: int = 0) -> float:
    """Share of frames whose class (as ζ sees it) the generator could know from its input z alone.

    To make that class the least likely one, g has to know it. With ``pivot="mean"`` z tells a sequence, no
    frame of it: at best g knows the class that most of its frames have. With ``pivot="frame"`` it is the
    share of frames of which ζ says of z ~ N(x, σ² I) what it says of x: lower the larger σ and the nearer the
    frames lie to ζ's boundaries. (A generator that removes some of z's noise may do a little better.)

    Raises
    ------
    ValueError
        Bad sequences.
    """
    checked = check_sequences(sequences, n_features=adversary.n_features_in_)
    frames = torch.cat(checked)
    device = adversary.classifier_.weight.device
    seen = adversary.classifier_(frames.to(device)).argmax(-1).cpu()
    if adversary.pivot == "mean":
        commonest = [int(torch.bincount(classes).max()) for classes in seen.split([len(s) for s in checked])]
        return sum(commonest) / len(frames)
    normal = torch.randn(
        frames.shape, generator=torch.Generator().manual_seed(seed % 2**63), dtype=torch.float32
    )
    guessed = adversary.classifier_((frames + adversary.sigma_ * normal).to(device)).argmax(-1).cpu()
    return float((guessed == seen).float().mean())
