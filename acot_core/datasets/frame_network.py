"""The network behind the "trained" frame encoder, the part of the paper's fine-tuned VGG and I3D (Sec. 4).

One layer of ReLU units, dropout, and a linear classifier of single frames. Frames of a sequence resemble one
another, so a few hundred sequences are soon known by heart, and features that know them by heart look
different on new ones. Dropout on the features and weight decay keep the two alike. On three folds of the
training sequences of JHMDB a second layer of units, input noise, stronger dropout and two or three times as
many epochs gained nothing (average pooling and a linear SVM).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from acot_core._utils.progress import Callback, Clock

_DROPOUT = 0.5
_WEIGHT_DECAY = 0.01
_LEARNING_RATE = 2e-3
_BATCH = 512
_STEPS = 600
_PASSES = 5  # at least, over many frames
_REPORT_EVERY = 20


def frame_weights(lengths: Tensor) -> Tensor:
    """Weights of the frames of sequences of these lengths (N,): of mean one, with the same sum in each."""
    return (lengths.float().mean() / lengths).repeat_interleave(lengths)


@torch.enable_grad()
def train_frame_network(
    sequences: Sequence[Tensor],
    labels: np.ndarray,
    n_features: int,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    n_steps: int | None = None,
    callback: Callback | None = None,
) -> tuple[Tensor, Tensor]:
    """Train the network on the frames of some sequences and return its layer of ReLU units.

    Parameters
    ----------
    sequences : sequence of N Tensor (n_i, c)
        Standardised windows. Every sequence has the same weight, whatever its length.
    labels : array (N,)
        Classes of the sequences.
    n_features : int
        Number d of units.
    seed : int
        Seed of start, batches and dropout.
    device : str or torch.device
        Where to train; the result is on the CPU.
    n_steps : int, optional
        Steps of 512 frames, by default 600 or five passes over all frames, whichever is more; the learning
        rate falls to zero along half a cosine.
    callback : callable, optional
        Gets a `Progress` every 20 steps; if it raises `Cancelled`, that is passed on.

    Returns
    -------
    weight : Tensor (c, d)
    bias : Tensor (d,)
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    _, classes = np.unique(labels, return_inverse=True)
    targets = torch.from_numpy(classes).repeat_interleave(lengths).to(device)
    weights = frame_weights(lengths).to(device)
    frames = torch.cat(list(sequences)).to(device)
    draw = torch.Generator(device).manual_seed(seed)

    widths = [frames.shape[1], n_features, int(classes.max()) + 1]
    layers = []
    for n_in, n_out in pairwise(widths):
        start = (
            torch.randn(n_in, n_out, generator=draw, device=device, dtype=torch.float32) * (2 / n_in) ** 0.5
        )
        layers += [
            start.requires_grad_(),
            torch.zeros(n_out, device=device, requires_grad=True, dtype=torch.float32),
        ]
    first, first_bias, last, last_bias = layers
    optimiser = torch.optim.AdamW(layers, lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    n_steps = max(_STEPS, _PASSES * len(frames) // _BATCH) if n_steps is None else n_steps
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)

    clock = Clock("encoder", n_steps, callback)
    for step in range(1, n_steps + 1):
        batch = torch.randint(len(frames), (_BATCH,), generator=draw, device=device)
        features = (frames[batch] @ first + first_bias).relu()  # (b, c) @ (c, d) -> (b, d)
        active = torch.rand(features.shape, generator=draw, device=device, dtype=torch.float32) >= _DROPOUT
        logits = (features * active / (1 - _DROPOUT)) @ last + last_bias
        loss = (weights[batch] * cross_entropy(logits, targets[batch], reduction="none")).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % _REPORT_EVERY == 0 or step == n_steps:
            clock.report(step)
    return first.detach().cpu(), first_bias.detach().cpu()
