"""Conditions on generated data: tuned ACOT against tuned baselines; where the contrast pays (Sec. 1, 3.4).

The paper's case for the contrast is a weak cue in a strong background that evolves as well. In generated
data (`acot_core.datasets.planted`) each of these can be turned up by itself. All methods are tuned by the
same cross-validation on the training sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from acot_core._utils.progress import Callback
from acot_core.experiments._protocol.scores import collect
from acot_core.experiments._protocol.study import Entry, Study
from acot_core.experiments.table2_3 import ComparisonRecord

_EVOLVING = {"cue_strength": 0.7, "background": 2.0, "trend": 3.0}

CONDITIONS: dict[str, dict[str, Any]] = {
    "as generated": {},
    "weak cue": {"cue_strength": 0.5},
    "weak cue, strong appearance": {"cue_strength": 0.5, "appearance": 2.0},
    "weak cue, evolving background": _EVOLVING,
    "the same, few clips": {**_EVOLVING, "n_sequences": 60},
}
"""Options of `acot_core.datasets.planted`, by the condition's name."""


def conditions(
    chosen: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    methods: Sequence[str] = ("average", "order", "grp", "acot-random", "acot"),
    tune: bool = True,
    callback: Callback | None = None,
    dataset: str = "planted",
    **study: Any,
) -> ComparisonRecord:
    """Compare methods, each tuned over its own grid, in every condition.

    Parameters
    ----------
    chosen : mapping of mappings, optional
        Options of the data set, by the condition's name; `CONDITIONS` by default.
    methods : sequence of str
        Names of `acot_core.experiments.methods.METHODS`.
    dataset : str
        Name of the generator.
    tune, callback, **study
        As in `acot_core.experiments.ablation`.

    Returns
    -------
    ComparisonRecord
        With a column ``condition``; ``paired(baseline, ("condition", "label"))`` compares within each.

    Raises
    ------
    ValueError
        No condition, or a bad option.
    """
    asked = dict(CONDITIONS if chosen is None else chosen)
    if not asked:
        raise ValueError("chosen: expected at least one condition, got none")
    tables, complete, seconds, config = [], True, 0.0, {}
    for name, options in asked.items():
        of_condition = Study.of(dataset, **study, **options)
        scores, finished, elapsed = collect(of_condition, [Entry(m, {}, tune) for m in methods], callback)
        tables.append(scores.assign(condition=name))
        config = of_condition.config()
        complete, seconds = complete and finished, seconds + elapsed
        if not finished:
            break
    config |= {"dataset": dataset, "conditions": asked, "methods": list(methods), "tune": tune}
    config |= {"complete": complete}
    return ComparisonRecord(scores=pd.concat(tables, ignore_index=True), config=config, seconds=seconds)
