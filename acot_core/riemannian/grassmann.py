"""Geometry of the Grassmannian G(d, k): subspaces as orthonormal bases U (B, d, k) (Sec. 3.1 and 3.5).

A tangent vector at U is a matrix D with U'D = 0. Every function works on a batch, on the device and in the
dtype of its input.
"""

from __future__ import annotations

import torch
from torch import Tensor

from acot_core._utils.blocks import block_bytes
from acot_core._utils.checks import check_int, check_size, takes_reals

__all__ = [
    "distance",
    "orthonormalize",
    "principal_angles",
    "principal_subspace",
    "project",
    "projection_kernel",
    "random_point",
    "retract_polar",
    "retract_qr",
    "top_eigenvectors",
]


@takes_reals("U", "Z", finite=True)
def project(U: Tensor, Z: Tensor) -> Tensor:
    """Tangent part (I - UU')Z of an ambient vector Z at U, both (B, d, k).

    Examples
    --------
    >>> U = torch.eye(3)[None, :, :1]
    >>> project(U, torch.ones(1, 3, 1)).flatten().tolist()  # nothing along U is left
    [0.0, 1.0, 1.0]
    """
    return Z - U @ (U.mT @ Z)


@takes_reals("A", finite=True)
def orthonormalize(A: Tensor) -> Tensor:
    """Orthonormal basis of the columns of A (B, d, k): the Q factor whose R has a positive diagonal."""
    Q, R = torch.linalg.qr(A)
    sign = torch.where(torch.diagonal(R, dim1=-2, dim2=-1) < 0, -1, 1).to(A.dtype)
    return Q * sign[..., None, :]


@takes_reals("U", "D", finite=True)
def retract_qr(U: Tensor, D: Tensor) -> Tensor:
    """Retraction along the tangent vector D by the QR decomposition of U + D: (B, d, k).

    Examples
    --------
    >>> U, D = torch.eye(2)[None, :, :1], torch.tensor([[[0.0], [1.0]]])
    >>> [round(x, 3) for x in retract_qr(U, D).flatten().tolist()]  # halfway between the axes
    [0.707, 0.707]
    """
    return orthonormalize(U + D)


@takes_reals("U", "D", finite=True)
def retract_polar(U: Tensor, D: Tensor) -> Tensor:
    """Retraction along the tangent vector D by the polar factor of U + D: (B, d, k)."""
    left, _, right = torch.linalg.svd(U + D, full_matrices=False)
    return left @ right


