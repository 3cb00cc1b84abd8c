"""The step Transport: the plan between a sequence and its negatives (Sec. 3.1 and 3.5, Eqs. 2 and 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acot_core.experiments.views.one_sequence import TransportStudy, transport_study
from acot_core.figures.coupling import plot_ipot, plot_plan
from acot_explorer.cache_keys import SequenceRequest
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.living import charts
from acot_explorer.living.heat import Plan
from acot_explorer.people import PERSON, PersonRequest, person_slot
from acot_explorer.render import FigureSpec, record
from acot_explorer.sequences import frames_of, negatives_of
from acot_explorer.snippets import load_lines, sequence_lines
from acot_explorer.steps.base import OF_NEGATIVES, Step, sequence_request

__all__ = ["TransportStep"]

_TRACE = 500
_KINDS = {
    "adversarial": "Adversarial negatives are made of the sequence's own frames, and each frame meets what "
                   "is left of itself.",
    "random": "Random negatives are frames with noise taken off: each frame gets whichever are near.",
    "others": "Frames of other sequences: each frame meets what looks most like it elsewhere.",
    "self": "The frames are their own negatives: the plan is the identity, at no cost, and there is no "
            "contrast.",
}  # fmt: skip


@dataclass(frozen=True)
class _Request:
    sequence: SequenceRequest
    method: str
    trace: int


def _study(request: _Request) -> TransportStudy:
    return transport_study(
        frames_of(request.sequence),
        negatives_of(request.sequence),
        method=request.method,
        trace=request.trace,
    )


def _describe_plan(study: TransportStudy) -> str:
    n, m = study.plan.shape
    return f"Plan between {n} frames and {m} negatives; cost {study.value:.4f}, exact {study.exact:.4f}"


def _describe_ipot(study: TransportStudy) -> str:
    last = study.trace.iloc[-1]
    gap = abs(last["value"] - study.exact) / max(study.exact, 1e-12)
    return f"IPOT after {int(last['iteration'])} iterations: {gap:.1e} above the exact cost"


PLAN = FigureSpec("plan", _study, plot_plan, _describe_plan)
IPOT = FigureSpec("ipot", _study, plot_ipot, _describe_ipot, table=lambda study: study.trace)


class TransportStep(Step):
    """Which negative each frame is contrasted with."""

    name = "transport"
    question = "Which negative does each frame meet?"
    method = (
        "Optimal transport couples the frames with the negatives at the least total cost. Each frame is then "
        "pushed away from the negatives it is coupled with: its hardest ones."
    )
    equation = (
        Term(r"\min_{\pi\in\Pi(\mu_X,\nu_Y)}", "Over all plans with these marginals", "transport"),
        Term(r"\ \sum_{i,j}\pi_{ij}\,\|", "The plan's mass, times the distance"),
        Term("f_U(x_i)", "A frame, projected: f = UU'; here UU' = I", "sequence", "positives"),
        Term("-"),
        Term("y_j", "A negative", "negatives", "negatives"),
        Term(r"\|"),
    )
    inputs = OF_NEGATIVES
    shown = ("sequence", "negatives", "n_negatives", "transport")
    figures = (
        FigureSlot(PLAN, "Transport plan", lambda host: Plan(), basis="1 1 300px"),
        FigureSlot(IPOT, "IPOT against exact", lambda host: charts.ipot(), basis="1 1 300px"),
        person_slot("Person and negatives"),
    )

    def notice(self) -> str:
        """Remarks on the plan, by the kind of the negatives."""
        return (
            f"{_KINDS[self.settings.negatives]} The negatives are sorted by the frames that they are "
            "coupled with, so a band is no finding; how narrow it is, and what it costs, is. IPOT reaches "
            "the exact cost within some hundred cheap iterations; Sinkhorn stays blurred."
        )

    def request(self) -> _Request:
        """The sequence's problem and the solver."""
        return _Request(sequence_request(self), self.settings.transport, 0)

    def request_of(self, panel: Any, request: _Request) -> _Request | PersonRequest:
        """IPOT's course does not depend on the solver chosen."""
        if panel.spec is PERSON:
            return PersonRequest(request.sequence, request.method)
        return request if panel.spec is PLAN else _Request(request.sequence, "emd", _TRACE)

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
        n_iter = self.host.session.iterations_used()
        return "\n".join(
            [
                "from acot_core.experiments import transport_study",
                "from acot_core.figures import plot_ipot, plot_plan",
                *load_lines(settings),
                *sequence_lines(settings, n_iter),
                f"plan = transport_study(frames, negatives, method={settings.transport!r})",
                "plot_plan(plan, width='page').savefig('plan.pdf')",
                f"ipot = transport_study(frames, negatives, trace={_TRACE})",
                "plot_ipot(ipot, width='page').savefig('ipot.pdf')",
            ]
        )
