"""Riemannian conjugate gradient on the Grassmannian for many independent problems in one batch (Sec. 3.5).

Every problem has its own step, line search, restart and stopping, and the batch gives what a loop over its
problems gives. The functions may be any: `Objective` says what is needed of them, and a plain function of a
tensor of points will do, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from acot_core.line_search import backtracking, curve
from acot_core.progress import Callback, Cancelled, Clock
from acot_core.reference import pymanopt_conjugate_gradient
from acot_core.subspace_problem import FunctionObjective, Objective, RCGResult

__all__ = [
    "BETA_RULES",
    "FunctionObjective",
    "Objective",
    "RCGResult",
    "conjugate_gradient",
    "pymanopt_conjugate_gradient",
]

_CHECK_EVERY = 10  # iterations between looks at a GPU, which has to be waited for
_REFRESH_EVERY = 25  # iterations between removals of accumulated rounding

# The band about a kink in which a gradient is smoothed starts at 1 (as wide as the objective has it); it gets
# narrower when an iteration gains less than this share of the objective times the band.
_GAIN = 3e-3
_NARROWEST = 1e-4


@dataclass
class _State:
    """The problems that are still worked on. Tensors only, so that `take` can cut them all."""

    index: Tensor  # (b,) their positions in the whole batch
    U: Tensor  # (b, d, k) points
    f: Tensor  # (b,) values
    g: Tensor  # (b, d, k) Riemannian gradients
    gg: Tensor  # (b,) squared norms of g
    norm: Tensor  # (b,) norms of g
    d: Tensor  # (b, d, k) directions, beta times the old one less g
    beta: Tensor  # (b,)
    slope: Tensor  # (b,) <g, d>, negative
    step: Tensor  # (b,) steps taken last
    count: Tensor  # (b,) iterations
    band: Tensor  # (b,) width of the band in which a kink is smoothed
    stuck: Tensor  # (b,) bool
    running: Tensor  # (b,) bool

    def take(self, keep: Tensor) -> _State:
        return replace(self, **{item.name: getattr(self, item.name)[keep] for item in fields(self)})


def _euclidean_inner(U: Tensor, V: Tensor) -> Tensor:
    return (U * V).sum((1, 2))


def _euclidean_gram(U: Tensor, V: Tensor) -> Tensor:
    return U.mT @ V


def _times(U: Tensor, M: Tensor) -> Tensor:
    """UM for M (b, k, k); a batch of products with single numbers is slow as a product of matrices."""
    return U * M if M.shape[1] == 1 else U @ M


def _minus_times(W: Tensor, U: Tensor, M: Tensor) -> Tensor:
    """W - UM."""
    if M.shape[1] == 1:
        return torch.addcmul(W, U, M, value=-1)
    return torch.bmm(U, M).neg_().add_(W)


@dataclass(frozen=True)
class _Turn:
    """What a rule for beta may ask: g is the new gradient, old g and d were carried to where it is."""

    gg: Tensor  # <g, g>
    oo: Tensor  # <old g, old g>
    dd: Tensor  # <d, d>
    dg: Tensor  # <d, g>
    g: Tensor
    d: Tensor
    carry: Callable[[], Tensor]  # gives the old gradient, carried to where g is
    inner: Callable[[Tensor, Tensor], Tensor]


def _fletcher_reeves(turn: _Turn) -> Tensor:
    return turn.gg / turn.oo


def _polak_ribiere(turn: _Turn) -> Tensor:
    return ((turn.gg - turn.inner(turn.g, turn.carry())) / turn.oo).clamp_min(0)


def _hestenes_stiefel(turn: _Turn) -> Tensor:
    old = turn.carry()
    gain = turn.dg - turn.inner(turn.d, old)
    return ((turn.gg - turn.inner(turn.g, old)) / gain).clamp_min(0)


def _hager_zhang(turn: _Turn) -> Tensor:
    old = turn.carry()
    go = turn.inner(turn.g, old)
    dy, yy = turn.dg - turn.inner(turn.d, old), turn.gg - 2 * go + turn.oo
    beta = (turn.gg - go - 2 * yy * turn.dg / dy) / dy
    # The truncation that their theorem of global convergence needs.
    return torch.maximum(beta, -1 / (turn.dd.sqrt() * turn.oo.sqrt().clamp_max(0.01)))


def _steepest_descent(turn: _Turn) -> Tensor:
    return torch.zeros_like(turn.gg)


BETA_RULES: dict[str, Callable[[_Turn], Tensor]] = {
    "fletcher-reeves": _fletcher_reeves,
    "polak-ribiere": _polak_ribiere,
    "hestenes-stiefel": _hestenes_stiefel,
    "hager-zhang": _hager_zhang,
    "steepest-descent": _steepest_descent,
}


def _right_factor(M: Tensor, retraction: str) -> Tensor:
    """R with R'MR = I for M (b, k, k): inverse Cholesky factor (QR) or inverse square root (polar)."""
    if M.shape[1] == 1:
        return M.rsqrt()
    if retraction == "qr":
        L = torch.linalg.cholesky_ex(M)[0]
        identity = torch.eye(M.shape[1], dtype=M.dtype, device=M.device)
        return torch.linalg.solve_triangular(L, identity.expand_as(M), upper=False).mT
    eigenvalues, basis = torch.linalg.eigh(M)
    return (basis * eigenvalues.rsqrt()[:, None, :]) @ basis.mT