def random_point(
    n_points: int,
    d: int,
    k: int,
    generator: torch.Generator,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Subspaces drawn uniformly: (B, d, k), on the generator's device."""
    n_points, d = check_int("n_points", n_points, least=0), check_int("d", d, least=1)
    k = check_size("k", k, d)
    A = torch.randn(n_points, d, k, generator=generator, dtype=dtype, device=generator.device)
    return orthonormalize(A)


@takes_reals("U", "V", finite=True)
def principal_angles(U: Tensor, V: Tensor) -> Tensor:
    """Principal angles of span U (B, d, k) and span V (B, d, l), radians, ascending: (B, min(k, l)).

    Examples
    --------
    >>> U, V = torch.eye(3)[None, :, :2], torch.eye(3)[None, :, 1:]  # two planes that share an axis
    >>> torch.rad2deg(principal_angles(U, V))
    tensor([[ 0., 90.]])
    """
    for name, basis in (("U", U), ("V", V)):
        error = (basis.mT @ basis - torch.eye(basis.shape[-1], dtype=U.dtype, device=U.device)).abs()
        if bool((error > 1e-2).any()):
            raise ValueError(
                f"{name}: expected orthonormal columns, got {name}'{name} off by {float(error.max()):.2g}"
            )
    if U.shape[-1] < V.shape[-1]:
        U, V = V, U
    cosine = torch.linalg.svdvals(U.mT @ V)  # descending
    sine = torch.linalg.svdvals(V - U @ (U.mT @ V)).flip(-1)  # ascending
    # The arc cosine loses half the digits of small angles, the arc sine those of large ones. Neither is asked
    # where the other is taken, since its slope is infinite there.
    large = cosine.square() < 0.5
    return torch.where(
        large, torch.arccos(torch.where(large, cosine, 0.5)), torch.arcsin(torch.where(large, 0.5, sine))
    )


@takes_reals("U", "V")
def distance(U: Tensor, V: Tensor) -> Tensor:
    """Geodesic distance: the l2 norm of the principal angles, (B,).

    Examples
    --------
    >>> U = torch.eye(3)[None, :, :1]
    >>> distance(U, -U)  # the same line
    tensor([0.])
    """
    return torch.linalg.vector_norm(principal_angles(U, V), dim=-1)


@takes_reals("U", "V", finite=True)
def projection_kernel(U: Tensor, V: Tensor, *, block_bytes: int = 2**28) -> Tensor:
    """The kernel's inner product of Eq. (14), ||U_i' V_j||_F^2, for all pairs, in blocks of rows.

    Parameters
    ----------
    U : Tensor (N, d, k)
    V : Tensor (M, d, l)
    block_bytes : int
        Memory a block of products may take.

    Returns
    -------
    Tensor (N, M)

    Examples
    --------
    >>> lines = torch.eye(3)[:2, :, None]
    >>> projection_kernel(lines, lines).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if U.ndim != 3 or V.ndim != 3 or U.shape[1] != V.shape[1]:
        raise ValueError(f"U, V: expected (N, d, k) and (M, d, l), got {tuple(U.shape)} and {tuple(V.shape)}")
    block_bytes = check_int("block_bytes", block_bytes, least=1)
    n, d, k = U.shape
    m, _, el = V.shape
    rows = V.permute(0, 2, 1).reshape(m * el, d)
    block = max(1, block_bytes // max(1, k * m * el * U.element_size()))
    kernel = U.new_empty(n, m)
    for start in range(0, n, block):
        bases = U[start : start + block]
        inner = bases.permute(0, 2, 1).reshape(-1, d) @ rows.T  # (bk,d) @ (d,Ml) -> (bk,Ml)
        kernel[start : start + block] = inner.reshape(len(bases), k, m, el).square().sum((1, 3))
    return kernel


@takes_reals("frames", axes=3, finite=True)
def principal_subspace(frames: Tensor, mask: Tensor | None, k: int) -> Tensor:
    """Top-k principal directions of each sequence: the start of the subspace step (Sec. 3.5).

    The frames are not centred, since f_U(x) = UU'x is linear. Where a sequence has fewer than k independent
    frames its basis is completed by coordinate directions, so that any k <= d works.

    Parameters
    ----------
    frames : Tensor (B, n, d)
    mask : bool Tensor (B, n), optional
        True where a row is a frame.
    k : int

    Returns
    -------
    Tensor (B, d, k)
        Orthonormal, by descending singular value; of each column the entry of largest magnitude is positive.

    Examples
    --------
    >>> frames = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> principal_subspace(frames, None, 1).flatten().tolist()
    [1.0, 0.0, 0.0]
    """
    n, d = frames.shape[1:]
    k = check_size("k", k, d)
    blocks = []
    block = max(1, block_bytes(frames.device) // (n * d * 8))
    for i in range(0, len(frames), block):
        X = frames[i : i + block].double()
        if mask is not None:
            X = X * mask[i : i + block, :, None]
        blocks.append(_principal_block(X, k).to(frames.dtype))
    return torch.cat(blocks)


def _principal_block(X: Tensor, k: int) -> Tensor:
    """Top-k right singular vectors of X (B, n, d) by way of XX' or X'X, the smaller: (B, d, k)."""
    n, d = X.shape[1:]
    rank = min(k, n)
    values, vectors = top_eigenvectors(X @ X.mT if n <= d else X.mT @ X, rank)
    # Directions that the square root of the rounding drowns are no directions of X.
    good = values > 1e-12 * values[:, :1]
    basis = X.new_zeros(len(X), d, k)
    vectors = vectors * good[:, None, :]
    basis[:, :, :rank] = X.mT @ vectors if n <= d else vectors
    if k == 1:
        basis = basis / torch.linalg.vector_norm(basis, dim=1, keepdim=True).clamp_min(1e-300)
    else:
        basis = orthonormalize(basis)
    basis[:, :, :rank] *= good[:, None, :]
    basis[:, :, rank:] = 0
    return _fix_signs(_complete(basis))


@takes_reals("A", axes=3, finite=True)
def top_eigenvectors(A: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """k largest eigenvalues (B, k), descending, and eigenvectors (B, n, k) of positive matrices (B, n, n).

    In double precision, by subspace iteration with more than k directions; where that has not converged to
    nine digits (eigenvalues hardly fall), or n is little larger than k, by a full decomposition.
    """
    k = check_size("k", k, A.shape[1])
    n, p = A.shape[1], 2 * k + 4
    if 2 * p > n:
        values, vectors = torch.linalg.eigh(A)
        return values[:, -k:].flip(1), vectors[:, :, -k:].flip(2)
    rows, columns = (torch.arange(1, size + 1, dtype=A.dtype, device=A.device) for size in (n, p))
    Q = torch.cos(torch.outer(rows, columns)).expand(len(A), n, p)  # generic, whatever the padding
    for _ in range(3):
        for _ in range(4):
            Q = torch.bmm(A, Q)
        Q = torch.linalg.qr(Q).Q
    values, turn = torch.linalg.eigh(Q.mT @ (A @ Q))
    values, vectors = values[:, -k:].flip(1), Q @ turn[:, :, -k:].flip(2)
    residual = torch.linalg.vector_norm(A @ vectors - vectors * values[:, None, :], dim=1)
    unsure = (residual > 1e-9 * values).any(1)
    if unsure.any():
        at = unsure.nonzero()[:, 0]
        everything = torch.linalg.eigh(A[at])
        values[at] = everything.eigenvalues[:, -k:].flip(1)
        vectors[at] = everything.eigenvectors[:, :, -k:].flip(2)
    return values, vectors


def _fix_signs(U: Tensor) -> Tensor:
    largest = U.gather(1, U.abs().argmax(1, keepdim=True))
    return U * torch.where(largest < 0, -1, 1).to(U.dtype)


def _complete(U: Tensor) -> Tensor:
    """Replace zero columns of an otherwise orthonormal U (B, d, k) by directions orthogonal to the rest."""
    missing = (U == 0).all(1)  # (B, k)
    if not missing.any():
        return U
    U = U.clone()
    for i, j in missing.nonzero().tolist():
        # The coordinate direction that the columns so far cover least.
        free = int((1 - U[i].square().sum(1)).argmax())
        column = torch.zeros_like(U[i, :, j])
        column[free] = 1
        for _ in range(2):  # twice is enough for orthogonality to rounding
            column = column - U[i] @ (U[i].T @ column)
            column = column / torch.linalg.vector_norm(column)
        U[i, :, j] = column
    return U
