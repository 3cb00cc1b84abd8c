"""One look for every figure: sizes, colours by role, themes, bands, and rendering to bytes.

A figure function is written as ::

    def plot_something(record, *, theme="light", width="column") -> Figure:
        with drawing(theme) as ink:
            figure, (axes,) = new_figure(width=width)
            ...
        return figure

Nothing here touches pyplot. Matplotlib's settings are global to the process, so they are changed under one
lock, which `drawing` and `render` hold: figures can be made from any thread.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from scipy import stats

Theme = Literal["light", "dark"]

WIDTHS: dict[str, float] = {"column": 3.25, "page": 6.75, "slide": 10.0}
"""Widths in inches: a column and a page of the paper, a slide."""

ROLES: dict[str, str] = {
    "positives": "#0072B2",
    "negatives": "#D55E00",
    "noise": "#CC79A7",
    "subspace": "#009E73",
    "baseline": "#E69F00",
}
"""One colour per role, from the colour-blind-safe set of Okabe and Ito (2008)."""

CLASS_COLORS: tuple[str, ...] = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#7F7F7F",
    "#332288", "#882255", "#44AA99", "#AA4499", "#661100", "#6699CC", "#999933", "#DDCC77",
)  # fmt: skip
"""Colours for classes, where no role applies; beyond their number they repeat with another marker."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


@dataclass(frozen=True)
class Ink:
    """Colours that depend on the theme."""

    foreground: str
    background: str
    muted: str
    grid: str


INKS = {
    "light": Ink(foreground="#1A1A1A", background="#FFFFFF", muted="#595959", grid="#D9D9D9"),
    "dark": Ink(foreground="#ECECEC", background="#16181C", muted="#A8A8A8", grid="#3A3D42"),
}
"""Colours of each theme."""
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "acot-explorer"},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": "acot-explorer"},
}
_LOCK = threading.RLock()


def _settings(ink: Ink) -> Any:
    texts = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor")
    return dict.fromkeys(texts, ink.foreground) | {
        "figure.facecolor": ink.background,
        "savefig.facecolor": ink.background,
        "axes.facecolor": ink.background,
        "axes.edgecolor": ink.muted,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlelocation": "left",
        "grid.color": ink.grid,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.3,
        "lines.markersize": 3.5,
        "patch.linewidth": 0.6,
        "legend.frameon": False,
        "legend.handlelength": 1.6,
        "font.family": "DejaVu Sans",
        "font.size": 8.0,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8.0,
        "xtick.labelsize": 7.0,
        "ytick.labelsize": 7.0,
        "legend.fontsize": 7.0,
        "image.cmap": "viridis",
        "image.interpolation": "nearest",
        "svg.hashsalt": "acot",
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
    }


@contextmanager
def drawing(theme: Theme = "light") -> Iterator[Ink]:
    """Draw in the house style: within the block, new artists get the theme's colours and sizes.

    Raises
    ------
    ValueError
        The theme is neither "light" nor "dark".
    """
    if theme not in INKS:
        raise ValueError(f"theme: expected one of {sorted(INKS)}, got {theme!r}")
    ink = INKS[theme]
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_settings(ink))
        yield ink


