"""Report choices at an edge of their grid: a wider grid might have done better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

BOUNDS: dict[str, tuple[float, float]] = {
    "n_subspaces": (1, math.inf),
    "beta1": (0.0, math.inf),
    "beta2": (0.0, math.inf),
}
"""Where a parameter cannot go further: such an edge is no shortcoming of a grid."""


def edges_of_choice(
    chosen: Mapping[str, Any], accuracy: float, tried: Sequence[tuple[Mapping[str, Any], float]]
) -> list[str]:
    """Parameters whose chosen value is the least or greatest tried, where no value further inside is as good.

    Parameters
    ----------
    chosen : mapping
        Parameters of the best choice.
    accuracy : float
        Its mean accuracy over the folds; NaN where nothing was chosen.
    tried : sequence of (parameters, accuracy)
        Everything that was tried.

    Returns
    -------
    list of str
        Such as "beta2 = 100 (greatest of 4)". Empty where nothing was chosen.

    Examples
    --------
    >>> tried = [({"beta2": b}, a) for b, a in ((1.0, 0.5), (10.0, 0.6), (100.0, 0.7))]
    >>> edges_of_choice({"beta2": 100.0}, 0.7, tried)
    ['beta2 = 100 (greatest of 3)']
    """
    edges = []
    for name, value in chosen.items():
        values = sorted({v[name] for v, _ in tried if name in v and _is_number(v[name])})
        if len(values) < 2 or not _is_number(value) or math.isnan(accuracy):
            continue
        inside = values[1:] if value == values[0] else values[:-1]
        at_edge = value in (values[0], values[-1]) and value not in BOUNDS.get(name, ())
        if at_edge and all(a < accuracy for v, a in tried if v.get(name) in inside):
            which = "least" if value == values[0] else "greatest"
            edges.append(f"{name} = {value:g} ({which} of {len(values)})")
    return edges


def count_edges(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Count each choice at an edge in scores whose column ``edges`` joins them by commas."""
    if "edges" not in scores:
        return pd.DataFrame(columns=[*by, "edge", "n"])
    table = scores.assign(edge=scores["edges"].str.split(", ")).explode("edge")
    table = table[table["edge"].fillna("") != ""]
    return table.groupby([*by, "edge"], sort=False).size().rename("n").reset_index()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
