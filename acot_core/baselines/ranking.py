"""Rank pooling: a sequence is described by the direction along which its history grows with time."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.svm import SVR
from torch import Tensor

from acot_core.baselines.base import SequencePooling
from acot_core.sequences import PaddedSequences, normalize_frames

__all__ = ["RankPooling"]


class RankPooling(SequencePooling):
    """Parameters of the linear function that ranks the frames of a sequence by time.

    Fernando, Gavves, Oramas, Ghodrati & Tuytelaars (2017), "Rank pooling for action recognition", TPAMI 39:4
    (first: "Modeling video evolution for action recognition", CVPR 2015). The frames are smoothed by their
    running mean, each scaled to unit norm, and time is regressed on them by a linear support vector
    regression; its weights, scaled to unit norm, are the descriptor.

    Parameters
    ----------
    C : float
        Weight of the regression's errors.
    epsilon : float
        Errors up to this many frames are free.
    """

    def __init__(self, C: float = 1.0, *, epsilon: float = 0.1) -> None:
        self.C = C
        self.epsilon = epsilon

    def _check_parameters(self) -> None:
        if not self.C > 0:
            raise ValueError(f"C: expected a positive number, got {self.C!r}")
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon: expected a non-negative number, got {self.epsilon!r}")

    def _pool(self, batch: PaddedSequences) -> Tensor:
        return torch.stack([self._rank(frames) for frames in batch.unpad()])

    def _rank(self, frames: Tensor) -> Tensor:
        if len(frames) == 1:
            return frames[0]
        count = torch.arange(1, len(frames) + 1, dtype=frames.dtype)[:, None]
        smooth = normalize_frames(frames.cumsum(0) / count)
        time = np.arange(1, len(frames) + 1)
        model = SVR(kernel="linear", C=self.C, epsilon=self.epsilon)
        # Else libsvm's seed, which decides nothing here, is taken from numpy's global generator.
        model.random_state = 0
        direction = model.fit(smooth.double().numpy(), time).coef_[0]
        return normalize_frames(torch.tensor(direction, dtype=torch.float32))
