"""Equations in terms, each coloured like its curve and leading to its slider; drawn by matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from acot_core.figures.style import drawing

__all__ = ["Term", "term_svg"]

_SIZE = 14.5
_COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}


@dataclass(frozen=True)
class Term:
    """A piece of an equation, in LaTeX; ``setting`` names the control that it leads to.

    ``role`` is a role of colour ("positives", "negatives", "noise", "subspace", "baseline"), ``words`` what
    is read out and shown under the pointer.
    """

    latex: str
    words: str = ""
    setting: str = ""
    role: str = ""


@cache
def term_svg(latex: str) -> str:
    """A formula as an SVG drawing whose middle is the formula's axis, in the colour of the text around it."""
    with drawing():
        path = TextPath((0, 0), f"${latex}$", size=_SIZE, prop=FontProperties(math_fontfamily="stix"))
    pieces = []
    for points, code in path.iter_segments(curves=True, simplify=False):
        pairs: np.ndarray[Any, Any] = np.asarray(points).reshape(-1, 2)
        at = "" if code == 79 else " ".join(f"{x:.2f} {-y:.2f}" for x, y in pairs)
        pieces.append(_COMMANDS[int(code)] + at)
    box = path.get_extents()
    axis = 0.26 * _SIZE  # of the fraction bars, above the baseline
    half = max(box.y1 - axis, axis - box.y0) + 1.5
    left, width = min(box.x0, 0) - 0.5, box.x1 - min(box.x0, 0) + 2.5
    view = f"{left:.2f} {-axis - half:.2f} {width:.2f} {2 * half:.2f}"
    size = f'width="{width:.2f}" height="{2 * half:.2f}"'
    return f'<svg viewBox="{view}" {size}><path d="{"".join(pieces)}"/></svg>'
