"""Accuracy over beta1 x beta2, as heat maps on one scale."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from acot_core.experiments.beyond.landscape import LandscapeRecord
from acot_core.experiments.methods import METHODS
from acot_core.figures.style import ROLES, Theme, drawing, new_figure, panel_label


def plot_landscape(record: LandscapeRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Full ACOT, GRP and order alone; the paper's weights (1, 10) are framed."""
    names = [name for name in ("acot", "grp", "order") if (record.scores["method"] == name).any()]
    if not names:
        raise ValueError("the record holds no scores: the run was cancelled before any was complete")
    grids = {name: record.grid(name) for name in names}
    low = min(np.nanmin(values) for _, _, values in grids.values())
    high = max(np.nanmax(values) for _, _, values in grids.values())
    n_seeds = record.scores["seed"].nunique()
    with drawing(theme):
        figure, axes = new_figure(1, len(names), width=width, aspect=1.05, sharey=True)
        for letter, ax, (name, (beta1, beta2, values)) in zip("abc", axes, grids.items(), strict=False):
            image = ax.imshow(values, origin="lower", aspect="auto", vmin=low, vmax=high)
            panel_label(ax, letter, METHODS[name].label)
            ax.set_xticks(range(len(beta2)), [f"{b:g}" for b in beta2])
            ax.set_yticks(range(len(beta1)), [f"{b:g}" for b in beta1])
            ax.set_xlabel("order weight β₂")
            ax.grid(visible=False)
            for i, j in np.ndindex(values.shape):
                dark = (values[i, j] - low) < 0.6 * (high - low)
                ax.text(
                    j, i, f"{values[i, j]:.0f}", ha="center", va="center", fontsize="x-small",
                    color="white" if dark else "black",
                )  # fmt: skip
            if 1.0 in beta1 and 10.0 in beta2 and name != "order":
                place = (list(beta2).index(10.0) - 0.5, list(beta1).index(1.0) - 0.5)
                ax.add_patch(
                    Rectangle(
                        place, 1, 1, fill=False, edgecolor=ROLES["negatives"], linewidth=1.6, clip_on=False
                    )
                )
        axes[0].set_ylabel("distortion weight β₁")
        figure.colorbar(image, ax=list(axes), label=f"accuracy in %, mean of {n_seeds} seed(s)")
    return figure
