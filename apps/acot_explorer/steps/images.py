"""Step 8, Images: what adversarial noise does to a picture (Sec. 4.3, Fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from acot_core.experiments.perturb import PerturbationRecord, perturb_images
from acot_core.figures.perturb import plot_overlap, plot_perturbations
from acot_core.progress import Callback
from acot_core.records import Record
from acot_explorer.render import FigureSpec
from acot_explorer.steps.long import LongStep, kept, results

__all__ = ["ImagesStep"]

_SHOWN, _DRAWS = 9, 4


@dataclass(frozen=True)
class _Request:
    image_set: str
    first: int
    seed: int


@dataclass(frozen=True)
class _Drawn:
    run: _Request
    draw: int


@dataclass(kw_only=True)
class _View(Record):
    """A record and the draw of the noise that is looked at."""

    whole: PerturbationRecord
    draw: int

    def to_frame(self) -> Any:
        return self.whole.table


def _record(request: _Drawn) -> _View:
    found = kept(request.run)
    assert isinstance(found, PerturbationRecord)
    return _View(whole=found, draw=request.draw)


def _plot_triplets(view: _View, *, theme: Any = "light", width: str = "page") -> Figure:
    return plot_perturbations(view.whole, draw=view.draw, theme=theme, width=width)


def _plot_overlap(view: _View, *, theme: Any = "light", width: str = "page") -> Figure:
    return plot_overlap(view.whole, theme=theme, width=width)


def _describe_triplets(view: _View) -> str:
    found = view.whole.summary()
    return (
        f"{found['n_images']} images with their perturbations: the confidence in the true class falls from "
        f"{found['confidence_before']:.0%} to {found['confidence_after']:.0%}"
    )


def _describe_overlap(view: _View) -> str:
    found = view.whole.summary()
    return (
        f"Share of the noise on the quarter of the pixels that the classifier needs most: "
        f"{found['overlap']:.0%}; "
        f"at random places {found['overlap_random']:.0%}"
    )


TRIPLETS = FigureSpec("perturbations", _record, _plot_triplets, _describe_triplets, wide=True)
OVERLAP = FigureSpec("overlap", _record, _plot_overlap, _describe_overlap, wide=True)


class ImagesStep(LongStep):
    """Image, perturbed image, noise alone."""

    name = "images"
    question = "What does the noise take from a picture?"
    method = (
        "The same adversary on images: noise is drawn around an auto-encoder's code of the picture and "
        "decoded. "
        "The picture should still pass for real, while a fixed classifier no longer sees what it shows."
    )
    equation = r"y=\mathrm{dec}\bigl(\mathrm{enc}(x)-g(z)\bigr),\ z\sim\mathcal N(\mathrm{enc}(x),\sigma^2 I)"
    notice = (
        "Left the image, in the middle the perturbed one, right the noise alone (grey is none). It "
        "gathers where the "
        "object is. Choose another draw: the noise varies, its place does not."
    )
    verb = "Perturb"
    title = "Perturbing images"
    invitation = "Press Perturb."
    automatic = True
    inputs = ("image_set", "image", "draw", "seed")
    shown = ("image_set", "image", "draw", "seed")
    figures = (
        (TRIPLETS, "Image, perturbed image, noise"),
        (OVERLAP, "Does it hit what matters?"),
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

    def request_of(self, panel: Any, request: _Request) -> _Drawn:
        """The triplets show one draw of the noise, the overlap all."""
        return _Drawn(request, self.settings.draw - 1 if panel.spec is TRIPLETS else 0)

    def remark(self, request: Any) -> str:
        """What the noise does to the classifier, in numbers."""
        record = results().get(request)
        if not isinstance(record, PerturbationRecord):
            return ""
        found = record.summary()
        return (
            f"Confidence in the true class **{found['confidence_before']:.0%} → "
            f"{found['confidence_after']:.0%}**; "
            f"{found['accepted']:.0%} of the perturbed images still pass for real; "
            f"{found['overlap']:.0%} of the noise "
            f"lies on the quarter of the pixels that matters most ({found['overlap_random']:.0%} by chance)."
        )

    def code(self) -> str:
        """The images in a call."""
        settings = self.settings
        rows = f"list(range({settings.image}, {settings.image + _SHOWN}))"
        return "\n".join(
            [
                "from acot_core.experiments.perturb import perturb_images",
                "from acot_core.figures.perturb import plot_overlap, plot_perturbations",
                f"result = perturb_images({settings.image_set!r}, rows={rows}, n_draws={_DRAWS}, "
                f"random_state={settings.seed})",
                f"plot_perturbations(result, draw={settings.draw - 1}).savefig('perturbations.pdf')",
                "plot_overlap(result).savefig('overlap.pdf')",
            ]
        )
