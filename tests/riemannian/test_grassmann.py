"""Geometry of the Grassmannian against closed forms and naive loops."""

from __future__ import annotations

import math

import pytest
import torch

from acot_core.riemannian.grassmann import (
    distance,
    orthonormalize,
    principal_angles,
    principal_subspace,
    project,
    projection_kernel,
    random_point,
    retract_polar,
    retract_qr,
    top_eigenvectors,
)

D = torch.float64


def points(B: int = 4, d: int = 9, k: int = 3, seed: int = 0) -> torch.Tensor:
    return random_point(B, d, k, torch.Generator().manual_seed(seed), dtype=D)


def assert_orthonormal(U: torch.Tensor, tol: float = 1e-10) -> None:
    eye = torch.eye(U.shape[2], dtype=U.dtype).expand(len(U), -1, -1)
    torch.testing.assert_close(U.mT @ U, eye, rtol=0, atol=tol)


def test_project_is_tangent_and_idempotent() -> None:
    U, Z = points(), torch.randn(4, 9, 3, generator=torch.Generator().manual_seed(1), dtype=D)
    T = project(U, Z)
    torch.testing.assert_close(U.mT @ T, torch.zeros(4, 3, 3, dtype=D), rtol=0, atol=1e-12)
    torch.testing.assert_close(project(U, T), T)


@pytest.mark.parametrize("retract", [retract_qr, retract_polar])
def test_retractions_are_first_order(retract) -> None:  # type: ignore[no-untyped-def]
    U = points()
    T = project(U, torch.randn(4, 9, 3, generator=torch.Generator().manual_seed(1), dtype=D))
    assert_orthonormal(retract(U, T))
    torch.testing.assert_close(retract(U, 0 * T), U)
    h = 1e-6
    torch.testing.assert_close((retract(U, h * T) - U) / h, T, rtol=0, atol=1e-4)


def test_principal_angles_of_known_subspaces() -> None:
    for angle in (0.0, 1e-8, 0.3, math.pi / 4, math.pi / 2 - 1e-8, math.pi / 2):
        U = torch.tensor([[[1.0], [0.0], [0.0]]], dtype=D)
        V = torch.tensor([[[math.cos(angle)], [math.sin(angle)], [0.0]]], dtype=D)
        assert float(principal_angles(U, V)) == pytest.approx(angle, abs=1e-12)
    U = torch.eye(5, dtype=D)[None, :, :2]
    V = torch.eye(5, dtype=D)[None, :, 1:4]
    torch.testing.assert_close(principal_angles(U, V), torch.tensor([[0, math.pi / 2]], dtype=D))
    assert float(distance(U, V)) == pytest.approx(math.pi / 2)


def test_distance_is_a_metric_on_subspaces() -> None:
    U, V, W = (points(seed=s) for s in range(3))
    Q = points(4, 3, 3, seed=9)
    torch.testing.assert_close(distance(U, U @ Q), torch.zeros(4, dtype=D), rtol=0, atol=1e-7)
    torch.testing.assert_close(distance(U, V), distance(V, U))
    assert (distance(U, W) <= distance(U, V) + distance(V, W)).all()


@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_projection_kernel_is_the_naive_one(block_bytes: int) -> None:
    U, V = points(5, seed=1), points(7, k=2, seed=2)
    naive = torch.stack([torch.stack([(u.T @ v).square().sum() for v in V]) for u in U])
    torch.testing.assert_close(projection_kernel(U, V, block_bytes=block_bytes), naive)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_principal_subspace_is_the_svd(k: int) -> None:
    X = torch.rand(4, 7, 11, generator=torch.Generator().manual_seed(0), dtype=D)
    mask = torch.arange(7) < torch.tensor([7, 6, 7, 5])[:, None]
    garbage = torch.where(mask[:, :, None], X, 9.0)
    U = principal_subspace(garbage, mask, k)
    assert_orthonormal(U)
    for i, n in enumerate(mask.sum(1)):
        V = torch.linalg.svd(X[i, :n])[2][:k].T[None]
        assert float(distance(U[i : i + 1], V)) < 1e-6
        for j in range(k):
            assert float((U[i, :, j] @ V[0, :, j]).abs()) == pytest.approx(1, abs=1e-8)  # in order
    largest = U.gather(1, U.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


def test_principal_subspace_beyond_the_rank() -> None:
    X = torch.zeros(2, 3, 6, dtype=D)
    X[0, :, 0] = 1  # rank one
    X[1, 0, 1], X[1, 1, 2], X[1, 2, 3] = 3, 2, 1
    U = principal_subspace(X, None, 5)
    assert_orthonormal(U)
    torch.testing.assert_close(U[0, :, 0], torch.eye(6, dtype=D)[0])
    torch.testing.assert_close(U[1, 1:4, :3], torch.eye(3, dtype=D))
    with pytest.raises(ValueError, match="1 <= k <= d = 6, got 7"):
        principal_subspace(X, None, 7)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_top_eigenvectors_are_those_of_lapack(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 40
    basis = orthonormalize(torch.randn(n, n, dtype=D, generator=torch.Generator().manual_seed(0)))
    falling = 0.5 ** torch.arange(n, dtype=D)
    spectra = {
        "falling": falling,
        "nearly equal": torch.cat([falling[:k], falling[k - 1 :][: n - k] * (1 - 1e-6)]),
        "slow": 1 - 0.01 * torch.arange(n, dtype=D),
        "low rank": falling * (torch.arange(n) < k),
        "too low rank": falling * (torch.arange(n) < k - 1) if k > 1 else falling,
    }
    A = torch.stack([(basis * spectrum) @ basis.T for spectrum in spectra.values()])
    A = torch.cat([A, torch.diag_embed(falling.flip(0))[None]])  # the largest last, zeros elsewhere
    values, vectors = torch.linalg.eigh(A)
    seen = []
    full = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda M: seen.append(M.shape) or full(M))
    top, V = top_eigenvectors(A, k)
    assert seen[0] == (6, 2 * k + 4, 2 * k + 4)
    assert len(seen) == 2
    assert seen[1][1:] == (n, n)
    assert 1 <= seen[1][0] <= 4  # neither of those that fall fast
    torch.testing.assert_close(top, values[:, -k:].flip(1), rtol=0, atol=1e-13)
    torch.testing.assert_close(V.mT @ V, torch.eye(k, dtype=D).expand(6, k, k), rtol=0, atol=1e-12)
    torch.testing.assert_close(A @ V, V * top[:, None, :], rtol=0, atol=1e-9)
    for i in (0, 2, 5):  # where the k-th is well apart from the next
        expected = vectors[i, :, -k:]
        torch.testing.assert_close(V[i] @ V[i].T, expected @ expected.T, rtol=0, atol=1e-7)


def test_random_point_is_seeded() -> None:
    assert torch.equal(points(seed=3), points(seed=3))
    assert_orthonormal(points())
    assert_orthonormal(orthonormalize(torch.rand(2, 5, 5, dtype=D)))
    with pytest.raises(ValueError, match="1 <= k <= d"):
        random_point(1, 3, 4, torch.Generator())
