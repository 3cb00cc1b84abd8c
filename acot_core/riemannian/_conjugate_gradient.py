"""Riemannian conjugate gradient on the Grassmannian for many independent problems in one batch (Sec. 3.5).

Every problem has its own step, line search, restart and stopping, and the batch gives what a loop over its
problems gives. The functions may be any: `Objective` says what is needed of them, and a plain function of a
batch of points will do, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

from acot_core._utils.checks import check_choice, check_int, check_number
from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.riemannian.line_search import backtracking, curve
from acot_core.riemannian.problem import DescentResult, Objective, as_objective, as_points

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
    d: Tensor  # (b, d, k) directions, beta times the old one minus g
    beta: Tensor  # (b,)
    slope: Tensor  # (b,) <g, d>, negative
    step: Tensor  # (b,) steps taken last
    count: Tensor  # (b,) iterations
    band: Tensor  # (b,) width of the band in which a kink is smoothed
    stuck: Tensor  # (b,) bool
    running: Tensor  # (b,) bool
    scale: Tensor  # (b,) norms of the Euclidean gradients at the start

    def take(self, keep: Tensor) -> _State:
        return replace(self, **{item.name: getattr(self, item.name)[keep] for item in fields(self)})


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
    scale: Tensor | float = 1.0  # what a gradient's norm is compared with


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
    # The truncation that their theorem of global convergence needs, in units of the gradients.
    d, old_norm = turn.dd.sqrt() / turn.scale, turn.oo.sqrt() / turn.scale
    return torch.maximum(beta, -1 / (d * old_norm.clamp_max(0.01)))


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


@torch.inference_mode(False)  # there could be no gradient of the function
@torch.no_grad()
def conjugate_gradient(
    objective: Objective | Callable[[Tensor], Tensor],
    initial: Tensor,
    *,
    n_iter: int = 5,
    beta_rule: str = "fletcher-reeves",
    retraction: Literal["qr", "polar"] = "qr",
    gtol: float = 1e-6,
    trace: bool = False,
    callback: Callback | None = None,
) -> DescentResult:
    """Minimise B functions on the Grassmannian, each on its own.

    Parameters
    ----------
    objective : Objective or callable
        A callable takes a batch of points (B, d, k), orthonormal, and gives its B values, each of which
        depends on its own point's span alone; gradients are taken by autograd.
    initial : Tensor or array (B, d, k)
        Orthonormal bases to start from.
    n_iter : int
        Iterations at most (the paper uses 5).
    beta_rule : {"fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "hager-zhang", "steepest-descent"}
    retraction : {"qr", "polar"}
    gtol : float
        A problem stops where the norm of its Riemannian gradient is at most this share of its Euclidean
        gradient's at the start, so that the unit of the function does not matter.
    trace : bool
        Whether the history holds the points, too.
    callback : callable, optional
        Gets a `Progress` after every iteration; raising `Cancelled` stops with the points found so far.

    Returns
    -------
    DescentResult

    Notes
    -----
    Values never rise. An objective with kinks (``kinked``, ``smoothed_gradient``) is descended along
    gradients that are smoothed in a band about the kinks, which narrows as the gains fall; values and line
    search are those of the objective itself. ``gradient_norm`` is then the norm of the smoothed gradient.

    Raises
    ------
    ValueError
        Unknown rule or retraction, an initial point that is not (B, d, k) or not orthonormal, or where the
        function or its gradient is not finite.

    Examples
    --------
    The dominant subspace of a matrix A is where tr(U'AU) is greatest:

    >>> from acot_core.riemannian.grassmann import distance, random_point
    >>> A = torch.diag(torch.tensor([5.0, 4.0, 2.0, 1.0], dtype=torch.float64))
    >>> start = random_point(1, 4, 2, torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> result = conjugate_gradient(lambda U: -(U * (A @ U)).sum((1, 2)), start, n_iter=100)
    >>> bool(result.converged), round(float(result.value), 6)
    (True, -9.0)
    >>> bool(distance(result.point, torch.eye(4, 2, dtype=torch.float64)[None]) < 1e-4)
    True
    """
    check_choice("beta_rule", beta_rule, sorted(BETA_RULES))
    check_choice("retraction", retraction, ("qr", "polar"))
    n_iter, gtol = check_int("n_iter", n_iter, least=0), check_number("gtol", gtol)
    initial = as_points(initial)
    objective = as_objective(objective, initial)
    _check_start(objective, initial)
    clock = Clock("subspace", n_iter, callback)
    state = _start(objective, initial, gtol)
    final = (state.U.clone(), state.count.clone(), state.stuck.clone())
    value, norm, enough = state.f, state.norm, gtol * state.scale
    values, norms = [value], [norm]
    points = [state.U] if trace else []
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
        if iteration % _REFRESH_EVERY == 0:
            state.U = objective.refresh(state.U)
        state = _iterate(objective, state, gtol, beta_rule, retraction)
        value = value.index_copy(0, state.index, state.f)
        norm = norm.index_copy(0, state.index, state.norm)
        values.append(value)
        norms.append(norm)
        if trace:
            points.append(points[-1].index_copy(0, state.index, state.U))
        if callback is not None:
            try:
                clock.report(iteration, value=float(value.mean()))
            except Cancelled:
                cancelled = True
                break
    _store(final, state)
    point, count, stuck = final
    reason = tuple(
        "gradient" if n <= e else "no decrease" if s else "cancelled" if cancelled else "iterations"
        for n, e, s in zip(norm.tolist(), enough.tolist(), stuck.tolist(), strict=True)
    )
    history = {"value": torch.stack(values), "gradient_norm": torch.stack(norms)}
    if trace:
        history["point"] = torch.stack(points)
    return DescentResult(point, value, norm, count, reason, history)


def _check_start(objective: Objective, U: Tensor) -> None:
    gram = objective.gram(U, U)
    error = (gram - torch.eye(U.shape[2], dtype=U.dtype, device=U.device)).abs().amax((1, 2))
    if bool((~(error < 1e-3)).any()):
        i = int((~(error < 1e-3)).nonzero()[0])
        raise ValueError(
            f"initial[{i}]: expected orthonormal columns, but U'U differs from I by {float(error[i]):.2g} "
            f"(shape {tuple(U.shape)}; acot_core.riemannian.grassmann.orthonormalize makes them so)"
        )


def _gradients(objective: Objective, U: Tensor, band: Tensor) -> tuple[Tensor, Tensor]:
    """Euclidean and Riemannian gradients, smoothed where the objective knows how to."""
    g = objective.smoothed_gradient(U, band) if objective.kinked else objective.gradient(U)
    return g, _minus_times(g, U, objective.gram(U, g))


def _start(objective: Objective, U: Tensor, gtol: float) -> _State:
    band = torch.full_like(U[:, 0, 0], 1.0 if objective.kinked else 0.0)
    euclidean, g = _gradients(objective, U, band)
    f, gg, scale = objective.value(U), objective.inner(g, g), objective.inner(euclidean, euclidean).sqrt()
    if bool((~(f.isfinite() & gg.isfinite())).any()):
        i = int((~(f.isfinite() & gg.isfinite())).nonzero()[0])
        raise ValueError(f"objective: value or gradient at initial[{i}] is not finite ({float(f[i])})")
    norm = gg.sqrt()
    count = torch.zeros(len(U), dtype=torch.int64, device=U.device)
    return _State(
        index=torch.arange(len(U), device=U.device),
        U=U,
        f=f,
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
        running=_is_worth_it(norm, band, gtol * scale),
        scale=scale,
    )


def _first_step(gg: Tensor) -> Tensor:
    """Step along the steepest descent that turns the subspace by 45 degrees."""
    return gg.clamp_min(torch.finfo(gg.dtype).tiny).rsqrt()


def _is_worth_it(norm: Tensor, band: Tensor, gtol: Tensor) -> Tensor:
    return (norm > gtol) | (band > _NARROWEST)


def _store(final: tuple[Tensor, ...], state: _State) -> None:
    for all_problems, running in zip(final, (state.U, state.count, state.stuck), strict=True):
        all_problems[state.index] = running


def _iterate(objective: Objective, state: _State, gtol: float, beta_rule: str, retraction: str) -> _State:
    """One iteration of every problem that is running; the others stay exactly as they are."""
    gram, inner = objective.gram, objective.inner
    U, f, g, gg, d, running = state.U, state.f, state.g, state.gg, state.d, state.running
    S = gram(d, d)

    def move(step: Tensor) -> tuple[Tensor, Tensor]:
        W = torch.addcmul(U, step[:, None, None], d)
        M = gram(W, W)
        return _times(W, _right_factor(M, retraction)), M

    line = objective.line(U, d, S)
    if line is not None:
        size = S.abs().sum(1).amax(1).sqrt()  # at least the largest singular value of d
        longest = 10 / size.clamp_min(torch.finfo(f.dtype).tiny)  # turns the subspace by 84 degrees or more
        step = curve(line, f, state.slope, torch.minimum(state.step, longest), longest)
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
    band = torch.where(slow, torch.where(moved, 0.8 * state.band, 0.25 * state.band), state.band)
    g_new = _gradients(objective, V, band)[1]
    gg_new = torch.where(running, inner(g_new, g_new), gg)
    norm = gg_new.sqrt()

    def carry(W: Tensor) -> Tensor:  # vector transport by projection
        return _minus_times(W, V, gram(V, W))

    d_old = carry(d)
    along = inner(g_new, d_old)
    dd = S.diagonal(dim1=1, dim2=2).sum(1)
    turn = _Turn(
        gg=gg_new,
        oo=gg,
        dd=dd,
        dg=along,
        g=g_new,
        d=d_old,
        carry=lambda: carry(g),
        inner=inner,
        scale=state.scale,
    )
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
        running=~stuck & _is_worth_it(norm, band, gtol * state.scale),
        scale=state.scale,
    )
