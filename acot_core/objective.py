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
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from acot_core.memory import blocks
from acot_core.response_line import Line, make_line
from acot_core.transport import GroundCost

__all__ = ["KINK_BAND", "ACOTObjective", "barycentric_images"]

KINK_BAND = 0.01
"""Widest half-band about the hinge's kink, as a share of the mean squared norm of the frames."""


def barycentric_images(plan: Tensor, negatives: Tensor) -> Tensor:
    """Where the plan sends each frame on average: T_i = sum_j pi_ij y_j / sum_j pi_ij.

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
    plan = plan / torch.where(mass > 0, mass, 1)[:, :, None]
    images = negatives.new_empty(n_problems, n, negatives.shape[2])
    for part, Y in blocks(negatives):
        images[part] = plan[part].to(Y) @ Y  # (n,m) @ (m,d) -> (n,d)
    return images


def _square_norms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=2).square_()


class ACOTObjective:
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
        self.beta1, self.beta2, self.eta = beta1, beta2, eta
        real = mask.to(frames.dtype)
        lengths = real.sum(1, keepdim=True)
        self.weights = real / lengths  # (B, n)
        self.pair_weights = real[:, :-1] * real[:, 1:] / (lengths - 1).clamp_min(1)  # (B, n-1)
        partners = images if negatives is None else negatives
        assert partners is not None
        of_frames, of_partners = square_norms or (_square_norms(frames), _square_norms(partners))
        self.frame_norm = (self.weights * of_frames).sum(1)  # (1/n) ||X||^2, (B,)
        self.plan = self.negative_norms = None
        if plan is None:
            self.image_norm = (self.weights * of_partners).sum(1)  # (1/n) ||T||^2, (B,)
        elif ground_cost == "sqeuclidean":
            self.image_norm = (plan.sum(1) * of_partners).sum(1)
            partners = barycentric_images(plan, partners)
        else:
            self.plan, self.negative_norms = plan, of_partners
            self.image_norm = torch.zeros_like(self.frame_norm)
        self.frames, self.partners = frames, partners  # Z

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def kinked(self) -> bool:
        """Whether the hinge is in play, so that the objective is not smooth."""
        return self.beta2 > 0 and self.pair_weights.shape[1] > 0

    def select(self, index: Tensor | slice) -> Self:
        """The objective of some of the sequences: ``index`` int64 (b,), bool (B,) or a slice."""
        return self._each(lambda value: value[index])

    def to(self, dtype: torch.dtype) -> Self:
        """The same objective in another precision."""
        return self._each(lambda value: value.to(dtype))

    def without_rows(self) -> Self:
        """The part that needs responses only: `response_value`, `response_gradient`, `make_line`."""
        part = copy.copy(self)
        part.frames, part.partners = self.frames[:, :0], self.partners[:, :0]
        return part

    @property
    def n_responses(self) -> int:
        """p, the number of rows of Z: twice the frames, or frames and negatives."""
        return self.weights.shape[1] + (self.weights if self.plan is None else self.plan[0]).shape[1]

    def responses(self, U: Tensor) -> Tensor:
        """E = ZU for U (B, d, k): (B, p, k)."""
        return torch.cat([self.frames @ U, self.partners @ U], 1)

    def combine(self, C: Tensor) -> Tensor:
        """Z'C for coefficients C (B, p, k): (B, d, k)."""
        n = self.weights.shape[1]
        # C'Z instead of Z'C: many times faster for few columns on a CPU.
        return (C[:, :n].mT @ self.frames + C[:, n:].mT @ self.partners).mT

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        part = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(part, name, change(value))
        return part

    def value(self, U: Tensor) -> Tensor:
        """Objective at U (B, d, k): (B,)."""
        return self.response_value(self.responses(U))

    def gradient(self, U: Tensor) -> Tensor:
        """Euclidean gradient at U (B, d, k); a subgradient on the hinge's kink: (B, d, k)."""
        return self.combine(self.response_gradient(self.responses(U)))

    def smoothed_gradient(self, U: Tensor, band: Tensor) -> Tensor:
        """Gradient whose jump at the hinge's kink is spread; see `response_gradient`: (B, d, k)."""
        return self.combine(self.response_gradient(self.responses(U), band))

    def value_and_gradient(self, U: Tensor) -> tuple[Tensor, Tensor]:
        """Both at the price of one product ZU less."""
        E = self.responses(U)
        return self.response_value(E), self.combine(self.response_gradient(E))

    def terms(self, U: Tensor) -> dict[str, Tensor]:
        """The terms, (B,) each and unweighted: value = -contrast + beta1 distortion + beta2 order."""
        contrast, distortion, order = self._terms(self.responses(U))
        return {"contrast": contrast, "distortion": distortion, "order": order}

    def energies(self, U: Tensor) -> Tensor:
        """Energy ||U'x_t||^2 that each frame keeps: (B, n)."""
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
        kept = (self.weights * energy).sum(1)
        if self.plan is None:
            contrast = kept - 2 * (self.weights * (A * P).sum(2)).sum(1) + self.image_norm
        else:
            contrast = (self.plan * self._distances(A, P, energy)).sum((1, 2))
        order = (self.pair_weights * torch.relu(energy[:, :-1] + self.eta - energy[:, 1:])).sum(1)
        return contrast, self.frame_norm - kept, order

    def _distances(self, A: Tensor, P: Tensor, energy: Tensor) -> Tensor:
        """||UU'x_i - y_j|| from the responses: (B, n, m)."""
        assert self.negative_norms is not None
        square = energy[:, :, None] + self.negative_norms[:, None, :] - 2 * (A @ P.mT)
        return square.clamp_min(0).sqrt()
