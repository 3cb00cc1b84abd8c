"""Rank pooling, and generalised rank pooling (GRP): a direction, or a subspace, that grows with time."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from sklearn.svm import SVR, LinearSVR
from torch import Tensor

from acot_core._utils.checks import check_number
from acot_core.pooling.base import SequencePooling, SubspacePooling
from acot_core.riemannian.grassmann import principal_subspace
from acot_core.sequences import PaddedSequences, normalize_frames
from acot_core.subspace.objective import ACOTObjective
from acot_core.subspace.solve import solve_subspaces, working_bytes

_LONG = 2000  # frames; libsvm's time grows with their square


@dataclass(repr=False, eq=False)
class RankPooling(SequencePooling):
    """Parameters of the linear function that ranks the frames of a sequence by time.

    Fernando, Gavves, Oramas, Ghodrati & Tuytelaars (2017), "Rank pooling for action recognition", TPAMI 39:4
    (first: "Modeling video evolution for action recognition", CVPR 2015). The frames are smoothed by their
    running mean, each scaled to unit norm, and time is regressed on them by a linear support vector
    regression; its weights, scaled to unit norm, are the descriptor. Of more than 2,000 frames it is solved
    by liblinear, whose time is linear in them; its direction is libsvm's to 2e-3.

    Parameters
    ----------
    C : float
        Weight of the regression's errors.
    epsilon : float
        Errors up to this many frames are free.
    """

    C: float = 1.0
    _: KW_ONLY
    epsilon: float = 0.1

    def _check_parameters(self) -> None:
        check_number("C", self.C, positive=True)
        check_number("epsilon", self.epsilon)

    def _pool(self, batch: PaddedSequences) -> Tensor:
        return torch.stack([self._rank(frames) for frames in batch.unpad()])

    def _rank(self, frames: Tensor) -> Tensor:
        if len(frames) == 1:
            return frames[0]
        count = torch.arange(1, len(frames) + 1, dtype=frames.dtype)[:, None]
        smooth = normalize_frames(frames.cumsum(0) / count)
        time = np.arange(1, len(frames) + 1)
        if len(frames) > _LONG:  # the same direction to 2e-3: the intercept has next to no penalty
            model: Any = LinearSVR(C=self.C, epsilon=self.epsilon, intercept_scaling=100, max_iter=20_000)
        else:
            model = SVR(kernel="linear", C=self.C, epsilon=self.epsilon, cache_size=16)  # MB
        # Else libsvm's seed, which decides nothing here, is taken from numpy's global generator.
        model.random_state = 0
        direction = model.fit(smooth.double().numpy(), time).coef_.ravel()
        return normalize_frames(torch.tensor(direction, dtype=torch.float32))


@dataclass(repr=False, eq=False)
class GRP(SubspacePooling):
    """Generalised rank pooling: the subspace of least distortion along which energy grows with time.

    Cherian, Fernando, Harandi & Gould (2017), "Generalized rank pooling for activity recognition", CVPR.
    It is Eq. (10) without the contrast, and is solved by the same conjugate gradient from the same start:
    minimise beta1 (1/n) ||UU'X - X||^2 + beta2 (1/(n-1)) sum_t [||U'x_t||^2 + eta - ||U'x_{t+1}||^2]_+.

    Parameters
    ----------
    n_subspaces : int
        Dimension k.
    beta1, beta2, eta : float
        Weights of distortion and order, and the order's margin. ``beta1=0`` is order alone.
    n_iter : int
        Iterations of the conjugate gradient.
    output : {"subspace", "projection"}
        U (N, d, k), or the mean of UU'X (N, d).
    device : str

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> sequences = planted(n_sequences=12, random_state=0).streams["features"]
    >>> GRP(n_subspaces=2).fit_transform(sequences).shape
    (12, 64, 2)
    """

    n_subspaces: int = 1
    _: KW_ONLY
    beta1: float = 1.0
    beta2: float = 10.0
    eta: float = 0.01
    n_iter: int = 5
    output: str = "subspace"
    device: str = "cpu"

    def _bytes(self, n: int) -> int:
        return working_bytes(n, n, self.n_features_in_, self.n_subspaces)

    def _pool(self, batch: PaddedSequences) -> Tensor:
        return self._describe(batch, ordered_subspace(batch, self))


def ordered_subspace(batch: PaddedSequences, weights: Any) -> Tensor:
    """Minimise distortion and order, no contrast, from the principal subspace: (B, d, k).

    ``weights`` holds ``n_subspaces``, ``beta1``, ``beta2``, ``eta`` and ``n_iter``, as `GRP` does.
    """
    # With images T = 0 the contrast (1/n) ||UU'X - T||^2 is the energy in U, a constant minus the distortion,
    # so that it adds one to beta1.
    objective = ACOTObjective(
        batch.frames,
        torch.zeros_like(batch.frames),
        batch.mask,
        beta1=weights.beta1 - 1,
        beta2=weights.beta2,
        eta=weights.eta,
    )
    start = principal_subspace(batch.frames, batch.mask, int(weights.n_subspaces))
    return solve_subspaces(objective, start, n_iter=int(weights.n_iter)).point.to(start)
