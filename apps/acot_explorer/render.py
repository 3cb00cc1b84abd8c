"""Requests to pictures and files: records and pictures under LRU caches.

A figure's *spec* names how to make its record from a request and how to plot the record; everything shown,
exported or zipped comes from the same two functions.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from acot_core import __version__
from acot_core.experiments.record import Record, environment
from acot_core.figures.style import drawing, render
from acot_explorer.store import Cache

__all__ = ["FigureSpec", "Picture", "archive", "export", "picture", "record"]

EXPORT_DPI = 300
Points = list[list[Any]]


@dataclass(frozen=True)
class FigureSpec:
    """One figure: a file name, how it is computed and drawn, and the words that replace it.

    A ``wide`` figure takes the page's width, others stand in pairs. ``compute`` takes a request (hashable);
    ``plot`` a record, theme and width; ``describe`` gives the text for a reader who cannot see the figure;
    ``points`` finds named places in the drawn figure; ``table`` gives the numbers that this figure shows,
    where the record has more than those.
    """

    name: str
    compute: Callable[[Any], Record] = field(compare=False)
    plot: Callable[..., Figure] = field(compare=False)
    describe: Callable[[Any], str] = field(compare=False)
    points: Callable[[Any, Figure], Points] | None = field(default=None, compare=False)
    wide: bool = False
    table: Callable[[Any], pd.DataFrame] | None = field(default=None, compare=False)

    def data(self, request: Hashable) -> pd.DataFrame:
        """The numbers that the figure shows."""
        shown = record(self, request)
        return self.table(shown) if self.table else shown.to_frame()


@dataclass(frozen=True)
class Picture:
    """A drawn figure, ready for the page."""

    source: str
    alt: str
    points: Points


@cache
def _records() -> Cache[Any]:
    return Cache(128)


@cache
def _pictures() -> Cache[Picture]:
    return Cache(128)


def record(spec: FigureSpec, request: Hashable) -> Any:
    """The record of a request, cached. Figures that are computed alike share it."""
    return _records().make((spec.compute, request), lambda: spec.compute(request))


def picture(spec: FigureSpec, request: Hashable, theme: str) -> Picture:
    """The figure of a request as the page shows it, cached."""
    return _pictures().make((spec.name, request, theme), lambda: _draw(spec, request, theme))


def _draw(spec: FigureSpec, request: Hashable, theme: str) -> Picture:
    shown = record(spec, request)
    figure = spec.plot(shown, theme=theme, width="page" if spec.wide else "column")
    data = _screen(figure, 140 if spec.wide else 170)
    points = spec.points(shown, figure) if spec.points else []
    source = "data:image/png;base64," + base64.b64encode(data).decode()
    return Picture(source, spec.describe(shown), points)


def _screen(figure: Figure, dpi: int) -> bytes:
    """The pixels of `render`, made in one pass over the figure, where savefig takes two."""
    buffer = io.BytesIO()
    with drawing():
        canvas = FigureCanvasAgg(figure)
        figure.dpi = dpi
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "png", compress_level=3)
    return buffer.getvalue()


def export(spec: FigureSpec, request: Hashable, format: str, width: str = "page") -> bytes:
    """The figure as a file (png at 300 dpi, svg, pdf) on a white page, or its record as csv."""
    if format == "csv":
        return str(spec.data(request).to_csv(index=False)).encode()
    return render(spec.plot(record(spec, request), theme="light", width=width), format, EXPORT_DPI)


def archive(figures: list[tuple[FigureSpec, Any]], settings: dict[str, Any], code: str) -> bytes:
    """Figures in every format and their data, with the settings, the code and the versions, as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for spec, request in figures:
            for format in ("png", "svg", "pdf", "csv"):
                file.writestr(f"{spec.name}.{format}", export(spec, request, format))
        about = {"acot_explorer": __version__, "settings": settings, "environment": environment()}
        file.writestr("settings.json", json.dumps(about, indent=1))
        file.writestr("reproduce.py", code + "\n")
    return buffer.getvalue()
