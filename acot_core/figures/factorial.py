"""Figure of a factorial study: what each factor explains, and the response at its levels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from acot_core.experiments._factorial import FACTORS, RESPONSES, FactorialRecord
from acot_core.figures.style import ROLES, Theme, drawing, legend_below, new_figure

_ROLES = ("subspace", "negatives", "positives")


def plot_factorial(record: FactorialRecord, *, theme: Theme = "light", width: str = "page") -> Figure:
    """(a) Share of the variance that each term explains; (b) mean response at each level of each factor."""
    if record.scores.empty:
        raise ValueError("the record holds no scores: the study was cancelled before any was complete")
    tables = {name: record.anova(name).set_index("term")["share"] for name in RESPONSES}
    terms = [t for t in next(iter(tables.values())).index if t != "Residual"]
    levels = record.levels()
    with drawing(theme) as ink:
        figure, (shares, means) = new_figure(1, 2, width=width, height=0.24 * len(levels) + 1.2)
        bar = 0.8 / len(RESPONSES)
        for i, (name, label) in enumerate(RESPONSES.items()):
            color = ROLES[_ROLES[i]]
            places = np.arange(len(terms)) + (i - 1) * bar
            shares.barh(places, tables[name].reindex(terms), height=bar, color=color, label=label)
            means.plot(levels[name], np.arange(len(levels)), "o", color=color, markersize=4)
        shares.set_yticks(np.arange(len(terms)), terms)
        shares.set_ylim(len(terms) - 0.4, -0.6)
        shares.set_xlabel("share of the variance in %")
        shares.set_title("What explains the response")
        means.set_yticks(np.arange(len(levels)), [f"{r.factor}: {r.level}" for r in levels.itertuples()])
        means.set_ylim(len(levels) - 0.4, -0.6)
        for factor in FACTORS[1:]:
            first = int(np.argmax(levels["factor"].to_numpy() == factor))
            means.axhline(first - 0.5, color=ink.grid, linewidth=0.8)
        means.set_xlabel("mean response in %")
        means.set_title("Mean at each level")
        legend_below(figure, shares, 3)
    return figure
