"""Figure of a retrieval study: each measure by method, with intervals over sequences and seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from acot_core.experiments._protocol.intervals import grouped_bootstrap
from acot_core.experiments._protocol.similarity import PER_QUERY
from acot_core.experiments._retrieval import MEASURES, RetrievalRecord
from acot_core.experiments.methods import METHODS
from acot_core.figures.style import ROLES, Theme, drawing, new_figure, number_beside


def plot_retrieval(record: RetrievalRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """One panel per measure, one line per method: mean, and 95 % interval over groups of sequences and seeds.

    Filled: depends on the order of the frames; open: does not.
    """
    if record.queries.empty:
        raise ValueError("the record holds no queries: the study was cancelled before any was complete")
    stream = record.queries["stream"].iloc[0]
    queries = record.queries[record.queries["stream"] == stream]
    names = list(dict.fromkeys(queries["method"]))
    with drawing(theme) as ink:
        height = 0.2 * len(names) + 0.9
        figure, axes = new_figure(1, len(PER_QUERY), width=width, height=height, sharey=True)
        for ax, measure in zip(axes, PER_QUERY, strict=True):
            for place, name in enumerate(names):
                rows = queries[queries["method"] == name]
                values = 100 * rows[measure].to_numpy(dtype=float)
                groups, seeds = rows["group"].to_numpy(), rows["seed"].to_numpy()
                spread = grouped_bootstrap(values, groups, seeds, n_draws=1000)
                how = METHODS[name]
                color = ROLES[how.role]
                ax.plot([spread["low"], spread["high"]], [place, place], color=ink.foreground, linewidth=1)
                face = color if how.ordered else ink.background
                ax.plot(spread["mean"], place, "o", color=color, markerfacecolor=face, markersize=5.5)
                number_beside(ax, place, f"{spread['mean']:.0f}", fontsize="small")
            ax.set_yticks(np.arange(len(names)), [METHODS[name].label for name in names])
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set_xlabel(f"{MEASURES[measure]} in %")
        figure.supxlabel(
            f"{stream}; dot and line: mean and 95 % interval over groups of sequences and "
            f"{queries['seed'].nunique()} seeds; filled: depends on the order of the frames",
            fontsize="small", color=ink.muted,
        )  # fmt: skip
    return figure
