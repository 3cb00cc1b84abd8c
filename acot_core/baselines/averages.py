"""Average and max pooling: the first row of Table 1 (Sec. 4.1, i) and its usual companion."""

from __future__ import annotations

import torch
from torch import Tensor

from acot_core.pooling.base import SequencePooling
from acot_core.sequences import PaddedSequences


class AveragePooling(SequencePooling):
    """The mean frame: Sec. 4.1 (i); the minimiser of the mean squared error to the frames (Sec. 3).

    Its use on frame features of a network is that of Simonyan & Zisserman (2014), "Two-stream convolutional
    networks for action recognition in videos", NeurIPS.

    Examples
    --------
    >>> AveragePooling().fit_transform([[[1.0, 0.0], [0.0, 1.0]]]).tolist()
    [[0.5, 0.5]]
    """

    def _pool(self, batch: PaddedSequences) -> Tensor:
        return (batch.weights[:, :, None] * batch.frames).sum(1)


class MaxPooling(SequencePooling):
    """The greatest value of each feature over the frames.

    As compared with averaging by Boureau, Ponce & LeCun (2010), "A theoretical analysis of feature pooling
    in visual recognition", ICML.
    """

    def _pool(self, batch: PaddedSequences) -> Tensor:
        hidden = ~batch.mask[:, :, None]
        return torch.where(hidden, -torch.inf, batch.frames).amax(1)
