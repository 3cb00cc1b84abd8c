"""Bars: accuracies with their intervals, what a data set holds, and what the noise takes from a frame."""

from __future__ import annotations

import numpy as np
from bokeh.models import (
    FixedTicker,
    LegendItem,
    NumeralTickFormatter,
    Range1d,
    Span,
    TeeHead,
    Whisker,
)

from acot_core.experiments.views.adversary import NegativesView
from acot_core.experiments.views.one_fit import ClassificationRecord
from acot_core.experiments.views.one_sequence import DatasetView
from acot_core.figures.style import ROLES
from acot_explorer.living.chart import Chart, Columns, hover, legend_below, side_by_side

__all__ = ["Accuracies", "Holdings", "Taken"]


class Accuracies(Chart):
    """A bar per method with the 95 % interval of its accuracy; chance as a dotted line."""

    def __init__(self) -> None:
        super().__init__()
        columns = ("place", "accuracy", "low", "high", "label", "text", "color", "correct", "n_test")
        self.add("bars", **{name: [] for name in columns})
        self.add("pinned", **{name: [] for name in columns})
        plot = self.figure = self.plot("accuracy", "", height=330, x_range=Range1d(0, 1.12),
                                       y_range=Range1d(0, 1))  # fmt: skip
        plot.ygrid.visible = False
        plot.xaxis.formatter = NumeralTickFormatter(format="0%")
        plot.xaxis.ticker = FixedTicker(ticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
        source = self.sources["bars"]
        bars = plot.hbar("place", right="accuracy", height=0.66, source=source, color="color")
        ghost = plot.hbar("place", right="accuracy", height=0.82, source=self.sources["pinned"], fill_alpha=0,
                          line_width=2, line_dash="dashed")  # fmt: skip
        self.tint(ghost.glyph, line_color="foreground")
        whisker = Whisker(base="place", lower="low", upper="high", dimension="width", source=source,
                          level="annotation", line_width=1.2)  # fmt: skip
        whisker.upper_head, whisker.lower_head = TeeHead(size=7), TeeHead(size=7)
        for glyph in (whisker, whisker.upper_head, whisker.lower_head):
            self.tint(glyph, line_color="foreground")
        plot.add_layout(whisker)
        text = plot.text("high", "place", text="text", source=source, text_baseline="middle", x_offset=8,
                         text_font_size="12px", text_font_style="bold")  # fmt: skip
        self.tint(text.glyph, text_color="foreground")
        self.chance = Span(dimension="height", location=0, line_dash="dotted", line_width=1.4)
        plot.add_layout(self.tint(self.chance, line_color="foreground"))
        rows = [("method", "@label"), ("accuracy", "@accuracy{0.0%}"), ("correct", "@correct of @n_test")]
        hover(plot, [bars], [*rows, ("95 % interval", "@low{0.0%} to @high{0.0%}")])
        self.model = plot
        self.restyle("light")

    def columns(self, record: ClassificationRecord) -> dict[str, Columns]:
        """The table of accuracies, the first method on top."""
        table = record.accuracies
        return {
            "bars": {
                "place": np.arange(len(table), dtype=float)[::-1],
                "text": [f"{100 * a:.0f}" for a in table["accuracy"]],
                "color": [ROLES["subspace" if m == "acot" else "baseline"] for m in table["method"]],
                **{name: table[name].tolist() for name in
                   ("accuracy", "low", "high", "label", "correct", "n_test")},
            }
        }  # fmt: skip

    def adjust(self, record: ClassificationRecord) -> None:
        """Names of the methods, and chance."""
        table = record.accuracies
        axis = self.figure.yaxis[0]
        names = {float(i): label for i, label in enumerate(table["label"][::-1])}
        if axis.major_label_overrides != names:
            axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(names)), names
            self.figure.y_range.update(start=-0.6, end=len(table) - 0.4)
        self.figure.title.text = f"{int(table['n_test'].iloc[0])} test sequences (dotted: chance)"
        self.chance.location = 1 / len(record.class_names)

    def pinned_pairs(self) -> dict[str, str]:
        """The bars."""
        return {"pinned": "bars"}


