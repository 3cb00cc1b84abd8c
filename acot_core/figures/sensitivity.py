"""Figure 2: accuracy against one parameter, with a band over seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from acot_core.experiments.figure2 import SensitivityRecord
from acot_core.experiments.parameters import PARAMETERS
from acot_core.figures.style import ROLES, Theme, band, drawing, integer_ticks, legend_below, new_figure


def plot_sensitivity(
    record: SensitivityRecord,
    *,
    current: float | None = None,
    theme: Theme = "light",
    width: str = "column",
) -> Figure:
    """Full ACOT at each value of the parameter, and average pooling as a level.

    Parameters
    ----------
    record : SensitivityRecord
    current : float, optional
        A value of the parameter to mark; where values over decades stand at equal distances, one of them.
    """
    ours = record.scores[record.scores["value"].notna()]
    if ours.empty:
        raise ValueError("the record holds no scores: the run was cancelled before any was complete")
    wide = 100 * ours.pivot_table(index=["split", "seed"], columns="value", values="accuracy")
    wide = wide.dropna()
    values = wide.columns.to_numpy(dtype=float)
    base = 100 * record.scores.loc[record.scores["value"].isna(), "accuracy"].to_numpy(dtype=float)
    parameter = PARAMETERS[record.parameter]
    with drawing(theme):
        figure, (axes,) = new_figure(width=width, aspect=0.83 if width == "column" else 0.52)
        # Values over decades stand at equal distances, zero among them.
        spread = values[values > 0]
        spaced = len(spread) > 1 and spread.max() / spread.min() > 50
        x = np.arange(len(values)) if spaced else values
        color = ROLES["subspace"]
        if len(wide) == 2:  # an interval from two seeds would say nothing
            axes.plot(x, wide.to_numpy().T, color=color, linewidth=0.7, alpha=0.7)
            axes.plot(x, wide.mean(), color=color, marker="o", label="full ACOT (mean and each of 2 seeds)")
        else:
            band(axes, x, wide.to_numpy(), color=color, label="full ACOT", marker="o")
        if len(base):
            axes.axhline(
                base.mean(), color=ROLES["baseline"], linestyle="--",
                label=f"average pooling ({'mean' if len(base) > 1 else '1 seed'})",
            )  # fmt: skip
        if spaced:
            axes.set_xticks(x, [f"{v:g}" for v in values])
        elif parameter.integer:
            integer_ticks(axes.xaxis)
        if current is not None and (not spaced or current in values):
            place = x[values == current][0] if spaced else current
            axes.axvline(place, color=ROLES["noise"], linestyle=":", linewidth=1.4)
            axes.annotate(
                f"now {current:g}", (place, 1), xycoords=("data", "axes fraction"), fontsize=7, ha="center",
                xytext=(0, 3), textcoords="offset points", color=ROLES["noise"],
            )  # fmt: skip
        axes.set_xlabel(parameter.label)
        axes.set_ylabel("accuracy in %")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0), min(high, 102))  # an interval from few seeds may leave what is possible
        legend_below(figure, axes)
    return figure
