"""t-SNE: four panels of Figure 4, one class isolated by its name, one sequence opened by a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from bokeh.events import LegendItemClick
from bokeh.layouts import column
from bokeh.models import CustomJS, LegendItem, TapTool

from acot_core.experiments.figure4 import PANELS, EmbeddingRecord
from acot_core.figures.style import CLASS_COLORS
from acot_explorer.living.chart import Chart, Columns, hover, legend_below, side_by_side

__all__ = ["Embedding"]

_MARKERS = ("circle", "square", "triangle", "diamond")
_MOST_CLASSES = 64

_ISOLATE = """
const label = cb_obj.item.label.value
for (const source of sources) {
  const names = source.data["class_name"]
  const rows = [...names.keys()].filter((i) => names[i] === label)
  const now = source.selected.indices
  const same = now.length === rows.length && now.every((i, j) => i === rows[j])
  source.selected.setv({indices: same ? [] : rows}, {sync: false})
}
"""


_NEAREST = """
const {source, geometries} = cb_data
const rows = source.selected.indices
if (rows.length > 1) {
  const distance = (i) => Math.hypot(
    (source.data[x][i] - geometries.x) / (plot.x_range.end - plot.x_range.start),
    (source.data[y][i] - geometries.y) / (plot.y_range.end - plot.y_range.start))
  source.selected.indices = [rows.reduce((best, i) => distance(i) < distance(best) ? i : best)]
}
"""


class Embedding(Chart):
    """Frames with their negatives, and three representations of the same sequences.

    A sequence that is pointed at or chosen in one panel is so in all three. A click on a class in the legend
    isolates it, another one shows all again.

    Parameters
    ----------
    on_pick : callable, optional
        Gets the position of a sequence that was clicked.
    """

    def __init__(self, on_pick: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self._on_pick = on_pick
        self.add("frames", x=[], y=[], class_name=[], kind=[], color=[], marker=[])
        representations = [name for name in PANELS if name != "frames"]
        places: dict[str, Any] = {f"{axis}_{name}": [] for name in representations for axis in "xy"}
        self.add("sequences", class_name=[], sequence=[], color=[], marker=[], **places)
        self._panels = {
            "frames": self._scatter("frames", "x", "y", [("kind", "@kind"), ("class", "@class_name")])
        }
        for name in representations:
            rows = [("sequence", "@sequence"), ("class", "@class_name")]
            self._panels[name] = self._scatter("sequences", f"x_{name}", f"y_{name}", rows)
            self._panels[name].add_tools(TapTool(callback=self._nearest(name)))
        self.sources["sequences"].selected.on_change("indices", self._picked)
        self._legend()
        panels = list(self._panels.values())
        self.model = column(side_by_side(panels[:2]), side_by_side(panels[2:]), sizing_mode="stretch_width")
        self.restyle("light")

    def _scatter(self, source: str, x: str, y: str, rows: list[tuple[str, str]]) -> Any:
        plot = self.plot("t-SNE 1", "t-SNE 2", height=270, match_aspect=False)
        plot.xaxis.major_label_text_font_size = plot.yaxis.major_label_text_font_size = "0px"
        plot.xaxis.major_tick_line_color = plot.yaxis.major_tick_line_color = None
        dots = plot.scatter(
            x, y, source=self.sources[source], size=8, marker="marker", color="color", fill_alpha=0.75,
            nonselection_alpha=0.12, hover_line_width=3,
        )  # fmt: skip
        self.tint(dots.hover_glyph, line_color="foreground")
        hover(plot, [dots], rows)
        return plot

    def _legend(self) -> None:
        """Names of the classes, each with a dot of its own that no data belong to."""
        plot = self._panels["frames"]
        self._dots: list[Any] = []
        self.legend = legend_below(plot, [], click_policy="none")
        sources = [self.sources["frames"], self.sources["sequences"]]
        self.legend.js_on_event(LegendItemClick, CustomJS(args={"sources": sources}, code=_ISOLATE))

    def _nearest(self, name: str) -> CustomJS:
        """Of the dots under a click the nearest is chosen."""
        arguments = {"plot": self._panels[name], "x": f"x_{name}", "y": f"y_{name}"}
        return CustomJS(args=arguments, code=_NEAREST)

    def _picked(self, _name: str, _old: list[int], new: list[int]) -> None:
        if len(new) == 1 and self._on_pick is not None:
            self._on_pick(int(self.sources["sequences"].data["sequence"][new[0]]))

    def columns(self, record: EmbeddingRecord) -> dict[str, Columns]:
        """Points of panel (a), and one row per sequence with its places in (b), (c) and (d)."""
        points = record.points
        rank = {label: place for place, label in enumerate(sorted(points["label"].unique()))}
        frames = points[points["panel"] == "frames"]
        negative = (frames["kind"] == "negative").to_numpy()
        first = {
            "x": frames["x"].to_numpy(),
            "y": frames["y"].to_numpy(),
            "class_name": frames["class_name"].tolist(),
            "kind": frames["kind"].tolist(),
            "color": _colors(frames, rank),
            "marker": np.where(negative, "x", np.array(_shapes(frames, rank))).tolist(),
        }
        return {"frames": first, "sequences": self._sequences(record, rank)}

    def _sequences(self, record: EmbeddingRecord, rank: dict[int, int]) -> Columns:
        points = record.points
        by_sequence: dict[str, Any] = {}
        for name in (n for n in PANELS if n != "frames"):
            rows = points[points["panel"] == name]
            if not by_sequence:
                shown = record.config.get("sequences_shown") or list(range(len(rows)))
                by_sequence = {
                    "class_name": rows["class_name"].tolist(),
                    "sequence": list(shown),
                    "color": _colors(rows, rank),
                    "marker": _shapes(rows, rank),
                }
            missing = np.full(len(by_sequence["sequence"]), np.nan)
            for axis in "xy":
                by_sequence[f"{axis}_{name}"] = rows[axis].to_numpy() if len(rows) else missing
        return by_sequence

    def adjust(self, record: EmbeddingRecord) -> None:
        """Each panel's silhouette and purity; the classes that are there."""
        quality = record.quality.set_index("panel")
        for letter, (name, plot) in zip("abcd", self._panels.items(), strict=True):
            text = f"({letter}) {PANELS[name]}"
            if name in quality.index:
                row = quality.loc[name]
                text += f"\nsilhouette {round(row['silhouette'], 2) + 0.0:.2f}, purity {row['purity']:.2f}"
            plot.title.text = text
        labels = record.points[["label", "class_name"]].drop_duplicates().sort_values("label")
        names = labels["class_name"].tolist()[:_MOST_CLASSES]
        if [item.label["value"] for item in self.legend.items] != names:
            for place in range(len(self._dots), len(names)):
                dot = self._panels["frames"].scatter(
                    [float("nan")], [float("nan")], size=8, color=CLASS_COLORS[place % len(CLASS_COLORS)],
                    marker=_MARKERS[place // len(CLASS_COLORS) % len(_MARKERS)],
                )  # fmt: skip
                self._dots.append(dot)
            self.legend.items = [
                LegendItem(label=name, renderers=[dot]) for name, dot in zip(names, self._dots, strict=False)
            ]


def _colors(rows: pd.DataFrame, rank: dict[int, int]) -> list[str]:
    return [CLASS_COLORS[rank[label] % len(CLASS_COLORS)] for label in rows["label"]]


def _shapes(rows: pd.DataFrame, rank: dict[int, int]) -> list[str]:
    return [_MARKERS[rank[label] // len(CLASS_COLORS) % len(_MARKERS)] for label in rows["label"]]
