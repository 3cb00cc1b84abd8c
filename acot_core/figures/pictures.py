"""Rows of pictures: frames of a video, and what was made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from acot_core.figures.style import WIDTHS, Theme, drawing, new_figure


def plot_pictures(
    rows: Mapping[str, Sequence[ArrayLike]],
    captions: Mapping[str, Sequence[str]] | None = None,
    *,
    theme: Theme = "light",
    width: str = "page",
) -> Figure:
    """Draw each row of pictures under its name.

    Parameters
    ----------
    rows : mapping of str to pictures (height, width, 3) from 0 to 255
        All rows of as many pictures.
    captions : mapping of str to texts, optional
        Below the pictures of a row.

    Raises
    ------
    ValueError
        No pictures, or rows of different lengths.

    Examples
    --------
    >>> dark, light = np.zeros((3, 16, 24, 3)), np.full((3, 16, 24, 3), 255)
    >>> figure = plot_pictures({"dark": dark, "light": light}, {"light": ["t = 1", "t = 2", "t = 3"]})
    >>> len(figure.axes)
    6
    """
    lengths = {len(row) for row in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"rows: expected as many pictures in each, got {sorted(lengths)}")
    (n,) = lengths
    given = captions or {}
    with drawing(theme) as ink:
        cell = WIDTHS.get(width, WIDTHS["page"]) / n
        figure, axes = new_figure(len(rows), n, width=width, height=len(rows) * (0.8 * cell + 0.35))
        for i, (name, row) in enumerate(rows.items()):
            for j, picture in enumerate(row):
                ax = axes[i * n + j]
                ax.imshow(_bytes(picture), interpolation="nearest")
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
                if name in given:
                    ax.set_xlabel(given[name][j], fontsize=6, color=ink.muted)
            axes[i * n].set_title(name, loc="left", fontsize=7)
    return figure


def _bytes(picture: ArrayLike) -> np.ndarray:
    return np.asarray(picture).round().clip(0, 255).astype(np.uint8)
