"""Subspaces without a contrast: principal directions, generalised rank pooling (Sec. 4.2, Tables 2 and 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from acot_core.baselines.base import SubspacePooling
from acot_core.grassmann import principal_subspace
from acot_core.objective import ACOTObjective
from acot_core.sequences import PaddedSequences
from acot_core.subspaces import solve_subspaces

__all__ = ["GRP", "PCASubspace", "ordered_subspace"]


class PCASubspace(SubspacePooling):
    """The k principal directions of a sequence, not centred: the subspace of least distortion.

    Pearson (1901), "On lines and planes of closest fit to systems of points in space". As a representation
    of image sets: Yamaguchi, Fukui & Maeda (1998), "Face recognition using temporal image sequence".

    Parameters
    ----------
    n_subspaces : int
        Dimension k.
    output : {"subspace", "projection"}
        U (N, d, k), or the mean of UU'X (N, d).
    device : str
    """

    def __init__(self, n_subspaces: int = 1, *, output: str = "subspace", device: str = "cpu") -> None:
        self.n_subspaces = n_subspaces
        self.output = output
        self.device = device

    def _pool(self, batch: PaddedSequences) -> Tensor:
        return self._describe(batch, principal_subspace(batch.frames, batch.mask, self.n_subspaces))


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
    >>> clips = planted(n_sequences=12, random_state=0).streams["features"]
    >>> GRP(n_subspaces=2).fit_transform(clips).shape
    (12, 64, 2)
    """

    def __init__(
        self,
        n_subspaces: int = 1,
        *,
        beta1: float = 1.0,
        beta2: float = 10.0,
        eta: float = 0.01,
        n_iter: int = 5,
        output: str = "subspace",
        device: str = "cpu",
    ) -> None:
        self.n_subspaces = n_subspaces
        self.beta1 = beta1
        self.beta2 = beta2
        self.eta = eta
        self.n_iter = n_iter
        self.output = output
        self.device = device

    def _pool(self, batch: PaddedSequences) -> Tensor:
        U = ordered_subspace(
            batch, self.n_subspaces, beta1=self.beta1, beta2=self.beta2, eta=self.eta, n_iter=self.n_iter
        )
        return self._describe(batch, U)


def ordered_subspace(
    batch: PaddedSequences, k: int, *, beta1: float, beta2: float, eta: float, n_iter: int
) -> Tensor:
    """Minimise distortion and order, no contrast, from the principal subspace: (B, d, k)."""
    # With images T = 0 the contrast (1/n) ||UU'X - T||^2 is the kept energy, a constant less the distortion,
    # so that it adds one to beta1.
    objective = ACOTObjective(
        batch.frames, torch.zeros_like(batch.frames), batch.mask, beta1=beta1 - 1, beta2=beta2, eta=eta
    )
    start = principal_subspace(batch.frames, batch.mask, k)
    return solve_subspaces(objective, start, n_iter=n_iter).point.to(start)  # in double precision
