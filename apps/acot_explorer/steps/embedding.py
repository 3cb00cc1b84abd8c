"""The step Embedding: frames, negatives and representations in the plane (Sec. 4.3, Fig. 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acot_core._utils.progress import Callback
from acot_core.experiments.figure4 import PANELS, EmbeddingRecord, embedding
from acot_core.figures.embeddings import plot_embedding
from acot_explorer.cache_keys import AdversaryRequest, DataRequest
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.host import Host
from acot_explorer.living.scatter import Embedding
from acot_explorer.render import FigureSpec
from acot_explorer.snippets import dataset_argument, file_name
from acot_explorer.steps.long import LongStep, Run, cached_record
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


def _record(run: Run) -> EmbeddingRecord:
    result = cached_record(run)
    assert isinstance(result, EmbeddingRecord)
    return result


def _chart(host: Host) -> Embedding:
    """A click on a sequence opens it; the browser's Back returns."""
    return Embedding(lambda index: host.settings.param.update(sequence=index, step="data"))


def _describe(record: EmbeddingRecord) -> str:
    return "t-SNE: " + "; ".join(
        f"{PANELS[row['panel']]}: silhouette {row['silhouette']:.2f}, purity {row['purity']:.2f}"
        for row in record.quality.to_dict("records")
    )


EMBEDDING = FigureSpec("embedding", _record, plot_embedding, _describe, wide=True)


class EmbeddingStep(LongStep):
    """The four panels of Fig. 4 for the present settings."""

    name = "embedding"
    question = "Do the classes form clusters?"
    method = (
        "t-SNE lays frames with their negatives, and then three representations of the test sequences, into "
        "the plane. Silhouette and neighbour purity are measured between the representations themselves, not "
        "in the picture."
    )
    verb = "Embed"
    title = "Embedding"
    inputs = ("dataset", "stream", "encoder", "seed", "sigma", "lambda1", "lambda2", "pivot", "adversarial",
              "n_iter", *_POOLING)  # fmt: skip
    shown = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "sigma")
    figures = (FigureSlot(EMBEDDING, "t-SNE of frames and of representations", _chart),)

    def notice(self) -> str:
        """Guide to reading the panels."""
        return (
            "In (a) the crosses lie among the circles: negatives are close to the data. From (b) to (d) look "
            "at the purity under each panel, not at pretty gaps. Point at a dot to see its sequence; click "
            "to open it in the step Data, and come back with the browser's Back."
        )

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
        record = embedding(
            source, stream=request.stream, seed=request.seed, fixed=dict(request.fixed),
            adversary=dict(request.adversary), cache=cache_folder(request.data), callback=callback, **options,
        )  # fmt: skip
        record.config["sequences_shown"] = load_dataset(request.data).split()[1].tolist()
        return record

    def remark(self, request: Any) -> str:
        """Purity of the panels."""
        purity = _record(request).quality.set_index("panel")["purity"]
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
