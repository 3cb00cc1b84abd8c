"""Figure 3: images, their perturbations by the adversary and its noise; where that noise falls (Sec. 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec

from acot_core.experiments.figure3 import PerturbationRecord
from acot_core.figures.style import ROLES, WIDTHS, Ink, Theme, drawing, legend_below, new_figure

COLUMNS = ("image", "reconstruction", "perturbed", "noise", "saliency")
"""What a tuple of pictures may show, besides the three of Figure 3."""

_GROUPS = {"column": 1, "page": 3, "slide": 4}


def plot_perturbations(
    record: PerturbationRecord,
    *,
    images: Sequence[int] | None = None,
    draw: int = 0,
    columns: Sequence[str] = ("image", "perturbed", "noise"),
    theme: Theme = "light",
    width: str = "page",
) -> Figure:
    """Figure 3: (left) image, (middle) perturbed image, (right) the noise, with class and confidence.

    Above a picture stand its true class and the classifier's confidence in it, and below that the class which
    the classifier sees instead, if it does. The noise is drawn about mid-grey, brighter where it adds and
    darker where it takes away, on one scale for all images.

    Parameters
    ----------
    record : PerturbationRecord
    images : sequence of int, optional
        Positions in the record; default: its first 18 (6 in a column's width).
    draw : int
        Which of the draws of the noise.
    columns : sequence of str
        Out of `COLUMNS`, in this order.

    Raises
    ------
    ValueError
        An image, draw or column that the record does not have.
    """
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise ValueError(f"columns: expected some of {COLUMNS}, got {unknown[0]!r}")
    n, n_draws = record.perturbed.shape[:2]
    if not columns or not 0 <= draw < n_draws:
        raise ValueError(
            f"draw: expected 0 ... {n_draws - 1} and at least one column, got {draw} and {columns}"
        )
    n_groups = _GROUPS.get(width, 1)
    shown = list(range(min(n, 6 * n_groups))) if images is None else [int(i) for i in images]
    if not shown or min(shown) < 0 or max(shown) >= n:
        raise ValueError(f"images: expected positions in 0 ... {n - 1}, got {shown}")
    n_groups = min(n_groups, len(shown))
    n_rows = -(-len(shown) // n_groups)
    noise = record.noise[shown, draw]
    limit = float(np.quantile(np.abs(noise), 0.995)) or 1.0
    with drawing(theme) as ink:
        inches = WIDTHS.get(width, WIDTHS["column"])
        cell = inches / (n_groups * (len(columns) + 0.25))
        text = 5.5 * (1.5 if width == "slide" else 1.0)
        band = 2.6 * text / 72
        height = n_rows * (cell + band) + 0.35
        figure, (frame,) = new_figure(width=width, height=height)
        frame.remove()
        figure.set_layout_engine("none")
        grid = figure.add_gridspec(
            n_rows, n_groups, left=0.005, right=0.995, bottom=0.22 / height, top=1 - (band + 0.02) / height,
            wspace=0.25 / len(columns), hspace=band / cell,
        )  # fmt: skip
        for k, i in enumerate(shown):
            group = GridSpecFromSubplotSpec(1, len(columns), grid[k // n_groups, k % n_groups], wspace=0.03)
            for j, name in enumerate(columns):
                axes = figure.add_subplot(group[j])
                axes.imshow(_picture(record, name, i, draw, limit), interpolation="nearest", aspect="equal")
                axes.set_axis_off()
                caption = _caption(record, name, i, draw)
                axes.set_title(caption, fontsize=text, loc="center", pad=1.5, linespacing=1.05)
        figure.text(
            0.995, 0.06 / height, f"noise: grey is none, black and white are −/+ {limit:.2f} of the range",
            fontsize=text, color=ink.muted, ha="right", va="bottom",
        )  # fmt: skip
    return figure


def _picture(record: PerturbationRecord, name: str, i: int, draw: int, limit: float) -> np.ndarray:
    if name == "saliency":
        top = record.saliency[i].max() or 1.0
        return np.repeat((record.saliency[i] / top)[:, :, None], 3, 2)
    pixels: dict[str, Any] = {
        "image": lambda: record.images[i],
        "reconstruction": lambda: record.reconstructions[i],
        "perturbed": lambda: record.perturbed[i, draw],
        "noise": lambda: 0.5 + record.noise[i, draw] / (2 * limit),
    }
    return np.clip(pixels[name]().transpose(1, 2, 0), 0, 1)


def _caption(record: PerturbationRecord, name: str, i: int, draw: int) -> str:
    """The true class with its confidence; below it what the classifier takes the picture for instead."""
    stages = {"image": "", "reconstruction": "_before", "perturbed": "_after"}
    if name not in stages:
        return "noise" if name == "noise" else "needed"
    row, stage = record.table.iloc[i * record.perturbed.shape[1] + draw], stages[name]
    caption = f"{row.label} {row['confidence' + stage]:.0%}"
    if row["predicted" + stage] == row.label:
        return caption
    return f"{caption}\n{row['predicted' + stage]} {row['highest' + stage]:.0%}"


def plot_overlap(record: PerturbationRecord, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Per class: the part of the noise on the most salient quarter of the pixels, beside what has no reason.

    Parameters
    ----------
    record : PerturbationRecord
        Of some ten images per class at least, or the points say little.
    """
    classes = record.per_class()
    y = np.arange(len(classes))[::-1]
    series = (
        ("overlap_random", "same noise, random place", ROLES["baseline"], "s"),
        ("overlap_other", "noise of another image", ROLES["negatives"], "^"),
        ("overlap", "adversarial noise", ROLES["noise"], "o"),
    )
    with drawing(theme) as ink:
        tall = None if width == "column" else (0.3 * len(y) + 1.1) * (1.5 if width == "slide" else 1)
        figure, (axes,) = new_figure(width=width, height=tall, aspect=0.95)
        _draw_overlap(axes, classes, y, series, ink)
        legend_below(figure, axes, n_cols=1 if width == "column" else 4)
    return figure


def _draw_overlap(axes: Any, classes: Any, y: np.ndarray, series: Any, ink: Ink) -> None:
    axes.hlines(y, classes.overlap_random, classes.overlap, color=ink.grid, linewidth=2)
    axes.errorbar(
        classes.overlap,
        y,
        xerr=1.96 * classes.overlap_gain_error,
        fmt="none",
        ecolor=ROLES["noise"],
        linewidth=0.8,
    )
    for name, label, color, marker in series:
        axes.plot(classes[name], y, marker, color=color, label=label)
    axes.axvline(0.25, color=ink.muted, linestyle=":", label="chance", zorder=0)
    axes.set_yticks(y, classes.label)
    axes.set_xlabel("share of the noise on the salient 25 %")
    axes.grid(axis="y", visible=False)
