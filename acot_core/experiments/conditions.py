"""When does the contrast pay? Tuned ACOT beside tuned baselines, in several conditions (Sec. 1, Sec. 3.4).

The paper's case for the contrast is a weak cue in a strong background that evolves as well. In generated
data (`acot_core.datasets.planted`) each of these can be turned up by itself. All methods are tuned by the
same cross-validation on the training clips.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from acot_core.experiments.ablation import make_plan
from acot_core.experiments.comparison import ComparisonRecord
from acot_core.experiments.protocol import Entry
from acot_core.experiments.scores import collect, plan_config
from acot_core.progress import Callback

__all__ = ["CONDITIONS", "conditions"]

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
    methods: Sequence[str] = ("average", "order", "grp", "acot"),
    seeds: int | Sequence[int] = 5,
    tune: bool = True,
    tune_seeds: int | None = None,
    adversary: Mapping[str, Any] | None = None,
    n_folds: int = 3,
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    dataset: str = "planted",
) -> ComparisonRecord:
    """Judge methods, each tuned over a grid of its own, in every condition.

    Parameters
    ----------
    chosen : mapping of mappings, optional
        Options of the data set, by the condition's name; `CONDITIONS` by default.
    methods, seeds, tune, tune_seeds, adversary, n_folds, cache, n_jobs, callback
        As in `acot_core.experiments.comparison`.
    dataset : str
        Name of the generator.

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
        plan = make_plan(
            dataset, options, seeds=seeds, adversary=adversary, n_folds=n_folds, tune_seeds=tune_seeds,
            cache=cache, n_jobs=n_jobs,
        )  # fmt: skip
        scores, whole, spent = collect(plan, [Entry(m, {}, tune) for m in methods], callback)
        tables.append(scores.assign(condition=name))
        config = plan_config(plan)
        complete, seconds = complete and whole, seconds + spent
        if not whole:
            break
    config |= {"dataset": dataset, "conditions": asked, "methods": list(methods), "tune": tune}
    config |= {"complete": complete}
    return ComparisonRecord(scores=pd.concat(tables, ignore_index=True), config=config, seconds=seconds)
