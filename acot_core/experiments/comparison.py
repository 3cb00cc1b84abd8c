"""Tables 2 and 3 (Sec. 4.2): the full model beside other poolings, all tuned by the same cross-validation.

`evaluate` is the short form: average pooling, order-constrained PCA and full ACOT, by encoder, k, classifier.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from acot_core.datasets import SequenceDataset
from acot_core.experiments.ablation import make_plan
from acot_core.experiments.methods import method
from acot_core.experiments.protocol import Entry
from acot_core.experiments.reference import TABLE2_PAPER, TABLE3_PAPER
from acot_core.experiments.scores import ScoreRecord, collect, plan_config
from acot_core.progress import Callback

__all__ = ["COMPARED", "ComparisonRecord", "comparison", "evaluate"]

COMPARED = (
    "average", "max", "rank", "pca", "grp", "krp", "discriminative", "cot-random", "acot",
    "minirocket", "dtw",
)  # fmt: skip
"""The rows of our Tables 2 and 3."""


@dataclass(kw_only=True)
class ComparisonRecord(ScoreRecord):
    """Accuracy of many methods over seeds and splits; `with_paper` puts the paper's rows beside them."""

    def with_paper(self, table: int = 2) -> pd.DataFrame:
        """Our table, and under it the paper's Table 2 or 3, which is from other data and features.

        Raises
        ------
        ValueError
            The table is neither 2 nor 3.
        """
        if table not in (2, 3):
            raise ValueError(f"table: expected 2 or 3, got {table!r}")
        paper = TABLE2_PAPER if table == 2 else TABLE3_PAPER
        data = "JHMDB, 3 splits" if table == 2 else "HMDB, split 1"
        column = f"paper, Table {table} ({data})"
        ours = self.table()
        ours[column] = ""
        theirs = pd.DataFrame(
            {c: [f"{v:.1f}" if c == column else "" for v in paper.values()] for c in ours.columns},
            index=pd.Index([f"[paper] {name}" for name in paper], name=ours.index.name),
        )
        return pd.concat([ours, theirs])


def comparison(
    dataset: str | SequenceDataset = "jhmdb-pose",
    *,
    methods: Sequence[str] = COMPARED,
    seeds: int | Sequence[int] = 5,
    splits: Sequence[str | None] | None = None,
    streams: Sequence[str] = (),
    tune: bool = True,
    classifiers: Sequence[str] = ("linear", "kernel"),
    fixed: Mapping[str, Mapping[str, Any]] | None = None,
    adversary: Mapping[str, Any] | None = None,
    n_folds: int = 3,
    tune_seeds: int | None = None,
    candidates: int = 1,
    with_mean: bool = False,
    fusion: str = "kernel",
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> ComparisonRecord:
    """Judge many methods, each tuned over a grid of its own by cross-validation on the training clips.

    Parameters
    ----------
    methods : sequence of str
        Names of `acot_core.experiments.methods.METHODS`.
    fixed : mapping of mappings, optional
        For some methods, parameters that are not searched.
    with_mean : bool
        Whether the fusion may add a kernel of mean frames to that of subspaces: an ensemble of a method and
        average pooling.
    dataset, seeds, splits, streams, tune, classifiers, adversary, n_folds, tune_seeds, candidates, fusion, \
    cache, n_jobs, callback, **options
        As in `acot_core.experiments.ablation`.

    Examples
    --------
    >>> record = comparison(
    ...     "planted", n_sequences=24, methods=("average", "grp"), tune=False, seeds=1, n_folds=2
    ... )
    >>> sorted(set(record.scores["method"]))
    ['average', 'grp']
    """
    plan = make_plan(
        dataset, options, seeds=seeds, splits=splits, streams=streams, classifiers=classifiers,
        adversary=adversary, n_folds=n_folds, tune_seeds=tune_seeds, candidates=candidates, fusion=fusion,
        with_mean=with_mean, cache=cache, n_jobs=n_jobs,
    )  # fmt: skip
    given = {name: dict(values) for name, values in (fixed or {}).items()}
    for name in given:
        method(name)
    entries = [Entry(name, given.get(name, {}), tune) for name in methods]
    scores, complete, seconds = collect(plan, entries, callback)
    config = plan_config(plan, methods=list(methods), tune=tune, fixed=given, complete=complete)
    return ComparisonRecord(scores=scores, config=config, seconds=seconds)


def evaluate(
    dataset: str = "jhmdb-pose",
    *,
    encoders: Sequence[str] = ("untrained", "trained"),
    subspaces: Sequence[int] = (1, 4),
    classifiers: Sequence[str] = ("linear", "kernel"),
    seeds: int | Sequence[int] = 5,
    tune: bool = False,
    streams: Sequence[str] = (),
    adversary: Mapping[str, Any] | None = None,
    n_folds: int = 3,
    tune_seeds: int | None = None,
    candidates: int = 1,
    fusion: str = "kernel",
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> ComparisonRecord:
    """Average pooling, order-constrained PCA (GRP) and full ACOT, by encoder, k and kind of classifier.

    Parameters
    ----------
    encoders : sequence of str
        Frame encoders, for data that are encoded ("auto" for ready-made features).
    subspaces : sequence of int
        Values of k.
    classifiers : sequence of {"linear", "kernel"}
        Each is judged by itself; its settings are chosen by cross-validation.
    dataset, seeds, tune, streams, adversary, n_folds, tune_seeds, candidates, fusion, cache, n_jobs, \
    callback, **options
        As in `acot_core.experiments.ablation`.
    """
    frames, seconds, complete, config = [], 0.0, True, {}
    for encoder in encoders:
        for kind in classifiers:
            plan = make_plan(
                dataset, {**options, "encoder": encoder}, seeds=seeds, streams=streams, classifiers=(kind,),
                adversary=adversary, n_folds=n_folds, tune_seeds=tune_seeds, candidates=candidates,
                fusion=fusion, cache=cache, n_jobs=n_jobs,
            )  # fmt: skip
            grid: list[tuple[str, dict[str, Any]]] = [("average", {})] + [
                (name, {"n_subspaces": k}) for k in subspaces for name in ("grp", "acot")
            ]
            entries = [Entry(name, fixed, tune) for name, fixed in grid]
            columns = [{"encoder": encoder, "k": fixed.get("n_subspaces"), "kind": kind} for _, fixed in grid]
            scores, whole, spent = collect(plan, entries, callback, columns)
            frames.append(scores)
            seconds, complete, config = seconds + spent, complete and whole, plan_config(plan, tune=tune)
            if not whole:
                break
    config |= {"encoders": list(encoders), "subspaces": list(subspaces), "classifiers": list(classifiers)}
    return ComparisonRecord(
        scores=pd.concat(frames, ignore_index=True), config=config | {"complete": complete}, seconds=seconds
    )
