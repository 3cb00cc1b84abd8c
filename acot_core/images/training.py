"""Supervised training of the image classifier and the auto-encoder of Sec. 4.3.

Both are trained with shifts, flips and a one-cycle schedule, in bfloat16 where the processor has it.
Randomness comes from one torch.Generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.gan.negatives import subtract
from acot_core.images.networks import AutoEncoder
from acot_core.sequences import normalize_frames


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffle positions into one epoch's batches; an incomplete last batch is dropped."""
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


def autocast(device: torch.device) -> torch.autocast:
    """Context of bfloat16 arithmetic where native; no cache, which would hold casts of stale weights."""
    native = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=native, cache_enabled=False)


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
        Length of the one-cycle schedule, images per step, peak rate.
    generator : torch.Generator
        Order of the images and augmentation.
    callback : callable, optional
        Told the loss once per epoch; `Cancelled` raised by it leaves the network as it is then.

    Returns
    -------
    The network with the average of its weights over the last few hundred steps, in evaluation mode.
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

    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    clock = Clock("classifier", n_epochs, callback)
    _fit(network, loss, optimizer, len(images), batch_size, generator, clock, average)
    network.load_state_dict(average.module.state_dict())
    # The statistics of batch normalisation are measured anew, for weights that were averaged.
    update_bn((rows.float() / 255 for rows in images.split(250)), network)
    return network.eval()


def harden_classifier(
    network: nn.Module,
    autoencoder: AutoEncoder,
    images: Tensor,
    labels: Tensor,
    *,
    n_epochs: int,
    noise: float = 0.3,
    batch_size: int = 64,
    learning_rate: float = 0.01,
    generator: torch.Generator,
    callback: Callback | None = None,
) -> nn.Module:
    """Fine-tune a classifier on images and on their decoded latents minus random noise.

    It then knows the decoder's blur, and untrained noise does not fool it: what the adversary achieves
    afterwards is its own.

    Parameters
    ----------
    autoencoder : AutoEncoder
        Trained; it stays as it is.
    noise : float
        Largest norm of the noise on a latent (of norm one); the norms are uniform in [0, noise].

    The other parameters as in `train_classifier`; the answer is the network itself, in evaluation mode.
    """
    optimizer = torch.optim.SGD(
        network.parameters(), lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4
    )

    def loss(rows: Tensor) -> Tensor:
        x = augment(images[rows].float() / 255, generator, cut=10)
        with torch.no_grad():
            latents = autoencoder.encode(x)
            random = normalize_frames(torch.randn(latents.shape, generator=generator, dtype=torch.float32))
            norms = noise * torch.rand((len(x), 1), generator=generator, dtype=torch.float32)
            decoded = autoencoder.decode(subtract(latents, (norms * random).to(latents.device)))
        return F.cross_entropy(network(torch.cat([x, decoded])), labels[rows].repeat(2), label_smoothing=0.1)

    autoencoder.eval()
    clock = Clock("classifier, hardened", n_epochs, callback)
    _fit(network, loss, optimizer, len(images), batch_size, generator, clock)
    return network.eval()


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

    Parameters as in `train_classifier`; the answer is the network itself, in evaluation mode.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)

    def loss(rows: Tensor) -> Tensor:
        x = augment(images[rows].float() / 255, generator)
        return F.mse_loss(network(x), x)

    clock = Clock("auto-encoder", n_epochs, callback)
    _fit(network, loss, optimizer, len(images), batch_size, generator, clock)
    return network.eval()


@torch.enable_grad()  # whatever the caller has switched off
def _fit(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    n_images: int,
    batch_size: int,
    generator: torch.Generator,
    clock: Clock,
    average: AveragedModel | None = None,
) -> None:
    """Descend ``loss`` (of a batch's positions) for the clock's epochs, one cycle of the learning rate."""
    device, rate = next(network.parameters()).device, optimizer.param_groups[0]["lr"]
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    n_steps = clock.total * max(n_images // min(batch_size, n_images), 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=n_steps + 1, pct_start=0.2, cycle_momentum=False
    )
    try:
        for epoch in range(clock.total):
            losses = []
            for rows in batches(n_images, batch_size, generator):
                with autocast(device):
                    value = loss(rows.to(device))
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                if average is not None:
                    average.update_parameters(network)
                losses.append(value.detach())
            clock.report(epoch + 1, loss=float(torch.stack(losses).mean()))
    except Cancelled:
        pass
