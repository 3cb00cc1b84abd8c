"""Tables 1-3 as figures: mean accuracy over seeds, with its interval, one line per method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acot_core.experiments.beyond.plan_matters import PlanRecord
from acot_core.experiments.methods import METHODS
from acot_core.experiments.table1 import AblationRecord
from acot_core.experiments.table2_3 import ComparisonRecord
from acot_core.figures.style import (
    ROLES,
    Ink,
    Theme,
    describe_interval,
    drawing,
    interval,
    legend_below,
    new_figure,
    number_beside,
    panel_label,
)


def plot_ablation(record: AblationRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Table 1: one panel per stream, one line per row, with 95 % intervals over seeds and splits."""
    return _lines(record, theme, width)


def plot_comparison(record: ComparisonRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Tables 2 and 3's shape: one panel per stream, one line per method.

    A record of `acot_core.experiments.evaluate` gets one panel for each encoder and stream, and a line for
    each method, k and kind of classifier.
    """
    return _lines(record, theme, width)


def _lines(record: AblationRecord | ComparisonRecord, theme: Theme, width: str) -> Figure:
    scores = record.scores.copy()
    if scores.empty:
        raise ValueError("the record holds no scores: the run was cancelled before any was complete")
    if "kind" in scores:
        k = scores["k"].map(lambda v: "" if pd.isna(v) else f", k={v:.0f}")
        scores["label"] = scores["label"] + k + ", " + scores["kind"]
    panels = ["encoder", "stream"] if "encoder" in scores else ["stream"]
    groups = list(scores.groupby(panels, sort=False))
    n_lines = scores["label"].nunique()
    n_seeds = int(scores.groupby([*panels, "label"]).size().max())
    with drawing(theme) as ink:
        columns = min(len(groups), 3)
        rows = -(-len(groups) // columns)
        height = rows * (0.21 * n_lines + 0.75) * (1.45 if width == "slide" else 1)
        figure, axes = new_figure(rows, columns, width=width, height=height, sharey=True)
        for ax, (key, group) in zip(axes, groups, strict=False):
            _panel(ax, group, ink)
            ax.set_title(" ".join(map(str, key)))
            ax.set_xlabel("accuracy in %")
        for ax in axes[len(groups) :]:
            ax.set_visible(False)
        figure.supxlabel(
            f"dot and line: {describe_interval(n_seeds)}; ticks: single runs",
            fontsize="small",
            color=ink.muted,
        )
    return figure


def _panel(axes: Axes, group: pd.DataFrame, ink: Ink) -> None:
    """One row per method: its scores faint, their mean with its interval, and the mean as a number."""
    labels = list(dict.fromkeys(group["label"]))
    for place, label in enumerate(labels):
        rows = group[group["label"] == label]
        values = 100 * rows["accuracy"].to_numpy(dtype=float)
        mean, low, high = interval(values)
        color = ROLES[METHODS[rows["method"].iloc[0]].role]
        axes.plot(values, np.full(len(values), place), "|", color=color, alpha=0.6, markersize=7)
        axes.plot([low, high], [place, place], color=ink.foreground, linewidth=1, clip_on=True)
        axes.plot(mean, place, "o", color=color, markersize=5.5)
        number_beside(axes, place, f"{mean:.1f}", fontsize="small")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    least, most = 100 * group["accuracy"].min(), 100 * group["accuracy"].max()
    axes.set_xlim(least - 3, most + 3)


def plot_plans(record: PlanRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Effect of the plan on accuracy, transport cost, objective (Eq. 10) and the subspace itself."""
    summary = record.plan_summary()
    n_seeds = record.scores["seed"].nunique()
    titles = {
        "accuracy": "accuracy in %",
        "cost": "transport cost ⟨π, C⟩",
        "objective": "objective, Eq. (10)",
        "angle": "angle to exact plan's U, °",
    }
    with drawing(theme) as ink:
        columns = 2 if width == "column" else 4
        figure, axes = new_figure(4 // columns, columns, width=width, aspect=1.1, sharey=True)
        for letter, ax, (name, title) in zip("abcd", axes, titles.items(), strict=True):
            places = np.arange(len(summary))
            colors = [ROLES["subspace"] if p.startswith(("exact", "prox")) else ROLES["baseline"]
                      for p in summary["plan"]]  # fmt: skip
            mean = summary[name].to_numpy()
            half = np.nan_to_num(summary[f"{name}_high"].to_numpy() - mean)
            for place, color in zip(places, colors, strict=True):
                ax.errorbar(
                    mean[place], place, xerr=half[place], fmt="o", color=color, ecolor=ink.foreground,
                    elinewidth=1,
                )  # fmt: skip
            ax.set_yticks(places, summary["plan"])
            ax.set_ylim(len(summary) - 0.5, -0.5)
            ax.set_xlabel(title)
            panel_label(ax, letter, "")
            ax.margins(x=0.15)
        ax = axes[0]
        ax.plot([], [], "o", color=ROLES["subspace"], label="optimal transport")
        ax.plot([], [], "o", color=ROLES["baseline"], label="plan ignores the cost")
        ax.plot([], [], color=ink.foreground, label=describe_interval(n_seeds))
        legend_below(figure, ax, columns - 1)
    return figure
