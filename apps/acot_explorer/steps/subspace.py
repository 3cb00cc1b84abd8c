"""Step 4, Subspace: contrast, distortion and order on the Grassmannian (Sec. 3.4-3.5, Eqs. 10 and 13)."""

from __future__ import annotations

from dataclasses import dataclass

from acot_core.experiments.one_clip import SubspaceStudy, subspace_study
from acot_core.figures.descent import plot_energies, plot_terms
from acot_explorer.clips import frames_of, negatives_of
from acot_explorer.render import FigureSpec, record
from acot_explorer.requests import ClipRequest
from acot_explorer.snippets import clip_lines, load_lines
from acot_explorer.steps.base import OF_NEGATIVES, NotReady, Step, clip_request

__all__ = ["SubspaceStep"]


@dataclass(frozen=True)
class _Request:
    clip: ClipRequest
    n_subspaces: int
    beta1: float
    beta2: float
    eta: float
    method: str


def _study(request: _Request) -> SubspaceStudy:
    return subspace_study(
        frames_of(request.clip),
        negatives_of(request.clip),
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
TERMS = FigureSpec("objective", _study, plot_terms, _describe_terms)


class SubspaceStep(Step):
    """What the weights of Eq. (10) do to the subspace."""

    name = "subspace"
    question = "Which directions tell the clip from its negatives, in order?"
    method = (
        "The subspace U maximises the distance of the projected frames from their negatives, keeps the "
        "distortion "
        "small (β₁) and lets the projected energy grow with time (β₂, margin η)."
    )
    equation = (
        r"\min_{U\in\mathcal G(d,k)} -\tfrac1n\|UU^\top X-T\|^2+\tfrac{\beta_1}{n}\|UU^\top X-X\|^2"
        r"+\tfrac{\beta_2}{n-1}\sum_t\bigl[\|U^\top x_t\|^2+\eta-\|U^\top x_{t+1}\|^2\bigr]_+"
    )
    notice = (
        "Raise β₂ and the green curve is pulled upwards over time, away from PCA's; set it to 0 and it "
        "lies on the "
        "dashed one. Raise k and ever more energy is kept, but order is harder to impose."
    )
    inputs = (*OF_NEGATIVES, "n_subspaces", "beta1", "beta2", "eta")
    shown = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "negatives", "transport", "clip")
    figures = ((ENERGIES, "Energy over time"), (TERMS, "The objective's terms"))

    def request(self) -> _Request:
        """The clip and the weights."""
        clip = clip_request(self)
        dimension = frames_of(clip).shape[1]
        if self.settings.n_subspaces > dimension:
            raise NotReady(
                f"k = {self.settings.n_subspaces} is more than the d = {dimension} features: lower k."
            )
        values = self.settings.pick("n_subspaces", "beta1", "beta2", "eta")
        return _Request(clip, **values, method=self.settings.transport)

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
                *clip_lines(settings, self.explorer.desk.iterations_used()),
                f"study = subspace_study(frames, negatives, {weights}, method={settings.transport!r})",
                "plot_energies(study, width='page').savefig('energies.pdf')",
                "plot_terms(study, width='page').savefig('objective.pdf')",
            ]
        )
