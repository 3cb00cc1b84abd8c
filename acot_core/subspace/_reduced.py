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
though U is not, and the coordinates are too small for its cost to matter.
"""

from __future__ import annotations

import copy
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.blocks import blocks
from acot_core.riemannian.grassmann import principal_subspace, top_eigenvectors
from acot_core.riemannian.problem import Line, Objective
from acot_core.subspace.objective import ACOTObjective, barycentric_images, make_line


class FrameProducts(NamedTuple):
    """Inner products XP' (B, n, m) of frames and other rows, squared norms, and all of [X; P] or None."""

    xp: Tensor
    x_norms: Tensor  # (B, n)
    p_norms: Tensor  # (B, m)
    gram: Tensor | None  # (B, n + m, n + m)

    def select(self, index: Tensor) -> FrameProducts:
        """Products of some of the sequences."""
        return FrameProducts(*(None if each is None else each[index] for each in self))  # type: ignore[arg-type]

    def of_images(self, plan: Tensor) -> Tensor | None:
        """ZZ' (B, 2n, 2n) of the frames and their barycentric images, from the products that are there."""
        if self.gram is None:
            return None
        n = plan.shape[1]
        right = barycentric_images(plan, self.gram[:, n:])  # TX' and TY' (B, n, n + m)
        G = plan.new_empty(len(plan), 2 * n, 2 * n, dtype=torch.float64)
        G[:, :n, :n], G[:, n:, :n], G[:, :n, n:] = self.gram[:, :n, :n], right[:, :, :n], right[:, :, :n].mT
        G[:, n:, n:] = barycentric_images(plan, right[:, :, n:].mT)
        return G


def frame_products(X: Tensor, P: Tensor) -> FrameProducts:
    """Products of frames X (B, n, d) with rows P (B, m, d), in double precision.

    Where both together are fewer than the features, and P are not many, those of all of them with one
    another: then nothing that follows needs a product of d numbers until the subspace is lifted.
    """
    n, m, d = X.shape[1], P.shape[1], X.shape[2]
    everything = n + m < d and m <= 4 * n
    left = n + m if everything else n
    products = X.new_empty(len(X), left, left if everything else m, dtype=torch.float64)
    norms = X.new_empty(len(X), n + m, dtype=torch.float64)
    for at, rows in blocks(X, P):
        if everything:
            _symmetric(rows, products[at])
        else:
            torch.bmm(rows[:, :n], rows[:, n:].mT, out=products[at])  # (n,d) @ (d,m) -> (n,m)
            norms[at] = torch.linalg.vector_norm(rows, dim=2).square_()
    if not everything:
        return FrameProducts(products, norms[:, :n], norms[:, n:], None)
    norms = products.diagonal(dim1=1, dim2=2)
    return FrameProducts(products[:, :n, n:], norms[:, :n], norms[:, n:], products)


def _symmetric(rows: Tensor, out: Tensor) -> None:
    """ZZ' of rows Z (B, p, d), into (B, p, p)."""
    if rows.device.type == "cpu":  # numpy sees that the product is symmetric, and takes half the operations
        np.matmul(rows.numpy(), rows.mT.numpy(), out=out.numpy())
    else:
        torch.bmm(rows, rows.mT, out=out)


class ReducedObjective(Objective):
    """An `ACOTObjective` in reduced coordinates.

    Parameters
    ----------
    objective : ACOTObjective
        Of p rows Z_0 (frames and images, or frames and negatives).
    initial : Tensor (B, d, k) or int k
        Orthonormal starting point, whose columns join the rows: q = p + k. Or the number of principal
        directions of the frames to start at, which lie in their span already: q = p.
    gram : Tensor (B, p, p), optional
        Z_0 Z_0' in double precision, where it is known already.

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
        self.objective = objective.without_rows().to(torch.float64)
        self.metric = G = _gram(objective) if gram is None else gram
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

    @property
    def kinked(self) -> bool:
        """Whether the objective has kinks."""
        return self.objective.kinked

    def select(self, index: Tensor | slice) -> Self:
        """The objective of some of the sequences."""
        selected = copy.copy(self)
        selected.objective = self.objective.select(index)
        selected.metric = self.metric[index]
        return selected

    def gram(self, U: Tensor, V: Tensor) -> Tensor:
        """U'V of two stacked vectors: (B, k, k)."""
        q = self.metric.shape[1]
        if U.shape[2] == 1:
            return (U[:, :q] * V[:, q:]).sum(1, keepdim=True)
        return U[:, :q].mT @ V[:, q:]

    def inner(self, U: Tensor, V: Tensor) -> Tensor:
        """Inner product of two stacked vectors: (B,)."""
        q = self.metric.shape[1]
        return (U[:, :q] * V[:, q:]).sum((1, 2))

    def refresh(self, U: Tensor) -> Tensor:
        """The stacked vector with its responses computed anew, free of accumulated rounding."""
        return self._stack(U[:, : self.metric.shape[1]])

    def value(self, U: Tensor) -> Tensor:
        """Objective at stacked points: (B,)."""
        return self.objective.response_value(self._responses(U))

    def gradient(self, U: Tensor) -> Tensor:
        """Stacked Euclidean gradient: (B, 2q, k)."""
        return self.smoothed_gradient(U, None)

    def smoothed_gradient(self, U: Tensor, band: Tensor | None) -> Tensor:
        """Stacked gradient with the hinge's kink spread; see `ACOTObjective.response_gradient`."""
        C = self.objective.response_gradient(self._responses(U), band)
        return self._stack(torch.nn.functional.pad(C, (0, 0, 0, self.metric.shape[1] - C.shape[1])))

    def line(self, U: Tensor, D: Tensor, S: Tensor) -> Line:
        """The objective along a retraction; see `ACOTObjective.line`."""
        return make_line(self.objective, self._responses(U), self._responses(D), S)

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
        C = objective.spread(V[:, :p])
        for at, rows in blocks(objective.frames, objective.partners):
            U[at] = (C[at].mT @ rows).mT  # ((k,p) @ (p,d))' -> (d,k)
        if self.initial is not None:
            U += self.initial.to(V) @ V[:, p:q]
        # Rounding of Z'C is all there is to remove: one Cholesky step does.
        L = torch.linalg.cholesky_ex(U.mT @ U)[0]
        return torch.linalg.solve_triangular(L.mT, U, upper=True, left=False)


def _gram(objective: ACOTObjective) -> Tensor:
    """ZZ' (B, p, p)."""
    objective, p = objective.with_images(), objective.n_responses
    G = objective.frames.new_empty(len(objective), p, p, dtype=torch.float64)
    for at, rows in blocks(objective.frames, objective.partners):
        _symmetric(rows, G[at])  # (p,d) @ (d,p) -> (p,p)
    return G


def _responses(objective: ACOTObjective, U: Tensor) -> Tensor:
    """ZU (B, p, k), in double precision."""
    objective, U = objective.with_images(), U.double()
    E = U.new_empty(len(U), objective.n_responses, U.shape[2])
    for at, rows in blocks(objective.frames, objective.partners):
        torch.bmm(rows, U[at], out=E[at])  # (p,d) @ (d,k) -> (p,k)
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
    # Of u and -u the one on which the frames' projections sum to >= 0.
    sign = torch.where((frames @ C).sum(1, keepdim=True) < 0, -1.0, 1.0).to(C)
    return torch.nn.functional.pad(C * sign, (0, 0, 0, gram.shape[1] - n))
