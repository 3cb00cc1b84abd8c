"""Ground costs and couplings between frames and negatives (Sec. 3.1, Eqs. 2 and 4).

A coupling of mu = sum_i a_i delta(x_i) and nu = sum_j b_j delta(y_j) is a matrix pi >= 0 with row sums a and
column sums b. Problems come in batches: costs (B, n, m), masses a (B, n) and b (B, m), which default to
uniform. A padded row or column is one of zero mass: its part of every plan is exactly zero.

Besides `Problem` and `TransportResult`, what every solver takes and gives, this module holds the couplings
that ignore the cost: the controls for the question whether the learned plan matters.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from acot_core._utils.blocks import block_bytes
from acot_core._utils.checks import check_int, real_tensor, takes_reals

GroundCost = Literal["sqeuclidean", "euclidean"]


@dataclass(frozen=True)
class TransportResult:
    """Answer of every transport solver; of one problem (n, m) without the leading axis B.

    Attributes
    ----------
    plan : Tensor (B, n, m)
        The coupling pi.
    value : Tensor (B,)
        Transport cost <pi, c>. Its gradient in the cost is right for every solver; that of `emd` and `ipot`
        is the plan (the envelope theorem).
    marginal_error : Tensor (B,)
        l1 distance of the plan's row and column sums from a and b, as a share of the total mass.
    n_iter : int64 Tensor (B,)
        Iterations spent on each problem; 0 for a closed form and the simplex.
    converged : bool Tensor (B,)
        Whether the solver met its tolerance: of `emd` and `ipot` a bound on the duality gap, relative to the
        value, so that it does not depend on the cost's unit.
    trace : Tensor (S, B, 2), optional
        Value and marginal error after every iteration, or those named, where a trace was asked for.
    """

    plan: Tensor
    value: Tensor
    marginal_error: Tensor
    n_iter: Tensor
    converged: Tensor
    trace: Tensor | None = None


@dataclass(frozen=True)
class Problem:
    """A batch of transport problems after validation, from whatever a user passes.

    Attributes
    ----------
    cost : Tensor (B, n, m)
        At least single precision (half precision is computed in single).
    a : Tensor (B, n)
    b : Tensor (B, m), rescaled to the total mass of a
    given : Tensor
        The cost in the shape and dtype in which the answer is to be given.
    """

    cost: Tensor
    a: Tensor
    b: Tensor
    given: Tensor

    @classmethod
    def of(cls, cost: Any, a: Any = None, b: Any = None, *, mass_gradients: bool = True) -> Problem:
        """Validate costs (B, n, m) or (n, m) and masses, uniform where not given.

        Parameters
        ----------
        cost : Tensor, array or nested lists (B, n, m), or (n, m) for one problem
            May be infinite or NaN where there is no mass.
        a, b : Tensors, arrays or lists (B, n) and (B, m), or (n,) and (m,), optional
        mass_gradients : bool
            Whether the solver can be differentiated with respect to masses.

        Raises
        ------
        ValueError
            A cost that is not (B, n, m) or not finite where there is mass; masses of another shape, negative,
            not finite, without any mass, or whose totals differ by more than rounding; masses that need
            gradients, from a solver that has none for them.
        """
        given = real_tensor(cost, "cost")
        C = given if given.dtype == torch.float64 else given.float()
        C = C[None] if C.ndim == 2 else C
        if C.ndim != 3 or 0 in C.shape[1:]:
            raise ValueError(f"cost: expected shape (B, n, m) or (n, m), got {tuple(given.shape)}")
        n_problems, n, m = C.shape
        masses = []
        for name, mass, size in (("a", a, n), ("b", b, m)):
            if mass is None:
                masses.append(C.new_full((n_problems, size), 1 / size))
                continue
            mass = real_tensor(mass, name)
            expected = (*given.shape[:-2], size)
            if mass.shape != expected:
                raise ValueError(f"{name}: expected shape {expected}, got {tuple(mass.shape)}")
            if mass.requires_grad and torch.is_grad_enabled() and not mass_gradients:
                raise ValueError(f"{name}: needs gradients, which only sinkhorn has for masses; detach it")
            masses.append(mass.reshape(n_problems, size).to(C))
        a, b = masses
        finite = _finite(C)
        if not bool(finite.all()):
            C = torch.where((a > 0)[:, :, None] & (b > 0)[:, None, :], C, 0)
            finite = _finite(C)
        total_a, total_b = a.sum(1), b.sum(1)
        bad = {
            "a: negative, not finite or without mass": _no_masses(a),
            "b: negative, not finite or without mass": _no_masses(b),
            "a and b: total masses differ": (total_a - total_b).abs() > 1e-3 * total_a,
            "cost: not finite": ~finite,
        }
        table = torch.stack(list(bad.values()))  # one transfer to the host for all checks
        if table.any():
            check, problem = table.nonzero()[0].tolist()
            raise ValueError(f"{list(bad)[check]} (problem {problem} of {n_problems}, cost {tuple(C.shape)})")
        return cls(C, a, b * (total_a / total_b)[:, None], given)

    @property
    def real(self) -> Tensor:
        """True where row and column have mass: bool (B, n, m)."""
        return (self.a > 0)[:, :, None] & (self.b > 0)[:, None, :]

    def result(
        self,
        plan: Tensor,
        n_iter: Tensor | None = None,
        converged: Tensor | None = None,
        trace: Tensor | None = None,
        *,
        warn: str = "",
    ) -> TransportResult:
        """The answer for plans (B, n, m), as the cost was given: one problem or a batch, and in its dtype.

        ``warn`` is the solver's name, for a `ConvergenceWarning` where a problem missed its tolerance.
        """
        zero = torch.zeros(len(plan), dtype=torch.int64, device=plan.device)
        converged = zero == 0 if converged is None else converged
        error = marginal_error(plan, self.a, self.b)
        if warn and not bool(converged.all()):
            missed = (~converged).nonzero()[:, 0]
            warnings.warn(
                f"{warn}: {len(missed)} of {len(plan)} problems did not converge (the first is number "
                f"{int(missed[0])}; largest marginal error {float(error.max()):.1e}); allow more iterations",
                ConvergenceWarning,
                stacklevel=3,
            )
        value, n_iter = (plan * self.cost).sum((1, 2)), zero if n_iter is None else n_iter
        plan, value, error = (each.to(self.given.dtype) for each in (plan, value, error))
        if self.given.ndim == 2:
            trace = None if trace is None else trace[:, 0]
            return TransportResult(plan[0], value[0], error[0], n_iter[0], converged[0], trace)
        return TransportResult(plan, value, error, n_iter, converged, trace)


def _finite(cost: Tensor) -> Tensor:
    finite = cost.detach().sum((1, 2)).isfinite()  # or else the sum may have overflowed
    return finite if bool(finite.all()) else cost.detach().isfinite().flatten(1).all(1)


def _no_masses(mass: Tensor) -> Tensor:
    total = mass.sum(1)
    return ~((mass >= 0).all(1) & (total > 0) & total.isfinite())


@takes_reals("X", "Y", axes=3)
def cost_matrix(X: Tensor, Y: Tensor, metric: GroundCost = "euclidean") -> Tensor:
    """Pairwise distances ||x_i - y_j|| of Eq. (4), or their squares as in Eq. (5).

    Parameters
    ----------
    X : Tensor (B, n, d)
    Y : Tensor (B, m, d)
    metric : {"euclidean", "sqeuclidean"}

    Returns
    -------
    Tensor (B, n, m)
        Differentiable; where a distance is zero its gradient is, too.

    Raises
    ------
    ValueError
        Shapes that do not match, or an unknown metric.

    Examples
    --------
    >>> X, Y = torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
    >>> cost_matrix(X, Y)
    tensor([[[5., 1.]]])
    >>> cost_matrix(X, Y, "sqeuclidean")
    tensor([[[25.,  1.]]])
    """
    if X.ndim != 3 or Y.ndim != 3 or X.shape[0] != Y.shape[0] or X.shape[2] != Y.shape[2]:
        raise ValueError(
            "X, Y: expected frames (B, n, d) and negatives (B, m, d), got "
            f"{tuple(X.shape)} and {tuple(Y.shape)}"
        )
    if metric not in ("euclidean", "sqeuclidean"):
        raise ValueError(f"metric: expected 'euclidean' or 'sqeuclidean', got {metric!r}")
    if torch.is_grad_enabled() and (X.requires_grad or Y.requires_grad):
        square = (X[:, :, None] - Y[:, None]).square().sum(3)
        # A square root's slope at zero is infinite; it is not asked for there.
        apart = square > 0
        return square if metric == "sqeuclidean" else torch.where(apart, square, 1).sqrt() * apart
    cost = X.new_empty(len(X), X.shape[1], Y.shape[1])
    block = max(1, block_bytes(X.device) // ((X.shape[1] + Y.shape[1]) * X.shape[2] * X.element_size()))
    for i in range(0, len(X), block):
        # Distances do not change under a shift; small coordinates keep differences of large squares accurate.
        x, y = X[i : i + block], Y[i : i + block]
        centre = x[:, :1]
        x, y = x - centre, y - centre
        norms = [torch.linalg.vector_norm(z, dim=2).square_() for z in (x, y)]
        square = norms[0][:, :, None] + norms[1][:, None, :]
        square.baddbmm_(x, y.mT, alpha=-2).clamp_min_(0)  # (n,d) @ (d,m) -> (n,m)
        cost[i : i + block] = square if metric == "sqeuclidean" else square.sqrt_()
    return cost


def ordinary_range(cost: Tensor, real: Tensor) -> Tensor:
    """Largest minus smallest cost where ``real``, but for costs far beyond all others: (B,), positive.

    A cost that means "never match these" (1e6 among distances) says nothing about the others' unit. The range
    is cut at 30 times the tenth percentile of the costs above the smallest, which cuts no ordinary range.
    """
    low = torch.where(real, cost, torch.inf).amin((1, 2), keepdim=True)
    above = torch.where(real, cost - low, 0).flatten(1)
    full = above.amax(1)
    spread = full.clone()
    count = (above > 0).sum(1)
    cut = (above > full[:, None] / 30).sum(1) < 0.9 * count
    if bool(cut.any()):
        at = cut.nonzero()[:, 0]
        ordered = torch.where(above[at] > 0, above[at], torch.inf).sort(1).values
        tenth = ordered.gather(1, (0.1 * count[at]).long()[:, None])[:, 0]
        spread[at] = torch.minimum(full[at], 30 * tenth)
    return torch.where(spread > 0, spread, 1)


def marginal_error(plan: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """l1 error of both marginals relative to the total mass: (B,)."""
    error = (plan.sum(2) - a).abs().sum(1) + (plan.sum(1) - b).abs().sum(1)
    return error / a.sum(1)


def uniform(cost: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> TransportResult:
    """The independent coupling a b': every frame is matched with the mean of the negatives."""
    problem = Problem.of(cost, a, b)
    # Divided by the total, so that masses need not sum to one.
    share = problem.b / problem.b.sum(1, keepdim=True)
    return problem.result(problem.a[:, :, None] * share[:, None, :])


