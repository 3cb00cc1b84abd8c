"""The critic's gradients in closed form: what autograd finds, without its bookkeeping (Eqs. 8 and 9).

`acot_core.gan.wgan.WGAN` takes this path unless ``fast=False``; a test holds the two to one another, bit for
bit in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def critic_gradients(
    weights: Sequence[Tensor], frames: Tensor, negatives: Tensor, out: Sequence[Tensor], *, mixed: bool
) -> Sequence[Tensor]:
    """Gradients of E h(y) - E h(x) by the weights and biases of the three-layer critic h, into ``out``.

    The loss is linear in the scores, so that none is computed: a frame's counts -1/B, a negative's 1/B.

    Parameters
    ----------
    weights : sequence of six Tensors
        Weight and bias of each layer (`acot_core.gan.wgan.MLP`).
    frames, negatives : Tensor (B, d), (B', d)
    out : sequence of six Tensors
        Of the weights' shapes; returned.
    mixed : bool
        Products in bfloat16.
    """
    kind = torch.bfloat16 if mixed else torch.float32
    w1, b1, w2, b2, w3, _ = (weight.to(kind) for weight in weights)
    rows = torch.cat([frames, negatives]).to(kind)
    first = torch.addmm(b1, rows, w1.T).relu_()
    second = torch.addmm(b2, first, w2.T).relu_()
    of_score = rows.new_full((len(rows), 1), 1 / len(negatives))
    of_score[: len(frames)] = -1 / len(frames)
    of_second = torch.ops.aten.threshold_backward(of_score * w3, second, 0)
    of_first = torch.ops.aten.threshold_backward(of_second @ w2, first, 0)
    layers = zip((of_first, of_second, of_score), (rows, first, second), strict=True)
    for (outer, inner), weight, bias in zip(layers, out[::2], out[1::2], strict=True):
        if mixed:
            weight.copy_(outer.T @ inner)
        else:
            torch.mm(outer.T, inner, out=weight)
        torch.sum(outer, 0, dtype=bias.dtype, out=bias)
    return out