def conjugate_gradient(
    objective: Objective,
    initial: Tensor,
    *,
    n_iter: int = 5,
    beta_rule: str = "fletcher-reeves",
    retraction: Literal["qr", "polar"] = "qr",
    gtol: float = 1e-6,
    callback: Callback | None = None,
) -> RCGResult:
    """Minimise B functions on the Grassmannian, each on its own.

    Parameters
    ----------
    objective : Objective
    initial : Tensor (B, d, k)
        Orthonormal bases to start from.
    n_iter : int
        Iterations at most (the paper uses 5).
    beta_rule : {"fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "hager-zhang", "steepest-descent"}
    retraction : {"qr", "polar"}
    gtol : float
        A problem stops where the norm of its Riemannian gradient is at most this.
    callback : callable, optional
        Gets a `Progress` after every iteration; raising `Cancelled` stops with the points found so far.

    Returns
    -------
    RCGResult

    Notes
    -----
    Values never rise. An objective with kinks (``kinked``, ``smoothed_gradient``) is descended along
    gradients that are smoothed in a band about the kinks, which narrows as the gains fall; values and line
    search are those of the objective itself. ``gradient_norm`` is then the norm of the smoothed gradient.

    Raises
    ------
    ValueError
        Unknown rule or retraction, or an initial point that is not (B, d, k).

    Examples
    --------
    >>> from acot_core.grassmann import principal_subspace, random_point
    >>> from acot_core.objective import ACOTObjective
    >>> generator = torch.Generator().manual_seed(0)
    >>> frames = torch.rand(4, 10, 6, generator=generator, dtype=torch.float64)
    >>> objective = ACOTObjective(frames, torch.zeros_like(frames), beta1=5.0, beta2=0.0)  # PCA
    >>> start = random_point(4, 6, 2, generator, dtype=torch.float64)
    >>> found = conjugate_gradient(objective, start, n_iter=200)
    >>> best = objective.value(principal_subspace(frames, None, 2))
    >>> bool((found.value - best).abs().max() < 1e-6)
    True
    """
    if beta_rule not in BETA_RULES:
        raise ValueError(f"beta_rule: expected one of {sorted(BETA_RULES)}, got {beta_rule!r}")
    if retraction not in ("qr", "polar"):
        raise ValueError(f"retraction: expected 'qr' or 'polar', got {retraction!r}")
    if initial.ndim != 3 or initial.shape[2] > initial.shape[1]:
        raise ValueError(f"initial: expected shape (B, d, k) with k <= d, got {tuple(initial.shape)}")
    clock = Clock("subspace", n_iter, callback)
    state = _start(objective, initial, gtol)
    final = (state.U.clone(), state.count.clone(), state.stuck.clone())
    value, norm = state.f, state.norm
    values, norms = [value], [norm]
    cancelled = False
    for iteration in range(1, n_iter + 1):
        if state.f.device.type == "cpu" or iteration % _CHECK_EVERY == 0:
            n_running = int(state.running.sum())
            if n_running == 0:
                break
            # Problems that are done leave the batch as soon as that saves more than the copying costs.
            if n_running <= 0.75 * len(state.running):
                _store(final, state)
                keep = state.running.nonzero()[:, 0]
                state, objective = state.take(keep), objective.select(keep)
        if iteration % _REFRESH_EVERY == 0 and hasattr(objective, "refresh"):
            state.U = objective.refresh(state.U)
        state = _iterate(objective, state, gtol, beta_rule, retraction)
        value = value.index_copy(0, state.index, state.f)
        norm = norm.index_copy(0, state.index, state.norm)
        values.append(value)
        norms.append(norm)
        if callback is not None:
            try:
                clock.report(iteration, value=float(value.mean()))
            except Cancelled:
                cancelled = True
                break
    _store(final, state)
    point, count, stuck = final
    reason = tuple(
        "gradient" if n <= gtol else "no decrease" if s else "cancelled" if cancelled else "iterations"
        for n, s in zip(norm.tolist(), stuck.tolist(), strict=True)
    )
    history = {"value": torch.stack(values), "gradient_norm": torch.stack(norms)}
    return RCGResult(point, value, norm, count, reason, history)


def _inner_product(objective: Any) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    gram = getattr(objective, "gram", _euclidean_gram)
    return gram, getattr(objective, "inner", _euclidean_inner)


