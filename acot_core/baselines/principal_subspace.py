"""Principal directions of a sequence: the subspace of ACOT without contrast and order (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from torch import Tensor

from acot_core.pooling.base import SubspacePooling
from acot_core.riemannian.grassmann import principal_subspace
from acot_core.sequences import PaddedSequences


@dataclass(repr=False, eq=False)
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

    n_subspaces: int = 1
    _: KW_ONLY
    output: str = "subspace"
    device: str = "cpu"

    def _bytes(self, n: int) -> int:
        return 16 * n * self.n_features_in_ + 32 * min(n, self.n_features_in_) ** 2

    def _pool(self, batch: PaddedSequences) -> Tensor:
        return self._describe(batch, principal_subspace(batch.frames, batch.mask, self.n_subspaces))
