"""Figures of the adversary: its training so far, and what its noise takes (Fig. 5's measure; Sec. 3.3)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from acot_core.experiments.views.adversary import NegativesView, TrainingView
from acot_core.figures.style import ROLES, Theme, drawing, legend_below, new_figure


def plot_training(record: TrainingView, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Fooling and misclassification rate on the left; noise norm and Wasserstein estimate on the right."""
    with drawing(theme):
        figure, (rates, norms) = new_figure(1, 2, width=width, aspect=0.8)
        train = record.history[record.history["split"] == "train"]
        held_out = record.history[record.history["split"] == "held_out"]
        step = train["iteration"]
        color = ROLES["negatives"]
        rates.plot(step, train["fooling_rate"], color=color, lw=2, label="fooling rate, training sequences")
        if len(held_out):
            rates.plot(
                held_out["iteration"], held_out["fooling_rate"], color=color, ls="--",
                label="fooling rate, held-out sequences",
            )  # fmt: skip
        rates.plot(
            step, train["misclassification_rate"], color=ROLES["baseline"], ls=":", label="misclassified"
        )
        rates.axhline(0.6, color=ROLES["subspace"], lw=0.8, label="60 %, the paper's average (Sec. 4)")
        rates.set(xlabel="iteration", ylabel="share of frames", ylim=(-0.02, 1.02), title="Does it fool?")
        rates.yaxis.set_major_formatter(PercentFormatter(1.0))
        norms.plot(step, train["noise_norm"], color=ROLES["noise"], lw=2, label="noise norm ‖x̂‖")
        norms.plot(
            step,
            train["wasserstein"],
            color=ROLES["positives"],
            ls="--",
            label="Wasserstein estimate of the critic",
        )
        norms.set(xlabel="iteration", ylabel="value", title="Noise and distance")
        for axes in (rates, norms):
            axes.set_xlim(0, max(record.n_iter, 1))
        legend_below(figure, (rates, norms), 2)
        return figure


def plot_negatives(record: NegativesView, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Mean frame, noise and negative over features, sorted by the mean frame."""
    with drawing(theme) as ink:
        narrow = width == "column"
        figure, (axes,) = new_figure(width=width, aspect=0.72 if narrow else 0.42)
        order = np.argsort(-record.frames, kind="stable")
        place = np.arange(len(order))
        axes.fill_between(
            place, record.frames[order], color=ROLES["positives"], alpha=0.35, step="mid", label="frame x"
        )
        axes.step(place, record.negatives[order], where="mid", color=ROLES["negatives"], label="negative y")
        axes.step(place, record.noise[order], where="mid", color=ROLES["noise"], lw=1.0, label="noise x̂")
        axes.axhline(0, color=ink.muted, lw=0.6)
        axes.set(xlabel="feature, by its mean over frames", ylabel="mean activation")
        axes.set_title(
            f"Classifier right on {record.correct:.0%} of frames,"
            + ("\n" if narrow else " ")
            + f"fooled by {record.fooled:.0%} of negatives"
        )
        legend_below(figure, axes, 3)
        return figure