def _gradient(objective: Any, U: Tensor, band: Tensor) -> Tensor:
    """Riemannian gradient, smoothed where the objective knows how to."""
    kinked = getattr(objective, "kinked", False)
    g = objective.smoothed_gradient(U, band) if kinked else objective.gradient(U)
    return _minus_times(g, U, _inner_product(objective)[0](U, g))


def _start(objective: Any, U: Tensor, gtol: float) -> _State:
    band = torch.full_like(U[:, 0, 0], 1.0 if getattr(objective, "kinked", False) else 0.0)
    g = _gradient(objective, U, band)
    gg = _inner_product(objective)[1](g, g)
    norm = gg.sqrt()
    count = torch.zeros(len(U), dtype=torch.int64, device=U.device)
    index = torch.arange(len(U), device=U.device)
    return _State(
        index=index,
        U=U,
        f=objective.value(U),
        g=g,
        gg=gg,
        norm=norm,
        d=-g,
        beta=torch.zeros_like(gg),
        slope=-gg,
        step=_first_step(gg),
        band=band,
        count=count,
        stuck=count > 0,
        running=_is_worth_it(norm, band, gtol),
    )


def _first_step(gg: Tensor) -> Tensor:
    """Step along the steepest descent that turns the subspace by 45 degrees."""
    return gg.clamp_min(torch.finfo(gg.dtype).tiny).rsqrt()


def _is_worth_it(norm: Tensor, band: Tensor, gtol: float) -> Tensor:
    return (norm > gtol) | (band > _NARROWEST)


def _store(final: tuple[Tensor, ...], state: _State) -> None:
    for whole, part in zip(final, (state.U, state.count, state.stuck), strict=True):
        whole[state.index] = part


def _iterate(objective: Any, state: _State, gtol: float, beta_rule: str, retraction: str) -> _State:
    """One iteration of every problem that is running; the others stay exactly as they are."""
    gram, inner = _inner_product(objective)
    U, f, g, gg, d, running = state.U, state.f, state.g, state.gg, state.d, state.running
    S = gram(d, d)

    def move(step: Tensor) -> tuple[Tensor, Tensor]:
        W = torch.addcmul(U, step[:, None, None], d)
        M = gram(W, W)
        return _times(W, _right_factor(M, retraction)), M

    if hasattr(objective, "line"):
        size = S.abs().sum(1).amax(1).sqrt()  # at least the largest singular value of d
        longest = 10 / size.clamp_min(torch.finfo(f.dtype).tiny)  # turns the subspace by 84 degrees or more
        step = curve(objective.line(U, d, S), f, state.slope, torch.minimum(state.step, longest), longest)
    else:
        step = backtracking(lambda s: objective.value(move(s)[0]), f, state.slope, 2 * state.step, running)
    V, M = move(step)
    # A direction that is rounding (all there is where k = d) need not be tangent: nothing moves along it.
    expected = torch.eye(S.shape[1], dtype=S.dtype, device=S.device) + step.square()[:, None, None] * S
    tangent = (M - expected).abs().amax((1, 2)) < 0.1
    f_new = objective.value(V)
    moved = running & tangent & (step > 0) & (f_new < f)
    here = moved[:, None, None]
    V, f_new = torch.where(here, V, U), torch.where(moved, f_new, f)

    # A band about the kinks that is no longer worth its width becomes narrower.
    slow = running & ~(f - f_new > _GAIN * f.abs() * state.band)
    band = torch.where(slow, state.band * torch.where(moved, 0.8, 0.25), state.band)
    g_new = _gradient(objective, V, band)
    gg_new = torch.where(running, inner(g_new, g_new), gg)
    norm = gg_new.sqrt()

    def carry(W: Tensor) -> Tensor:  # vector transport by projection
        return _minus_times(W, V, gram(V, W))

    d_old = carry(d)
    along = inner(g_new, d_old)
    dd = S.diagonal(dim1=1, dim2=2).sum(1)
    turn = _Turn(gg=gg_new, oo=gg, dd=dd, dg=along, g=g_new, d=d_old, carry=lambda: carry(g), inner=inner)
    beta = BETA_RULES[beta_rule](turn)
    slope = beta * along - gg_new
    # Where the new direction would not descend, steepest descent takes its place.
    descends = moved & (slope < 0) & (slope > -torch.inf)
    beta, slope = torch.where(descends, beta, 0), torch.where(descends, slope, -gg_new)
    stuck = state.stuck | (running & ~moved & (state.beta == 0) & (state.band <= _NARROWEST))
    return _State(
        index=state.index,
        U=V,
        f=f_new,
        g=g_new,
        gg=gg_new,
        norm=norm,
        d=(beta[:, None, None] * d_old).sub_(g_new),
        beta=beta,
        slope=slope,
        step=torch.where(moved, step, _first_step(gg_new)),
        band=band,
        count=state.count + running,
        stuck=stuck,
        running=~stuck & _is_worth_it(norm, band, gtol),
    )
