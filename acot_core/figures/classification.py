"""Figures of one classification: accuracies of the methods, and the confusion matrix (Sec. 3.6)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from acot_core.experiments.views.one_fit import ClassificationRecord
from acot_core.figures.style import ROLES, Theme, drawing, new_figure, number_beside, shortened


def plot_accuracies(record: ClassificationRecord, *, theme: Theme = "light", width: str = "column") -> Figure:
    """A bar per method with the 95 % interval of its accuracy; chance as a dotted line."""
    with drawing(theme) as ink:
        table = record.accuracies.iloc[::-1]
        figure, (axes,) = new_figure(width=width, aspect=0.95)
        colors = [ROLES["subspace"] if name == "acot" else ROLES["baseline"] for name in table["method"]]
        place, value = np.arange(len(table)), 100 * table["accuracy"].to_numpy()
        below, above = value - 100 * table["low"].to_numpy(), 100 * table["high"].to_numpy() - value
        axes.barh(place, value, color=colors, height=0.66)
        axes.errorbar(
            value, place, xerr=[below, above], fmt="none", ecolor=ink.foreground, elinewidth=0.9, capsize=2.5
        )
        for y, share in zip(place, value, strict=True):
            number_beside(axes, float(y), f"{share:.0f}", fontweight="bold")
        axes.axvline(100 / len(record.class_names), color=ink.foreground, ls=":", lw=1)
        axes.set_yticks(place, list(table["label"]))
        axes.set(xlim=(0, 100), xlabel="accuracy in %, with 95 % interval")
        axes.set_title(f"{int(table['n_test'].iloc[0])} test sequences (dotted: chance)")
        axes.grid(axis="y", visible=False)
        return figure


def plot_confusion(record: ClassificationRecord, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Share of each true class's sequences by predicted class."""
    with drawing(theme):
        figure, (axes,) = new_figure(width=width, aspect=0.95)
        total = record.confusion.sum(1, keepdims=True)
        share = record.confusion / np.where(total > 0, total, 1)
        n = len(share)
        cmap = "Greens" if theme == "light" else "viridis"
        image = axes.imshow(share, vmin=0, vmax=1, cmap=cmap)
        axes.grid(False)
        names = [shortened(c, 16) for c in record.class_names]
        every = max(1, n // 26)
        ticks = np.arange(0, n, every)
        axes.set_xticks(ticks, [names[i] for i in ticks], rotation=90)
        axes.set_yticks(ticks, [names[i] for i in ticks])
        axes.set(xlabel="predicted", ylabel="true class", title="ACOT: confusion matrix")
        if n <= 10:
            for i, j in zip(*np.nonzero(record.confusion), strict=True):
                bright = share[i, j] > 0.5
                dark_text = bright == (theme == "dark")
                axes.text(
                    j, i, str(record.confusion[i, j]), ha="center", va="center", fontsize=6,
                    color="#000000" if dark_text else "#FFFFFF",
                )  # fmt: skip
        figure.colorbar(image, ax=axes, label="share of the class", fraction=0.046, pad=0.02)
        return figure
