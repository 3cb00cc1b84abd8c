"""Kernelised rank pooling: an order-constrained subspace in a kernel's feature space (Sec. 4.2, Table 2)."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.kernel_approximation import Nystroem
from torch import Tensor

from acot_core.baselines.base import SubspacePooling
from acot_core.baselines.subspaces import ordered_subspace
from acot_core.sequences import PaddedSequences, resolve_seed

__all__ = ["KRP"]


class KRP(SubspacePooling):
    """Order-constrained subspaces of the frames after a Gaussian kernel's feature map.

    Cherian, Sra, Gould & Hartley (2018), "Non-linear temporal subspace representations for activity
    recognition", CVPR: its variant KRP-FS. There the subspace is spanned by the mapped frames of its own
    sequence. Here the feature map is Nyström's (Williams & Seeger, 2001) on landmarks drawn from the training
    frames, so that the subspaces of all sequences live in one finite space and one solver serves all.

    Parameters
    ----------
    n_subspaces : int
        Dimension k.
    beta1, beta2, eta : float
        Weights of distortion and order, and the order's margin, all in the kernel's feature space.
    gamma : float or "scale"
        Of the kernel exp(-gamma ||x - x'||^2); "scale" is one over the mean squared distance of the frames.
    n_landmarks : int
        Dimension of the feature map, at most the number of training frames.
    n_iter : int
        Iterations of the conjugate gradient.
    random_state : int, generator or None
        Which frames become landmarks.

    Attributes
    ----------
    map_ : Nystroem
        The fitted feature map.
    """

    output = "subspace"

    def __init__(
        self,
        n_subspaces: int = 1,
        *,
        beta1: float = 1.0,
        beta2: float = 10.0,
        eta: float = 0.01,
        gamma: float | str = "scale",
        n_landmarks: int = 256,
        n_iter: int = 5,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    ) -> None:
        self.n_subspaces = n_subspaces
        self.beta1 = beta1
        self.beta2 = beta2
        self.eta = eta
        self.gamma = gamma
        self.n_landmarks = n_landmarks
        self.n_iter = n_iter
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.gamma != "scale" and not (isinstance(self.gamma, int | float) and self.gamma > 0):
            raise ValueError(f"gamma: expected a positive number or 'scale', got {self.gamma!r}")
        if self.n_landmarks < self.n_subspaces:
            raise ValueError(f"n_landmarks: expected at least k = {self.n_subspaces}, got {self.n_landmarks}")

    def _fit(self, sequences: list[Tensor]) -> None:
        frames = torch.cat(sequences).double()
        spread = 2 * float((frames - frames.mean(0)).square().sum(1).mean())  # mean squared distance
        gamma = 1 / max(spread, 1e-12) if self.gamma == "scale" else float(self.gamma)
        n_landmarks = min(self.n_landmarks, len(frames))
        if n_landmarks < self.n_subspaces:
            raise ValueError(f"n_subspaces: {self.n_subspaces} exceeds the {len(frames)} training frames")
        seed = resolve_seed(self.random_state)
        self.map_ = Nystroem(kernel="rbf", gamma=gamma, n_components=n_landmarks, random_state=seed)
        self.map_.fit(frames.numpy())

    def _pool(self, batch: PaddedSequences) -> Tensor:
        n_sequences, n, d = batch.frames.shape
        mapped = self.map_.transform(batch.frames.reshape(-1, d).double().numpy())
        frames = torch.from_numpy(mapped).float().reshape(n_sequences, n, -1) * batch.mask[:, :, None]
        U = ordered_subspace(
            PaddedSequences(frames, batch.mask),
            self.n_subspaces,
            beta1=self.beta1,
            beta2=self.beta2,
            eta=self.eta,
            n_iter=self.n_iter,
        )
        return self._describe(batch, U)
