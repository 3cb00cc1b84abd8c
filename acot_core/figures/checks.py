"""Figures of the solvers: gradient, angles, rounds, and the bounds of Theorem 1 (Sec. 3.1.1, 3.5)."""

from __future__ import annotations

from matplotlib.figure import Figure

from acot_core.experiments.record import TableRecord
from acot_core.figures.style import (
    ROLES,
    Theme,
    drawing,
    integer_ticks,
    legend_below,
    new_figure,
    series_style,
)


def plot_gradient_check(record: TableRecord, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Median error of the linear model by step, and a line of slope 2 through its third-largest step."""
    with drawing(theme) as ink:
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        by_step = record.table.groupby("step")["error"]
        median, n_sequences = by_step.median(), int(by_step.size().max())
        step, error = median.index[-3], median.iloc[-3]
        axes.loglog(median.index, error * (median.index / step) ** 2, "--", color=ink.muted, label="slope 2")
        axes.loglog(
            median.index, median, "o", color=ROLES["subspace"], label=f"median of {n_sequences} sequences"
        )
        axes.set(xlabel="step t", ylabel="error of the linear model", title="Is the gradient right?")
        legend_below(figure, axes, 2)
        return figure


def plot_angles(record: TableRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """Value above the end's, and angle to the end's subspace, by iteration; bands: the middle half."""
    with drawing(theme):
        figure, (values, angles) = new_figure(1, 2, width=width)
        for i, (start, rows) in enumerate(record.table.groupby("start", sort=False)):
            for axes, column in ((values, "value"), (angles, "angle")):
                low, middle, high = (rows.groupby("iteration")[column].quantile(q) for q in (0.25, 0.5, 0.75))
                color = (ROLES["subspace"], ROLES["baseline"])[i % 2]
                axes.plot(middle.index, middle, **series_style(i) | {"color": color}, label=f"{start} start")
                axes.fill_between(low.index, low, high, color=color, alpha=0.2, linewidth=0)
        values.set(ylabel="value, above the end's", title="Value of Eq. (13)")
        angles.set(ylabel="largest angle in degrees", title="Angle to the end's subspace")
        for axes in (values, angles):
            axes.set_xlabel("iteration")
            axes.set_ylim(bottom=0)
            integer_ticks(axes.xaxis)
        n_sequences = record.table["sequence"].nunique()
        values.plot([], [], " ", label=f"(lines: medians; bands: the middle half of {n_sequences} sequences)")
        legend_below(figure, values, 3)
        return figure


def plot_rounds(record: TableRecord, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The objective of Eq. (11) after every half-step: the plan lowers it, the subspace raises it."""
    with drawing(theme) as ink:
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        table = record.table
        place = table["round"] - 0.5 * (table["step"] == "plan")
        axes.plot(place, table["objective"], color=ink.muted)
        for step, role, marker in (("plan", "positives", "s"), ("subspace", "subspace", "o")):
            rows = table["step"] == step
            axes.plot(
                place[rows], table["objective"][rows], marker, color=ROLES[role], label=f"after a {step} step"
            )
        axes.set(xlabel="round", ylabel="objective of Eq. (11)", title="Alternation of plan and subspace")
        integer_ticks(axes.xaxis)
        legend_below(figure, axes, 2)
        return figure


def plot_bounds(record: TableRecord, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The quantities of Theorem 1 by dimension; S² is known up to the shaded gap (`subspace_robust`)."""
    lines = {
        "upper_bound": ("S² + last term", "negatives"),
        "contrastive": ("C²", "subspace"),
        "subspace": ("S²", "baseline"),
        "projection": ("P²", "positives"),
    }
    with drawing(theme):
        figure, (axes,) = new_figure(width=width, aspect=0.8)
        for i, (name, (label, role)) in enumerate(lines.items()):
            style = series_style(i) | {"color": ROLES[role]}
            axes.plot(record.table["k"], record.table[name], label=label, **style)
        table = record.table
        axes.fill_between(
            table["k"], table["subspace_bound"], table["subspace"], color=ROLES["baseline"], alpha=0.25, lw=0
        )
        axes.set(xlabel="dimension k of the subspace", ylabel="squared distance", title="Theorem 1")
        integer_ticks(axes.xaxis)
        legend_below(figure, axes, 4)
        return figure
