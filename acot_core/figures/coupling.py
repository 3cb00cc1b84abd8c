"""Figures of the transport step: the plan, and IPOT's way to it (Sec. 3.5, Eq. 12)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from acot_core.experiments.one_clip import TransportStudy
from acot_core.figures.style import ROLES, Theme, drawing, legend_below, new_figure

__all__ = ["plot_ipot", "plot_plan", "plot_plan_row"]


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


def plot_plan_row(
    records: Sequence[TransportStudy], *, theme: Theme = "light", width: str = "page"
) -> Figure:
    """Plans of the same problem side by side, negatives in the order of the first one's."""
    with drawing(theme):
        figure, axes = new_figure(1, len(records), width=width, aspect=1.1, sharey=True)
        order = negative_order(records[0])
        shares = [record.plan[:, order] * len(record.plan) for record in records]
        most = max(shares[0].max(), 1e-12)
        cmap = "Blues" if theme == "light" else "cividis"
        for ax, record, share in zip(axes, records, shares, strict=True):
            n, m = share.shape
            image = ax.imshow(share, aspect="auto", vmin=0, vmax=most, cmap=cmap, extent=(0, m, n, 0))
            ax.grid(False)
            ax.set_title(f"{_NAMES.get(record.method, record.method)}: {record.value:.4f}")
            ax.set_xlabel("negatives y, sorted")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylabel("frame t of X")
        axes[0].yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=list(axes), label="share of a frame's mass", fraction=0.05, pad=0.02)
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
