"""The frame classifier ζ that the adversary has to fool (Sec. 3.3; App. B.1 "Classifier", B.2).

One linear layer, FCN(d, c), trained on single frames against the label of their sequence, for 500 iterations
and before the generator: "more training resulted in overfitting, and thus posed difficulties when training
the subsequent adversarial network". From then on it is frozen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from acot_core._utils.progress import Callback, Clock

__all__ = ["accuracy", "fooling_rate", "linear", "misclassification_rate", "train_frame_classifier"]


def linear(n_in: int, n_out: int, generator: torch.Generator, device: torch.device) -> nn.Linear:
    """A linear layer with torch's usual start, U(±1/√n_in), drawn from ``generator`` (a CPU generator)."""
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=torch.float32)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-(n_in**-0.5), n_in**-0.5, generator=generator)
    return layer.to(device)


@torch.inference_mode(False)
@torch.enable_grad()  # whatever the caller has switched off
def train_frame_classifier(
    frames: Tensor,
    targets: Tensor,
    n_classes: int,
    *,
    generator: torch.Generator,
    n_iter: int = 500,
    learning_rate: float = 1e-3,
    batch_size: int = 256,
    callback: Callback | None = None,
) -> nn.Linear:
    """Train ζ by RMSprop on the cross-entropy of softmax(ζ(x)) and return it frozen.

    Parameters
    ----------
    frames : Tensor (T, d)
        Frames of all sequences.
    targets : int64 Tensor (T,)
        Class of each frame's sequence, in [0, n_classes).
    generator : torch.Generator
        A CPU generator: start and batches.
    n_iter, learning_rate, batch_size : int, float, int
        Iterations, rate and frames per iteration.
    callback : callable, optional
        Gets a `Progress` every 50 iterations. If it raises `Cancelled`, that is passed on.

    Returns
    -------
    nn.Linear
        d -> n_classes, ``requires_grad`` off.
    """
    classifier = linear(frames.shape[1], n_classes, generator, frames.device)
    optimiser = torch.optim.RMSprop(classifier.parameters(), lr=learning_rate)
    clock = Clock("classifier", n_iter, callback)
    for step in range(1, n_iter + 1):
        batch = torch.randint(len(frames), (batch_size,), generator=generator).to(frames.device)
        loss = nn.functional.cross_entropy(classifier(frames[batch]), targets[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 50 == 0 or step == n_iter:
            clock.report(step)
    return classifier.requires_grad_(False)


@torch.no_grad()
def accuracy(classifier: nn.Module, frames: Tensor, targets: Tensor) -> float:
    """Share of frames (T, d) whose largest logit is their target's."""
    return float((classifier(frames).argmax(-1) == targets).float().mean())


def fooling_rate(classifier: nn.Module, frames: Tensor, negatives: Tensor) -> Tensor:
    """Share of pairs (x, y) with argmin ζ(y) = argmax ζ(x) (App. B.2). (T, d), (T, d) -> scalar

    The class that ζ sees in the frame has become the *least* likely: by chance in 1 of c.
    """
    return (classifier(negatives).argmin(-1) == classifier(frames).argmax(-1)).float().mean()


def misclassification_rate(classifier: nn.Module, frames: Tensor, negatives: Tensor) -> Tensor:
    """Share of pairs (x, y) with argmax ζ(y) != argmax ζ(x): another class wins. (T, d), (T, d) -> scalar"""
    return (classifier(negatives).argmax(-1) != classifier(frames).argmax(-1)).float().mean()
