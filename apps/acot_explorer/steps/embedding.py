"""Step 7, Embedding: frames, negatives and representations in the plane (Sec. 4.3, Fig. 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from acot_core.experiments.embedding import PANELS, EmbeddingRecord, embedding
from acot_core.figures.embeddings import plot_embedding
from acot_core.progress import Callback
from acot_explorer.render import FigureSpec, Points
from acot_explorer.requests import AdversaryRequest, DataRequest
from acot_explorer.snippets import dataset_argument, file_name
from acot_explorer.steps.long import LongStep, kept, results
from acot_explorer.store import cache_folder, load_dataset

__all__ = ["EmbeddingStep"]

_POOLING = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "transport")


@dataclass(frozen=True)
class _Request:
    data: DataRequest
    stream: str
    seed: int
    fixed: tuple[tuple[str, Any], ...]
    adversary: tuple[tuple[str, Any], ...]


def _record(request: _Request) -> EmbeddingRecord:
    found = kept(request)
    assert isinstance(found, EmbeddingRecord)
    return found


def _points(found: EmbeddingRecord, figure: Figure) -> Points:
    """Where each point is in the drawn figure, with its class, and its clip where it is one."""
    clips: list[int] = found.config["clips_shown"]
    width, height = figure.get_size_inches() * figure.dpi
    named: Points = []
    panels = [name for name in PANELS if (found.points["panel"] == name).any()]
    for axes, panel in zip(figure.axes, panels, strict=False):
        rows = found.points[found.points["panel"] == panel]
        places = axes.transData.transform(rows[["x", "y"]].to_numpy())
        for number, ((x, y), row) in enumerate(zip(places, rows.itertuples(), strict=True)):
            clip = clips[number] if row.kind == "sequence" and number < len(clips) else -1
            what = f"clip {clip}\n{row.class_name}" if clip >= 0 else f"{row.kind}\n{row.class_name}"
            named.append([round(x / width, 4), round(1 - y / height, 4), what, clip])
    return named


def _describe(found: EmbeddingRecord) -> str:
    return "t-SNE: " + "; ".join(
        f"{PANELS[row['panel']]}: silhouette {row['silhouette']:.2f}, purity {row['purity']:.2f}"
        for row in found.quality.to_dict("records")
    )


EMBEDDING = FigureSpec("embedding", _record, plot_embedding, _describe, _points, wide=True)


class EmbeddingStep(LongStep):
    """The four panels of Fig. 4 for the present settings."""

    name = "embedding"
    question = "Do the classes form clusters?"
    method = (
        "t-SNE lays frames with their negatives, and then three representations of the test clips, into "
        "the plane. "
        "Silhouette and neighbour purity are measured between the representations themselves, not in the "
        "picture."
    )
    notice = (
        "In (a) the crosses lie among the circles: negatives are close to the data. From (b) to (d) look "
        "at the "
        "purity under each panel, not at pretty gaps. Point at a dot to see its clip; click to open it "
        "in step 1."
    )
    verb = "Embed"
    title = "Embedding"
    invitation = "Press Embed: an adversary is trained for these settings, then four t-SNE panels are made."
    automatic = True
    inputs = ("dataset", "stream", "encoder", "seed", "sigma", "lambda1", "lambda2", "pivot", "adversarial",
              "n_iter", *_POOLING)  # fmt: skip
    shown = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "sigma")
    figures = ((EMBEDDING, "t-SNE of frames and of representations"),)

    def picker(self) -> Callable[[int], None]:
        """A click on a clip opens it."""
        return lambda clip: self.settings.param.update(clip=clip, step="data")

    def wanted(self) -> _Request:
        """The embedding of the present settings."""
        settings = self.settings
        adversary = {**AdversaryRequest.of(settings).arguments(), "n_iter": settings.n_iter}
        adversary.pop("random_state")
        return _Request(
            DataRequest.of(settings), settings.stream, settings.seed,
            tuple(sorted(settings.pick(*_POOLING).items())), tuple(sorted(adversary.items())),
        )  # fmt: skip

    def work(self, request: _Request, callback: Callback) -> EmbeddingRecord:
        """Train where needed, pool, embed."""
        source, options = dataset_argument(request.data, load_dataset)
        found = embedding(
            source, stream=request.stream, seed=request.seed, fixed=dict(request.fixed),
            adversary=dict(request.adversary), cache=cache_folder(request.data), callback=callback, **options,
        )  # fmt: skip
        found.config["clips_shown"] = load_dataset(request.data).split()[1].tolist()
        return found

    def remark(self, request: Any) -> str:
        """Purity of the panels."""
        found = results().get(request)
        if not isinstance(found, EmbeddingRecord):
            return ""
        purity = found.quality.set_index("panel")["purity"]
        return (
            f"Purity of the five nearest neighbours: average pooling **{purity['average']:.0%}**, random "
            f"contrast "
            f"**{purity['cot-random']:.0%}**, adversarial contrast **{purity['acot']:.0%}**."
        )

    def code(self) -> str:
        """The embedding in a call."""
        settings, request = self.settings, self.wanted()
        data = repr(settings.dataset)
        options = "" if settings.dataset == "planted" else f", encoder={settings.encoder!r}"
        if settings.dataset.startswith("upload:"):
            data, options = f"load({file_name(settings)!r})", ""
        return "\n".join(
            [
                "from acot_core.datasets import load",
                "from acot_core.experiments import embedding",
                "from acot_core.figures import plot_embedding",
                f"result = embedding({data}, stream={settings.stream!r}, seed={settings.seed}, "
                f"fixed={dict(request.fixed)!r}, adversary={dict(request.adversary)!r}{options})",
                "plot_embedding(result, width='page').savefig('embedding.pdf')",
            ]
        )
