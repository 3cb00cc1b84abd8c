"""Step 1, Play: the whole method in three dimensions, to be touched (Eqs. 9-13)."""

from __future__ import annotations

from typing import Any

from acot_core.experiments.views.octant import OctantView, octant_view
from acot_core.figures.octant import plot_octant
from acot_explorer.host import Host
from acot_explorer.method_map import STEPS
from acot_explorer.play import Play, PlaySettings, Shown
from acot_explorer.play.engine import problem_of
from acot_explorer.render import FigureSpec
from acot_explorer.steps.base import Step

__all__ = ["PlayStep"]

_SIZE = 161


def _view(shown: Shown) -> OctantView:
    return octant_view(shown.frames, shown.negatives, **shown.settings.weights, size=_SIZE)


def _describe(view: OctantView) -> str:
    value = view.path["value"]
    return f"The octant: the objective goes from {value.iloc[0]:.4f} to {value.iloc[-1]:.4f}"


OCTANT = FigureSpec("octant", _view, plot_octant, _describe, wide=True)


class PlayStep(Step):
    """The octant, which has words, controls and figures of its own."""

    name = "play"
    question = "What does the method do?"
    method = "Three features per frame: every frame, negative and subspace is a point that can be moved."
    fills = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        number = list(STEPS).index(self.name) + 1
        self.play = Play(
            on_take=self._take,
            on_export=self._export,
            heading=f"Step {number} · {STEPS[self.name]}: {self.question}",
            sizing_mode="stretch_width",
        )
        self.play.param.watch(lambda event: self._keep(event.new), "saved")
        self.settings.param.watch(lambda event: self.play.param.update(saved=event.new), "play")

    def _keep(self, saved: str) -> None:
        """Take what the browser shows into the settings, so that link and Undo have it."""
        if problem_of(saved) is None:
            self.settings.play = saved

    def scene(self) -> Play:
        """The component, as wide as the page."""
        return self.play

    def request(self) -> None:
        """No request: the browser asks by itself."""

    def exports(self) -> list[tuple[FigureSpec, Any]]:
        """The octant as it was solved last."""
        return [(OCTANT, self.play.shown)]

    def _take(self, settings: PlaySettings) -> None:
        """Go on to the data with the same weights."""
        taken: dict[str, Any] = {
            name: getattr(settings, name)
            for name in ("n_subspaces", "beta1", "beta2", "eta", "sigma", "n_negatives")
        }
        if settings.negatives != "own":
            taken["negatives"] = settings.negatives
        self.settings.param.update(**taken, transport=settings.method, step="data")
        self.host.notify("The settings of Play now hold for the data in every step.", "success")

    async def _export(self, format: str) -> None:
        await self.host.export(OCTANT, self.play.shown, format)

    def code(self) -> str:
        """The sequence, its negatives, and the figure."""
        shown = self.play.shown
        weights = ", ".join(f"{name}={value!r}" for name, value in shown.settings.weights.items())
        return "\n".join(
            [
                "from acot_core.experiments import octant_view",
                "from acot_core.figures import plot_octant",
                f"frames = {_rows(shown.frames)}",
                f"negatives = {_rows(shown.negatives)}",
                f"view = octant_view(frames, negatives, {weights}, size={_SIZE})",
                "plot_octant(view, width='page').savefig('octant.pdf')",
            ]
        )


def _rows(points: tuple[tuple[float, ...], ...]) -> str:
    rows = ",\n    ".join("[" + ", ".join(f"{x:.6f}" for x in point) + "]" for point in points)
    return f"[\n    {rows},\n]"
