"""Supervised training of the image classifier and the auto-encoder of Sec. 4.3.

Both are trained on one set of images, with crops, flips and a one-cycle schedule, in bfloat16 where the
processor has it, and averaged over their last steps. Randomness comes from one torch.Generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acot_core.progress import Callback, Cancelled, Clock

__all__ = ["augment", "batches", "train_autoencoder", "train_classifier"]


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions of one epoch's batches, shuffled; what does not fill a batch is left out of this epoch."""
    order = torch.randperm(n, generator=generator)
    size = min(size, n)
    for start in range(0, n - size + 1, size):
        yield order[start : start + size]


def augment(images: Tensor, generator: torch.Generator, *, shift: int = 4, cut: int = 0) -> Tensor:
    """Random shifts (the border mirrored), horizontal flips and, if ``cut`` > 0, a grey square in each image.

    Parameters
    ----------
    images : Tensor (B, 3, H, W) in [0, 1]
    generator : torch.Generator
        On the CPU.
    shift, cut : int
        Largest shift and side of the square, in pixels.
    """
    n, _, height, width = images.shape
    device = images.device

    def draw(high: int) -> Tensor:
        return torch.randint(high, (n, 1), generator=generator).to(device)

    rows = torch.arange(height, device=device) + draw(2 * shift + 1)
    columns = torch.arange(width, device=device) + draw(2 * shift + 1)
    columns = torch.where(draw(2) == 1, columns.flip(1), columns)
    padded = F.pad(images, [shift] * 4, mode="reflect")
    first = torch.arange(n, device=device)[:, None, None]
    shifted = padded[first, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if cut:
        top, left = draw(height + 1) - cut // 2, draw(width + 1) - cut // 2
        y, x = torch.arange(height, device=device), torch.arange(width, device=device)
        inside = ((y >= top) & (y < top + cut))[:, :, None] & ((x >= left) & (x < left + cut))[:, None, :]
        shifted = torch.where(inside[:, None], 0.5, shifted)
    return shifted


def _autocast(device: torch.device) -> torch.autocast:
    """bfloat16 arithmetic where it is native."""
    native = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=native)


def _average(network: nn.Module) -> torch.optim.swa_utils.AveragedModel:
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    return torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=decay, use_buffers=True)


def train_classifier(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    n_epochs: int,
    batch_size: int = 128,
    learning_rate: float = 0.05,
    generator: torch.Generator,
    callback: Callback | None = None,
) -> nn.Module:
    """Train the image classifier by cross-entropy with smoothed labels.

    Parameters
    ----------
    network : nn.Module
        Images to logits; it is trained in place.
    images : uint8 Tensor (N, 3, 32, 32)
    labels : int64 Tensor (N,)
    n_epochs, batch_size, learning_rate
        Length of the one-cycle schedule, images a step, its peak.
    generator : torch.Generator
        Order of the images and augmentation.
    callback : callable, optional
        Told the loss once an epoch; `Cancelled` raised by it leaves the network as it is then.

    Returns
    -------
    The averaged network, in evaluation mode.
    """
    pixels = images.float() / 255
    network.get_buffer("mean").copy_(pixels.mean((0, 2, 3), keepdim=True))
    network.get_buffer("std").copy_(pixels.std((0, 2, 3), keepdim=True))
    decayed = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": 1e-3}, {"params": rest, "weight_decay": 0.0}],
        lr=learning_rate,
        momentum=0.9,
        nesterov=True,
    )

    def loss(rows: Tensor) -> Tensor:
        x = augment(images[rows].float() / 255, generator, cut=10)
        return F.cross_entropy(network(x), labels[rows], label_smoothing=0.1)

    return _fit(
        network,
        loss,
        optimizer,
        learning_rate,
        len(images),
        n_epochs,
        batch_size,
        generator,
        "classifier",
        callback,
    )


def train_autoencoder(
    network: nn.Module,
    images: Tensor,
    *,
    n_epochs: int,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    generator: torch.Generator,
    callback: Callback | None = None,
) -> nn.Module:
    """Train the auto-encoder by the mean squared error of its reconstructions.

    Parameters and answer as in `train_classifier`.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)

    def loss(rows: Tensor) -> Tensor:
        x = augment(images[rows].float() / 255, generator)
        return F.mse_loss(network(x), x)

    return _fit(
        network,
        loss,
        optimizer,
        learning_rate,
        len(images),
        n_epochs,
        batch_size,
        generator,
        "auto-encoder",
        callback,
    )


def _fit(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    learning_rate: float,
    n_images: int,
    n_epochs: int,
    batch_size: int,
    generator: torch.Generator,
    stage: str,
    callback: Callback | None,
) -> nn.Module:
    device = next(network.parameters()).device
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    n_steps = n_epochs * max(n_images // min(batch_size, n_images), 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=n_steps + 1, pct_start=0.2, cycle_momentum=False
    )
    average = _average(network)
    clock = Clock(stage, n_epochs, callback)
    try:
        for epoch in range(n_epochs):
            total = torch.zeros((), device=device)
            n_batches = 0
            for rows in batches(n_images, batch_size, generator):
                with _autocast(device):
                    value = loss(rows.to(device))
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
                total += value.detach()
                n_batches += 1
            clock.report(epoch + 1, loss=float(total) / n_batches)
    except Cancelled:
        pass
    network.load_state_dict(average.module.state_dict())
    return network.eval()
