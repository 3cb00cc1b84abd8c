"""The step Subspace: contrast, distortion and order on the Grassmannian (Sec. 3.4-3.5, Eqs. 10 and 13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acot_core.experiments.views.one_sequence import SubspaceStudy, subspace_study
from acot_core.figures.descent import plot_energies, plot_terms
from acot_explorer.cache_keys import SequenceRequest
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.living import charts
from acot_explorer.people import PERSON, PersonRequest, person_slot
from acot_explorer.render import FigureSpec, record
from acot_explorer.sequences import frames_of, negatives_of
from acot_explorer.snippets import load_lines, sequence_lines
from acot_explorer.steps.base import OF_NEGATIVES, NotReady, Step, sequence_request

__all__ = ["SubspaceStep"]


@dataclass(frozen=True)
class _Request:
    sequence: SequenceRequest
    n_subspaces: int
    beta1: float
    beta2: float
    eta: float
    method: str


def _study(request: _Request) -> SubspaceStudy:
    return subspace_study(
        frames_of(request.sequence),
        negatives_of(request.sequence),
        n_subspaces=request.n_subspaces,
        beta1=request.beta1,
        beta2=request.beta2,
        eta=request.eta,
        method=request.method,
    )


def _describe_energies(study: SubspaceStudy) -> str:
    falls = study.violations
    return (
        f"Energy over {len(study.energies)} frames; it falls at {falls['ordered']:.0%} of the steps with "
        f"order, "
        f"{falls['unordered']:.0%} without"
    )


def _describe_terms(study: SubspaceStudy) -> str:
    value = study.terms["objective"]
    return (
        f"The objective goes from {value.iloc[0]:.4f} to {value.iloc[-1]:.4f} in {len(value) - 1} iterations"
    )


ENERGIES = FigureSpec("energies", _study, plot_energies, _describe_energies)
TERMS = FigureSpec("objective", _study, plot_terms, _describe_terms, table=lambda s: s.terms.reset_index())


class SubspaceStep(Step):
    """Effect of the weights of Eq. (10) on the subspace."""

    name = "subspace"
    question = "Which directions tell the sequence from its negatives, in order?"
    method = (
        "The subspace U maximises the distance of the projected frames from their negatives, keeps the "
        "distortion "
        "small (β₁) and lets the projected energy grow with time (β₂, margin η)."
    )
    equation = (
        Term(r"\min_{U\in\mathcal{G}(d,k)}", "Over all subspaces of dimension k", "n_subspaces", "subspace"),
        Term(r"\ -\frac{1}{n}\|UU^{\!\top} X-T\|^2", "Contrast: away from T, the coupled negatives",
             "negatives", "negatives"),
        Term("+"),
        Term(r"\frac{\beta_1}{n}\|UU^{\!\top} X-X\|^2", "Distortion: what the projection loses", "beta1",
             "positives"),
        Term("+"),
        Term(r"\frac{\beta_2}{n-1}\sum_t[\|U^{\!\top} x_t\|^2", "Order: the energy shall grow with time",
             "beta2", "baseline"),
        Term(r"+\,\eta", "by the margin", "eta", "noise"),
        Term(r"-\,\|U^{\!\top} x_{t+1}\|^2]_+"),
    )  # fmt: skip
    inputs = (*OF_NEGATIVES, "n_subspaces", "beta1", "beta2", "eta")
    shown = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "negatives", "transport", "sequence")
    figures = (
        FigureSlot(ENERGIES, "Energy over time", lambda host: charts.energies(), basis="1 1 300px"),
        FigureSlot(TERMS, "The objective's terms", lambda host: charts.terms(), basis="1 1 300px"),
        person_slot("Person and negatives"),
    )

    def notice(self) -> str:
        """Effect of the weights, and at which value of k."""
        return (
            "Raise β₂ and the green curve is pulled upwards over time, away from PCA's; set it to 0 and it "
            "lies on the dashed one. At β₁ = 1 contrast and distortion cancel but for what the adversary "
            "took; above, the frames' own energy decides as in PCA, below, what the negatives lack. Raise k "
            "and more energy is kept, but order is harder to impose."
        )

    def request(self) -> _Request:
        """The sequence and the weights."""
        sequence = sequence_request(self)
        dimension = frames_of(sequence).shape[1]
        if self.settings.n_subspaces > dimension:
            raise NotReady(
                f"k = {self.settings.n_subspaces} is more than the d = {dimension} features: lower k."
            )
        values = self.settings.pick("n_subspaces", "beta1", "beta2", "eta")
        return _Request(sequence, **values, method=self.settings.transport)

    def request_of(self, panel: Any, request: _Request) -> _Request | PersonRequest:
        """The person does not depend on the weights."""
        return PersonRequest(request.sequence, request.method) if panel.spec is PERSON else request

    def remark(self, request: _Request) -> str:
        """The subspace in numbers."""
        study = record(ENERGIES, request)
        falls = study.violations
        angles = ", ".join(f"{a:.0f}°" for a in study.angles)
        return (
            f"The energy falls at **{falls['ordered']:.0%}** of the steps ({falls['unordered']:.0%} "
            f"without order, "
            f"{falls['pca']:.0%} for PCA). Angle to PCA's subspace: {angles}."
        )

    def code(self) -> str:
        """Negatives, subspace, and both figures."""
        settings = self.settings
        weights = ", ".join(
            f"{n}={v!r}" for n, v in settings.pick("n_subspaces", "beta1", "beta2", "eta").items()
        )
        return "\n".join(
            [
                "from acot_core.experiments import subspace_study",
                "from acot_core.figures import plot_energies, plot_terms",
                *load_lines(settings),
                *sequence_lines(settings, self.host.session.iterations_used()),
                f"study = subspace_study(frames, negatives, {weights}, method={settings.transport!r})",
                "plot_energies(study, width='page').savefig('energies.pdf')",
                "plot_terms(study, width='page').savefig('objective.pdf')",
            ]
        )
