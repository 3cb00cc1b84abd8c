"""Heat maps: frames by features, the plan, and who is taken for whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import (
    BasicTicker,
    ColorBar,
    CustomJSHover,
    FixedTicker,
    LegendItem,
    LinearColorMapper,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.palettes import Blues256, Cividis256, Greens256, Viridis256

from acot_core.experiments.beyond.landscape import LandscapeRecord
from acot_core.experiments.methods import METHODS
from acot_core.experiments.views.one_fit import ClassificationRecord
from acot_core.experiments.views.one_sequence import SequenceView, TransportStudy
from acot_core.figures.coupling import negative_order, plan_name
from acot_core.figures.style import Theme
from acot_explorer.living.chart import Chart, Columns, follow_time, hover, legend_below, side_by_side

__all__ = ["Confusion", "Frames", "Plan", "Weights"]


class _Heat(Chart):
    """One image whose cells are unit squares, with its scale of colours."""

    palettes: tuple[Any, Any] = (Viridis256, Viridis256)

    def __init__(self, x: str, y: str, label: str, *, height: int = 280, flipped: bool = False) -> None:
        super().__init__()
        self.add("image", image=[], dw=[], dh=[])
        ranges = {"x_range": Range1d(0, 1), "y_range": Range1d(1, 0) if flipped else Range1d(0, 1)}
        self.heat = self.plot(x, y, height=height, **ranges)
        self.heat.grid.visible = False
        self.mapper = LinearColorMapper(palette=self.palettes[0], low=0, high=1)
        self.image = self.heat.image(
            image="image", x=0, y=0, dw="dw", dh="dh", source=self.sources["image"],
            color_mapper=self.mapper, level="image",
        )  # fmt: skip
        self.bar = ColorBar(
            color_mapper=self.mapper, width=10, title=label, ticker=BasicTicker(desired_num_ticks=4),
            formatter=NumeralTickFormatter(format="0.[00]"), padding=4, background_fill_alpha=0,
        )  # fmt: skip
        self.heat.add_layout(self.bar, "right")
        self._shape = (0, 0)
        self.model = self.heat

    def send(self, values: np.ndarray) -> dict[str, Columns]:
        """Columns for an image (rows, columns)."""
        rows, columns = values.shape
        return {"image": {"image": [np.ascontiguousarray(values)], "dw": [columns], "dh": [rows]}}

    def fit(self, shape: tuple[int, int]) -> None:
        """Show the whole image when its shape has changed; a reader's zoom stays otherwise."""
        if shape == self._shape:
            return
        self._shape = shape
        rows, columns = shape
        x, y = self.heat.x_range, self.heat.y_range
        flipped = y.start > y.end
        x.update(start=0, end=columns, reset_start=0, reset_end=columns)
        low, high = (rows, 0) if flipped else (0, rows)
        y.update(start=low, end=high, reset_start=low, reset_end=high)

    def restyle(self, theme: Theme) -> None:
        """Palette and words in a theme."""
        super().restyle(theme)
        palette = self.palettes[theme == "dark"]
        self.mapper.palette = palette
        self.bar.major_label_text_color = self.bar.title_text_color = self.ink.foreground
        self.bar.title_text_font_size = self.bar.major_label_text_font_size = "12px"
        self.bar.title_text_font_style = "normal"


