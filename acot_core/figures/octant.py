"""Figures of the method in three dimensions: all subspaces on a disk, with their values (Eqs. 10, 13)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from acot_core.experiments.views.disk import RADIUS, to_disk
from acot_core.experiments.views.octant import OctantView
from acot_core.experiments.views.reversal import OctantClasses
from acot_core.figures.descent import draw_terms
from acot_core.figures.style import (
    CLASS_COLORS,
    ROLES,
    Ink,
    Theme,
    drawing,
    integer_ticks,
    legend_below,
    new_figure,
)

_PAIRS = 0.02  # pairs with less than this share of a frame's mass are not drawn


def plot_octant(record: OctantView, *, theme: Theme = "light", width: str = "page") -> Figure:
    """The disk with landscape, frames, negatives, plan and descent; energies over time; terms by iteration.

    Without a landscape (size 0) the disk shows the rest. In a column the panels stand one below another.
    """
    with drawing(theme) as ink:
        shape: dict[str, Any] = {"width_ratios": (1.5, 1, 1)}
        if width == "column":
            figure, axes = new_figure(3, 1, width=width, height=8.2, height_ratios=(1.7, 1, 1))
        else:
            figure, axes = new_figure(1, 3, width=width, aspect=1.15, **shape)
        _draw_disk(axes[0], record, ink)
        _draw_energies(axes[1], record, ink)
        weights = {"contrast": -1, "distortion": record.config["beta1"], "order": record.config["beta2"]}
        weighted = {name: weight * record.path[name] for name, weight in weights.items()}
        draw_terms(axes[2], record.path.assign(objective=record.path["value"], **weighted), ink)
        legend_below(figure, list(axes), 2 if width == "column" else 5)
        return figure


def plot_octant_classes(record: OctantClasses, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Every sequence of the two classes as a point of the disk: by average, by PCA and by ACOT."""
    titles = {"average": "average frame", "pca": "PCA", "acot": "ACOT"}
    with drawing(theme) as ink:
        rows, columns = (3, 1) if width == "column" else (1, 3)
        figure, axes = new_figure(rows, columns, width=width, aspect=1.32)
        for ax, (name, title) in zip(axes, titles.items(), strict=True):
            _frame_disk(ax, ink)
            for label, (text, marker) in enumerate((("cue grows", "o"), ("cue fades", "s"))):
                places = _places(getattr(record, name)[record.labels == label])
                ax.scatter(
                    *places.T, s=14, marker=marker, color=CLASS_COLORS[label], label=text, linewidths=0.4,
                    edgecolors=ink.background, zorder=3,
                )  # fmt: skip
            ax.set_title(title)
            ax.set_xlabel(f"nearest is of its class: {record.accuracies[name]:.0%}")
        legend_below(figure, list(axes), 2)
        return figure


def _places(points: np.ndarray) -> np.ndarray:
    return to_disk(torch.from_numpy(np.ascontiguousarray(points)).double()).numpy()


def _frame_disk(axes: Axes, ink: Ink) -> None:
    """The disk's rim, and the octant's outline with its corners."""
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[], xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
    axes.spines[:].set_visible(False)
    axes.add_patch(Circle((0, 0), RADIUS, fill=False, edgecolor=ink.muted, linewidth=0.8))
    angle = np.linspace(0, np.pi / 2, 25)
    arc = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    for shift in range(3):
        axes.plot(*_places(np.roll(arc, shift, 1)).T, color=ink.foreground, linewidth=0.7, zorder=2)
    for name, corner in zip("xyz", _places(np.eye(3)), strict=True):
        axes.annotate(name, 1.1 * corner, ha="center", va="center", fontsize="small", color=ink.foreground)


def _draw_disk(axes: Axes, record: OctantView, ink: Ink) -> None:
    _frame_disk(axes, ink)
    if record.landscape.size:
        colors = LinearSegmentedColormap.from_list(
            "valley", [ROLES["subspace"], ink.background] if ink.background == "#FFFFFF" else
            ["#7FF0CF", ROLES["subspace"], ink.background],
        )  # fmt: skip
        extent = (-RADIUS, RADIUS, -RADIUS, RADIUS)
        axes.imshow(record.landscape, origin="lower", extent=extent, cmap=colors, zorder=0, aspect="equal")
        axes.contour(
            record.landscape, levels=8, extent=extent, colors=ink.muted, linewidths=0.3, alpha=0.6, zorder=1
        )
    frames, negatives = _places(record.frames), _places(record.negatives)
    share = record.plan * len(frames)
    pairs = [(i, j) for i, j in np.argwhere(share > _PAIRS)]
    lines = LineCollection(
        [[frames[i], negatives[j]] for i, j in pairs], colors=ink.muted, alpha=0.5, zorder=2,
        linewidths=[0.2 + 0.8 * share[i, j] for i, j in pairs],
    )  # fmt: skip
    axes.add_collection(lines)
    axes.scatter(
        negatives[:, 0], negatives[:, 1], s=10, marker="s", color=ROLES["negatives"], label="negatives",
        zorder=3, linewidths=0.3, edgecolors=ink.background,
    )  # fmt: skip
    axes.plot(*frames.T, color=ROLES["positives"], linewidth=0.6, zorder=3)
    size = 6 + 14 * np.arange(len(frames)) / max(1, len(frames) - 1)
    axes.scatter(
        frames[:, 0], frames[:, 1], s=size, color=ROLES["positives"],
        label="frames (larger: later)", zorder=4, linewidths=0.3, edgecolors=ink.background,
    )  # fmt: skip
    path = _places(record.path[["x", "y", "z"]].to_numpy())
    jump = np.linalg.norm(np.diff(path, axis=0), axis=1) > RADIUS  # over the rim, to the antipode
    for start, stop in zip(path[:-1][~jump], path[1:][~jump], strict=True):
        axes.plot(*np.stack([start, stop]).T, color=ink.foreground, linewidth=1.0, zorder=5)
    name = "U" if record.config["n_subspaces"] == 1 else "normal of U"
    axes.plot(*path[0], "o", color=ink.background, mec=ink.foreground, ms=4, zorder=6, label="PCA (start)")
    axes.plot(
        *path[-1], "*", color=ROLES["subspace"], mec=ink.foreground, mew=0.6, ms=11, zorder=7, label=name
    )
    axes.set_title("Every subspace, and what it is worth")
    axes.set_xlabel(f"all subspaces of dimension {record.config['n_subspaces']}: dark is low", labelpad=2)


def _draw_energies(axes: Axes, record: OctantView, ink: Ink) -> None:
    frame = record.energies["frame"]
    axes.plot(frame, record.energies["pca"], color=ink.muted, ls=":", label="PCA")
    axes.plot(frame, record.energies["acot"], color=ROLES["subspace"], lw=2, label="ACOT")
    axes.set(xlabel="frame t", ylabel="energy ‖U′xₜ‖²", ylim=(-0.03, 1.03))
    integer_ticks(axes.xaxis)
    axes.set_title("Energy over time")
