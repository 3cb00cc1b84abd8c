"""Figure 2 (Sec. 4.1): accuracy against one parameter, any of them, with bands over seeds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from acot_core.datasets import SequenceDataset
from acot_core.experiments.ablation import make_plan
from acot_core.experiments.protocol import Entry, Plan
from acot_core.experiments.scores import ScoreRecord, collect, plan_config
from acot_core.parameters import PARAMETERS
from acot_core.progress import Callback

__all__ = ["FIGURE2", "SensitivityRecord", "sensitivity"]

FIGURE2: dict[str, tuple[float, ...]] = {
    "n_subspaces": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    "beta1": (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
    "n_negatives": (20, 40, 60, 80, 100, 120, 140, 160, 180, 200),
    "beta2": (0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
    "sigma": (0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    "eta": (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1),
    "lambda1": (0.0, 0.03, 0.1, 0.3, 1.0),
    "lambda2": (0.1, 0.3, 1.0, 3.0),
}
"""Values of Fig. 2 (a)-(d), and of the parameters that the paper does not plot."""

_OF_ADVERSARY = ("sigma", "lambda1", "lambda2")


@dataclass(kw_only=True)
class SensitivityRecord(ScoreRecord):
    """Accuracy for each value of one parameter; column ``value`` of the scores (empty for the baselines)."""

    parameter: str = ""


def sensitivity(
    dataset: str | SequenceDataset = "jhmdb-pose",
    parameter: str = "n_subspaces",
    *,
    values: Sequence[float] | None = None,
    stream: str | None = None,
    seeds: int | Sequence[int] = 5,
    splits: Sequence[str | None] | None = None,
    fixed: Mapping[str, Any] | None = None,
    adversary: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> SensitivityRecord:
    """Full ACOT against one of its parameters, with average pooling for reference.

    Parameters
    ----------
    parameter : str
        One of `FIGURE2`: of the pooling, or of the adversary, which is then trained for each value.
    values : sequence, optional
        `FIGURE2`'s by default.
    stream : str, optional
        The first by default.
    fixed : mapping, optional
        Other pooling parameters; the paper's Fig. 2 has k = 1, 50 negatives, and so do we.
    classifier : mapping, optional
        Its one setting; by default Eq. (14) with gamma = 0.1 and C = 100, and a linear SVM for average
        pooling. For a kernel as narrow as gamma = 1 no two subspaces are alike from k = 5 on: accuracy falls
        to a fifth at k = 10 (JHMDB poses), which says nothing of the pooling.
    dataset, seeds, splits, adversary, cache, n_jobs, callback, **options
        As in `acot_core.experiments.ablation`.

    Raises
    ------
    ValueError
        The parameter has no such name.
    """
    if parameter not in FIGURE2:
        raise ValueError(f"parameter: expected one of {list(FIGURE2)}, got {parameter!r}")
    points = list(FIGURE2[parameter] if values is None else values)
    if not points:
        raise ValueError("values: expected at least one, got none")
    if PARAMETERS[parameter].integer:
        points = [int(v) for v in points]
    base = {"n_subspaces": 1, "n_negatives": 50, **(fixed or {})}
    chosen = dict(classifier or {"kind": "kernel", "C": 100.0, "gamma": 0.1})

    def plan_with(setting: Mapping[str, Any]) -> Plan:
        plan = make_plan(
            dataset, options, seeds=seeds, splits=splits, classifier=setting, adversary=adversary,
            cache=cache, n_jobs=n_jobs,
        )  # fmt: skip
        return plan.only(stream or plan.stream_names()[0])

    plan = plan_with(chosen)
    entries = [
        Entry("acot", base, adversary={parameter: v})
        if parameter in _OF_ADVERSARY
        else Entry("acot", {**base, parameter: v})
        for v in points
    ]
    columns = [{"parameter": parameter, "value": v} for v in points]
    scores, complete, seconds = collect(plan, entries, callback, columns)
    whole, spent = False, 0.0
    if not scores.empty:  # else it was stopped before there was anything to compare
        reference, whole, spent = collect(
            plan_with({"kind": "linear", "C": 10.0}),
            [Entry("average")],
            callback if complete else None,
            [{"parameter": parameter, "value": float("nan")}],
        )
        scores = pd.concat([scores, reference], ignore_index=True)
    return SensitivityRecord(
        parameter=parameter,
        scores=scores if "value" in scores else scores.assign(parameter=[], value=[]),
        config=plan_config(plan, parameter=parameter, values=points, fixed=base, complete=complete and whole),
        seconds=seconds + spent,
    )
