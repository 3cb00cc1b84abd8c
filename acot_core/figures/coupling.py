"""Figures of the transport step: the plan, and IPOT's way to it (Sec. 3.5, Eq. 12)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from acot_core.experiments.one_clip import TransportStudy
from acot_core.figures.style import ROLES, Theme, drawing, legend_below, new_figure

__all__ = ["plot_ipot", "plot_plan"]


def plot_plan(record: TransportStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The plan between frames and negatives, each negative placed beside the frame it is nearest to.

    Negatives have no order of their own: they are sorted by the mean position of the frames that send mass
    to them, so that structure shows. Colour is the mass as a share of what a frame sends.
    """
    with drawing(theme):
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        n, m = record.plan.shape
        order = negative_order(record)
        cmap = "Blues" if theme == "light" else "cividis"
        share = record.plan[:, order] * n
        image = axes.imshow(
            share, aspect="auto", vmin=0, vmax=max(share.max(), 1e-12), cmap=cmap, extent=(0, m, n, 0)
        )
        axes.grid(False)
        axes.set(xlabel="negatives y, sorted", ylabel="frame t of X")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        beside = "" if record.method == "emd" else f" (exact {record.exact:.4f})"
        axes.set_title(f"{_NAMES.get(record.method, record.method)}: cost {record.value:.4f}{beside}")
        figure.colorbar(image, ax=axes, label="share of a frame's mass", fraction=0.05, pad=0.02)
        return figure


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
        axes.set(xlabel="iteration of IPOT", ylabel="relative error", title="IPOT on this clip")
        legend_below(figure, axes, 2)
        return figure


def negative_order(record: TransportStudy) -> np.ndarray:
    """Negatives by the mean position of the frames that send mass to them: (m,)."""
    mass = record.plan.sum(0)
    centre = np.arange(len(record.plan)) @ record.plan / np.where(mass > 0, mass, 1)
    return np.argsort(centre, kind="stable")


_NAMES = {
    "emd": "Exact plan",
    "ipot": "IPOT",
    "sinkhorn": "Sinkhorn",
    "uniform": "Uniform plan",
    "identity": "Plan in order",
    "random": "Random plan",
    "auto": "Plan",
}
