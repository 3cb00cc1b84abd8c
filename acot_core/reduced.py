"""Reduced coordinates: the subspace problem in the span of frames, images and starting point (Sec. 3.5).

Let the rows of Z be a sequence's frames, their images and the columns of the starting point U_0. The gradient
of Eq. (13) is Z' times a small matrix, so no step of a gradient method leaves the span of Z: with U = Z'C all
that changes is C (q, k). Inner products are those of the Gram matrix G = ZZ' (q, q), and the responses are
E = ZU = GC. One product with Z at the start, one at the end; nothing in between depends on d.

A vector is held as C stacked upon E, (B, 2q, k). Both halves obey the same linear operations, so that a
solver treats the stack as it would treat U, but for the inner product, which is C_1'E_2. No factor of G is
taken and none of its eigenvalues is divided by: repeated frames or a singular G change nothing. In exact
arithmetic every iterate is the one that d dimensions would give.
"""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor

from acot_core.objective import ACOTObjective
from acot_core.response_line import Line, make_line

__all__ = ["ReducedObjective", "lift"]


class ReducedObjective:
    """An `ACOTObjective` in reduced coordinates.

    Parameters
    ----------
    objective : ACOTObjective
        Of p rows Z_0 (frames and images, or frames and negatives).
    initial : Tensor (B, d, k)
        Orthonormal starting point, which joins the rows: q = p + k.
    dtype : torch.dtype
        Precision of the coordinates. Double by default: where frames are nearly dependent, C is large though
        U is not, and the coordinates are too small for the price to matter.
    block_bytes : int
        Memory the products with Z may take beside the result.

    Attributes
    ----------
    metric : Tensor (B, q, q)
        G.
    start : Tensor (B, 2q, k)
        The starting point, stacked.
    """

    def __init__(
        self,
        objective: ACOTObjective,
        initial: Tensor,
        *,
        dtype: torch.dtype = torch.float64,
        block_bytes: int = 2**23,
    ) -> None:
        n_sequences, p, k = len(initial), objective.n_rows, initial.shape[2]
        n, d = objective.frames.shape[1:]
        self.kinked = objective.kinked
        self.objective = objective.without_rows().to(dtype)
        self.metric = G = torch.empty(n_sequences, p + k, p + k, dtype=dtype, device=initial.device)
        block = max(1, block_bytes // ((n + objective.partners.shape[1]) * d * dtype.itemsize))
        for i in range(0, n_sequences, block):
            part = slice(i, i + block)
            X, P, U = (t[part].to(dtype) for t in (objective.frames, objective.partners, initial))
            if objective.mixing is not None:
                P = objective.mixing[part].to(dtype) @ P  # (n,m) @ (m,d) -> (n,d)
            G[part, :n, :n] = X @ X.mT  # (n,d) @ (d,n) -> (n,n)
            G[part, :n, n:p] = X @ P.mT
            G[part, n:p, :n] = G[part, :n, n:p].mT
            G[part, n:p, n:p] = P @ P.mT
            G[part, :n, p:] = X @ U  # (n,d) @ (d,k) -> (n,k)
            G[part, n:p, p:] = P @ U
            G[part, p:, :p] = G[part, :p, p:].mT
            G[part, p:, p:] = U.mT @ U
        C = torch.zeros_like(G[:, :, p:])
        C[:, p:] = torch.eye(k, dtype=dtype, device=initial.device)
        self.start = torch.cat([C, G[:, :, p:]], 1)

    def __len__(self) -> int:
        return len(self.metric)

    def select(self, index: Tensor) -> Self:
        """The objective of some of the sequences."""
        part = copy.copy(self)
        part.objective = self.objective.select(index)
        part.metric = self.metric[index]
        return part

    def gram(self, V: Tensor, W: Tensor) -> Tensor:
        """U'U of two stacked vectors: (B, k, k)."""
        q = self.metric.shape[1]
        if V.shape[2] == 1:
            return (V[:, :q] * W[:, q:]).sum(1, keepdim=True)
        return V[:, :q].mT @ W[:, q:]

    def inner(self, V: Tensor, W: Tensor) -> Tensor:
        """Inner product of two stacked vectors: (B,)."""
        q = self.metric.shape[1]
        return (V[:, :q] * W[:, q:]).sum((1, 2))

    def refresh(self, V: Tensor) -> Tensor:
        """The stacked vector with its responses computed anew, free of accumulated rounding."""
        return self._stack(V[:, : self.metric.shape[1]])

    def value(self, V: Tensor) -> Tensor:
        """Objective at stacked points: (B,)."""
        return self.objective.response_value(self._responses(V))

    def gradient(self, V: Tensor) -> Tensor:
        """Stacked Euclidean gradient: (B, 2q, k)."""
        return self.smoothed_gradient(V, None)

    def smoothed_gradient(self, V: Tensor, band: Tensor | None) -> Tensor:
        """Stacked gradient with the hinge's kink spread; see `ACOTObjective.response_gradient`."""
        C = self.objective.response_gradient(self._responses(V), band)
        return self._stack(torch.nn.functional.pad(C, (0, 0, 0, V.shape[2])))

    def line(self, V: Tensor, D: Tensor) -> Line:
        """The objective along a retraction; see `ACOTObjective.line`."""
        return make_line(self.objective, self._responses(V), self._responses(D), self.gram(D, D))

    def _responses(self, V: Tensor) -> Tensor:
        q, k = self.metric.shape[1], V.shape[2]
        return V[:, q : 2 * q - k]

    def _stack(self, C: Tensor) -> Tensor:
        # C'G instead of GC: several times faster for few columns on a CPU.
        return torch.cat([C, (C.mT @ self.metric).mT], 1)


def lift(objective: ACOTObjective, initial: Tensor, V: Tensor) -> Tensor:
    """The subspaces U = Z'C (B, d, k) of stacked points, orthonormal in the precision of the frames."""
    p, k = objective.n_rows, initial.shape[2]
    C = V[:, : p + k].to(initial)
    U = objective.combine(C[:, :p]) + initial @ C[:, p:]
    # Rounding of Z'C is all there is to remove: one Cholesky step does.
    L = torch.linalg.cholesky_ex((U.mT @ U).to(torch.float64))[0].to(U)
    return torch.linalg.solve_triangular(L.mT, U, upper=True, left=False)