def identity(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, origin: Tensor | None = None
) -> TransportResult:
    """The coupling of each frame with its own negatives, whatever they cost.

    Each frame gives as much of its mass to the negatives that were made from it as both marginals allow: all,
    where every frame has m/n negatives of mass 1/m. Where m is no multiple of n, some frames have one
    negative more than others; what is left over of frames' and negatives' masses is coupled independently.

    Parameters
    ----------
    cost : Tensor (B, n, m)
    a, b : Tensors (B, n) and (B, m), optional
    origin : int64 Tensor (B, m), optional
        The frame that each negative was made from, -1 for none (`acot_core.sequences.Negatives`). Default: in
        order, by the north-west corner rule: for m = 2n frame t is matched with negatives 2t and 2t + 1.
    """
    problem = Problem.of(cost, a, b)
    if origin is None:
        return problem.result(_north_west(problem.a, problem.b))
    n_problems, n, m = problem.cost.shape
    origin = torch.as_tensor(origin, device=problem.cost.device)
    origin = origin[None] if origin.ndim == 1 else origin
    if origin.shape != (n_problems, m) or origin.is_floating_point() or bool((origin >= n).any()):
        raise ValueError(f"origin: expected integers {(n_problems, m)} below {n}, got {tuple(origin.shape)}")
    made_from = origin[:, None, :] == torch.arange(n, device=origin.device)[:, None]  # (B, n, m)
    share = problem.a / made_from.sum(2).clamp_min(1)
    plan = torch.minimum(share[:, :, None], problem.b[:, None, :]) * made_from
    left_a = (problem.a - plan.sum(2)).clamp_min(0)
    left_b = (problem.b - plan.sum(1)).clamp_min(0)
    total = left_b.sum(1).clamp_min(torch.finfo(plan.dtype).tiny)[:, None]
    return problem.result(plan + left_a[:, :, None] * (left_b / total)[:, None, :])


