"""Figures of the subspace step: energies over time, and the objective's terms (Sec. 3.4-3.5, Eqs. 10, 13)."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from acot_core.experiments.one_clip import SubspaceStudy
from acot_core.figures.style import ROLES, Theme, drawing, legend_below, new_figure

__all__ = ["plot_energies", "plot_terms"]


def plot_energies(record: SubspaceStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Energy that each frame keeps in the subspace, with order, without it, and for PCA."""
    with drawing(theme) as ink:
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        frame = record.energies["frame"]
        lines = (
            ("pca", "PCA (start)", {"color": ink.muted, "ls": ":"}),
            ("unordered", "without order (β₂ = 0)", {"color": ROLES["baseline"], "ls": "--"}),
            ("ordered", f"ACOT (β₂ = {record.config['beta2']:g})", {"color": ROLES["subspace"], "lw": 2}),
        )
        for name, label, style in lines:
            axes.plot(frame, record.energies[name], label=label, **style)
        axes.set(xlabel="frame t", ylabel="energy ‖U′xₜ‖²")
        axes.set_title("Energy over time")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, axes, 2)
        return figure


def plot_terms(record: SubspaceStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The weighted terms of Eq. (13) and their sum by iteration of conjugate gradient."""
    with drawing(theme) as ink:
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        step = record.terms["iteration"]
        lines = (
            ("contrast", "− contrast", {"color": ROLES["negatives"], "marker": "s"}),
            ("distortion", "β₁ · distortion", {"color": ROLES["positives"], "marker": "^"}),
            ("order", "β₂ · order", {"color": ROLES["noise"], "marker": "D"}),
            ("objective", "objective", {"color": ink.foreground, "marker": "o", "lw": 2}),
        )
        for name, label, style in lines:
            axes.plot(step, record.terms[name], label=label, **style)
        axes.axhline(0, color=ink.muted, lw=0.6)
        axes.set(xlabel="iteration of conjugate gradient", ylabel="value")
        axes.set_title("What the descent trades")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, axes, 2)
        return figure
