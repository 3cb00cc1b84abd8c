"""The step Images: what adversarial noise does to a picture (Sec. 4.3, Fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from acot_core._utils.progress import Callback
from acot_core.experiments.figure3 import PerturbationRecord, perturb_images
from acot_core.figures.perturbations import plot_overlap, plot_perturbations
from acot_explorer.equations import Term
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.render import FigureSpec
from acot_explorer.steps.long import LongStep, Run, cached_record

__all__ = ["ImagesStep"]

_SHOWN, _DRAWS = 9, 4


@dataclass(frozen=True)
class _Request:
    image_set: str
    first: int
    seed: int


@dataclass(frozen=True)
class _Drawn:
    run: Run
    draw: int


def _record(drawn: _Drawn) -> PerturbationRecord:
    result = cached_record(drawn.run)
    assert isinstance(result, PerturbationRecord)
    return replace(result, config={**result.config, "draw": drawn.draw})


def _plot_triplets(result: PerturbationRecord, **style: Any) -> Figure:
    return plot_perturbations(result, draw=result.config["draw"], **style)


def _describe_triplets(result: PerturbationRecord) -> str:
    numbers = result.summary()
    return (
        f"{numbers['n_images']} images with their perturbations: the confidence in the true class falls from "
        f"{numbers['confidence_before']:.0%} to {numbers['confidence_after']:.0%}"
    )


def _describe_overlap(result: PerturbationRecord) -> str:
    numbers = result.summary()
    return (
        "Share of the noise on the quarter of the pixels that the classifier needs most: "
        f"{numbers['overlap']:.0%}; at random places {numbers['overlap_random']:.0%}"
    )


def _table(result: PerturbationRecord) -> pd.DataFrame:
    return result.table


TRIPLETS = FigureSpec("perturbations", _record, _plot_triplets, _describe_triplets, wide=True, table=_table)
OVERLAP = FigureSpec("overlap", _record, plot_overlap, _describe_overlap, wide=True, table=_table)


class ImagesStep(LongStep):
    """Image, perturbed image, noise alone."""

    name = "images"
    question = "What does the noise take from a picture?"
    method = (
        "The same adversary on images: noise is drawn around an auto-encoder's code of the picture and "
        "decoded. "
        "The picture should still pass for real, while a fixed classifier no longer sees what it shows."
    )
    equation = (
        Term("y", "The perturbed image", "", "negatives"),
        Term(r"=\mathrm{dec}(\mathrm{enc}("),
        Term("x", "The image", "image", "positives"),
        Term(")-"),
        Term("g(z)", "The noise", "draw", "noise"),
        Term(r"),\ z\sim\mathcal{N}(\mathrm{enc}(x),\sigma^2I)"),
    )
    verb = "Perturb"
    title = "Perturbing images"
    inputs = ("image_set", "image", "draw", "seed")
    shown = ("image_set", "image", "draw", "seed")
    figures = (
        FigureSlot(TRIPLETS, "Image, perturbed image, noise"),
        FigureSlot(OVERLAP, "Does it hit what matters?"),
    )

    def notice(self) -> str:
        """Guide to reading the pictures, and what was measured about them."""
        return (
            "Left the image, in the middle the perturbed one, right the noise alone (grey is none). Whether "
            "it gathers where the object is, the second figure measures: compare the share with that of "
            "random places. Choose another draw: the noise varies, its place hardly."
        )

    def needs_data(self) -> bool:
        """Images have data of their own."""
        return False

    def wanted(self) -> _Request:
        """The images that are chosen."""
        return _Request(self.settings.image_set, self.settings.image, self.settings.seed)

    def work(self, request: _Request, callback: Callback) -> PerturbationRecord:
        """Perturb some held-out images with trained networks."""
        return perturb_images(
            request.image_set,
            rows=list(range(request.first, request.first + _SHOWN)),
            n_draws=_DRAWS,
            random_state=request.seed,
            callback=callback,
        )

    def request_of(self, panel: Any, request: Run) -> _Drawn:
        """The triplets show one draw of the noise, the overlap all."""
        return _Drawn(request, self.settings.draw - 1 if panel.spec is TRIPLETS else 0)

    def remark(self, request: Any) -> str:
        """Numbers of the noise's effect on the classifier."""
        numbers = _record(_Drawn(request, 0)).summary()
        return (
            f"Confidence in the true class **{numbers['confidence_before']:.0%} → "
            f"{numbers['confidence_after']:.0%}**; {numbers['accepted']:.0%} of the perturbed images still "
            f"pass for real; {numbers['overlap']:.0%} of the noise lies on the quarter of the pixels that "
            f"matters most ({numbers['overlap_random']:.0%} by chance)."
        )

    def code(self) -> str:
        """The images in a call."""
        settings = self.settings
        rows = f"list(range({settings.image}, {settings.image + _SHOWN}))"
        return "\n".join(
            [
                "from acot_core.experiments.figure3 import perturb_images",
                "from acot_core.figures.perturbations import plot_overlap, plot_perturbations",
                f"result = perturb_images({settings.image_set!r}, rows={rows}, n_draws={_DRAWS}, "
                f"random_state={settings.seed})",
                f"plot_perturbations(result, draw={settings.draw - 1}).savefig('perturbations.pdf')",
                "plot_overlap(result).savefig('overlap.pdf')",
            ]
        )
