"""Step 1, Data: sequences of frame features (Sec. 3, "Problem Formulation"; Sec. 4, "Datasets")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acot_core.experiments.one_clip import ClipView, DatasetView, clip_view, dataset_view
from acot_core.figures.clips import plot_clip, plot_dataset
from acot_explorer.render import FigureSpec
from acot_explorer.requests import DataRequest
from acot_explorer.snippets import load_lines
from acot_explorer.steps.base import Step
from acot_explorer.store import load_dataset

__all__ = ["DataStep"]


@dataclass(frozen=True)
class _Request:
    data: DataRequest
    stream: str
    clip: int


def _clip(request: _Request) -> ClipView:
    return clip_view(load_dataset(request.data), request.stream, request.clip)


def _dataset(request: _Request) -> DatasetView:
    return dataset_view(load_dataset(request.data), request.stream)


def _describe_clip(view: ClipView) -> str:
    n, d = view.frames.shape
    return f"Heat map of clip {view.clip}, class {view.class_name}: {n} frames of {d} features"


def _describe_dataset(view: DatasetView) -> str:
    lengths = view.table["n_frames"]
    return (
        f"{view.name}: {len(view.table)} clips in {len(view.class_names)} classes, "
        f"{lengths.min()} to {lengths.max()} frames long"
    )


class DataStep(Step):
    """Which sequences, which stream, which clip."""

    name = "data"
    question = "What does a sequence look like?"
    method = (
        "A clip is an ordered set of frame features, each non-negative and of unit length. "
        "Every frame is seen alone; what happens over time is left to the representation."
    )
    equation = r"X=\langle x_1,\dots,x_n\rangle,\quad x_t\in\mathbb{R}^d_{\ge 0},\ \|x_t\|=1"
    notice = (
        "Step through the clips: the bright, steady rows are background that all classes share. The "
        "class shows "
        "only in a few rows that brighten or fade with time, and the averages on the right hide just that."
    )
    inputs = ("dataset", "stream", "encoder", "seed", "clip")
    shown = ("dataset", "stream", "encoder", "clip", "seed")
    figures = (
        (FigureSpec("clip", _clip, plot_clip, _describe_clip, wide=True), "Frames of the clip"),
        (FigureSpec("dataset", _dataset, plot_dataset, _describe_dataset, wide=True), "The data set"),
    )

    def controls(self) -> list[Any]:
        """Menus for data and clip, and the upload of one's own."""
        return [*super().controls(), *self.explorer.upload.controls()]

    def request(self) -> _Request:
        """The clip that is chosen."""
        self.explorer.desk.need_data()
        return _Request(DataRequest.of(self.settings), self.settings.stream, self.settings.clip)

    def request_of(self, panel: Any, request: _Request) -> _Request:
        """The overview does not depend on the clip."""
        return request if panel.spec.name == "clip" else _Request(request.data, request.stream, 0)

    def remark(self, request: _Request) -> str:
        """What is chosen, in numbers."""
        dataset = load_dataset(request.data)
        train, test = dataset.split()
        n, d = dataset.streams[request.stream][request.clip].shape
        part = "training" if request.clip in set(train.tolist()) else "test"
        return (
            f"**{dataset.name}**: {len(dataset)} clips, {len(dataset.class_names)} classes, {len(train)} "
            f"to train "
            f"and {len(test)} to test. Clip {request.clip} ({part}): "
            f"*{dataset.class_names[dataset.labels[request.clip]]}*, "
            f"{n} frames × {d} features."
        )

    def code(self) -> str:
        """Load the data and plot the clip."""
        settings = self.settings
        return "\n".join(
            [
                "from acot_core.experiments import clip_view, dataset_view",
                "from acot_core.figures import plot_clip, plot_dataset",
                *load_lines(settings),
                f"clip = clip_view(dataset, {settings.stream!r}, {settings.clip})",
                "plot_clip(clip, width='page').savefig('clip.pdf')",
                f"overview = dataset_view(dataset, {settings.stream!r})",
                "plot_dataset(overview, width='page').savefig('dataset.pdf')",
            ]
        )
