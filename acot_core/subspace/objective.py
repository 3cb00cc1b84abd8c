"""The subspace objective of one sequence, Eq. (10) in the form of Eq. (13), for a batch of sequences.

For frames x_t, their barycentric images T_t = n sum_j pi_tj y_j and f_U(x) = UU'x, minimise over U

    - (1/n) sum_t ||f_U(x_t) - T_t||^2  +  beta1 (1/n) sum_t ||f_U(x_t) - x_t||^2
    + beta2 (1/(n-1)) sum_t [ ||U'x_t||^2 + eta - ||U'x_{t+1}||^2 ]_+

that is: contrast, distortion and temporal order. U enters through the responses E = Z U alone, where the rows
of Z are the frames and their images (or, with the ground cost of Eq. 4, the negatives): neither UU' nor any
d x d matrix is formed.
"""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from acot_core._utils.blocks import blocks
from acot_core._utils.checks import check_number, takes_reals
from acot_core.riemannian.problem import Line, Objective
from acot_core.transport import GroundCost

KINK_BAND = 0.01
"""Widest half-band about the hinge's kink, as a share of the mean squared norm of the frames."""


@takes_reals("plan", axes=3)
@takes_reals("negatives", axes=3)
def barycentric_images(plan: Tensor, negatives: Tensor) -> Tensor:
    """Barycentric image of each frame, where the plan sends it: T_i = sum_j pi_ij y_j / sum_j pi_ij.

    Parameters
    ----------
    plan : Tensor (B, n, m)
    negatives : Tensor (B, m, d)

    Returns
    -------
    Tensor (B, n, d)
        In the negatives' dtype; zero where a row of the plan has no mass.

    Examples
    --------
    >>> plan = torch.tensor([[[0.5, 0.0], [0.25, 0.25]]])
    >>> negatives = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> barycentric_images(plan, negatives).tolist()
    [[[1.0, 0.0], [0.5, 0.5]]]
    """
    n_problems, n, m = plan.shape
    mass = plan.sum(2)
    if plan.device.type == "cpu":
        entries = plan.flatten().nonzero()[:, 0]
        if len(entries) <= n_problems * (n + m):  # a vertex, as exact plans are: few rows to add up
            image, row = entries // m, entries // (n * m) * m + entries % m
            count = torch.bincount(image, minlength=n_problems * n)
            shares = (plan.flatten()[entries] / mass.flatten()[image]).to(negatives)
            rows = negatives.reshape(n_problems * m, -1)
            start = count.cumsum(0) - count
            images = embedding_bag(row, rows, start, mode="sum", per_sample_weights=shares)
            return images.view(n_problems, n, -1)
    plan = _shares(plan)
    images = negatives.new_empty(n_problems, n, negatives.shape[2])
    for at, Y in blocks(negatives):
        images[at] = plan[at].to(Y) @ Y  # (n,m) @ (m,d) -> (n,d)
    return images


def _shares(plan: Tensor) -> Tensor:
    """Each row of a plan (B, n, m) divided by its mass; a row without mass stays zero."""
    mass = plan.sum(2, keepdim=True)
    return plan / torch.where(mass > 0, mass, 1)


def _square_norms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=2).square_()


