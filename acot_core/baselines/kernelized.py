"""Kernelised rank pooling: an order-constrained subspace in a kernel's feature space (Sec. 4.2, Table 2)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from sklearn.kernel_approximation import Nystroem
from torch import Tensor

from acot_core._utils.checks import check_int, check_number
from acot_core._utils.progress import Callback
from acot_core.baselines.rank_pooling import ordered_subspace
from acot_core.pooling.base import SubspacePooling
from acot_core.sequences import CheckedSequences, PaddedSequences, resolve_seed
from acot_core.subspace.solve import working_bytes


@dataclass(repr=False, eq=False)
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

    n_subspaces: int = 1
    _: KW_ONLY
    beta1: float = 1.0
    beta2: float = 10.0
    eta: float = 0.01
    gamma: float | str = "scale"
    n_landmarks: int = 256
    n_iter: int = 5
    random_state: int | np.random.RandomState | np.random.Generator | None = 0

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.gamma != "scale":
            check_number("gamma", self.gamma, positive=True)
        if self.n_subspaces > check_int("n_landmarks", self.n_landmarks, least=1):
            raise ValueError(f"n_subspaces: {self.n_subspaces} exceeds n_landmarks = {self.n_landmarks}")

    def _fit(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> None:
        frames = torch.cat(sequences).double()
        spread = 2 * float((frames - frames.mean(0)).square().sum(1).mean())  # mean squared distance
        gamma = 1 / max(spread, 1e-12) if self.gamma == "scale" else float(self.gamma)
        n_landmarks = min(int(self.n_landmarks), len(frames))
        if n_landmarks < self.n_subspaces:
            raise ValueError(f"n_subspaces: {self.n_subspaces} exceeds the {len(frames)} training frames")
        seed = resolve_seed(self.random_state) % 2**32  # as much as numpy takes
        self.map_ = Nystroem(kernel="rbf", gamma=gamma, n_components=n_landmarks, random_state=seed)
        self.map_.fit(frames.numpy())

    def _pool(self, batch: PaddedSequences) -> Tensor:
        n_sequences, n, d = batch.frames.shape
        mapped = self.map_.transform(batch.frames.reshape(-1, d).double().numpy())
        frames = torch.from_numpy(mapped).float().reshape(n_sequences, n, -1) * batch.mask[:, :, None]
        return self._describe(batch, ordered_subspace(PaddedSequences(frames, batch.mask), self))

    def _bytes(self, n: int) -> int:
        landmarks = self.map_.n_components
        return 32 * n * (landmarks + self.n_features_in_) + working_bytes(n, n, landmarks, self.n_subspaces)
