"""Step 5, Classification: does the subspace tell the classes apart? (Sec. 3.6, Eq. 14; Table 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from acot_core.experiments.classification import ClassificationRecord, classification
from acot_core.figures.classification import plot_accuracies, plot_confusion
from acot_core.records import Record
from acot_explorer.render import FigureSpec, record
from acot_explorer.requests import ClipRequest
from acot_explorer.snippets import adversary_lines, load_lines
from acot_explorer.steps.base import OF_NEGATIVES, Step, clip_request
from acot_explorer.store import adversaries, load_dataset

__all__ = ["ClassificationStep"]


@dataclass(frozen=True)
class _Request:
    clip: ClipRequest
    n_subspaces: int
    beta1: float
    beta2: float
    eta: float
    transport: str
    C: float


def _classify(request: _Request) -> ClassificationRecord:
    clip = request.clip
    adversary = None if clip.adversary is None else adversaries().get(*clip.adversary)
    return classification(
        load_dataset(clip.data),
        clip.stream,
        adversary=adversary,
        n_negatives=clip.n_negatives,
        n_subspaces=request.n_subspaces,
        beta1=request.beta1,
        beta2=request.beta2,
        eta=request.eta,
        transport=request.transport,
        C=request.C,
        random_state=clip.seed,
    )


@dataclass(kw_only=True)
class _Confusion(Record):
    """The same record with the confusion matrix as its table."""

    whole: ClassificationRecord

    def to_frame(self) -> Any:
        return self.whole.confusion_frame()


def _confusion(request: _Request) -> _Confusion:
    return _Confusion(whole=record(ACCURACIES, request))


def _plot_confusion(found: _Confusion, **style: Any) -> Any:
    return plot_confusion(found.whole, **style)


def _describe_accuracies(found: ClassificationRecord) -> str:
    rows = found.accuracies
    return "Test accuracy: " + ", ".join(
        f"{label} {value:.0%}" for label, value in zip(rows["label"], rows["accuracy"], strict=True)
    )


def _describe_confusion(found: _Confusion) -> str:
    confusion = found.whole.confusion
    return f"Confusion matrix: {confusion.trace()} of {confusion.sum()} test clips are on the diagonal"


ACCURACIES = FigureSpec("accuracies", _classify, plot_accuracies, _describe_accuracies)
CONFUSION = FigureSpec("confusion", _confusion, _plot_confusion, _describe_confusion)


class ClassificationStep(Step):
    """All clips pooled with the present settings, and classified."""

    name = "classification"
    question = "Do the subspaces tell the classes apart?"
    method = (
        "Every clip becomes its subspace U. A support vector machine compares subspaces by the kernel "
        "below, which "
        "does not mind how a basis is turned or signed. Averages and PCA are judged in the same way."
    )
    equation = r"K(U_1,U_2)=\exp\bigl(\gamma\,\|U_1^\top U_2\|_F^2\bigr)"
    notice = (
        "On the planted data every class is another's time reversal: averages confuse each pair, and the "
        "confusion "
        "matrix of β₂ = 0 shows it as 2 × 2 blocks. Order pulls the pairs apart. GRP has order, but no "
        "contrast."
    )
    inputs = (*OF_NEGATIVES, "n_subspaces", "beta1", "beta2", "eta", "C")
    shown = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "negatives", "C")
    figures = ((ACCURACIES, "Accuracy beside the baselines"), (CONFUSION, "Confusion matrix"))

    def request(self) -> _Request:
        """All clips and all weights."""
        settings = self.settings
        self.explorer.desk.need_classes("there is nothing to tell apart")
        values = settings.pick("n_subspaces", "beta1", "beta2", "eta", "transport", "C")
        return _Request(replace(clip_request(self), clip=0), **values)

    def remark(self, request: _Request) -> str:
        """ACOT beside average pooling."""
        rows = record(ACCURACIES, request).accuracies.set_index("method")
        ours, average = rows.loc["acot"], rows.loc["average"]
        return (
            f"**{ours['label']} {ours['accuracy']:.1%}** ({ours['correct']} of {ours['n_test']} test "
            f"clips), average pooling {average['accuracy']:.1%}. This is one split and one seed; step 6 "
            "repeats it over seeds."
        )

    def code(self) -> str:
        """Train, pool, classify."""
        settings = self.settings
        n_iter = self.explorer.desk.iterations_used()
        lines = [
            "from acot_core.experiments import classification",
            "from acot_core.figures import plot_accuracies, plot_confusion",
            *load_lines(settings),
        ]
        lines += ["adversary = None"] if n_iter is None else adversary_lines(settings, n_iter)
        values = settings.pick("n_negatives", "n_subspaces", "beta1", "beta2", "eta", "transport", "C")
        arguments = ", ".join(f"{name}={value!r}" for name, value in values.items())
        lines += [
            f"result = classification(dataset, {settings.stream!r}, adversary=adversary, {arguments}, "
            f"random_state={settings.seed})",
            "plot_accuracies(result, width='page').savefig('accuracies.pdf')",
            "plot_confusion(result, width='page').savefig('confusion.pdf')",
        ]
        return "\n".join(lines)
