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
from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from acot_core.grassmann import principal_subspace, top_eigenvectors
from acot_core.objective import ACOTObjective
from acot_core.response_line import Line, make_line

__all__ = ["ReducedObjective"]


class ReducedObjective:
    """An `ACOTObjective` in reduced coordinates.

    Parameters
    ----------
    objective : ACOTObjective
        Of p rows Z_0 (frames and images, or frames and negatives).
    initial : Tensor (B, d, k) or int k
        Orthonormal starting point, whose columns join the rows: q = p + k. Or the number of principal
        directions of the frames to start at, which lie in their span already: q = p.
    dtype : torch.dtype
        Precision of the coordinates. Double by default: where frames are nearly dependent, C is large though
        U is not, and the coordinates are too small for the price to matter.
    block_bytes : int
        Memory the products with Z may take beside the result; small enough to stay in the cache.

    Attributes
    ----------
    metric : Tensor (B, q, q)
        G.
    start : Tensor (B, 2q, k)
        The starting point, stacked.
    initial : Tensor (B, d, k) or None
        The starting point that joined the rows.
    """

    def __init__(
        self,
        objective: ACOTObjective,
        initial: Tensor | int,
        *,
        dtype: torch.dtype = torch.float64,
        block_bytes: int = 2**21,
    ) -> None:
        self.kinked = objective.kinked
        self.objective = objective.without_rows().to(dtype)
        self.metric = G = _gram(objective, dtype, block_bytes)
        self.initial = None if isinstance(initial, int) else initial
        if isinstance(initial, int):
            C = _principal_coordinates(G, self.objective.weights > 0, initial)
            if C is not None:
                self.start = self._stack(C)
                return
            self.initial = principal_subspace(objective.frames, objective.weights > 0, initial)
        assert self.initial is not None
        responses = _responses(objective, self.initial, dtype, block_bytes)  # (B, p, k)
        product = (self.initial.mT @ self.initial).to(dtype)
        right = torch.cat([responses, product], 1)  # (B, q, k)
        self.metric = torch.cat([torch.cat([G, responses.mT], 1), right], 2)
        C = torch.zeros_like(right)
        C[:, -right.shape[2] :] = torch.eye(right.shape[2], dtype=dtype, device=right.device)
        self.start = torch.cat([C, right], 1)

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
        return self._stack(torch.nn.functional.pad(C, (0, 0, 0, self.metric.shape[1] - C.shape[1])))

    def line(self, V: Tensor, D: Tensor) -> Line:
        """The objective along a retraction; see `ACOTObjective.line`."""
        return make_line(self.objective, self._responses(V), self._responses(D), self.gram(D, D))

    def _responses(self, V: Tensor) -> Tensor:
        q = self.metric.shape[1]
        return V[:, q : q + self.objective.n_responses]

    def _stack(self, C: Tensor) -> Tensor:
        # C'G instead of GC: several times faster for few columns on a CPU.
        return torch.cat([C, (C.mT @ self.metric).mT], 1)

    def lift(self, objective: ACOTObjective, V: Tensor) -> Tensor:
        """The subspaces U = Z'C (B, d, k) of stacked points, orthonormal in the frames' precision.

        ``objective`` is the one this was made from, which holds the rows.
        """
        p = self.objective.n_responses
        C = V[:, : self.metric.shape[1]].to(objective.frames.dtype)
        U = objective.combine(C[:, :p])
        if self.initial is not None:
            U = U + self.initial @ C[:, p:]
        # Rounding of Z'C is all there is to remove: one Cholesky step does.
        L = torch.linalg.cholesky_ex((U.mT @ U).double())[0].to(U)
        return torch.linalg.solve_triangular(L.mT, U, upper=True, left=False)


def _blocks(objective: ACOTObjective, dtype: torch.dtype, block_bytes: int) -> Iterator[slice]:
    n, d = objective.frames.shape[1:]
    block = max(1, block_bytes // ((n + objective.partners.shape[1]) * d * dtype.itemsize))
    return (slice(i, i + block) for i in range(0, len(objective), block))


def _gram(objective: ACOTObjective, dtype: torch.dtype, block_bytes: int) -> Tensor:
    """ZZ' (B, p, p), in blocks of sequences."""
    n, p = objective.frames.shape[1], objective.n_responses
    G = torch.empty(len(objective), p, p, dtype=dtype, device=objective.frames.device)
    for part in _blocks(objective, dtype, block_bytes):
        X, P = objective.frames[part].to(dtype), objective.partners[part].to(dtype)
        if objective.mixing is not None:
            P = objective.mixing[part].to(dtype) @ P  # (n,m) @ (m,d) -> (n,d)
        G[part, :n, :n] = X @ X.mT  # (n,d) @ (d,n) -> (n,n)
        G[part, :n, n:] = X @ P.mT
        G[part, n:, :n] = G[part, :n, n:].mT
        G[part, n:, n:] = P @ P.mT
    return G


def _responses(objective: ACOTObjective, U: Tensor, dtype: torch.dtype, block_bytes: int) -> Tensor:
    """ZU (B, p, k), in blocks of sequences."""
    E = torch.empty(len(U), objective.n_responses, U.shape[2], dtype=dtype, device=U.device)
    for part in _blocks(objective, dtype, block_bytes):
        E[part] = objective.select(part).to(dtype).responses(U[part].to(dtype))
    return E


def _principal_coordinates(gram: Tensor, real: Tensor, k: int) -> Tensor | None:
    """C (B, p, k) of the top-k principal directions of the frames; None where a sequence has fewer."""
    n = real.shape[1]
    if n < k:
        return None
    frames = gram[:, :n, :n] * (real[:, :, None] & real[:, None, :])
    values, vectors = top_eigenvectors(frames, k)  # (B, k), (B, n, k)
    if bool((values <= 1e-8 * values[:, :1]).any()):
        return None
    C = vectors / values.sqrt()[:, None, :]
    # Of u and -u, that of which the frames have more.
    sign = torch.where((frames @ C).sum(1, keepdim=True) < 0, -1.0, 1.0).to(C)
    return torch.nn.functional.pad(C * sign, (0, 0, 0, gram.shape[1] - n))
