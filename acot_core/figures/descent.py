"""Figures of the subspace step: energies over time, and the objective's terms (Sec. 3.4-3.5, Eqs. 10, 13)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acot_core.experiments.views.one_sequence import SubspaceStudy
from acot_core.figures.style import ROLES, Ink, Theme, drawing, integer_ticks, legend_below, new_figure


def plot_energies(record: SubspaceStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Energy of each frame in the subspace, with order, without it, and for PCA."""
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
        axes.set(xlabel="frame t", ylabel="energy ‖U′xₜ‖²", title="Energy over time")
        integer_ticks(axes.xaxis)
        legend_below(figure, axes, 2)
        return figure


def plot_terms(record: SubspaceStudy, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The weighted terms of Eq. (13) and their sum by iteration of conjugate gradient."""
    with drawing(theme) as ink:
        figure, (axes,) = new_figure(width=width, aspect=0.76)
        draw_terms(axes, record.terms, ink)
        axes.axhline(0, color=ink.muted, lw=0.6)
        axes.set_xlabel("iteration of conjugate gradient")
        legend_below(figure, axes, 2)
        return figure


def draw_terms(axes: Axes, terms: pd.DataFrame, ink: Ink) -> None:
    """The weighted terms ``contrast``, ``distortion``, ``order`` and ``objective`` by ``iteration``."""
    lines = (
        ("contrast", "− contrast", {"color": ROLES["negatives"], "marker": "s"}),
        ("distortion", "β₁ · distortion", {"color": ROLES["positives"], "marker": "^"}),
        ("order", "β₂ · order", {"color": ROLES["noise"], "marker": "D"}),
        ("objective", "objective", {"color": ink.foreground, "marker": "o", "lw": 2}),
    )
    for name, label, style in lines:
        axes.plot(terms["iteration"], terms[name], label=label, **style)
    axes.set(xlabel="iteration", ylabel="value", title="What the descent trades")
    integer_ticks(axes.xaxis)
