"""Step 1, Data: sequences of frame features (Sec. 3, "Problem Formulation"; Sec. 4, "Datasets")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acot_core.experiments.views.one_sequence import DatasetView, SequenceView, dataset_view, sequence_view
from acot_core.figures.sequences import plot_dataset, plot_sequence
from acot_explorer.cache_keys import DataRequest, SequenceRequest
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.host import Host
from acot_explorer.living.bars import Holdings
from acot_explorer.living.heat import Frames
from acot_explorer.people import PERSON, PersonRequest, person_slot
from acot_explorer.render import FigureSpec
from acot_explorer.snippets import load_lines
from acot_explorer.steps.base import Step
from acot_explorer.store import load_dataset
from acot_explorer.upload import UploadBox

__all__ = ["DataStep"]


@dataclass(frozen=True)
class _Request:
    data: DataRequest
    stream: str
    sequence: int


def _sequence(request: _Request) -> SequenceView:
    return sequence_view(load_dataset(request.data), request.stream, request.sequence)


def _dataset(request: _Request) -> DatasetView:
    return dataset_view(load_dataset(request.data), request.stream)


def _describe_sequence(view: SequenceView) -> str:
    n, d = view.frames.shape
    return f"Heat map of sequence {view.sequence}, class {view.class_name}: {n} frames of {d} features"


def _describe_dataset(view: DatasetView) -> str:
    lengths = view.table["n_frames"]
    return (
        f"{view.name}: {len(view.table)} sequences in {len(view.class_names)} classes, "
        f"{lengths.min()} to {lengths.max()} frames long"
    )


_NOTICES = {
    "planted": (
        "Step through the sequences: the bright, steady rows are background that all classes share. The "
        "class shows only in a few rows that brighten or fade with time, and the averages on the right hide "
        "just that."
    ),
    "stick-figures": (
        "Sequences 0 and 1 of a pair are each other's time reversal: sitting down and standing up pass "
        "through the same poses. Whatever forgets the order, an average for instance, cannot tell them "
        "apart."
    ),
    "": (
        "Step through the sequences: rows that change with time are what order can use, rows that do not are "
        "all that an average sees. The averages on the right compare this sequence with the mean of its "
        "class."
    ),
}

SEQUENCE = FigureSpec("sequence", _sequence, plot_sequence, _describe_sequence, wide=True)
DATASET = FigureSpec("dataset", _dataset, plot_dataset, _describe_dataset, wide=True)


class DataStep(Step):
    """Which data set, which stream, which sequence."""

    name = "data"
    question = "What does a sequence look like?"
    method = (
        "A sequence is an ordered set of frame features, each non-negative and of unit length. "
        "Every frame is seen alone; what happens over time is left to the representation."
    )
    equation = (
        Term(r"X=\langle x_1,\dots,x_n\rangle", "The sequence X of n frames", "sequence", "positives"),
        Term(r",\ x_t\in\mathbb{R}^d_{\geq 0},\ \|x_t\|=1", "Frames are non-negative and of unit length"),
    )
    inputs = ("dataset", "stream", "encoder", "seed", "sequence")
    shown = ("dataset", "stream", "encoder", "sequence", "seed")
    figures = (
        FigureSlot(SEQUENCE, "Frames of the sequence", lambda host: Frames(), basis="2 1 440px"),
        FigureSlot(DATASET, "The data set", lambda host: Holdings()),
        person_slot("What happens", first=True),
    )

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.upload = UploadBox(host)

    def controls(self) -> list[Any]:
        """Menus for data and sequence, and the upload."""
        return [*super().controls(), *self.upload.controls()]

    def notice(self) -> str:
        """Remarks on the heat map of these data."""
        return _NOTICES.get(self.settings.dataset, _NOTICES[""])

    def request(self) -> _Request:
        """The sequence that is chosen."""
        self.host.session.need_data()
        return _Request(DataRequest.of(self.settings), self.settings.stream, self.settings.sequence)

    def request_of(self, panel: Any, request: _Request) -> _Request | PersonRequest:
        """The overview does not depend on the sequence; the person has no negatives yet."""
        if panel.spec is PERSON:
            return PersonRequest(SequenceRequest(request.data, request.stream, request.sequence, None, 1, 0))
        return request if panel.spec is SEQUENCE else _Request(request.data, request.stream, 0)

    def remark(self, request: _Request) -> str:
        """Numbers of what is chosen."""
        dataset = load_dataset(request.data)
        train, test = dataset.split()
        n, d = dataset.streams[request.stream][request.sequence].shape
        signals = dataset.raw[request.stream][request.sequence].shape[1]
        encoder = dataset.config.get("encoder", "none")
        made = "" if encoder == "none" else f", made of {signals} signals per frame by an encoder ({encoder})"
        part = "training" if request.sequence in set(train.tolist()) else "test"
        return (
            f"**{dataset.name}**: {len(dataset)} sequences, {len(dataset.class_names)} classes, {len(train)} "
            f"to train "
            f"and {len(test)} to test. Sequence {request.sequence} ({part}): "
            f"*{dataset.class_names[dataset.labels[request.sequence]]}*, "
            f"{n} frames × {d} features{made}."
        )

    def code(self) -> str:
        """Load the data and plot the sequence."""
        settings = self.settings
        return "\n".join(
            [
                "from acot_core.experiments import sequence_view, dataset_view",
                "from acot_core.figures import plot_sequence, plot_dataset",
                *load_lines(settings),
                f"sequence = sequence_view(dataset, {settings.stream!r}, {settings.sequence})",
                "plot_sequence(sequence, width='page').savefig('sequence.pdf')",
                f"overview = dataset_view(dataset, {settings.stream!r})",
                "plot_dataset(overview, width='page').savefig('dataset.pdf')",
            ]
        )