class Frames(_Heat):
    """The frames of a sequence, time to the right, beside the mean frame of it and of its class.

    Features stand in blocks by the class that they are strongest in, and within a block by when.
    """

    def __init__(self) -> None:
        super().__init__("frame t", "features, by the class they peak in", "activation", height=300,
                         flipped=True)  # fmt: skip
        follow_time(self, self.heat, "x", area=True)
        source = self.add("rows", place=[], feature=[], peak=[], sequence=[], its_class=[])
        which = CustomJSHover(
            args={"source": source},
            code="const {feature, peak} = source.data, i = Math.floor(special_vars.y);"
            "return `${feature[i]}, strongest in: ${peak[i]}`",
        )
        when = CustomJSHover(code="return String(Math.floor(special_vars.x))")
        rows = [("frame", "$x{custom}"), ("feature", "$y{custom}"), ("activation", "@image{0.000}")]
        hover(self.heat, [self.image], rows, formatters={"$x": when, "$y": which})
        means = self.plot("mean over time", "", height=300, y_range=self.heat.y_range, width=170)
        means.sizing_mode = "fixed"
        means.yaxis.visible = False
        means.min_border_left = 4
        means.xaxis.ticker = BasicTicker(desired_num_ticks=3)
        lines = []
        for column, role, label in (("its_class", "baseline", "class"),
                                    ("sequence", "positives", "this sequence")):  # fmt: skip
            line = means.line(column, "place", source=source, line_width=1.4)
            self.tint(line.glyph, line_color=role)
            lines.append(LegendItem(label=label, renderers=[line]))
        legend_below(means, lines)
        names = [("feature", "@feature"), ("sequence", "@sequence{0.000}"), ("class", "@its_class{0.000}")]
        hover(means, lines[0].renderers, names, mode="hline", line_policy="nearest")
        self.model = side_by_side([self.heat, means], narrowest=300)
        self.restyle("light")

    def columns(self, record: SequenceView) -> dict[str, Columns]:
        """Frames (features down, frames across), and the two means."""
        means = {
            "place": np.arange(len(record.order)) + 0.5,
            "feature": record.order,
            "peak": record.peak_class[record.order],
            "sequence": record.frames.mean(0)[record.order],
            "its_class": record.class_mean[record.order],
        }
        return self.send(record.frames.T[record.order]) | {"rows": means}

    def adjust(self, record: SequenceView) -> None:
        """The scale ends where all but a few activations do; each block of features bears its class."""
        shown = record.frames[:, record.order]
        self.mapper.high = float(np.quantile(shown, 0.995)) or 1.0
        peak = record.peak_class[record.order]
        names = {float((peak == name).nonzero()[0].mean() + 0.5): _short(str(name), 12) for name in set(peak)}
        axis = self.heat.yaxis[0]
        if axis.major_label_overrides != names and len(names) <= 24:
            axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(names)), names
        self.fit((shown.shape[1], shown.shape[0]))


class Plan(_Heat):
    """The plan: frames down, negatives across in the order of the frames that send mass to them."""

    palettes = (tuple(reversed(Blues256)), Cividis256)

    def __init__(self) -> None:
        super().__init__(
            "negatives y, sorted by the plan", "frame t", "share of a frame's mass", flipped=True
        )
        follow_time(self, self.heat, "y", area=True)
        self.add("cells", frame=[], place=[], negative=[], cost=[], mass=[])
        cells = self.heat.rect(
            "place", "frame", 1, 1, source=self.sources["cells"], fill_alpha=0, line_alpha=0,
            hover_line_alpha=1,
        )  # fmt: skip
        self.tint(cells.hover_glyph, line_color="noise")
        rows = [
            ("frame", "@t"),
            ("negative", "@negative"),
            ("mass", "@mass{0.0000}"),
            ("cost", "@cost{0.0000}"),
        ]
        hover(self.heat, [cells], rows)
        self.restyle("light")

    def columns(self, record: TransportStudy) -> dict[str, Columns]:
        """The plan as shares of a frame's mass, and each cell with its cost and mass."""
        n, m = record.plan.shape
        order = negative_order(record)
        frame, place = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
        cells = {
            "frame": frame + 0.5,
            "place": place + 0.5,
            "t": frame,
            "negative": order[place],
            "cost": record.cost[:, order].ravel(),
            "mass": record.plan[:, order].ravel(),
        }
        return self.send(record.plan[:, order] * n) | {"cells": cells}

    def adjust(self, record: TransportStudy) -> None:
        """The title says the cost; the scale ends at the greatest share."""
        n = len(record.plan)
        self.mapper.high = max(float(record.plan.max()) * n, 1e-12)
        beside = "" if record.method == "emd" else f" (exact {record.exact:.4f})"
        text = f"{plan_name(record.method)}: cost {record.value:.4f}{beside}"
        if self.heat.title.text != text:
            self.heat.title.text = text
        self.fit(record.plan.shape)


