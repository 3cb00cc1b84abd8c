"""Table 1 (Sec. 4.1): what each module of the method adds, for each stream and for both fused."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from acot_core.datasets import SequenceDataset
from acot_core.experiments.methods import TABLE1
from acot_core.experiments.parts import Source
from acot_core.experiments.protocol import Entry, Plan
from acot_core.experiments.scores import ScoreRecord, collect, plan_config
from acot_core.progress import Callback

__all__ = ["AblationRecord", "ablation", "make_plan"]


@dataclass(kw_only=True)
class AblationRecord(ScoreRecord):
    """Table 1 over seeds and splits: `table`, `summary`, and the paired differences of every row."""

    def differences(self) -> pd.DataFrame:
        """Points of accuracy over average pooling and over GRP, paired, with 95 % intervals."""
        parts = [
            self.paired(baseline).assign(baseline=baseline)
            for baseline in ("average", "grp")
            if (self.scores["method"] == baseline).any()
        ]
        return pd.concat(parts, ignore_index=True)


def ablation(
    dataset: str | SequenceDataset = "jhmdb-pose",
    *,
    seeds: int | Sequence[int] = 5,
    splits: Sequence[str | None] | None = None,
    streams: Sequence[str] = (),
    n_subspaces: int | None = 1,
    tune: bool = False,
    classifiers: Sequence[str] = ("linear", "kernel"),
    classifier: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    adversary: Mapping[str, Any] | None = None,
    n_folds: int = 3,
    tune_seeds: int | None = None,
    candidates: int = 1,
    fusion: str = "kernel",
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> AblationRecord:
    """The six rows of Table 1, and GRP beside them.

    Parameters
    ----------
    dataset : str or SequenceDataset
        A name for `acot_core.datasets.load`, or data.
    seeds : int or sequence of int
        How many, or which.
    splits : sequence of str, optional
        The first split by default, as in the paper.
    streams : sequence of str
        All by default.
    n_subspaces : int or None
        k of every subspace method; None leaves it to the grid (with ``tune``) or to 1.
    tune : bool
        Whether each method's weights are chosen by cross-validation on the training clips, or are the paper's
        (then only the classifier is chosen).
    classifiers : sequence of {"linear", "kernel"}
        The kinds to choose from.
    classifier : mapping, optional
        One setting in place of a choice, such as ``{"kind": "linear", "C": 10.0}``: then nothing is searched
        and no inner folds are needed.
    fixed : mapping, optional
        Pooling parameters of the ACOT rows that differ from the paper's.
    adversary : mapping, optional
        Parameters of the adversary that differ from the paper's.
    n_folds : int
        Folds of the inner cross-validation.
    tune_seeds : int, optional
        So many of the seeds choose the parameters, for all seeds together; None: each for itself.
    candidates : int
        How many of each stream's best settings the fusion of streams chooses from.
    fusion : {"kernel", "mean"}
        How the streams are fused; see `acot_core.experiments.fusion`.
    cache : path, optional
        Folder for features, adversaries and finished cells: a second run repeats nothing.
    n_jobs : int, optional
        As in `joblib.Parallel`.
    callback : callable, optional
        Gets `Progress`; raising `Cancelled` stops, and what is complete is returned.
    **options
        Passed to `load` (encoder, n_features, root, ...).
    """
    plan = make_plan(
        dataset, options, seeds=seeds, splits=splits, streams=streams, classifiers=classifiers,
        classifier=classifier, adversary=adversary, n_folds=n_folds,
        tune_seeds=tune_seeds, candidates=candidates, fusion=fusion, cache=cache, n_jobs=n_jobs,
    )  # fmt: skip
    k = {} if n_subspaces is None else {"n_subspaces": n_subspaces}
    entries = []
    for name in (*TABLE1, "grp"):
        own = {} if name == "average" else k if name == "grp" else {**k, **(fixed or {})}
        entries.append(Entry(name, own, tune))
    scores, complete, seconds = collect(plan, entries, callback)
    config = plan_config(plan, n_subspaces=n_subspaces, tune=tune, fixed=dict(fixed or {}), complete=complete)
    return AblationRecord(scores=scores, config=config, seconds=seconds)


def make_plan(
    dataset: str | SequenceDataset,
    options: Mapping[str, Any],
    *,
    seeds: int | Sequence[int],
    splits: Sequence[str | None] | None = None,
    streams: Sequence[str] = (),
    classifiers: Sequence[str] = ("linear", "kernel"),
    classifier: Mapping[str, Any] | None = None,
    adversary: Mapping[str, Any] | None = None,
    n_folds: int = 3,
    tune_seeds: int | None = None,
    candidates: int = 1,
    with_mean: bool = False,
    fusion: str = "kernel",
    fuse: bool = True,
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
) -> Plan:
    """A `Plan` from what a user passes to an experiment."""
    return Plan(
        source=Source.of(dataset, dict(options)),
        seeds=tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds),
        splits=tuple(splits) if splits else (None,),
        streams=tuple(streams),
        fuse=fuse,
        n_folds=n_folds,
        tune_seeds=tune_seeds,
        candidates=candidates,
        with_mean=with_mean,
        fusion=fusion,
        classifiers=tuple(classifiers),
        classifier=classifier,
        adversary=dict(adversary or {}),
        cache=None if cache is None else Path(cache),
        n_jobs=n_jobs,
    )
