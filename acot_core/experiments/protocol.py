"""How a method is judged (Sec. 4): parameters by cross-validation inside the training clips, then one test.

For every split and seed: each setting of the pooling and of the classifier is fitted and judged on the inner
parts (three folds of the training clips); the setting with the best mean accuracy is fitted on all training
clips and judged, once, on the test clips. Two streams are fused by the mean of their decision values, as in
two-stream recognition (Simonyan & Zisserman, 2014).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core.experiments.cells import classifier_key, score_cell, train_cell
from acot_core.experiments.methods import method
from acot_core.experiments.parts import Source
from acot_core.experiments.sweep import run_cells
from acot_core.progress import Callback

__all__ = ["CLASSIFIERS", "Entry", "LeakError", "Plan", "Score", "assert_blind", "judge"]

CLASSIFIERS: dict[str, list[dict[str, Any]]] = {
    "linear": [{"kind": "linear", "C": C} for C in (1.0, 3.0, 10.0, 30.0, 100.0)],
    "kernel": [
        {"kind": "kernel", "C": C, "gamma": g} for g in (0.1, 0.3, 1.0, 2.0) for C in (1.0, 10.0, 100.0)
    ],
    "signals": [{"kind": "signals"}],
}
"""Settings of the classifiers of Sec. 3.6: a linear SVM on a vector, the SVM of Eq. (14) on a subspace."""


class LeakError(AssertionError):
    """A prediction depended on a label that the method must not see."""


@dataclass(frozen=True)
class Plan:
    """What to judge: the arguments that `judge` and every experiment share.

    Attributes
    ----------
    source : Source
    seeds : tuple of int
        Each seeds the encoder (or generated data), the folds, the adversary and the noise.
    splits : tuple of (str or None)
        Names of the splits; None is the first one.
    streams : tuple of str
        Streams to judge one by one; empty means all of the data set.
    fuse : bool
        Whether to judge the streams together, too.
    n_folds : int
        Inner folds.
    classifiers : tuple of str
        Kinds of classifier to choose from: "linear", "kernel".
    adversary : mapping
        Parameters of the adversary, `acot_core.Adversary`'s defaults else.
    classifier : mapping, optional
        One setting of the classifier, such as ``{"kind": "linear", "C": 10.0}``, in place of a choice.
    cache : Path, optional
        Folder for features, adversaries and finished cells. Workers on other machines must see it, too.
    n_jobs : int, optional
        As in `joblib.Parallel`.
    """

    source: Source
    seeds: tuple[int, ...] = (0,)
    splits: tuple[str | None, ...] = (None,)
    streams: tuple[str, ...] = ()
    fuse: bool = True
    n_folds: int = 3
    classifiers: tuple[str, ...] = ("linear", "kernel")
    adversary: Mapping[str, Any] = field(default_factory=dict)
    classifier: Mapping[str, Any] | None = None
    cache: Path | None = None
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ValueError("seeds: expected at least one, got none")
        unknown = set(self.classifiers) - {"linear", "kernel"}
        if unknown or not self.classifiers:
            raise ValueError(f"classifiers: expected 'linear' and/or 'kernel', got {self.classifiers!r}")

    def stream_names(self) -> tuple[str, ...]:
        """The streams to judge, checked against the data."""
        known = tuple(self.source.get(self.seeds[0]).streams)
        unknown = set(self.streams) - set(known)
        if unknown:
            raise ValueError(f"streams: expected some of {list(known)}, got {sorted(unknown)}")
        return self.streams or known

    def only(self, stream: str) -> Plan:
        """The same plan for one stream."""
        plan = replace(self, streams=(stream,), fuse=False)
        plan.stream_names()
        return plan


@dataclass(frozen=True)
class Entry:
    """One method to judge.

    Attributes
    ----------
    method : str
        A name of `acot_core.experiments.methods.METHODS`.
    fixed : mapping
        Parameters of the pooling that differ from the method's defaults; they are not searched.
    tune : bool
        Whether the method's grid is searched, or the classifier's alone.
    adversary : mapping
        Parameters of the adversary that differ from the plan's.
    """

    method: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    tune: bool = False
    adversary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """How one method did on the test clips of one split, for one seed and stream (or "fused").

    ``entry`` is its position in the list that `judge` was given; ``parameters`` is JSON.
    """

    entry: int
    method: str
    stream: str
    split: str
    seed: int
    accuracy: float
    cv_accuracy: float
    parameters: str
    classifier: str
    n_test: int


def judge(plan: Plan, entries: Sequence[Entry], callback: Callback | None = None) -> list[Score]:
    """Judge methods by the protocol above.

    Parameters
    ----------
    plan : Plan
    entries : sequence of Entry
    callback : callable, optional
        Gets a `Progress` after every cell of the stages "adversaries", "folds" and "test". Raising
        `Cancelled` stops: what was judged completely is returned, and every finished cell stays in the cache.

    Returns
    -------
    list of Score
        By entry, seed, split and stream; the fused ones last.
    """
    if plan.cache is None:  # adversaries are shared between cells all the same
        with tempfile.TemporaryDirectory(prefix="acot-") as folder:
            return judge(replace(plan, cache=Path(folder)), entries, callback)
    runs = [
        _Run(plan, entry, e, seed, split, stream)
        for entry, e in enumerate(entries)
        for seed in plan.seeds
        for split in plan.splits
        for stream in plan.stream_names()
    ]
    inner = [cell for run in runs for cell in run.inner_cells()]
    # Cells of one part follow one another, so that a worker keeps its features in memory.
    inner.sort(key=lambda c: (c["seed"], str(c["split"]), c["fold"]))
    if not _train_adversaries(plan, inner + [run.cell(None, run.settings[0]) for run in runs], callback):
        return []
    accuracies: dict[str, list[dict[str, float]]] = {}
    for cell, result in zip(inner, _run(plan, inner, callback, "folds"), strict=True):
        if result is None:
            return []
        accuracies.setdefault(_without_fold(cell), []).append(result["accuracy"])
    chosen = [run.choose(accuracies) for run in runs]
    outer = [
        run.cell(None, c.setting) | {"classifiers": [c.classifier]}
        for run, c in zip(runs, chosen, strict=True)
    ]
    found = _run(plan, outer, callback, "test")
    judged = [
        _judged(run, choice, result)
        for run, choice, result in zip(runs, chosen, found, strict=True)
        if result is not None
    ]
    return [j.score for j in judged] + (_fused(judged, len(plan.stream_names())) if plan.fuse else [])


@dataclass(frozen=True)
class _Choice:
    cv_accuracy: float
    setting: dict[str, Any]
    classifier: dict[str, Any]


@dataclass(frozen=True)
class _Run:
    """One entry on one stream of one split, for one seed: its cells and what they say."""

    plan: Plan
    position: int
    entry: Entry
    seed: int
    split: str | None
    stream: str

    @property
    def settings(self) -> list[dict[str, Any]]:
        return method(self.entry.method).settings(self.entry.fixed, tune=self.entry.tune)

    @property
    def classifiers(self) -> list[dict[str, Any]]:
        return _classifiers(self.entry.method, self.plan)

    def cell(self, fold: int | None, setting: Mapping[str, Any]) -> dict[str, Any]:
        adversarial = method(self.entry.method).adversarial
        return {
            "dataset": self.plan.source.key,
            "name": self.entry.method,
            "setting": dict(setting),
            "seed": self.seed,
            "split": self.split,
            "stream": self.stream,
            "fold": fold,
            "n_folds": self.plan.n_folds,
            "adversary": {**self.plan.adversary, **self.entry.adversary} if adversarial else {},
        }

    def inner_cells(self) -> list[dict[str, Any]]:
        """What must be known before a setting is chosen: nothing where there is but one."""
        if len(self.settings) * len(self.classifiers) == 1:
            return []
        return [
            self.cell(fold, setting) | {"classifiers": self.classifiers}
            for fold in range(self.plan.n_folds)
            for setting in self.settings
        ]

    def choose(self, accuracies: Mapping[str, list[dict[str, float]]]) -> _Choice:
        """The setting with the best mean accuracy over the folds; the first of equals."""
        choices = []
        for setting in self.settings:
            folds = accuracies.get(
                _without_fold(self.cell(0, setting) | {"classifiers": self.classifiers}), []
            )
            for option in self.classifiers:
                mean = float(np.mean([f[classifier_key(option)] for f in folds])) if folds else float("nan")
                choices.append(_Choice(mean, setting, option))
        return max(choices, key=lambda c: c.cv_accuracy)


def _train_adversaries(plan: Plan, cells: list[dict[str, Any]], callback: Callback | None) -> bool:
    """Train every adversary that a cell needs, once, before the cells; False when that was cancelled."""
    needed: dict[str, dict[str, Any]] = {}
    for cell in cells:
        if method(cell["name"]).adversarial:
            task = {k: v for k, v in cell.items() if k not in ("name", "setting", "classifiers")}
            needed.setdefault(json.dumps(task, sort_keys=True), task)
    assert plan.cache is not None
    found = run_cells(
        train_cell,
        list(needed.values()),
        shared={"source": plan.source, "cache": plan.cache},
        folder=plan.cache / "cells",
        n_jobs=plan.n_jobs,
        callback=callback,
        stage="adversaries",
        reports=True,
    )
    return all(result is not None for result in found)


def _run(
    plan: Plan, cells: list[dict[str, Any]], callback: Callback | None, stage: str
) -> list[dict[str, Any] | None]:
    return run_cells(
        score_cell,
        cells,
        shared={"source": plan.source, "cache": plan.cache},
        folder=None if plan.cache is None else plan.cache / "cells",
        n_jobs=plan.n_jobs,
        callback=callback,
        stage=stage,
    )


def _without_fold(cell: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in cell.items() if k != "fold"}, sort_keys=True)


def _classifiers(name: str, plan: Plan) -> list[dict[str, Any]]:
    if method(name).kind == "signals":
        return CLASSIFIERS["signals"]
    if plan.classifier is not None:
        return [dict(plan.classifier)]
    # A subspace of a kernel's feature space has no mean of UU'X that a linear classifier could take.
    kinds = [kind for kind in plan.classifiers if not (name == "krp" and kind == "linear")]
    if not kinds:
        raise ValueError("krp: its subspaces need classifiers=('kernel',)")
    return [option for kind in kinds for option in CLASSIFIERS[kind]]


@dataclass(frozen=True)
class _Judged:
    score: Score
    decision: NDArray[np.float64]
    classes: NDArray
    truth: NDArray


def _judged(run: _Run, choice: _Choice, result: Mapping[str, Any]) -> _Judged:
    dataset = run.plan.source.get(run.seed)
    train, test = dataset.split(run.split)
    key = classifier_key(choice.classifier)
    score = Score(
        entry=run.position,
        method=run.entry.method,
        stream=run.stream,
        split=run.split or next(iter(dataset.splits)),
        seed=run.seed,
        accuracy=result["accuracy"][key],
        cv_accuracy=choice.cv_accuracy,
        parameters=json.dumps(choice.setting, sort_keys=True),
        classifier=key,
        n_test=len(test),
    )
    classes = np.unique(dataset.labels[train])
    return _Judged(score, np.asarray(result["decision"][key]), classes, dataset.labels[test])


def _fused(judged: Sequence[_Judged], n_streams: int) -> list[Score]:
    """The streams together, by the mean of their decision values; only where all of them were judged."""
    groups: dict[Any, list[_Judged]] = {}
    for j in judged:
        groups.setdefault((j.score.entry, j.score.seed, j.score.split), []).append(j)
    scores = []
    for group in groups.values():
        if n_streams < 2 or len(group) < n_streams:
            continue
        mean = np.mean([j.decision for j in group], axis=0)
        scores.append(
            replace(
                group[0].score,
                stream="fused",
                accuracy=float((group[0].classes[mean.argmax(1)] == group[0].truth).mean()),
                cv_accuracy=float("nan"),
                parameters=" + ".join(j.score.parameters for j in group),
                classifier=" + ".join(j.score.classifier for j in group),
            )
        )
    return scores


def assert_blind(
    predict: Callable[[NDArray[np.int64]], NDArray],
    labels: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int = 0,
) -> None:
    """Check that predictions do not depend on labels that must not be seen.

    Parameters
    ----------
    predict : callable
        From labels (N,) to predictions: anything that fits, chooses parameters and predicts.
    labels : int array (N,)
    held_out : int array
        Positions of the labels that must not matter.
    seed : int
        Of the permutation.

    Raises
    ------
    LeakError
        The predictions changed when the held-out labels were shuffled among themselves.
    """
    shuffled = labels.copy()
    shuffled[held_out] = np.random.default_rng(seed).permutation(labels[held_out])
    if (shuffled == labels).all():
        raise ValueError("held_out: its labels are all alike, a shuffle shows nothing")
    before, after = np.asarray(predict(labels)), np.asarray(predict(shuffled))
    changed = int((before != after).sum()) if before.shape == after.shape else -1
    if changed:
        raise LeakError(f"{changed} predictions changed with the labels of the clips held out")
