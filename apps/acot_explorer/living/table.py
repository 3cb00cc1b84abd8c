"""Table 1 as a chart: mean accuracy with its interval over runs, the paper's number beside it, hollow."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import (
    BasicTicker,
    CustomJSTickFormatter,
    FixedTicker,
    LegendItem,
    NumeralTickFormatter,
    Range1d,
    TeeHead,
    Whisker,
)

from acot_core.experiments.methods import METHODS
from acot_core.experiments.paper_numbers import TABLE1_PAPER
from acot_core.experiments.table1 import AblationRecord
from acot_core.figures.style import ROLES, interval
from acot_explorer.living.chart import Chart, Columns, hover, legend_below, side_by_side

__all__ = ["Ablation"]

_NAMES_ONCE = """
const view = Bokeh.index.find_one_by_id(plot)
return view.parent.child_views.indexOf(view) && view.el.offsetLeft ? "" : names[tick]
"""  # beside another panel its names suffice
_PAPER = ("JHMDB (vgg), RGB", "JHMDB (vgg), FLOW", "JHMDB (vgg), both")


class Ablation(Chart):
    """One panel per stream, one line per row of Table 1.

    Parameters
    ----------
    streams : tuple of str
        At most three: they stand beside the paper's RGB, FLOW and both.
    """

    def __init__(self, streams: tuple[str, ...]) -> None:
        super().__init__()
        self.streams = streams
        self._shared = Range1d(0, 1)
        plots = [self._panel(i, stream) for i, stream in enumerate(streams)]
        self.model = side_by_side(plots)
        self.restyle("light")

    def _panel(self, place: int, stream: str) -> Any:
        names = ("place", "label", "mean", "low", "high", "n", "color")
        source = self.add(f"rows {stream}", **{name: [] for name in names})
        runs = self.add(f"runs {stream}", place=[], accuracy=[], seed=[])
        paper = self.add(f"paper {stream}", place=[], accuracy=[], label=[])
        plot = self.plot("accuracy", "", title=stream, height=300, y_range=self._shared)
        plot.xaxis.formatter = NumeralTickFormatter(format="0%")
        plot.xaxis.ticker = BasicTicker(desired_num_ticks=4)
        plot.ygrid.visible = False
        plot.yaxis.formatter = CustomJSTickFormatter(args={"plot": plot.id, "names": []}, code=_NAMES_ONCE)
        ticks = plot.scatter(
            "accuracy", "place", source=runs, marker="dash", angle=np.pi / 2, size=9, alpha=0.5
        )
        self.tint(ticks.glyph, line_color="muted")
        whisker = Whisker(base="place", lower="low", upper="high", dimension="width", source=source,
                          level="annotation", line_width=1.2)  # fmt: skip
        whisker.upper_head, whisker.lower_head = TeeHead(size=6), TeeHead(size=6)
        for glyph in (whisker, whisker.upper_head, whisker.lower_head):
            self.tint(glyph, line_color="foreground")
        plot.add_layout(whisker)
        dots = plot.scatter("mean", "place", source=source, size=10, color="color")
        theirs = plot.scatter("accuracy", "place", source=paper, marker="diamond", size=12, fill_alpha=0,
                              line_width=1.6)  # fmt: skip
        self.tint(theirs.glyph, line_color="foreground")
        legend_below(plot, [LegendItem(label="the paper, other data", renderers=[theirs]),
                            LegendItem(label="single run", renderers=[ticks])])  # fmt: skip
        rows = [("", "@label"), ("accuracy", "@mean{0.0%}"), ("95 % interval", "@low{0.0%} to @high{0.0%}"),
                ("runs", "@n")]  # fmt: skip
        hover(plot, [dots], rows)
        hover(plot, [theirs], [(f"the paper, {_PAPER[place]}", "@accuracy{0.0%}"), ("", "@label")])
        hover(plot, [ticks], [("seed", "@seed"), ("accuracy", "@accuracy{0.0%}")])
        return plot

    def columns(self, record: AblationRecord) -> dict[str, Columns]:
        """Means with intervals, single runs, and the paper's numbers, as shares."""
        labels = list(dict.fromkeys(record.scores["label"]))
        height = {label: float(len(labels) - 1 - i) for i, label in enumerate(labels)}
        by_name: dict[str, Columns] = {}
        for place, stream in enumerate(self.streams):
            rows = record.scores[record.scores["stream"] == stream]
            groups = list(rows.groupby("label", sort=False))
            spans = [interval(group["accuracy"].to_numpy(dtype=float)) for _, group in groups]
            methods = [group["method"].iloc[0] for _, group in groups]
            by_name[f"rows {stream}"] = {
                "place": [height[str(label)] for label, _ in groups],
                "label": [label for label, _ in groups],
                "mean": [float(mean) for mean, _, _ in spans],
                "low": [float(low) for _, low, _ in spans],
                "high": [float(high) for _, _, high in spans],
                "n": [len(group) for _, group in groups],
                "color": [ROLES[METHODS[name].role] for name in methods],
            }
            by_name[f"runs {stream}"] = {
                "place": [height[label] for label in rows["label"]],
                "accuracy": rows["accuracy"].tolist(),
                "seed": rows["seed"].tolist(),
            }
            printed = [(str(label), TABLE1_PAPER[m][place] / 100)
                     for (label, _), m in zip(groups, methods, strict=True) if m in TABLE1_PAPER]  # fmt: skip
            by_name[f"paper {stream}"] = {
                "place": [height[label] for label, _ in printed],
                "accuracy": [accuracy for _, accuracy in printed],
                "label": [label for label, _ in printed],
            }
        return by_name

    def adjust(self, record: AblationRecord) -> None:
        """Names of the methods."""
        labels = list(dict.fromkeys(record.scores["label"]))[::-1]
        for plot in self.plots:
            plot.yaxis.ticker = FixedTicker(ticks=list(range(len(labels))))
            plot.yaxis.formatter.args = {"plot": plot.id, "names": labels}
        self._shared.update(start=-0.6, end=len(labels) - 0.4)
