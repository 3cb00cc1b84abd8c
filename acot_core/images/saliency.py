"""Saliency maps: where an image classifier looks (Sec. 4.3).

"The noise impacts regions of the image that are likely to be useful for recognition" is measured so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def occlusion_map(
    classifier: nn.Module, images: Tensor, labels: Tensor, *, patch: int = 8, stride: int = 4
) -> Tensor:
    """Occlusion map: the fall of the true class's logit when a patch is painted in the image's mean colour.

    Parameters
    ----------
    classifier : nn.Module
        Images (B, 3, H, W) to logits.
    images, labels : Tensor (N, 3, H, W) in [0, 1], int64 Tensor (N,)
    patch, stride : int
        Side of the square patch and the distance between patches, in pixels.

    Returns
    -------
    Tensor (N, H, W)
        Mean fall over the patches that cover a pixel, in logits; a rise counts as zero.
    """
    _, _, height, width = images.shape
    mean = images.mean((2, 3))[:, :, None, None]
    before = classifier(images).gather(1, labels[:, None]).squeeze(1)
    total, cover = torch.zeros_like(images[:, 0]), torch.zeros_like(images[0, 0])
    for top in range(-patch // 2, height - patch // 2, stride):
        for left in range(-patch // 2, width - patch // 2, stride):
            rows, columns = slice(max(top, 0), top + patch), slice(max(left, 0), left + patch)
            occluded = images.clone()
            occluded[:, :, rows, columns] = mean
            after = classifier(occluded).gather(1, labels[:, None]).squeeze(1)
            total[:, rows, columns] += (before - after).clamp_min(0)[:, None, None]
            cover[rows, columns] += 1
    return total / cover


@torch.enable_grad()
def gradient_map(
    classifier: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    n_samples: int = 8,
    noise: float = 0.05,
    generator: torch.Generator,
) -> Tensor:
    """Gradient map |d logit / d pixel| of the true class, a mean over noisy copies (SmoothGrad). (N, H, W)"""
    total = torch.zeros_like(images[:, 0])
    for _ in range(n_samples):
        jitter = torch.randn(images.shape, generator=generator, dtype=torch.float32).to(images.device)
        x = (images + noise * jitter).requires_grad_()
        logit = classifier(x).gather(1, labels[:, None]).sum()
        total += torch.autograd.grad(logit, x)[0].abs().sum(1)
    return total / n_samples


def noise_map(noise: Tensor) -> Tensor:
    """Strength of the noise at each pixel: its norm over the colours. (..., 3, H, W) -> (..., H, W)"""
    return torch.linalg.vector_norm(noise, dim=-3)


def overlap(strength: Tensor, saliency: Tensor, share: float = 0.25) -> Tensor:
    """Share of the noise that falls on the most salient pixels; ``share`` is what chance would give.

    Parameters
    ----------
    strength, saliency : Tensor (N, H, W)
        Non-negative.
    share : float
        Which part of the pixels counts as salient.

    Returns
    -------
    Tensor (N,)
        Sum of ``strength`` over the salient pixels by its sum over all.
    """
    flat = strength.flatten(1)
    k = round(share * flat.shape[1])
    # Ties (where occlusion does nothing) are broken by a blur, so that no corner is preferred.
    blurred = F.avg_pool2d(saliency[:, None], 3, 1, 1, count_include_pad=False).flatten(1)
    top = (saliency.flatten(1) + 1e-3 * blurred).topk(k).indices
    return flat.gather(1, top).sum(1) / flat.sum(1).clamp_min(torch.finfo(flat.dtype).tiny)
