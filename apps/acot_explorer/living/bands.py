"""Curves with bands over seeds: a sweep (Figure 2), and fooling rates with accuracies (Figure 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import FixedTicker, LabelSet, LegendItem, NumeralTickFormatter, Span
from numpy.typing import NDArray

from acot_core.experiments.figure2 import SensitivityRecord
from acot_core.experiments.figure5 import FoolingRecord
from acot_core.experiments.parameters import PARAMETERS
from acot_core.figures.style import CLASS_COLORS, describe_interval, interval
from acot_explorer.living.chart import Chart, Columns, hover, legend_below, side_by_side

__all__ = ["Fooling", "Sweep", "band_columns", "spaced"]

_EMPTY: dict[str, Any] = {"x": [], "value": [], "mean": [], "low": [], "high": [], "n": []}


def spaced(values: NDArray) -> bool:
    """Whether values span decades, so that they stand at equal distances."""
    positive = values[values > 0]
    return len(positive) > 1 and float(positive.max() / positive.min()) > 50


def band_columns(table: pd.DataFrame, x: str, y: str, *, spread: bool = False) -> Columns:
    """Mean and 95 % interval of ``y`` over runs (split and seed) at each ``x``; as in the exported figure.

    Only runs that have every value count, unless none has (a sweep under way): then each value counts alone.
    """
    keys = [name for name in ("split", "seed") if name in table]
    wide = table.pivot_table(index=keys, columns=x, values=y, dropna=False)
    wide = wide.dropna() if len(wide.dropna()) else wide
    values = wide.columns.to_numpy(dtype=float)
    parts = [interval(wide[v].dropna().to_numpy()) for v in wide.columns]
    counts = [int(wide[v].notna().sum()) for v in wide.columns]
    mean, low, high = (np.array([float(p[i]) for p in parts]) for i in range(3))
    if len(wide) == 2:  # an interval from two seeds says nothing
        low = high = mean
    return {
        "x": np.arange(len(values), dtype=float) if spread else values,
        "value": values,
        "mean": mean,
        "low": low,
        "high": high,
        "n": np.array(counts),
    }


def _base(record: SensitivityRecord) -> NDArray:
    return record.scores.loc[record.scores["value"].isna(), "accuracy"].to_numpy(dtype=float)


class Sweep(Chart):
    """Accuracy against one parameter, the single runs behind it, average pooling as a level."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("ours", "pinned"):
            self.add(name, **_EMPTY)
        self.add("runs", x=[], accuracy=[], seed=[])
        self.add("now", x=[], y=[], text=[], align=[])
        plot = self.figure = self.plot("", "accuracy", height=330)
        plot.yaxis.formatter = NumeralTickFormatter(format="0%")
        source = self.sources["ours"]
        self.tint(plot.line("x", "mean", source=self.sources["pinned"], line_alpha=0.4, line_width=2).glyph,
                  line_color="subspace")  # fmt: skip
        band = plot.varea("x", "low", "high", source=source, fill_alpha=0.2)
        self.tint(band.glyph, fill_color="subspace")
        runs = plot.scatter("x", "accuracy", source=self.sources["runs"], size=4, alpha=0.45)
        self.tint(runs.glyph, fill_color="subspace", line_color="subspace")
        line = plot.line("x", "mean", source=source, line_width=2.2)
        dots = plot.scatter("x", "mean", source=source, size=7)
        self.tint(line.glyph, line_color="subspace")
        self.tint(dots.glyph, fill_color="subspace", line_color="subspace")
        level = plot.line("x", "accuracy", source=self.add("level", x=[], accuracy=[]), line_dash="dashed",
                          line_width=1.6)  # fmt: skip
        self.tint(level.glyph, line_color="baseline")
        self.now = Span(dimension="height", location=0, line_dash="dotted", line_width=2, visible=False)
        plot.add_layout(self.tint(self.now, line_color="noise"))
        labels = LabelSet(x="x", y="y", text="text", source=self.sources["now"], y_units="screen",
                          text_align={"field": "align"}, text_baseline="bottom",
                          text_font_size="12px")  # fmt: skip
        plot.add_layout(self.tint(labels, text_color="noise"))
        self.ours, self.level = LegendItem(renderers=[line, dots]), LegendItem(renderers=[level])
        legend_below(plot, [self.ours, self.level])
        hover(plot, [dots], [("value", "@value"), ("accuracy", "@mean{0.0%}"),
                             ("95 % interval", "@low{0.0%} to @high{0.0%}"), ("runs", "@n")])  # fmt: skip
        hover(plot, [runs], [("seed", "@seed"), ("accuracy", "@accuracy{0.0%}")])
        self.model = plot
        self.restyle("light")

    def columns(self, record: SensitivityRecord) -> dict[str, Columns]:
        """The curve with its band, the single runs, and the mark of the present setting."""
        ours = record.scores[record.scores["value"].notna()]
        if ours.empty:
            return {name: {key: [] for key in source.data} for name, source in self.sources.items()}
        values = np.sort(ours["value"].unique()).astype(float)
        spread = spaced(values)
        place = {v: float(i) if spread else v for i, v in enumerate(values)}
        current = record.config.get("current")
        now: list[float] = []
        if current is not None and (not spread or current in place):
            now = [place.get(current, current)]
        level = _base(record).mean() if len(_base(record)) else np.nan
        return {
            "ours": band_columns(ours, "value", "accuracy", spread=spread),
            "runs": {
                "x": [place[v] for v in ours["value"]],
                "accuracy": ours["accuracy"].to_numpy(dtype=float),
                "seed": ours["seed"].tolist(),
            },
            "level": {"x": [place[values[0]], place[values[-1]]], "accuracy": [level, level]},
            "now": {
                "x": now,
                "y": [4] * len(now),
                "text": [f" now {current:g} " for _ in now],
                "align": ["left" if x < place[values[-1]] / 2 else "right" for x in now],
            },
        }

    def adjust(self, record: SensitivityRecord) -> None:
        """The axis of the parameter, the level of average pooling, the legend."""
        ours = record.scores[record.scores["value"].notna()]
        axis = self.figure.xaxis[0]
        axis.axis_label = PARAMETERS[record.parameter].label
        values = np.sort(ours["value"].unique()).astype(float)
        if spaced(values):
            names = {float(i): f"{v:g}" for i, v in enumerate(values)}
            axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(names)), names
        elif len(values):
            axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(values)), {}
        marks = self.sources["now"].data["x"]
        self.now.visible = len(marks) > 0
        if len(marks):
            self.now.location = marks[0]
        n_base = len(_base(record))
        n_runs = int(max([0, *self.sources["ours"].data["n"]]))
        band = "mean of 2 runs" if n_runs == 2 else describe_interval(n_runs)
        self.ours.label = {"value": f"full ACOT ({band})"}
        self.level.label = {"value": f"average pooling ({n_base} runs)" if n_base else "average pooling"}

    def pinned_pairs(self) -> dict[str, str]:
        """The curve."""
        return {"pinned": "ours"}