def random_coupling(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, seed: int | Sequence[int] = 0
) -> TransportResult:
    """A random vertex of the transport polytope: the north-west corner rule after random permutations.

    Parameters
    ----------
    cost : Tensor (B, n, m)
    a, b : Tensors (B, n) and (B, m), optional
    seed : int or B ints
        Each problem draws from its own generator, so that its plan depends neither on the batch nor on
        padding.
    """
    problem = Problem.of(cost, a, b)
    n_problems = len(problem.cost)
    several = isinstance(seed, Iterable) and getattr(seed, "shape", None) != ()
    seeds: list[Any] = list(seed) if several else [seed] * n_problems  # type: ignore[arg-type]
    for each in seeds:
        check_int("seed", each, least=0)
    if len(seeds) != n_problems:
        raise ValueError(f"seed: expected an int or {n_problems} ints, one per problem, got {len(seeds)}")
    plan = torch.zeros_like(problem.cost, requires_grad=False)
    for i, s in enumerate(seeds):
        generator = torch.Generator().manual_seed(int(s))
        order = []
        for mass in (problem.a[i], problem.b[i]):
            real = mass.nonzero()[:, 0]
            order.append(real[torch.randperm(len(real), generator=generator).to(real.device)])
        rows, columns = order
        corner = _north_west(problem.a[i : i + 1, rows], problem.b[i : i + 1, columns])
        plan[i, rows[:, None], columns] = corner[0]
    return problem.result(plan)


def _north_west(a: Tensor, b: Tensor) -> Tensor:
    """pi_ij = overlap of the intervals of a_i and b_j when masses are laid end to end: (B, n, m)."""
    # In double precision: the ends of the intervals are sums, and their differences must give a and b back.
    end_a, end_b = a.double().cumsum(1), b.double().cumsum(1)
    start_a, start_b = end_a - a, end_b - b
    stop = torch.minimum(end_a[:, :, None], end_b[:, None, :])
    start = torch.maximum(start_a[:, :, None], start_b[:, None, :])
    return (stop - start).clamp_min(0).to(a)
