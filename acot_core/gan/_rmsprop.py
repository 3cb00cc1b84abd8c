"""RMSprop with clipped weights, the optimiser of the WGAN (App. B.2): plain, and in one pass over memory.

    v <- α v + (1 - α) g²,   w <- w - r g / √(v + ε²),   then  w <- clip(w, -c, c)

After Tieleman & Hinton, with ε inside the root.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_BLOCK = 32768  # numbers per thread; four such arrays of float32 fit into a core's second-level cache


class RMSprop:
    """Steps down given gradients, one weight tensor after the other.

    Parameters
    ----------
    weights : sequence of leaf Tensors
        All on one device; changed in place by `step`.
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
        self._weights = list(weights)
        self.squares = torch.zeros_like(torch.cat([w.detach().reshape(-1) for w in weights]))

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """One step down ``gradients``, one for each weight and of its shape."""
        for weight, v, gradient in zip(self._weights, self._views(self.squares), gradients, strict=True):
            self._update(weight, v, gradient)

    def _update(self, w: Tensor, v: Tensor, g: Tensor) -> None:
        v.mul_(self.alpha).addcmul_(g, g, value=1 - self.alpha)
        w.addcmul_(g, (v + self.eps**2).rsqrt_(), value=-self.learning_rate)
        if self.clip is not None:
            w.clamp_(-self.clip, self.clip)

    def _views(self, flat: Tensor) -> list[Tensor]:
        """The parts of a flat tensor that belong to each weight, in its shape."""
        parts = flat.split([w.numel() for w in self._weights])
        return [values.view(w.shape) for values, w in zip(parts, self._weights, strict=True)]


class FusedRMSprop(RMSprop):
    """RMSprop in one pass over memory; the weights become views of one buffer.

    torch.optim.RMSprop goes through memory once per operation and weight, and takes √v by a routine that is
    5 to 30 times slower at zeros and subnormal numbers, of which a network of ReLUs with clipped weights is
    full. Here all operations are done on one block of the buffer, which fits into the cache, before the next;
    on a GPU the block is the whole buffer.

    Attributes
    ----------
    gradients : list of Tensor
        Room for the gradient of every weight, for whoever writes it there; `step` may be given this list.
    """

    def __init__(self, weights: Sequence[Tensor], learning_rate: float, *, clip: float | None = None) -> None:
        super().__init__(weights, learning_rate, clip=clip)
        self._flat = torch.cat([w.detach().reshape(-1) for w in weights])
        self._gradient = torch.zeros_like(self._flat)
        self.gradients = self._views(self._gradient)
        for weight, view in zip(weights, self._views(self._flat), strict=True):
            weight.data = view

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """One step down ``gradients``, one for each weight and of its shape."""
        if gradients is not self.gradients:
            torch.cat([g.reshape(-1) for g in gradients], out=self._gradient)
        size = len(self._flat) if self._flat.is_cuda else _BLOCK * torch.get_num_threads()
        blocks = (t.split(size) for t in (self._flat, self.squares, self._gradient))
        for w, v, g in zip(*blocks, strict=True):
            self._update(w, v, g)