class Holdings(Chart):
    """Number of sequences of each class, and how long they are."""

    def __init__(self) -> None:
        super().__init__()
        self.add("classes", place=[], count=[], name=[])
        self.add("lengths", left=[], right=[], count=[])
        classes = self.classes = self.plot("sequences", "", title="Classes", height=250,
                                           y_range=Range1d(0, 1))  # fmt: skip
        classes.x_range.start = 0
        bars = classes.hbar("place", right="count", height=0.7, source=self.sources["classes"])
        lengths = self.plot("frames in a sequence", "sequences", title="Lengths", height=250)
        boxes = lengths.quad("left", "right", "count", 0, source=self.sources["lengths"])
        for glyph in (bars.glyph, boxes.glyph):
            self.tint(glyph, fill_color="positives", line_color="background")
        hover(classes, [bars], [("class", "@name"), ("sequences", "@count")])
        hover(lengths, [boxes], [("frames", "@left{0.0} to @right{0.0}"), ("sequences", "@count")])
        self.model = side_by_side([classes, lengths])
        self.restyle("light")

    def columns(self, record: DatasetView) -> dict[str, Columns]:
        """Counts of classes and of lengths, in sixteen bins."""
        counts = record.table["class"].value_counts().reindex(record.class_names, fill_value=0)
        count, edges = np.histogram(record.table["n_frames"], bins=16)
        place = np.arange(len(counts), dtype=float)[::-1]
        return {
            "classes": {"place": place, "count": counts.to_numpy(), "name": list(counts.index)},
            "lengths": {"left": edges[:-1], "right": edges[1:], "count": count},
        }

    def adjust(self, record: DatasetView) -> None:
        """Names of the classes."""
        n = len(record.class_names)
        axis = self.classes.yaxis[0]
        every = max(1, n // 20)
        names = {float(n - 1 - i): record.class_names[i][:18] for i in range(0, n, every)}
        axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(names)), names
        self.classes.y_range.update(start=-0.6, end=n - 0.4)


class Taken(Chart):
    """Mean frame, noise and negative over the features, sorted by the mean frame."""

    def __init__(self) -> None:
        super().__init__()
        self.add("features", place=[], feature=[], frame=[], negative=[], noise=[])
        plot = self.plot("feature, by its mean over frames", "mean activation", height=250)
        self.figure, source, items = plot, self.sources["features"], []
        area = plot.vbar("place", top="frame", width=1, source=source, fill_alpha=0.5, line_alpha=0)
        self.tint(area.glyph, fill_color="positives")
        items.append(LegendItem(label="frame x", renderers=[area]))
        for column, role, label in (("negative", "negatives", "negative y"), ("noise", "noise", "noise x̂")):
            line = plot.step("place", column, source=source, mode="center", line_width=1.5)
            self.tint(line.glyph, line_color=role)
            items.append(LegendItem(label=label, renderers=[line]))
        legend_below(plot, items, click_policy="hide")
        rows = [(name, f"@{name}{{0.000}}") for name in ("frame", "negative", "noise")]
        hover(plot, [area], [("feature", "@feature"), *rows], mode="vline")
        self.model = plot
        self.restyle("light")

    def columns(self, record: NegativesView) -> dict[str, Columns]:
        """Features in the order of the mean frame."""
        order = np.argsort(-record.frames, kind="stable")
        return {
            "features": {
                "place": np.arange(len(order), dtype=float),
                "feature": order,
                "frame": record.frames[order],
                "negative": record.negatives[order],
                "noise": record.noise[order],
            }
        }

    def adjust(self, record: NegativesView) -> None:
        """Share of frames that the classifier gets right, and of negatives that fool it."""
        self.figure.title.text = (
            f"ζ right on {record.correct:.0%} of frames,\nfooled by {record.fooled:.0%} of negatives"
        )
