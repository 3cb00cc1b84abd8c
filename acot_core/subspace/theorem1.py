"""Contrastive transport beside robust transport distances, and Theorem 1 (Sec. 3.1.1, Eq. 5).

For X (B, n, d), Y (B, m, d) with uniform masses and U in G(d, k):

    P_k^2 = max_U min_pi E ||U'x - U'y||^2      projection robust
    S_k^2 = min_pi max_U E ||U'x - U'y||^2      subspace robust (Paty & Cuturi, 2019)
    C_k^2 = max_U min_pi E ||UU'x - y||^2       contrastive, Eq. (5)

Theorem 1: P_k^2 <= C_k^2 <= S_k^2 + max_U mean_j ||(I - UU')y_j||^2, the last term being the sum of the d - k
largest eigenvalues of (1/m) sum_j y_j y_j'. The reason is that for each U alone

    C^2(U) = P^2(U) + mean_j ||(I - UU')y_j||^2,

with one and the same optimal plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from acot_core._utils.checks import check_int, check_size, takes_reals
from acot_core.riemannian import Objective, conjugate_gradient
from acot_core.riemannian.grassmann import random_point
from acot_core.transport import cost_matrix, emd

__all__ = [
    "RobustDistances",
    "decomposition",
    "projection_robust",
    "robust_distances",
    "subspace_robust",
    "variational_term",
]


@dataclass(frozen=True)
class RobustDistances:
    """The quantities of Theorem 1 for B pairs of sets, (B,) each unless said otherwise.

    P_k and C_k come from local searches from several starts, so they are values attained (bounds from
    below). S_k comes from a convex problem, between ``subspace_bound`` and ``subspace``.
    """

    projection: Tensor  # P_k^2
    contrastive: Tensor  # C_k^2
    subspace: Tensor  # S_k^2, from above
    subspace_bound: Tensor  # S_k^2, from below
    variational: Tensor  # max_U mean ||(I - UU')y||^2
    projection_point: Tensor  # (B, d, k)
    contrastive_point: Tensor  # (B, d, k)

    @property
    def upper_bound(self) -> Tensor:
        """Right-hand side of Theorem 1: (B,)."""
        return self.subspace + self.variational


@takes_reals("X", "Y", "U", axes=3, finite=True)
def decomposition(X: Tensor, Y: Tensor, U: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """C^2(U), P^2(U) and mean ||(I - UU')y||^2, each on its own, for U (B, d, k): three tensors (B,)."""
    contrastive = emd(cost_matrix((X @ U) @ U.mT, Y, "sqeuclidean")).value
    projection = emd(cost_matrix(X @ U, Y @ U, "sqeuclidean")).value
    return contrastive, projection, (Y - (Y @ U) @ U.mT).square().sum(2).mean(1)


@takes_reals("Y", axes=3, finite=True)
def variational_term(Y: Tensor, k: int) -> Tensor:
    """max_U mean_j ||(I - UU')y_j||^2: the d - k largest eigenvalues of the negatives' Gram matrix, (B,)."""
    m, d = Y.shape[1:]
    k = check_size("k", k, d)
    return torch.linalg.eigvalsh(Y.mT @ Y / m)[:, k:].sum(1) if k < d else Y.new_zeros(len(Y))


class _MaxMin(Objective):
    """-P^2(U), or -C^2(U), as an objective to be minimised; each value solves B transport problems."""

    def __init__(self, X: Tensor, Y: Tensor, contrastive: bool) -> None:
        self.X, self.Y, self.contrastive = X, Y, contrastive

    def _plan(self, U: Tensor) -> tuple[Tensor, Tensor]:
        A, B = self.X @ U, self.Y @ U
        answer = emd(cost_matrix(A, B, "sqeuclidean"))
        value = answer.value
        if self.contrastive:
            value = value + (self.Y.square().sum(2) - B.square().sum(2)).mean(1)
        return answer.plan, value

    def value(self, U: Tensor) -> Tensor:
        return -self._plan(U)[1]

    def gradient(self, U: Tensor) -> Tensor:
        """By the envelope theorem: -2 V_pi U with V_pi = E (x - y)(x - y)' at the optimal plan."""
        plan, _ = self._plan(U)
        A, B = self.X @ U, self.Y @ U
        row, column = plan.sum(2)[:, :, None], plan.sum(1)[:, :, None]
        gradient = self.X.mT @ (row * A - plan @ B) + self.Y.mT @ (column * B - plan.mT @ A)
        if self.contrastive:
            gradient = gradient - self.Y.mT @ B / self.Y.shape[1]
        return -2 * gradient


@takes_reals("X", "Y", axes=3, finite=True)
def projection_robust(
    X: Tensor,
    Y: Tensor,
    k: int,
    *,
    contrastive: bool = False,
    initial: Tensor | None = None,
    n_starts: int = 2,
    n_iter: int = 30,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """P_k^2, or C_k^2 with ``contrastive``, by conjugate gradient on the Grassmannian.

    Parameters
    ----------
    X, Y : Tensors (B, n, d) and (B, m, d)
    k : int
    contrastive : bool
        Project the frames only, as in Eq. (5).
    initial : Tensor (B, d, k), optional
        One more start, beside ``n_starts`` random ones and the eigenvectors of the uniform plan.
    n_starts, n_iter, seed : int

    Returns
    -------
    value : Tensor (B,)
        The best value found.
    point : Tensor (B, d, k)
    """
    n_sets, _, d = X.shape
    k, n_starts = check_size("k", k, d), check_int("n_starts", n_starts, least=0)
    generator = torch.Generator(device=X.device).manual_seed(seed)
    difference = X[:, :, None] - Y[:, None]  # (B, n, m, d)
    spread = torch.einsum("bijd,bije->bde", difference, difference)
    starts = [torch.linalg.eigh(spread)[1][:, :, -k:]]
    starts += [random_point(n_sets, d, k, generator, dtype=X.dtype) for _ in range(n_starts)]
    if initial is not None:
        starts.append(initial)
    objective = _MaxMin(X, Y, contrastive)
    best, point = X.new_full((n_sets,), -torch.inf), starts[0]
    for start in starts:
        result = conjugate_gradient(objective, start, n_iter=n_iter)
        better = -result.value > best
        best = torch.where(better, -result.value, best)
        point = torch.where(better[:, None, None], result.point, point)
    return best, point


@takes_reals("X", "Y", axes=3, finite=True)
def subspace_robust(X: Tensor, Y: Tensor, k: int, *, n_iter: int = 100) -> tuple[Tensor, Tensor, Tensor]:
    """S_k^2: the sum of the k largest eigenvalues of V_pi, minimised over plans by Frank-Wolfe.

    Returns
    -------
    value : Tensor (B,)
        Attained, so from above.
    bound : Tensor (B,)
        From below, by convexity.
    plan : Tensor (B, n, m)
    """
    k, n_iter = check_size("k", k, X.shape[2]), check_int("n_iter", n_iter, least=1)
    plan = emd(cost_matrix(X, Y, "sqeuclidean")).plan
    value = bound = best = None
    for t in range(n_iter):
        row, column = plan.sum(2)[:, :, None], plan.sum(1)[:, :, None]
        cross = X.mT @ plan @ Y
        V = X.mT @ (row * X) + Y.mT @ (column * Y) - cross - cross.mT
        eigenvalues, vectors = torch.linalg.eigh(V)
        now, U = eigenvalues[:, -k:].sum(1), vectors[:, :, -k:]
        corner = emd(cost_matrix(X @ U, Y @ U, "sqeuclidean"))
        value, best = (now, plan) if value is None or best is None else (
            torch.minimum(value, now),
            torch.where((now < value)[:, None, None], plan, best),
        )  # fmt: skip
        # The linearisation at a plan lies below the function; its least value bounds the minimum.
        bound = corner.value if bound is None else torch.maximum(bound, corner.value)
        plan = plan + 2 / (t + 2) * (corner.plan - plan)
    assert value is not None
    assert bound is not None
    assert best is not None
    return value, bound, best


@takes_reals("X", "Y", axes=3, finite=True)
def robust_distances(
    X: Tensor, Y: Tensor, k: int, *, n_starts: int = 2, n_iter: int = 30, seed: int = 0
) -> RobustDistances:
    """Compute the quantities of Theorem 1 for B pairs of sets X (B, n, d) and Y (B, m, d).

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> X, Y = (torch.rand(1, n, 5, generator=generator, dtype=torch.float64) for n in (6, 8))
    >>> distances = robust_distances(X, Y, 2)
    >>> bool(distances.projection <= distances.contrastive <= distances.upper_bound)  # Theorem 1
    True
    """
    projection, at = projection_robust(X, Y, k, n_starts=n_starts, n_iter=n_iter, seed=seed)
    contrastive, where = projection_robust(
        X, Y, k, contrastive=True, initial=at, n_starts=n_starts, n_iter=n_iter, seed=seed
    )
    subspace, bound, _ = subspace_robust(X, Y, k, n_iter=3 * n_iter)
    return RobustDistances(projection, contrastive, subspace, bound, variational_term(Y, k), at, where)
