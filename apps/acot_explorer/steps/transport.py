"""Step 3, Transport: the plan between a clip and its negatives (Sec. 3.1 and 3.5, Eqs. 2 and 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acot_core.experiments.one_clip import TransportStudy, transport_study
from acot_core.figures.coupling import plot_ipot, plot_plan
from acot_explorer.clips import frames_of, negatives_of
from acot_explorer.render import FigureSpec, record
from acot_explorer.requests import ClipRequest
from acot_explorer.snippets import clip_lines, load_lines
from acot_explorer.steps.base import OF_NEGATIVES, Step, clip_request

__all__ = ["TransportStep"]

_TRACE = 500


@dataclass(frozen=True)
class _Request:
    clip: ClipRequest
    method: str
    trace: int


def _study(request: _Request) -> TransportStudy:
    return transport_study(
        frames_of(request.clip), negatives_of(request.clip), method=request.method, trace=request.trace
    )


def _describe_plan(study: TransportStudy) -> str:
    n, m = study.plan.shape
    return f"Plan between {n} frames and {m} negatives; cost {study.value:.4f}, exact {study.exact:.4f}"


def _describe_ipot(study: TransportStudy) -> str:
    last = study.trace.iloc[-1]
    gap = abs(last["value"] - study.exact) / study.exact
    return f"IPOT after {int(last['iteration'])} iterations: {gap:.1e} above the exact cost"


PLAN = FigureSpec("plan", _study, plot_plan, _describe_plan)
IPOT = FigureSpec("ipot", _study, plot_ipot, _describe_ipot)


class TransportStep(Step):
    """Which negative each frame is contrasted with."""

    name = "transport"
    question = "Which negative does each frame meet?"
    method = (
        "Optimal transport couples the frames with the negatives at the least total cost. Each frame is then "
        "pushed away from the negatives it is coupled with: its hardest ones."
    )
    equation = r"\min_{\pi\in\Pi(\mu_X,\nu_Y)}\ \sum_{i,j}\pi_{ij}\,\|f_U(x_i)-y_j\|^2,\qquad f_U=UU^\top"
    notice = (
        "Adversarial negatives are made of the clip's own frames, so the plan follows the diagonal: each "
        "frame "
        "meets what is left of itself. Choose random negatives and the band dissolves. IPOT reaches the "
        "exact "
        "cost within some hundred cheap iterations; Sinkhorn stays blurred."
    )
    inputs = OF_NEGATIVES
    shown = ("clip", "negatives", "n_negatives", "transport")
    figures = ((PLAN, "Transport plan"), (IPOT, "IPOT beside the exact value"))

    def request(self) -> _Request:
        """The clip's problem and the solver."""
        return _Request(clip_request(self), self.settings.transport, 0)

    def request_of(self, panel: Any, request: _Request) -> _Request:
        """IPOT's course does not depend on the solver chosen."""
        return request if panel.spec is PLAN else _Request(request.clip, "emd", _TRACE)

    def remark(self, request: _Request) -> str:
        """The plan in numbers."""
        study = record(PLAN, request)
        used = int((study.plan > 1e-3 / study.plan.size).sum())
        gap = study.value / study.exact - 1 if study.exact > 0 else 0.0
        return (
            f"Cost **{study.value:.4f}**, {gap:+.2%} against the exact plan; {used} of {study.plan.size} "
            f"pairs carry "
            f"mass; marginals are off by {study.marginal_error:.1e}."
        )

    def code(self) -> str:
        """Negatives, plan, and IPOT's course."""
        settings = self.settings
        n_iter = self.explorer.desk.iterations_used()
        return "\n".join(
            [
                "from acot_core.experiments import transport_study",
                "from acot_core.figures import plot_ipot, plot_plan",
                *load_lines(settings),
                *clip_lines(settings, n_iter),
                f"plan = transport_study(frames, negatives, method={settings.transport!r})",
                "plot_plan(plan, width='page').savefig('plan.pdf')",
                f"ipot = transport_study(frames, negatives, trace={_TRACE})",
                "plot_ipot(ipot, width='page').savefig('ipot.pdf')",
            ]
        )
