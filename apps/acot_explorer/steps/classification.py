"""The step Classification: does the subspace tell the classes apart? (Sec. 3.6, Eq. 14; Table 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from acot_core.experiments.views.one_fit import ClassificationRecord, classification
from acot_core.figures.classification import plot_accuracies, plot_confusion
from acot_explorer.cache_keys import SequenceRequest
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.living.bars import Accuracies
from acot_explorer.living.heat import Confusion
from acot_explorer.render import FigureSpec, record
from acot_explorer.snippets import adversary_lines, load_lines
from acot_explorer.steps.base import OF_NEGATIVES, Step, sequence_request
from acot_explorer.store import adversaries, load_dataset

__all__ = ["ClassificationStep"]


@dataclass(frozen=True)
class _Request:
    sequence: SequenceRequest
    n_subspaces: int
    beta1: float
    beta2: float
    eta: float
    transport: str
    gamma: float
    C: float


def _classify(request: _Request) -> ClassificationRecord:
    data = request.sequence
    adversary = None if data.adversary is None else adversaries().get(*data.adversary)
    return classification(
        load_dataset(data.data),
        data.stream,
        adversary=adversary,
        negatives=data.negatives,
        n_negatives=data.n_negatives,
        n_subspaces=request.n_subspaces,
        beta1=request.beta1,
        beta2=request.beta2,
        eta=request.eta,
        transport=request.transport,
        gamma=request.gamma,
        C=request.C,
        random_state=data.seed,
    )


def _describe_accuracies(result: ClassificationRecord) -> str:
    rows = result.accuracies
    return "Test accuracy: " + ", ".join(
        f"{label} {value:.0%}" for label, value in zip(rows["label"], rows["accuracy"], strict=True)
    )


def _describe_confusion(result: ClassificationRecord) -> str:
    confusion = result.confusion
    return f"Confusion matrix: {confusion.trace()} of {confusion.sum()} test sequences are on the diagonal"


ACCURACIES = FigureSpec("accuracies", _classify, plot_accuracies, _describe_accuracies)
CONFUSION = FigureSpec(
    "confusion", _classify, plot_confusion, _describe_confusion, table=ClassificationRecord.confusion_frame
)


class ClassificationStep(Step):
    """All sequences pooled with the present settings, and classified."""

    name = "classification"
    question = "Do the subspaces tell the classes apart?"
    method = (
        "Every sequence becomes its subspace U. A support vector machine compares subspaces by this kernel, "
        "which does not depend on how a basis is turned or signed. Averages and PCA are evaluated in the "
        "same way."
    )
    equation = (
        Term(r"K(U_1,U_2)=\exp("),
        Term(r"\gamma", "How narrow the kernel is", "gamma", "baseline"),
        Term(r"\,\|"),
        Term(r"U_1^{\!\top} U_2", "Two sequences' subspaces", "n_subspaces", "subspace"),
        Term(r"\|_F^2)"),
    )
    inputs = (*OF_NEGATIVES, "n_subspaces", "beta1", "beta2", "eta", "gamma", "C")
    shown = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "negatives", "gamma", "C")
    figures = (
        FigureSlot(ACCURACIES, "Accuracy and baselines", lambda host: Accuracies()),
        FigureSlot(CONFUSION, "Confusion matrix", lambda host: Confusion()),
    )

    def notice(self) -> str:
        """Remarks on the confusion matrix of these data."""
        if self.settings.dataset in ("planted", "stick-figures"):
            return (
                "Here every class is another's time reversal: averages confuse each pair, and the confusion "
                "matrix of β₂ = 0 shows it as 2 × 2 blocks. Order pulls the pairs apart. GRP has order, but "
                "no contrast."
            )
        return (
            "Averages know no order: where ACOT or GRP are better, order carries the class. The intervals "
            "are those of the number of test sequences: where they overlap, one split decides nothing."
        )

    def request(self) -> _Request:
        """All sequences and all weights."""
        settings = self.settings
        self.host.session.need_classes("there is nothing to tell apart")
        values = settings.pick("n_subspaces", "beta1", "beta2", "eta", "transport", "gamma", "C")
        return _Request(replace(sequence_request(self), index=0), **values)

    def remark(self, request: _Request) -> str:
        """ACOT and average pooling."""
        rows = record(ACCURACIES, request).accuracies.set_index("method")
        ours, average = rows.loc["acot"], rows.loc["average"]
        return (
            f"**{ours['label']} {ours['accuracy']:.1%}** ({ours['correct']} of {ours['n_test']} test "
            f"sequences), average pooling {average['accuracy']:.1%}. This is one split and one seed; the "
            "step Sensitivity repeats it over seeds."
        )

    def code(self) -> str:
        """Train, pool, classify."""
        settings = self.settings
        n_iter = self.host.session.iterations_used()
        lines = [
            "from acot_core.experiments import classification",
            "from acot_core.figures import plot_accuracies, plot_confusion",
            *load_lines(settings),
        ]
        lines += ["adversary = None"] if n_iter is None else adversary_lines(settings, n_iter)
        values = settings.pick(
            "negatives", "n_negatives", "n_subspaces", "beta1", "beta2", "eta", "transport", "gamma", "C"
        )
        arguments = ", ".join(f"{name}={value!r}" for name, value in values.items())
        lines += [
            f"result = classification(dataset, {settings.stream!r}, adversary=adversary, {arguments}, "
            f"random_state={settings.seed})",
            "plot_accuracies(result, width='page').savefig('accuracies.pdf')",
            "plot_confusion(result, width='page').savefig('confusion.pdf')",
        ]
        return "\n".join(lines)
