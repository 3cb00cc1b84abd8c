"""Figures of the data: the frames of one sequence, and what a data set holds (Sec. 4, "Datasets")."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from acot_core.experiments.views.one_sequence import DatasetView, SequenceView
from acot_core.figures.style import ROLES, Theme, drawing, integer_ticks, legend_below, new_figure, shortened


def plot_sequence(record: SequenceView, *, theme: Theme = "light", width: str = "column") -> Figure:
    """The sequence's frames as a heat map (time to the right), beside its mean and its class's mean."""
    with drawing(theme) as ink:
        figure, (heat, mean) = new_figure(1, 2, width=width, aspect=1.0, sharey=True, width_ratios=(2.6, 1.0))
        frames = record.frames[:, record.order]
        image = heat.imshow(frames.T, aspect="auto", vmin=0, vmax=np.quantile(frames, 0.995), cmap="viridis")
        heat.grid(False)
        heat.set(xlabel="frame t", ylabel="features by class and time of their peak",
                 title=f"Sequence {record.sequence}, {record.class_name}")  # fmt: skip
        names, first = np.unique(record.peak_class[record.order], return_index=True)
        heat.set_yticks(first, [shortened(name, 12) for name in names])
        integer_ticks(heat.xaxis)
        figure.colorbar(image, ax=heat, label="activation", fraction=0.06, pad=0.02)
        features = np.arange(len(record.order))
        mean.plot(
            record.class_mean[record.order], features, color=ROLES["baseline"], label="mean of the class"
        )
        mean.plot(frames.mean(0), features, color=ROLES["positives"], lw=0.9, label="mean of the sequence")
        mean.set(xlabel="activation", title="Averages", xlim=(0, None))
        mean.tick_params(axis="y", colors=ink.muted)
        legend_below(figure, mean, 2)
        return figure


def plot_dataset(record: DatasetView, *, theme: Theme = "light", width: str = "column") -> Figure:
    """Number of sequences of each class, and the lengths of the sequences."""
    with drawing(theme) as ink:
        few = len(record.class_names) <= 30
        figure, (count, length) = new_figure(1, 2, width=width, aspect=0.95, width_ratios=(1.25, 1.0))
        classes = record.table["class"].value_counts().reindex(record.class_names, fill_value=0)
        count.barh(np.arange(len(classes)), classes, color=ROLES["positives"], height=0.7)
        count.set(xlabel="sequences", title="Classes")
        names = [shortened(c) for c in classes.index] if few else []
        count.set_yticks(np.arange(len(names)), names)
        count.invert_yaxis()
        count.grid(axis="y", visible=False)
        length.hist(record.table["n_frames"], bins=16, color=ROLES["positives"], edgecolor=ink.background)
        integer_ticks(count.xaxis, length.xaxis, length.yaxis)
        length.set(xlabel="frames in a sequence", ylabel="sequences", title="Lengths")
        return figure
