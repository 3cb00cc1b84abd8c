"""Figure 5 (App. B.2): fooling rate for each stream, accuracy beside it; and the quality of the negatives."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from acot_core.experiments.figure5 import FoolingRecord
from acot_core.figures.style import (
    CLASS_COLORS,
    ROLES,
    Theme,
    band,
    drawing,
    interval,
    legend_below,
    new_figure,
    panel_label,
    series_style,
)


def plot_fooling_curves(
    record: FoolingRecord, *, theme: Theme = "light", width: str = "page", split: str = "train"
) -> Figure:
    """Fooling rate against iterations, a panel per stream, a line per σ; then accuracies, if evaluated.

    Parameters
    ----------
    record : FoolingRecord
    split : {"train", "held_out"}
        On whose frames the rates were measured.

    Raises
    ------
    ValueError
        The record has no curve of that split.
    """
    curves = record.curves
    if not len(curves) or split not in set(curves["split"]):
        raise ValueError(f"record: has no curves of split {split!r}")
    curves = curves[curves["split"] == split]
    streams = list(dict.fromkeys(curves["stream"]))
    sigmas = sorted(set(curves["sigma"]))
    has_accuracy = len(record.accuracies) > 0
    with drawing(theme):
        figure, panels = new_figure(1, len(streams) + has_accuracy, width=width, aspect=0.95)
        for i, (axes, stream) in enumerate(zip(panels, streams, strict=False)):
            for j, sigma in enumerate(sigmas):
                _line(axes, curves, stream, sigma, "fooling_rate", CLASS_COLORS[j], f"σ = {sigma:g}", j)
            axes.set(xlabel="iteration", ylabel="fooling rate" if i == 0 else "", ylim=(-0.02, 1.02))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            panel_label(axes, chr(ord("a") + i), f"{stream} stream")
        if has_accuracy:
            axes = panels[-1]
            for i, stream in enumerate(streams):
                for j, sigma in enumerate(sigmas):
                    label = f"{stream}, σ = {sigma:g}"
                    _line(
                        axes, record.accuracies, stream, sigma, "accuracy", CLASS_COLORS[j], label, i,
                        marker=series_style(i)["marker"],
                    )  # fmt: skip
            axes.set(xlabel="iteration", ylabel="accuracy")
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            panel_label(axes, chr(ord("a") + len(streams)), "ACOT, other sequences")
        legend_below(figure, list(panels), 1 if width == "column" else 3)
        return figure


def _line(
    axes: Axes, table: pd.DataFrame, stream: str, sigma: float, column: str, color: str, label: str,
    dash: int, marker: str | None = None,
) -> None:  # fmt: skip
    rows = table[(table["stream"] == stream) & (table["sigma"] == sigma)]
    wide = rows.pivot_table(index="seed", columns="iteration", values=column).dropna()
    if len(wide):
        style = {"linestyle": series_style(dash)["linestyle"]} | ({"marker": marker} if marker else {})
        band(axes, wide.columns, wide.to_numpy(), color=color, label=label, **style)


def plot_negative_quality(record: FoolingRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Quality of the negatives against σ: do they fool, are they close, is the condition used, do they vary.

    Adversarial negatives beside negatives by random noise of the same norm; points are means over seeds and
    streams, bars 95 % intervals.

    Raises
    ------
    ValueError
        The record has no quality.
    """
    table = record.quality
    if not len(table):
        raise ValueError("record: has no measures of quality")
    with drawing(theme) as ink:
        figure, (fools, close, use) = new_figure(1, 3, width=width, aspect=0.95)
        _points(fools, table, "fooling_rate", "negatives", "adversarial", -1)
        _points(fools, table, "random_fooling_rate", "noise", "random, same norm", 1)
        fools.set(ylabel="fooling rate", ylim=(-0.05, 1.05))
        _points(close, table, "separability", "negatives", "adversarial", -1)
        _points(close, table, "random_separability", "noise", "random, same norm", 1)
        _points(close, table, "data_separability", "positives", "other frames", 0)
        close.axhline(0.5, color=ink.muted, lw=0.8)
        close.set(ylabel="two-sample test, accuracy", ylim=(0.4, 1.05))
        _points(use, table, "condition_ratio", "subspace", "between sequences / between draws", -1)
        _points(use, table, "diversity", "baseline", "distance of draws / norm", 1)
        use.axhline(1, color=ink.muted, lw=0.8)
        use.set(yscale="log", ylabel="ratio")
        for i, (axes, title) in enumerate(
            zip((fools, close, use), ("Does it fool?", "Is it close?", "Condition and variety"), strict=True)
        ):
            sigmas = sorted(set(table["sigma"]))
            axes.set_xticks(range(len(sigmas)), [f"{s:g}" for s in sigmas])
            axes.set_xlabel("σ")
            panel_label(axes, chr(ord("a") + i), title)
        legend_below(figure, (fools, close, use), 3)
        return figure


def _points(axes: Axes, table: pd.DataFrame, column: str, role: str, label: str, side: int) -> None:
    """Means with intervals over seeds (of the streams' mean) against σ, a little beside each other."""
    wide = table.pivot_table(index="seed", columns="sigma", values=column).dropna(axis=1)
    if not wide.size:
        return
    places = [sorted(set(table["sigma"])).index(s) + 0.12 * side for s in wide.columns]
    mean, low, high = interval(wide.to_numpy())
    axes.errorbar(
        places, mean, np.abs(np.stack([mean - low, high - mean])), color=ROLES[role], marker="o", ls="",
        capsize=2, label=label,
    )  # fmt: skip
