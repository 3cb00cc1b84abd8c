"""Discriminative subspace pooling against noise (Sec. 4.2, Table 3: "Disc. Pool")."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.progress import Callback
from acot_core.gan.negatives import random_negatives
from acot_core.pooling.base import SubspacePooling
from acot_core.riemannian import Objective, conjugate_gradient
from acot_core.riemannian.grassmann import principal_subspace
from acot_core.sequences import CheckedSequences, PaddedSequences, resolve_seed


@dataclass(repr=False, eq=False)
class DiscriminativePooling(SubspacePooling):
    """A subspace that holds more of a sequence's frames than of noise, by a margin, and more with time.

    After Wang & Cherian (2018), "Learning discriminative video representations using adversarial
    perturbations", ECCV, and (2019), "Discriminative video representation learning using support vector
    classifiers", TPAMI. As in the paper's Table 3, the negatives are noise. The decision is taken on the
    energy in the subspace, which depends on the subspace alone: with pairs (x_t, y_t) of frame and negative,

        minimise (1/n) sum_t [margin - ||U'x_t||^2 + ||U'y_t||^2]_+  +  beta2 x the order term of Eq. (10).

    Parameters
    ----------
    n_subspaces : int
        Dimension k.
    margin : float
        By how much a frame's energy should exceed its negative's.
    beta2, eta : float
        Weight and margin of the order term.
    n_iter : int
        Iterations of the conjugate gradient.
    output : {"subspace", "projection"}
    random_state : int, generator or None
        Seed of the noise.
    """

    n_subspaces: int = 1
    _: KW_ONLY
    margin: float = 0.5
    beta2: float = 1.0
    eta: float = 0.01
    n_iter: int = 5
    output: str = "subspace"
    random_state: int | np.random.RandomState | np.random.Generator | None = 0

    def _fit(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> None:
        super()._fit(sequences, y, callback)
        self.seed_ = resolve_seed(self.random_state)

    def _bytes(self, n: int) -> int:
        return 64 * n * self.n_features_in_

    def _pool(self, batch: PaddedSequences) -> Tensor:
        noise = random_negatives(batch.unpad(), "1n", self.seed_).frames.to(batch.frames)
        loss = _MarginLoss(batch, noise, *map(float, (self.margin, self.beta2, self.eta)))
        start = principal_subspace(batch.frames, batch.mask, self.n_subspaces)
        return self._describe(batch, conjugate_gradient(loss, start, n_iter=int(self.n_iter)).point)


class _MarginLoss(Objective):
    """The objective of `DiscriminativePooling` for B sequences."""

    def __init__(
        self, batch: PaddedSequences, noise: Tensor, margin: float, beta2: float, eta: float
    ) -> None:
        self.margin, self.beta2, self.eta = margin, beta2, eta
        mask = batch.mask.to(batch.frames.dtype)
        self.weights = batch.weights  # (B, n)
        self.pair_weights = mask[:, 1:] / (mask.sum(1, keepdim=True) - 1).clamp_min(1)  # (B, n-1)
        self.rows = torch.cat([batch.frames, noise], 1)  # (B, 2n, d)

    def _hinges(self, energy: Tensor) -> tuple[Tensor, Tensor]:
        n = self.weights.shape[1]
        frames, noise = energy[:, :n], energy[:, n:]
        return self.margin - frames + noise, frames[:, :-1] + self.eta - frames[:, 1:]

    def value(self, U: Tensor) -> Tensor:
        apart, order = self._hinges((self.rows @ U).square().sum(2))
        return (self.weights * apart.relu()).sum(1) + self.beta2 * (self.pair_weights * order.relu()).sum(1)

    def gradient(self, U: Tensor) -> Tensor:
        E = self.rows @ U  # (2n,d) @ (d,k) -> (2n,k)
        apart, order = self._hinges(E.square().sum(2))
        open_ = self.weights * (apart > 0)
        slope = torch.cat([-open_, open_], 1)  # d loss / d energy, (B, 2n)
        active = self.beta2 * self.pair_weights * (order > 0)
        n = self.weights.shape[1]
        slope[:, : n - 1] += active
        slope[:, 1:n] -= active
        return 2 * self.rows.mT @ (slope[:, :, None] * E)