class ACOTObjective(Objective):
    """Eq. (13) for B sequences, with Euclidean gradient.

    Parameters
    ----------
    frames : Tensor (B, n, d)
    images : Tensor (B, n, d), optional
        Barycentric images T of the frames. With these alone the contrast is that of Eq. (13).
    mask : bool Tensor (B, n), optional
        True where a row is a frame; padding is at the end.
    plan, negatives : Tensors (B, n, m) and (B, m, d), optional
        Instead of images. The contrast is then the transport cost <pi, c(f_U(X), Y)> itself, which for the
        squared cost differs from Eq. (13) by a constant.
    beta1, beta2, eta : float
        Weights of distortion and order, and the order's margin.
    ground_cost : {"sqeuclidean", "euclidean"}
        Squared as in Eqs. (5) and (13), or not, as in Eq. (4), which needs plan and negatives.
    square_norms : pair of Tensors (B, n) and (B, m), optional
        ||x_i||^2, and ||y_j||^2 or those of the images, where they are known already.

    Notes
    -----
    Weights are per sequence: 1/n_i and 1/(n_i - 1) with its own length n_i. A sequence of one frame has no
    order term.

    Examples
    --------
    Two frames along one axis, the second with more energy; the plan sends both to the other axis:

    >>> frames, images = torch.tensor([[[0.6, 0.8], [1.0, 0.0]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    >>> objective = ACOTObjective(frames, images, eta=0.0)
    >>> U = torch.tensor([[[1.0], [0.0]]])  # the first axis
    >>> [round(float(energy), 2) for energy in objective.energies(U)[0]]
    [0.36, 1.0]
    >>> {name: round(float(term), 2) for name, term in objective.terms(U).items()}
    {'contrast': 1.68, 'distortion': 0.32, 'order': 0.0}
    """

    @takes_reals("frames", "images", axes=3)
    @takes_reals("plan", axes=3)
    @takes_reals("negatives", axes=3)
    def __init__(
        self,
        frames: Tensor,
        images: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        plan: Tensor | None = None,
        negatives: Tensor | None = None,
        beta1: float = 1.0,
        beta2: float = 10.0,
        eta: float = 0.01,
        ground_cost: GroundCost = "sqeuclidean",
        square_norms: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        n_sequences, n, _ = frames.shape
        if (images is None) == (plan is None) or (plan is None) != (negatives is None):
            raise ValueError("expected either images, or plan and negatives")
        # With images of zero, -1 leaves neither of the two terms; a negative margin allows for a fall.
        self.beta1 = check_number("beta1", beta1, signed=True)
        self.beta2 = check_number("beta2", beta2)
        self.eta = check_number("eta", eta, signed=True)
        if ground_cost not in ("sqeuclidean", "euclidean"):
            raise ValueError(f"ground_cost: expected 'sqeuclidean' or 'euclidean', got {ground_cost!r}")
        if ground_cost == "euclidean" and plan is None:
            raise ValueError("ground_cost='euclidean' needs plan and negatives, not images")
        if images is not None and images.shape != frames.shape:
            raise ValueError(f"images: expected shape {tuple(frames.shape)}, got {tuple(images.shape)}")
        shape = (n_sequences, n)
        if mask is None:
            mask = torch.ones(shape, dtype=torch.bool, device=frames.device)
        if mask.shape != shape:
            raise ValueError(f"mask: expected shape {shape}, got {tuple(mask.shape)}")
        real = mask.to(frames.dtype)
        lengths = real.sum(1, keepdim=True)
        self.weights = real / lengths  # (B, n)
        self.pair_weights = real[:, :-1] * real[:, 1:] / (lengths - 1).clamp_min(1)  # (B, n-1)
        partners = images if negatives is None else negatives
        assert partners is not None
        of_frames, of_partners = square_norms or (_square_norms(frames), _square_norms(partners))
        self.frame_norm = (self.weights * of_frames).sum(1)  # (1/n) ||X||^2, (B,)
        self.plan = self.negative_norms = self.image_plan = None
        if plan is None:
            self.image_norm = (self.weights * of_partners).sum(1)  # (1/n) ||T||^2, (B,)
        elif ground_cost == "sqeuclidean":
            self.image_norm = (plan.sum(1) * of_partners).sum(1)
            self.image_plan = plan
        else:
            self.plan, self.negative_norms = plan, of_partners
            self.image_norm = torch.zeros_like(self.frame_norm)
        self.frames, self.partners = frames, partners

    def __len__(self) -> int:
        return len(self.weights)

    def with_images(self) -> Self:
        """The same objective with the images in place of the negatives: fewer rows."""
        if self.image_plan is None:
            return self
        other = copy.copy(self)
        other.partners, other.image_plan = barycentric_images(self.image_plan, self.partners), None
        return other

    def spread(self, C: Tensor) -> Tensor:
        """Coefficients of [frames; partners] for those of the rows Z, C (B, p, k), whose images are means."""
        if self.image_plan is None:
            return C
        n = self.image_plan.shape[1]
        return torch.cat([C[:, :n], _shares(self.image_plan).to(C).mT @ C[:, n:]], 1)

    @property
    def kinked(self) -> bool:
        """Whether the hinge is in play, so that the objective is not smooth."""
        return self.beta2 > 0 and self.pair_weights.shape[1] > 0

    def to(self, dtype: torch.dtype) -> Self:
        """The same objective in another precision."""
        return self._each(lambda value: value.to(dtype))

    def without_rows(self) -> Self:
        """The part that needs responses only: `response_value`, `response_gradient`, `make_line`."""
        smaller = copy.copy(self)
        smaller.frames, smaller.partners = self.frames[:, :0], self.partners[:, :0]
        smaller.image_plan = None
        return smaller

    @property
    def n_responses(self) -> int:
        """p, the number of rows of Z: twice the frames, or frames and negatives."""
        return self.weights.shape[1] + (self.weights if self.plan is None else self.plan[0]).shape[1]

    def responses(self, U: Tensor) -> Tensor:
        """E = ZU for U (B, d, k): (B, p, k)."""
        below = self.partners @ U
        if self.image_plan is not None:
            below = _shares(self.image_plan).to(below) @ below
        return torch.cat([self.frames @ U, below], 1)

    def combine(self, C: Tensor) -> Tensor:
        """Z'C for coefficients C (B, p, k): (B, d, k)."""
        n, C = self.weights.shape[1], self.spread(C)
        # C'Z instead of Z'C: many times faster for few columns on a CPU.
        return (C[:, :n].mT @ self.frames + C[:, n:].mT @ self.partners).mT

    def value(self, U: Tensor) -> Tensor:
        """Objective at U (B, d, k): (B,)."""
        return self.response_value(self.responses(U))

    def gradient(self, U: Tensor) -> Tensor:
        """Euclidean gradient at U (B, d, k); a subgradient on the hinge's kink: (B, d, k)."""
        return self.combine(self.response_gradient(self.responses(U)))

    def smoothed_gradient(self, U: Tensor, band: Tensor) -> Tensor:
        """Gradient whose jump at the hinge's kink is spread; see `response_gradient`: (B, d, k)."""
        return self.combine(self.response_gradient(self.responses(U), band))

    def terms(self, U: Tensor) -> dict[str, Tensor]:
        """The terms, (B,) each and unweighted: value = -contrast + beta1 distortion + beta2 order."""
        contrast, distortion, order = self._terms(self.responses(U))
        return {"contrast": contrast, "distortion": distortion, "order": order}

    def energies(self, U: Tensor) -> Tensor:
        """Energy ||U'x_t||^2 of each frame: (B, n)."""
        return (self.frames @ U).square().sum(2)

    def response_value(self, E: Tensor) -> Tensor:
        """Objective as a function of the responses E = Z U (B, p, k): (B,)."""
        contrast, distortion, order = self._terms(E)
        return -contrast + self.beta1 * distortion + self.beta2 * order

    def response_gradient(self, E: Tensor, band: Tensor | None = None) -> Tensor:
        """Gradient with respect to the responses: (B, p, k).

        With ``band`` (B,), a share of `KINK_BAND`, the subgradient rises linearly from 0 to 1 in a band about
        the hinge's kink instead of jumping. At a kink, where the minima lie, descent needs such a choice.
        """
        n = self.weights.shape[1]
        A, P = E[:, :n], E[:, n:]
        energy = A.square().sum(2)
        excess = energy[:, :-1] + self.eta - energy[:, 1:]
        if band is None:
            share = (excess > 0).to(E.dtype)
        else:
            width = (KINK_BAND * self.frame_norm * band)[:, None]
            share = (excess / (2 * width) + 0.5).clamp_(0, 1)
        active = self.beta2 * self.pair_weights * share
        # Twice the derivative with respect to the energies, (B, n).
        squares = 1 + self.beta1 if self.plan is None else self.beta1
        slope = -2 * squares * self.weights
        slope[:, :-1].add_(active, alpha=2)
        slope[:, 1:].sub_(active, alpha=2)
        if self.plan is None:
            W = 2 * self.weights[:, :, None]
            return torch.cat([torch.addcmul(W * P, slope[:, :, None], A), W * A], 1)
        length = self._distances(A, P, energy)
        ratio = torch.where(length > 0, self.plan / length, 0)
        slope -= ratio.sum(2)
        return torch.cat([slope[:, :, None] * A + ratio @ P, ratio.mT @ A], 1)

    def line(self, U: Tensor, D: Tensor, S: Tensor) -> Line:
        """The objective along the retraction of U + sD, for tangent D with S = D'D (B, k, k)."""
        return make_line(self, self.responses(U), self.responses(D), S)

    def _terms(self, E: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n = self.weights.shape[1]
        A, P = E[:, :n], E[:, n:]
        energy = A.square().sum(2)
        inside = (self.weights * energy).sum(1)
        if self.plan is None:
            contrast = inside - 2 * (self.weights * (A * P).sum(2)).sum(1) + self.image_norm
        else:
            contrast = (self.plan * self._distances(A, P, energy)).sum((1, 2))
        order = (self.pair_weights * torch.relu(energy[:, :-1] + self.eta - energy[:, 1:])).sum(1)
        return contrast, self.frame_norm - inside, order

    def _distances(self, A: Tensor, P: Tensor, energy: Tensor) -> Tensor:
        """||UU'x_i - y_j|| from the responses: (B, n, m)."""
        assert self.negative_norms is not None
        square = energy[:, :, None] + self.negative_norms[:, None, :] - 2 * (A @ P.mT)
        return square.clamp_min(0).sqrt()


def make_line(objective: ACOTObjective, E: Tensor, F: Tensor, S: Tensor) -> Line:
    """The objective along a retraction, from responses E = ZU and F = ZD (B, p, k), and S = D'D (B, k, k).

    For orthonormal U and tangent D (U'D = 0) the retraction of U + sD is (U + sD)(I + s^2 D'D)^{-1/2}, up to
    a rotation, which the objective does not see. In the eigenbasis of D'D, with eigenvalues l_j, every energy
    and every inner product is a sum over the k columns of (a_j + s b_j)(c_j + s d_j) / (1 + s^2 l_j): three
    numbers per column, known in advance, times functions of s.
    """
    E, F = E.mT, F.mT
    if S.shape[-1] == 1:
        eigenvalues = S[:, :, 0]
    else:
        eigenvalues, basis = torch.linalg.eigh(S)
        E, F = basis.mT @ E, basis.mT @ F
    kind = _SquaredLine if objective.plan is None else _DistanceLine
    return kind(objective, E, F, eigenvalues.clamp_min(0))


class _SquaredLine:
    """With the squared ground cost, where the contrast is one of those sums, too."""

    def __init__(self, objective: ACOTObjective, E: Tensor, F: Tensor, eigenvalues: Tensor) -> None:
        n = objective.weights.shape[1]
        A, DA = E[:, :, :n], F[:, :, :n]
        # What the frames' squares and products with the images add up to is linear in A and in B alike.
        B = torch.sub(2 * E[:, :, n:], A, alpha=1 + objective.beta1)
        DB = torch.sub(2 * F[:, :, n:], DA, alpha=1 + objective.beta1)
        # Coefficients of the three functions, (B, 3k, n). That 1 is such a sum, too, takes care of constants.
        smooth = torch.cat([A * B, torch.addcmul(A * DB, DA, B), DA * DB], 1)
        energy = torch.cat([A * A, 2 * A * DA, DA * DA], 1)
        one = torch.cat([torch.ones_like(eigenvalues), torch.zeros_like(eigenvalues), eigenvalues], 1)
        one = one / eigenvalues.shape[1]  # (B, 3k)
        self.linear = torch.bmm(smooth, objective.weights[:, :, None])[:, :, 0]
        constant = objective.beta1 * objective.frame_norm - objective.image_norm
        self.linear = torch.addcmul(self.linear, one, constant[:, None])[:, None, :]  # (B, 1, 3k)
        rise = torch.add(energy[:, :, :-1] - energy[:, :, 1:], one[:, :, None], alpha=objective.eta)
        # Weights are not negative, so that they may as well be inside of the hinge.
        self.rise = rise * (objective.beta2 * objective.pair_weights)[:, None, :]  # (B, 3k, n-1)
        self.eigenvalues = eigenvalues[:, None, :]

    def _functions(self, steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s = steps[:, :, None]
        square = s.square()
        scale = torch.reciprocal(1 + square * self.eigenvalues)  # (B, S, k)
        return s, scale, torch.cat([scale, s * scale, square * scale], 2)  # (B, S, 3k)

    def values(self, steps: Tensor) -> Tensor:
        functions = self._functions(steps)[2]
        excess = torch.bmm(functions, self.rise)  # (S,3k) @ (3k,n-1) -> (S,n-1)
        return (functions * self.linear).sum(2) + excess.relu_().sum(2)

    def slopes(self, steps: Tensor) -> Tensor:
        s, scale, functions = self._functions(steps)
        square = scale.square()
        bend = 2 * s * square
        # Derivatives of the three functions: 1/q, s/q and s^2/q for q = 1 + s^2 l.
        changes = torch.cat([-self.eigenvalues * bend, 2 * square - scale, bend], 2)
        active = (torch.bmm(functions, self.rise) > 0).to(changes)
        return (changes * torch.baddbmm(self.linear, active, self.rise.mT)).sum(2)


class _DistanceLine:
    """With the distance itself as ground cost: step by step."""

    def __init__(self, objective: ACOTObjective, E: Tensor, F: Tensor, eigenvalues: Tensor) -> None:
        self.objective, self.E, self.F, self.eigenvalues = objective, E.mT, F.mT, eigenvalues

    def _move(self, s: Tensor) -> tuple[Tensor, Tensor]:
        scale = torch.rsqrt(1 + s[:, None].square() * self.eigenvalues)[:, None, :]  # (B, 1, k)
        moved = (self.E + s[:, None, None] * self.F) * scale
        return moved, self.F * scale - moved * (s[:, None] * self.eigenvalues)[:, None, :] * scale.square()

    def values(self, steps: Tensor) -> Tensor:
        return torch.stack([self.objective.response_value(self._move(s)[0]) for s in steps.unbind(1)], 1)

    def slopes(self, steps: Tensor) -> Tensor:
        slopes = []
        for s in steps.unbind(1):
            moved, change = self._move(s)
            slopes.append((self.objective.response_gradient(moved) * change).sum((1, 2)))
        return torch.stack(slopes, 1)