def new_figure(
    n_rows: int = 1,
    n_cols: int = 1,
    *,
    width: str = "column",
    height: float | None = None,
    aspect: float = 0.72,
    **subplots: Any,
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes, laid out so that nothing overlaps; call it inside `drawing`.

    Parameters
    ----------
    n_rows, n_cols : int
        The grid of axes.
    width : {"column", "page", "slide"}
        3.25, 6.75 or 10 inches. Text grows with a slide, so that it can be read from afar.
    height : float, optional
        In inches; by default ``aspect`` times the width of one panel, for each row.
    aspect : float
        Height over width of one panel.
    **subplots
        Passed to `matplotlib.figure.Figure.subplots` (sharex, width_ratios, ...).

    Returns
    -------
    figure : Figure
    axes : object array (n_rows * n_cols,) of Axes, row by row

    Raises
    ------
    ValueError
        The width has no such name.
    """
    if width not in WIDTHS:
        raise ValueError(f"width: expected one of {sorted(WIDTHS)}, got {width!r}")
    inches = WIDTHS[width]
    tall = height if height is not None else aspect * inches / n_cols * n_rows
    if width == "slide":
        _scale_text(1.5)
    figure = Figure(figsize=(inches, tall), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_cols, squeeze=False, **subplots)
    return figure, axes.ravel()


def _scale_text(factor: float) -> None:
    """Larger text and thicker lines in the current `drawing` block, which restores them at its end."""
    for key in (
        "font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize",
        "legend.fontsize", "lines.linewidth", "lines.markersize",
    ):  # fmt: skip
        mpl.rcParams[key] = mpl.rcParams[key] * factor


def render(figure: Figure, format: str = "png", dpi: float = 150) -> bytes:
    """The figure as a file's bytes; the same figure gives the same bytes (no date, fixed identifiers).

    Parameters
    ----------
    figure : Figure
    format : {"png", "svg", "pdf"}
    dpi : float
        Dots per inch; for png, and for images inside svg and pdf.

    Raises
    ------
    ValueError
        Unknown format or a resolution that is not positive.

    Examples
    --------
    >>> with drawing():
    ...     figure, (axes,) = new_figure()
    ...     _ = axes.plot([0, 1], [0, 1])
    >>> render(figure, "pdf")[:4]
    b'%PDF'
    """
    if format not in _METADATA:
        raise ValueError(f"format: expected one of {sorted(_METADATA)}, got {format!r}")
    if not 0 < dpi <= 2400:
        raise ValueError(f"dpi: expected a number between 0 and 2400, got {dpi!r}")
    buffer = io.BytesIO()
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_settings(INKS["light"]))
        figure.savefig(
            buffer, format=format, dpi=dpi, metadata=_METADATA[format], facecolor=figure.get_facecolor()
        )
    return buffer.getvalue()


def format_of(path: str) -> str:
    """The format that a file name asks for; ValueError when it is none of png, svg, pdf."""
    suffix = str(path).rpartition(".")[2].lower()
    if suffix not in _METADATA:
        raise ValueError(f"{path}: expected a name that ends in .png, .svg or .pdf")
    return suffix


def interval(values: ArrayLike, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over seeds with Student's t interval for the mean.

    Parameters
    ----------
    values : array (S, ...)
        One row per seed.

    Returns
    -------
    mean, low, high : arrays (...)
        With one seed the interval is empty: low = mean = high.
    """
    array = np.asarray(values, dtype=float)
    mean = array.mean(0)
    if len(array) < 2:
        return mean, mean, mean
    half = stats.t.ppf((1 + level) / 2, len(array) - 1) * array.std(0, ddof=1) / np.sqrt(len(array))
    return mean, mean - half, mean + half


def band(
    axes: Axes,
    x: ArrayLike,
    values: ArrayLike,
    *,
    color: str,
    label: str,
    level: float = 0.95,
    **line: Any,
) -> None:
    """A line for the mean over seeds with a band around it; the legend says which band and how many seeds.

    Parameters
    ----------
    axes : Axes
    x : array (P,)
    values : array (S, P)
        One row per seed. With a single seed only the line is drawn, and the legend says so.
    color, label : str
    level : float
        Of the interval for the mean (Student's t).
    **line
        Passed to `Axes.plot`.
    """
    array = np.atleast_2d(np.asarray(values, dtype=float))
    mean, low, high = interval(array, level)
    axes.plot(x, mean, color=color, label=f"{label} ({describe_interval(len(array), level)})", **line)
    if len(array) > 1:
        axes.fill_between(np.asarray(x, dtype=float), low, high, color=color, alpha=0.2, linewidth=0)


def describe_interval(n_seeds: int, level: float = 0.95) -> str:
    """Description of a band: "mean, 95% interval, 5 seeds"."""
    if n_seeds < 2:
        return "1 seed, no interval"
    return f"mean, {level:.0%} interval, {n_seeds} seeds"


def series_style(index: int) -> dict[str, Any]:
    """Colour, marker and dash of the ``index``-th series, told apart in grey print too."""
    return {
        "color": CLASS_COLORS[index % len(CLASS_COLORS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _DASHES[index % len(_DASHES)],
    }


def integer_ticks(*axes: Axis) -> None:
    """Ticks at integers alone."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def number_beside(axes: Axes, place: float, text: str, **style: Any) -> None:
    """A number to the right of a row of the panel."""
    axes.annotate(
        text, (1, place), (3, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        va="center", annotation_clip=False, **style,
    )  # fmt: skip


def shortened(name: str, limit: int = 18) -> str:
    """A name of at most so many letters."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def legend_below(figure: Figure, axes: Axes | Sequence[Axes], n_cols: int = 1) -> None:
    """One legend for the figure, under its axes, where it covers no data."""
    group = [axes] if isinstance(axes, Axes) else list(axes)
    entries: dict[str, Any] = {}
    for one in group:
        handles, labels = one.get_legend_handles_labels()
        for handle, label in zip(handles, labels, strict=True):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=n_cols)


def panel_label(axes: Axes, letter: str, title: str) -> None:
    """A panel's title in the paper's manner: "(a) Average pooling"."""
    axes.set_title(f"({letter}) {title}")
