"""Curves over one axis: energies over time, terms of the descent, training, IPOT's errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bokeh.models import Label, LegendItem, Range1d, Span
from bokeh.models.formatters import NumeralTickFormatter

from acot_explorer.living.chart import Chart, Columns, follow_time, hover, legend_below, side_by_side

__all__ = ["Curve", "Curves", "Panel"]


@dataclass(frozen=True)
class Curve:
    """A column that is drawn as a line; ``source`` where it does not lie with the others."""

    column: str
    label: str
    role: str
    dash: str = "solid"
    width: float = 1.8
    marker: str | None = None
    source: str = "lines"
    format: str = "0.0000"


@dataclass(frozen=True)
class Panel:
    """One plot of curves: its axes, what it is for, and lines at fixed heights (value, label, role)."""

    x: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    title: str = ""
    levels: tuple[tuple[float, str, str], ...] = ()
    percent: bool = False
    time: bool = False
    options: dict[str, Any] = field(default_factory=dict)


class Curves(Chart):
    """One or more panels of curves.

    Parameters
    ----------
    panels : tuple of Panel
    read : callable
        From a record to the columns of each source.
    retitle : callable, optional
        From a record to labels of curves, by column, that depend on it.
    extent : callable, optional
        From a record to the end of the axis x, which then begins at zero; by default it fits the data.
    height : int
    """

    def __init__(
        self,
        panels: tuple[Panel, ...],
        read: Callable[[Any], dict[str, Columns]],
        *,
        retitle: Callable[[Any], dict[str, str]] | None = None,
        extent: Callable[[Any], float] | None = None,
        height: int = 270,
    ) -> None:
        super().__init__()
        self._read, self._retitle, self._extent = read, retitle, extent
        self._items: dict[str, LegendItem] = {}
        self._end = 1.0
        for panel in panels:
            for curve in panel.curves:
                columns: dict[str, Any] = {
                    panel.x: [],
                    **{c.column: [] for c in panel.curves if c.source == curve.source},
                }
                if curve.source not in self.sources:
                    self.add(curve.source, **columns)
                    self.add(f"{curve.source} pinned", **columns)
                else:
                    for source in (self.sources[curve.source], self.sources[f"{curve.source} pinned"]):
                        source.data = {**columns, **source.data}
        drawn = [self._panel(panel, height) for panel in panels]
        self.model = drawn[0] if len(drawn) == 1 else side_by_side(drawn)

    def _panel(self, panel: Panel, height: int) -> Any:
        ends = {} if self._extent is None else {"x_range": Range1d(0, 1)}
        plot = self.plot(
            panel.x_label, panel.y_label, title=panel.title, height=height, **ends, **panel.options
        )
        items: list[LegendItem] = []
        first: dict[str, Any] = {}
        for level, label, role in panel.levels:
            span = Span(location=level, dimension="width", line_width=1)
            plot.add_layout(self.tint(span, line_color=role))
            words = Label(x=4, x_units="screen", y=level, y_offset=2, text=label, text_font_size="11px")
            plot.add_layout(self.tint(words, text_color=role))
        for curve in panel.curves:
            ghost = plot.line(
                panel.x, curve.column, source=self.sources[f"{curve.source} pinned"], line_alpha=0.35,
                line_width=curve.width, line_dash=curve.dash,
            )  # fmt: skip
            source = self.sources[curve.source]
            line = plot.line(
                panel.x, curve.column, source=source, line_width=curve.width, line_dash=curve.dash
            )
            drawn = [line]
            self.tint(ghost.glyph, line_color=curve.role)
            self.tint(line.glyph, line_color=curve.role)
            if curve.marker:
                points = plot.scatter(panel.x, curve.column, source=source, size=6, marker=curve.marker)
                self.tint(points.glyph, fill_color=curve.role, line_color=curve.role)
                drawn.append(points)
            self._items[curve.column] = LegendItem(label=curve.label, renderers=drawn)
            items.append(self._items[curve.column])
            first.setdefault(curve.source, line)
        for source_name, line in first.items():
            rows = [(panel.x_label, f"@{{{panel.x}}}{{0[.]00}}")]
            rows += [
                (c.label, f"@{{{c.column}}}{{{c.format}}}") for c in panel.curves if c.source == source_name
            ]
            hover(plot, [line], rows, mode="vline", line_policy="nearest")
        legend_below(plot, items, click_policy="hide")
        if panel.percent:
            plot.yaxis.formatter = NumeralTickFormatter(format="0%")
        if panel.time:
            follow_time(self, plot, "x")
        self.restyle("light")
        return plot

    def columns(self, record: Any) -> dict[str, Columns]:
        """The columns that the record's table gives each source."""
        return self._read(record)

    def adjust(self, record: Any) -> None:
        """Labels and ends that depend on the record."""
        if self._extent is not None and (end := self._extent(record)) != self._end:
            self._end = end
            for plot in self.plots:
                plot.x_range.update(start=0, end=end, reset_start=0, reset_end=end)
        if self._retitle is not None:
            for column, label in self._retitle(record).items():
                if self._items[column].label != {"value": label}:
                    self._items[column].label = {"value": label}

    def pinned_pairs(self) -> dict[str, str]:
        """Every source has its ghost."""
        return {name: name.removesuffix(" pinned") for name in self.sources if name.endswith(" pinned")}