class Confusion(_Heat):
    """Share of each true class's sequences by predicted class, with their number in each cell."""

    palettes = (tuple(reversed(Greens256)), Viridis256)

    def __init__(self) -> None:
        super().__init__("predicted", "true class", "share of the class", height=330, flipped=True)
        self.mapper.high = 1
        self.add("cells", x=[], y=[], true=[], predicted=[], count=[], share=[], text=[], light=[], dark=[])
        source = self.sources["cells"]
        cells = self.heat.rect("x", "y", 1, 1, source=source, fill_alpha=0, line_alpha=0)
        self.counts = self.heat.text(
            "x", "y", text="text", source=source, text_align="center", text_baseline="middle",
            text_font_size="12px", text_color="light",
        )  # fmt: skip
        rows = [("true", "@true"), ("predicted", "@predicted"), ("sequences", "@count"),
                ("share of the class", "@share{0%}")]  # fmt: skip
        hover(self.heat, [cells], rows)
        self.heat.xaxis.major_label_orientation = 0.9
        self.restyle("light")

    def columns(self, record: ClassificationRecord) -> dict[str, Columns]:
        """Shares, and each cell with its classes and count."""
        counts = record.confusion
        total = counts.sum(1, keepdims=True)
        share = counts / np.where(total > 0, total, 1)
        n = len(counts)
        true, predicted = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
        names = np.array(record.class_names)
        shown = [str(c) if c and n <= 30 else "" for c in counts.ravel()]
        cells = {
            "x": predicted + 0.5,
            "y": true + 0.5,
            "true": names[true],
            "predicted": names[predicted],
            "count": counts.ravel(),
            "share": share.ravel(),
            "text": shown,
            "light": np.where(share.ravel() > 0.5, "#FFFFFF", "#000000").tolist(),
            "dark": np.where(share.ravel() > 0.5, "#000000", "#FFFFFF").tolist(),
        }
        return self.send(share) | {"cells": cells}

    def adjust(self, record: ClassificationRecord) -> None:
        """Names of the classes on both axes."""
        n = len(record.class_names)
        every = max(1, n // 26)
        names = {i + 0.5: _short(record.class_names[i]) for i in range(0, n, every)}
        for axis in (self.heat.xaxis[0], self.heat.yaxis[0]):
            if axis.major_label_overrides != names:
                axis.ticker = FixedTicker(ticks=list(names))
                axis.major_label_overrides = names
        self.fit((n, n))

    def restyle(self, theme: Theme) -> None:
        """The counts' colours depend on the palette."""
        super().restyle(theme)
        self.counts.glyph.text_color = theme


class Weights(Chart):
    """Accuracy over β₁ × β₂ for full ACOT, GRP and order alone, on one scale; the paper's weights framed."""

    def __init__(self) -> None:
        super().__init__()
        self.mapper = LinearColorMapper(palette=Viridis256, low=0, high=1)
        for name in ("acot", "grp", "order"):
            self._panel(name)
        self.model = side_by_side(self.plots)
        self.restyle("light")

    def _panel(self, name: str) -> None:
        source = self.add(name, x=[], y=[], beta1=[], beta2=[], accuracy=[], text=[], ink=[])
        plot = self.plot("order weight β₂", "distortion weight β₁", title=METHODS[name].label, height=290)
        plot.grid.visible = False
        cells = plot.rect("x", "y", 1, 1, source=source, line_alpha=0,
                          fill_color={"field": "accuracy", "transform": self.mapper})  # fmt: skip
        plot.text("x", "y", text="text", source=source, text_align="center", text_baseline="middle",
                  text_font_size="12px", text_color="ink")  # fmt: skip
        frame = plot.rect("x", "y", 1, 1, source=self.add(f"{name} paper", x=[], y=[]), fill_alpha=0,
                          line_width=2.5)  # fmt: skip
        self.tint(frame.glyph, line_color="negatives")
        hover(plot, [cells], [("β₁", "@beta1"), ("β₂", "@beta2"), ("accuracy", "@accuracy{0.0} %")])

    def columns(self, record: LandscapeRecord) -> dict[str, Columns]:
        """The cells of each method that the record has."""
        lowest, highest = self._span(record)
        found: dict[str, Columns] = {}
        for name in ("acot", "grp", "order"):
            beta1, beta2, accuracy = record.grid(name)
            i, j = (index.ravel() for index in np.indices(accuracy.shape))
            bright = accuracy.ravel() > (lowest + 1.5 * highest) / 2.5
            found[name] = {
                "x": j,
                "y": i,
                "beta1": beta1[i],
                "beta2": beta2[j],
                "accuracy": accuracy.ravel(),
                "text": [f"{value:.0f}" for value in accuracy.ravel()],
                "ink": np.where(bright, "#000000", "#FFFFFF").tolist(),
            }
            ours = name != "order" and 1.0 in beta1 and 10.0 in beta2
            found[f"{name} paper"] = {
                "x": np.flatnonzero(beta2 == 10.0) if ours else [],
                "y": np.flatnonzero(beta1 == 1.0) if ours else [],
            }
        return found

    @staticmethod
    def _span(record: LandscapeRecord) -> tuple[float, float]:
        values = np.concatenate([record.grid(name)[2].ravel() for name in ("acot", "grp", "order")])
        return float(np.nanmin(values)), float(np.nanmax(values))

    def adjust(self, record: LandscapeRecord) -> None:
        """The weights on the axes; the scale spans all three."""
        low, high = self._span(record)
        self.mapper.update(low=low, high=high)
        for plot in self.plots:
            for axis, weights in ((plot.xaxis[0], "beta2"), (plot.yaxis[0], "beta1")):
                names = {float(i): f"{weight:g}" for i, weight in enumerate(record.config[weights])}
                axis.ticker, axis.major_label_overrides = FixedTicker(ticks=list(names)), names


def _short(name: str, limit: int = 16) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