class Fooling(Chart):
    """Figure 5: a panel per stream with a line per σ, and the accuracies beside them."""

    def __init__(self, streams: tuple[str, ...], sigmas: tuple[float, ...]) -> None:
        super().__init__()
        self.streams, self.sigmas = streams, sigmas
        plots = []
        for i, stream in enumerate(streams):
            plots.append(
                self._panel(f"({chr(97 + i)}) {stream} stream", "fooling rate", "fooling", (stream,))
            )
        title = f"({chr(97 + len(streams))}) ACOT, other sequences"
        plots.append(self._panel(title, "accuracy", "accuracy", streams))
        self.model = side_by_side(plots)
        self.restyle("light")

    def _panel(self, title: str, y: str, kind: str, streams: tuple[str, ...]) -> Any:
        plot = self.plot("iteration", y, title=title, height=290)
        plot.yaxis.formatter = NumeralTickFormatter(format="0%")
        items, lines = [], []
        for stream in streams:
            for j, sigma in enumerate(self.sigmas):
                source = self.add(f"{kind} {stream} {sigma:g}", **_EMPTY)
                color = CLASS_COLORS[j % len(CLASS_COLORS)]
                dash = ("solid", "dashed", "dotted")[
                    self.streams.index(stream) % 3 if len(streams) > 1 else 0
                ]
                plot.varea("x", "low", "high", source=source, fill_alpha=0.18, fill_color=color)
                line = plot.line("x", "mean", source=source, line_width=2, line_dash=dash, line_color=color)
                label = f"{stream}, σ = {sigma:g}" if len(streams) > 1 else f"σ = {sigma:g}"
                items.append(LegendItem(label=label, renderers=[line]))
                lines.append(line)
        legend_below(plot, items, click_policy="hide")
        hover(plot, lines, [("iteration", "@x"), (y, "@mean{0.0%}"),
                            ("95 % interval", "@low{0.0%} to @high{0.0%}"), ("seeds", "@n")])  # fmt: skip
        return plot

    def columns(self, record: FoolingRecord) -> dict[str, Columns]:
        """Mean and interval of each stream and σ, on training frames; and of the accuracies, if measured."""
        curves = record.curves
        tables = {
            "fooling": (curves[curves["split"] == "train"].drop(columns="split"), "fooling_rate"),
            "accuracy": (record.accuracies, "accuracy"),
        }
        by_name: dict[str, Columns] = {}
        for kind, (table, column) in tables.items():
            for stream in self.streams:
                for sigma in self.sigmas:
                    name = f"{kind} {stream} {sigma:g}"
                    by_name[name] = _EMPTY
                    if len(table):
                        rows = table[(table["stream"] == stream) & (table["sigma"] == sigma)]
                        by_name[name] = band_columns(rows, "iteration", column) if len(rows) else _EMPTY
        return by_name
