"""A chart: Bokeh models that are made once, and the columns of numbers that each record sends to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import panel as pn
from bokeh.events import DoubleTap
from bokeh.layouts import row
from bokeh.models import (
    Axis,
    BoxAnnotation,
    ColumnDataSource,
    CustomJS,
    Grid,
    HoverTool,
    Legend,
    Plot,
    Span,
    UIElement,
)
from bokeh.plotting import figure

from acot_core.figures.style import INKS, ROLES, Ink, Theme

__all__ = [
    "Chart",
    "Columns",
    "Shown",
    "Tint",
    "follow_time",
    "hover",
    "legend_below",
    "new_plot",
    "side_by_side",
]

Columns = Mapping[str, Any]
_FONT = "Roboto, system-ui, sans-serif"
_LEGEND = f"""
.bk-item .bk-label {{ font: 12px {_FONT} !important; }}
.bk-grid {{ display: flex !important; flex-wrap: wrap; width: auto !important; gap: 1px 12px !important; }}
.bk-item {{ gap: 5px !important; --item-background-color: transparent !important; }}
"""  # what the page's theme sets on legends would be too wide
_RANGES_FIRST = """(async () => {
  for (let turn = 0; turn < 30; turn++) { await null }  // in which the glyphs take in the new data
  for (const {_range_manager: ranges} of cb_context.index.query((view) => plots.includes(view.model.id))) {
    if (ranges.invalidate_dataranges) { ranges.update_dataranges() }
  }
})()"""  # else Bokeh fits the axes while it paints, and paints once more because they changed
_AREA_TAG = "time-area"
_LINE_TAG = "time-line"


@dataclass(frozen=True)
class Tint:
    """A colour by its role; the roles "foreground" and "muted" depend on the theme."""

    role: str

    def of(self, ink: Ink) -> str:
        """The colour in a theme; a role that is none is taken for a colour."""
        if self.role in ("foreground", "muted", "grid", "background"):
            return str(getattr(ink, self.role))
        return ROLES.get(self.role, self.role)


@dataclass(frozen=True)
class Shown:
    """A record with the columns that show it, by source."""

    record: Any
    columns: dict[str, Columns]


class Chart:
    """One figure on screen; an `acot_explorer.figure_panel.LivingFigure`.

    A subclass makes its models in ``__init__`` and says, in `columns`, which numbers a record shows: a
    dictionary of columns for each of its ``sources``. `adjust` sets what is no column: titles, ranges, ...
    """

    model: UIElement

    def __init__(self) -> None:
        self.sources: dict[str, ColumnDataSource] = {}
        self.plots: list[Plot] = []
        self.ink = INKS["light"]
        self._tinted: list[tuple[Any, str, Tint]] = []

    @cached_property
    def view(self) -> Any:
        """The Panel object that stands on the page."""
        # No models: a legend is made anew when what it leads to changes.
        plots = [plot.id for plot in self.plots]
        for source in self.sources.values():
            source.js_on_change("data", CustomJS(args={"plots": plots}, code=_RANGES_FIRST))
        return pn.pane.Bokeh(self.model, sizing_mode="stretch_width", margin=0)

    def columns(self, record: Any) -> dict[str, Columns]:
        """The numbers shown, for each source by its name; touches no model."""
        raise NotImplementedError

    def adjust(self, record: Any) -> None:
        """Set titles, ranges and scales for a record, after its columns."""

    def data(self, record: Any) -> Shown:
        """Data that `show` needs of a record; touches no model, so that any thread may call it."""
        return Shown(record, self.columns(record))

    def show(self, data: Shown, *, dark: bool = False) -> None:
        """Show a record: its numbers are sent, the models stay."""
        if dark != (self.ink is INKS["dark"]):
            self.restyle("dark" if dark else "light")
        for name, columns in data.columns.items():
            self.sources[name].data = dict(columns)
        self.adjust(data.record)

    def pinned_pairs(self) -> dict[str, str]:
        """Sources whose numbers `pin` keeps, by the source that shows them as a ghost."""
        return {}

    @property
    def can_pin(self) -> bool:
        """Whether there is something to keep."""
        return bool(self.pinned_pairs())

    def pin(self, label: str) -> None:
        """Keep what is shown now as a ghost behind what is shown later; an empty label removes it."""
        for ghost, live in self.pinned_pairs().items():
            shown = self.sources[live].data
            self.sources[ghost].data = {name: list(shown[name]) if label else [] for name in shown}

    # ------------------------------------------------------------ themes

    def tint(self, model: Any, **roles: str) -> Any:
        """Colour properties of a model by role, now and whenever the theme changes."""
        for name, role in roles.items():
            self._tinted.append((model, name, Tint(role)))
            setattr(model, name, Tint(role).of(self.ink))
        return model

    def restyle(self, theme: Theme) -> None:
        """Put on a theme."""
        self.ink = INKS[theme]
        for model, name, tint in self._tinted:
            setattr(model, name, tint.of(self.ink))
        for plot in self.plots:
            _dress(plot, self.ink)

    def add(self, name: str, /, **columns: Any) -> ColumnDataSource:
        """A new, empty source with these columns."""
        self.sources[name] = ColumnDataSource(columns)
        return self.sources[name]

    def plot(self, x: str, y: str, **options: Any) -> Any:
        """A new plot of this chart: `new_plot`."""
        plot = new_plot(x, y, **options)
        plot.name = f"{y or 'rows'} over {x or 'values'}"
        self.plots.append(plot)
        _dress(plot, self.ink)
        return plot


def new_plot(x: str, y: str, *, title: str = "", height: int = 260, **options: Any) -> Any:
    """An empty Bokeh figure in the house style.

    Dragging zooms into a box, two clicks show everything again; the page's scrolling is left alone.
    """
    made = figure(
        height=height,
        sizing_mode="stretch_width",
        title=title,
        x_axis_label=x,
        y_axis_label=y,
        tools="box_zoom,pan,wheel_zoom,reset",
        active_drag="box_zoom",
        active_scroll=None,
        toolbar_location="right",
        min_border_left=46,
        **options,
    )
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.min_border_top, made.min_border_bottom = 8, 12
    made.js_on_event(DoubleTap, CustomJS(args={"plot": made}, code="plot.reset.emit()"))
    return made


def legend_below(plot: Any, items: list[Any], **options: Any) -> Legend:
    """A legend under a plot, in as many lines as it takes."""
    legend = Legend(items=items, orientation="horizontal", **options)
    plot.add_layout(legend, "below")
    return legend


def side_by_side(plots: list[Any], *, narrowest: int = 240) -> Any:
    """Plots in a row; one below the other where each would be narrower than ``narrowest`` pixels."""
    for plot in plots:
        plot.min_width = narrowest if plot.sizing_mode == "stretch_width" else None
    return row(plots, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"})


def _dress(plot: Any, ink: Ink) -> None:
    """Colours and sizes of everything around the data."""
    plot.background_fill_color = plot.border_fill_color = ink.background
    plot.outline_line_color = None
    around = [*plot.left, *plot.right, *plot.above, *plot.below, *plot.center]  # select() visits every model
    for axis in (part for part in around if isinstance(part, Axis)):
        axis.axis_line_color = axis.major_tick_line_color = ink.muted
        axis.minor_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = ink.foreground
        axis.major_label_text_font = axis.axis_label_text_font = _FONT
        axis.major_label_text_font_size, axis.axis_label_text_font_size = "12px", "13px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_standoff = 4
    for grid in (part for part in around if isinstance(part, Grid)):
        grid.grid_line_color = ink.grid
    for legend in (part for part in around if isinstance(part, Legend)):
        legend.background_fill_alpha = 0
        legend.border_line_color = None
        legend.label_text_color = ink.foreground
        legend.stylesheets = [_LEGEND]
        legend.inactive_fill_color = ink.background
        legend.padding = legend.margin = 2
        legend.location = "top_left"
    if plot.title is not None:
        plot.title.text_color = ink.foreground
        plot.title.text_font, plot.title.text_font_size = _FONT, "13px"
        plot.title.text_font_style = "bold"


def hover(plot: Any, renderers: list[Any], rows: list[tuple[str, str]], **options: Any) -> HoverTool:
    """A tooltip for some glyphs of a plot: rows of a name and a format of Bokeh's."""
    tool = HoverTool(renderers=renderers, tooltips=rows, **options)
    plot.add_tools(tool)
    return tool


def follow_time(chart: Chart, plot: Any, along: str, *, area: bool = False) -> None:
    """Let a plot tell, and show, which frame the shared time cursor is at; all of it in the browser.

    Parameters
    ----------
    along : {"x", "y"}
        The axis of the frames.
    area : bool
        Frame t is the band from t to t + 1 (heat maps) or the line at t (curves).
    """
    if area:
        mark: Any = BoxAnnotation(
            visible=False, fill_alpha=0.0, line_width=2, line_alpha=1, level="overlay",
            tags=[_AREA_TAG, along], left=None, right=None, top=None, bottom=None,
        )  # fmt: skip
    else:
        mark = Span(
            visible=False, location=0, line_width=1.5, line_dash=[4, 3], level="overlay",
            dimension="height" if along == "x" else "width", tags=[_LINE_TAG, along],
        )  # fmt: skip
    chart.tint(mark, line_color="noise")
    plot.add_layout(mark)
    rounding = "Math.floor" if area else "Math.round"
    plot.js_on_event(
        "mousemove", CustomJS(code=f"window.acotTime?.set({rounding}(cb_obj.{along}), 'figure')")
    )
