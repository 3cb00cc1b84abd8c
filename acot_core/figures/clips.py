"""Figures of the data: the frames of one clip, and what a data set holds (Sec. 4, "Datasets")."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from acot_core.experiments.one_clip import ClipView, DatasetView
from acot_core.figures.style import ROLES, Theme, drawing, legend_below, new_figure

__all__ = ["plot_clip", "plot_dataset"]


def plot_clip(record: ClipView, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The clip's frames as a heat map (time to the right), beside its mean and its class's mean."""
    with drawing(theme) as ink:
        figure, (heat, mean) = new_figure(1, 2, width=width, aspect=1.0, sharey=True, width_ratios=(2.6, 1.0))
        d = record.frames.shape[1]
        image = heat.imshow(record.frames.T, aspect="auto", origin="lower", vmin=0, cmap="viridis")
        heat.grid(False)
        heat.set(xlabel="frame t", ylabel="feature", title=f"Clip {record.clip}, {record.class_name}")
        heat.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=heat, label="activation", fraction=0.06, pad=0.02)
        features = np.arange(d)
        mean.plot(record.class_mean, features, color=ROLES["baseline"], label="mean of the class")
        mean.plot(record.frames.mean(0), features, color=ROLES["positives"], lw=0.9, label="mean of the clip")
        mean.set(xlabel="activation", title="Averages", xlim=(0, None))
        mean.tick_params(axis="y", colors=ink.muted)
        legend_below(figure, mean, 2)
        return figure


def plot_dataset(record: DatasetView, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Number of clips of each class, and the lengths of the clips."""
    with drawing(theme) as ink:
        few = len(record.class_names) <= 30
        figure, (count, length) = new_figure(1, 2, width=width, aspect=0.95, width_ratios=(1.25, 1.0))
        classes = record.table["class"].value_counts().reindex(record.class_names, fill_value=0)
        count.barh(np.arange(len(classes)), classes, color=ROLES["positives"], height=0.7)
        count.set(xlabel="clips", title="Classes")
        count.set_yticks(
            np.arange(len(classes)) if few else [], [_short(c) for c in classes.index] if few else []
        )
        count.invert_yaxis()
        count.grid(axis="y", visible=False)
        length.hist(record.table["n_frames"], bins=16, color=ROLES["positives"], edgecolor=ink.background)
        for axis in (count.xaxis, length.xaxis, length.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        length.set(xlabel="frames in a clip", ylabel="clips", title="Lengths")
        return figure


def _short(name: str, limit: int = 18) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
