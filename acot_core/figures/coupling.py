"""Figures of the transport step: the plan, and IPOT's way to it (Sec. 3.5, Eq. 12)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acot_core.experiments.views.one_sequence import TransportStudy
from acot_core.figures.style import ROLES, Theme, drawing, integer_ticks, legend_below, new_figure


def plot_plan(record: TransportStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The plan between frames and negatives, each negative placed beside the frame it is nearest to.

    Negatives have no order of their own: they are sorted by the mean position of the frames that send mass
    to them, so that structure shows. Colour is the mass as a share of what a frame sends.
    """
    with drawing(theme):
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        beside = "" if record.method == "emd" else f" (exact {record.exact:.4f})"
        _draw_plans(figure, [axes], [record], theme)
        axes.set_title(f"{plan_name(record.method)}: cost {record.value:.4f}{beside}")
        return figure


def plot_plan_row(
    records: Sequence[TransportStudy], *, theme: Theme = "light", width: str = "page"
) -> Figure:
    """Plans of the same problem in one row, negatives in the order of the first one's."""
    with drawing(theme):
        figure, axes = new_figure(1, len(records), width=width, aspect=1.1, sharey=True)
        _draw_plans(figure, list(axes), records, theme)
        return figure


def _draw_plans(
    figure: Figure, axes: Sequence[Axes], records: Sequence[TransportStudy], theme: Theme
) -> None:
    """Plans as heat maps on one scale, negatives in the order of the first one's."""
    order = negative_order(records[0])
    most = max(float(records[0].plan.max()) * len(records[0].plan), 1e-12)
    cmap = "Blues" if theme == "light" else "cividis"
    for ax, record in zip(axes, records, strict=True):
        n, m = record.plan.shape
        share = record.plan[:, order] * n
        image = ax.imshow(share, aspect="auto", vmin=0, vmax=most, cmap=cmap, extent=(0, m, n, 0))
        ax.grid(False)
        ax.set(xlabel="negatives y, sorted", title=f"{plan_name(record.method)}: {record.value:.4f}")
        integer_ticks(ax.xaxis, ax.yaxis)
    axes[0].set_ylabel("frame t of X")
    figure.colorbar(image, ax=list(axes), label="share of a frame's mass", fraction=0.05, pad=0.02)


def plot_ipot(record: TransportStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Distance of IPOT's cost from the exact cost, and its marginal error, by iteration."""
    with drawing(theme):
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        table = record.trace
        gap = (table["value"] - record.exact).abs() / max(record.exact, 1e-12)
        axes.loglog(
            table["iteration"], gap.clip(lower=1e-8), "o-", color=ROLES["subspace"], label="gap to exact cost"
        )
        axes.loglog(
            table["iteration"], table["marginal_error"].clip(lower=1e-8), "s--", color=ROLES["noise"],
            label="error of the marginals",
        )  # fmt: skip
        axes.set(xlabel="iteration of IPOT", ylabel="relative error", title="IPOT on this sequence")
        legend_below(figure, axes, 2)
        return figure


def negative_order(record: TransportStudy) -> np.ndarray:
    """Negatives by the mean position of the frames that send mass to them: (m,)."""
    mass = record.plan.sum(0)
    centre = np.arange(len(record.plan)) @ record.plan / np.where(mass > 0, mass, 1)
    return np.argsort(centre, kind="stable")


def plan_name(method: str) -> str:
    """Name of a plan by some method: "Exact plan", "Sinkhorn", ..."""
    return _NAMES.get(method, method)


_NAMES = {
    "emd": "Exact plan",
    "ipot": "IPOT",
    "sinkhorn": "Sinkhorn",
    "uniform": "Uniform plan",
    "identity": "Plan in order",
    "random": "Random plan",
    "auto": "Plan",
}
