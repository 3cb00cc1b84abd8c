"""Reduced coordinates: the subspace problem in the span of frames, images and starting point (Sec. 3.5).

Let the rows of Z be a sequence's frames, their images and the columns of the starting point U_0. The gradient
of Eq. (13) is Z' times a small matrix, so no step of a gradient method leaves the span of Z: with U = Z'C all
that changes is C (q, k). Inner products are those of the Gram matrix G = ZZ' (q, q), and the responses are
E = ZU = GC. One product with Z at the start, one at the end; nothing in between depends on d.

A vector is held as C stacked upon E, (B, 2q, k). Both halves obey the same linear operations, so that a
solver treats the stack as it would treat U, but for the inner product, which is C_1'E_2. No factor of G is
taken and none of its eigenvalues is divided by: repeated frames or a singular G change nothing. In exact
arithmetic every iterate is the one that d dimensions would give.

Coordinates are in double precision whatever the frames are in: where frames are nearly dependent, C is large
though U is not, and the coordinates are too small for the price to matter.
"""

from __future__ import annotations

import copy
from typing import NamedTuple, Self

import torch
from torch import Tensor

from acot_core.grassmann import principal_subspace, top_eigenvectors
from acot_core.memory import blocks
from acot_core.objective import ACOTObjective
from acot_core.response_line import Line, make_line

__all__ = ["FrameProducts", "ReducedObjective", "frame_products"]


class FrameProducts(NamedTuple):
    """Inner products XX' (B, n, n) and XP' (B, n, m) of frames and other rows, and norms ||p_j||^2 (B, m)."""

    xx: Tensor
    xp: Tensor
    pp: Tensor

    @property
    def norms(self) -> tuple[Tensor, Tensor]:
        """||x_i||^2 (B, n) and ||p_j||^2 (B, m)."""
        return self.xx.diagonal(dim1=1, dim2=2), self.pp

    def select(self, index: Tensor) -> FrameProducts:
        """Those of some of the sequences."""
        return FrameProducts(*(each[index] for each in self))


def frame_products(X: Tensor, P: Tensor) -> FrameProducts:
    """Products of frames X (B, n, d) with themselves and with rows P (B, m, d), in double precision."""
    n_sequences, n, m = len(X), X.shape[1], P.shape[1]
    products = X.new_empty(n_sequences, n, n + m, dtype=torch.float64)
    pp = X.new_empty(n_sequences, m, dtype=torch.float64)
    for part, rows in blocks(X, P):
        torch.bmm(rows[:, :n], rows.mT, out=products[part])  # (n,d) @ (d,n+m) -> (n,n+m)
        pp[part] = torch.linalg.vector_norm(rows[:, n:], dim=2).square_()
    return FrameProducts(products[:, :, :n], products[:, :, n:], pp)


class ReducedObjective:
    """An `ACOTObjective` in reduced coordinates.

    Parameters
    ----------
    objective : ACOTObjective
        Of p rows Z_0 (frames and images, or frames and negatives).
    initial : Tensor (B, d, k) or int k
        Orthonormal starting point, whose columns join the rows: q = p + k. Or the number of principal
        directions of the frames to start at, which lie in their span already: q = p.
    gram : Tensor (B, n, n), optional
        XX' in double precision, where it is known already.

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
        gram: Tensor | None = None,
    ) -> None:
        self.kinked = objective.kinked
        self.objective = objective.without_rows().to(torch.float64)
        self.metric = G = _gram(objective, gram)
        self.initial = None if isinstance(initial, int) else initial
        if isinstance(initial, int):
            C = _principal_coordinates(G, self.objective.weights > 0, initial)
            if C is not None:
                self.start = self._stack(C)
                return
            self.initial = principal_subspace(objective.frames.double(), objective.weights > 0, initial)
        assert self.initial is not None
        responses = _responses(objective, self.initial)  # (B, p, k)
        product = (self.initial.mT @ self.initial).double()
        right = torch.cat([responses, product], 1)  # (B, q, k)
        self.metric = torch.cat([torch.cat([G, responses.mT], 1), right], 2)
        C = torch.zeros_like(right)
        C[:, -right.shape[2] :] = torch.eye(right.shape[2]).to(right)
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

    def line(self, V: Tensor, D: Tensor, S: Tensor) -> Line:
        """The objective along a retraction; see `ACOTObjective.line`."""
        return make_line(self.objective, self._responses(V), self._responses(D), S)

    def _responses(self, V: Tensor) -> Tensor:
        q = self.metric.shape[1]
        return V[:, q : q + self.objective.n_responses]

    def _stack(self, C: Tensor) -> Tensor:
        # C'G instead of GC: several times faster for few columns on a CPU.
        return torch.cat([C, (C.mT @ self.metric).mT], 1)

    def lift(self, objective: ACOTObjective, V: Tensor) -> Tensor:
        """The subspaces U = Z'C (B, d, k) of stacked points, orthonormal in double precision.

        ``objective`` is the one this was made from, which holds the rows.
        """
        q, p = self.metric.shape[1], self.objective.n_responses
        U = V.new_empty(len(V), objective.frames.shape[2], V.shape[2])
        for part, rows in blocks(objective.frames, objective.partners):
            U[part] = (V[part, :p].mT @ rows).mT  # ((k,p) @ (p,d))' -> (d,k)
        if self.initial is not None:
            U += self.initial.to(V) @ V[:, p:q]
        # Rounding of Z'C is all there is to remove: one Cholesky step does.
        L = torch.linalg.cholesky_ex(U.mT @ U)[0]
        return torch.linalg.solve_triangular(L.mT, U, upper=True, left=False)


def _gram(objective: ACOTObjective, gram: Tensor | None) -> Tensor:
    """ZZ' (B, p, p); ``gram`` is XX', where it is known."""
    n, p = objective.frames.shape[1], objective.n_responses
    known = 0 if gram is None else n
    G = objective.frames.new_empty(len(objective), p, p, dtype=torch.float64)
    for part, rows in blocks(objective.frames, objective.partners):
        right = rows @ rows[:, known:].mT  # (p,d) @ (d,p-n) -> (p,p-n)
        G[part, :, known:], G[part, known:, :known] = right, right[:, :known].mT
        if gram is not None:
            G[part, :n, :n] = gram[part]
    return G


def _responses(objective: ACOTObjective, U: Tensor) -> Tensor:
    """ZU (B, p, k), in double precision."""
    U = U.double()
    E = U.new_empty(len(U), objective.n_responses, U.shape[2])
    for part, rows in blocks(objective.frames, objective.partners):
        torch.bmm(rows, U[part], out=E[part])  # (p,d) @ (d,k) -> (p,k)
    return E


def _principal_coordinates(gram: Tensor, real: Tensor, k: int) -> Tensor | None:
    """C (B, p, k) of the top-k principal directions of the frames; None where a sequence has fewer."""
    n = real.shape[1]
    if n < k:
        return None
    weight = real.to(gram)
    frames = (gram[:, :n, :n] * weight[:, :, None]).mul_(weight[:, None, :])
    values, vectors = top_eigenvectors(frames, k)  # (B, k), (B, n, k)
    if bool((values <= 1e-8 * values[:, :1]).any()):
        return None
    C = vectors / values.sqrt()[:, None, :]
    # Of u and -u, that of which the frames have more.
    sign = torch.where((frames @ C).sum(1, keepdim=True) < 0, -1.0, 1.0).to(C)
    return torch.nn.functional.pad(C * sign, (0, 0, 0, gram.shape[1] - n))
