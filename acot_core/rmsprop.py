"""RMSprop with clipped weights, the optimiser of the WGAN (App. B.2), in one pass over memory.

    v <- α v + (1 - α) g²,   w <- w - r g / √(v + ε²),   then  w <- clip(w, -c, c)

After Tieleman & Hinton, with ε inside the root. torch.optim.RMSprop goes through memory once an operation and
a weight, and takes √v by a routine that is 5 to 30 times slower at zeros and subnormal numbers, of which a
network of ReLUs with clipped weights is full. Here all weights lie in one buffer, and all operations are done
on one block of it, which fits into the cache, before the next; on a GPU the block is the whole buffer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["RMSprop"]

_BLOCK = 32768  # numbers a thread; four such arrays of float32 fit into a core's second-level cache


class RMSprop:
    """Steps down given gradients.

    Parameters
    ----------
    weights : sequence of leaf Tensors
        All on one device; from now on views of one buffer, changed in place by `step`.
    learning_rate : float
        r.
    clip : float, optional
        c: the bound on every weight after the step; None for none.
    alpha, eps : float
        α and ε.

    Attributes
    ----------
    squares : Tensor
        v of all weights, one after the other: the whole state.
    gradients : list of Tensor
        Room for the gradient of every weight, for whoever writes it there; `step` may be given this list.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        learning_rate: float,
        *,
        clip: float | None = None,
        alpha: float = 0.99,
        eps: float = 1e-8,
    ) -> None:
        self.learning_rate, self.clip, self.alpha, self.eps = learning_rate, clip, alpha, eps
        self._flat = torch.cat([w.detach().reshape(-1) for w in weights])
        self.squares = torch.zeros_like(self._flat)
        self._gradient = torch.zeros_like(self._flat)
        self.gradients: list[Tensor] = []
        sizes = [w.numel() for w in weights]
        parts = zip(weights, self._flat.split(sizes), self._gradient.split(sizes), strict=True)
        for weight, part, gradient in parts:
            weight.data = part.view(weight.shape)
            self.gradients.append(gradient.view(weight.shape))

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """One step down ``gradients``, one for each weight and of its shape."""
        if gradients is not self.gradients:
            torch.cat([g.reshape(-1) for g in gradients], out=self._gradient)
        size = len(self._flat) if self._flat.is_cuda else _BLOCK * torch.get_num_threads()
        blocks = (t.split(size) for t in (self._flat, self.squares, self._gradient))
        for w, v, g in zip(*blocks, strict=True):
            v.mul_(self.alpha).addcmul_(g, g, value=1 - self.alpha)
            w.addcmul_(g, (v + self.eps**2).rsqrt_(), value=-self.learning_rate)
            if self.clip is not None:
                w.clamp_(-self.clip, self.clip)
