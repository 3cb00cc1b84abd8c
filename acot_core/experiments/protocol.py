"""How a method is judged (Sec. 4): parameters by cross-validation inside the training clips, then one test.

For every split and seed: each setting of the pooling and of the classifier is fitted and judged on the inner
parts (three folds of the training clips); the setting with the best mean accuracy is fitted on all training
clips and judged, once, on the test clips. `acot_core.experiments.fusion` judges the streams together.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core.experiments.cells import classifier_key, score_cell, train_cell
from acot_core.experiments.fusion import Judged, fuse
from acot_core.experiments.methods import method
from acot_core.experiments.plan import CLASSIFIERS, Entry, Plan, Score
from acot_core.experiments.sweep import run_cells
from acot_core.progress import Callback

__all__ = ["CLASSIFIERS", "Entry", "LeakError", "Plan", "Score", "assert_blind", "judge"]


class LeakError(AssertionError):
    """A prediction depended on a label that the method must not see."""


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
    inner = [cell for run in runs if run.seed in plan.tuning_seeds for cell in run.inner_cells()]
    # Cells of one part follow one another, so that a worker keeps its features in memory.
    inner.sort(key=lambda c: (c["seed"], str(c["split"]), c["fold"]))
    if not _train_adversaries(plan, inner + [run.cell(None, run.settings[0]) for run in runs], callback):
        return []
    accuracies: dict[str, list[dict[str, float]]] = {}
    for cell, result in zip(inner, _run(plan, score_cell, inner, callback, "folds"), strict=True):
        if result is None:
            return []
        accuracies.setdefault(plan.chooser(cell), []).append(result["accuracy"])
    ranked = [run.rank(accuracies) for run in runs]
    chosen = [choices[0] for choices in ranked]
    outer = [
        run.cell(None, c.setting) | {"classifiers": [c.classifier]}
        for run, c in zip(runs, chosen, strict=True)
    ]
    # Seed by seed, for the same reason.
    order = sorted(range(len(outer)), key=lambda i: (runs[i].seed, str(runs[i].split)))
    by_part = _run(plan, score_cell, [outer[i] for i in order], callback, "test")
    found = [result for _, result in sorted(zip(order, by_part, strict=True), key=lambda pair: pair[0])]
    judged = [
        _judged(run, choices, cell, result)
        for run, choices, cell, result in zip(runs, ranked, outer, found, strict=True)
        if result is not None
    ]
    scores = [j.score for j in judged]
    if plan.fuse and len(judged) == len(runs):
        scores += fuse(plan, judged, lambda work, cells, stage: _run(plan, work, cells, callback, stage))
    return scores


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
        """What is tried on every representation, whatever the plan chooses from: plans share their cells."""
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

    def rank(self, accuracies: Mapping[str, list[dict[str, float]]]) -> list[_Choice]:
        """The settings, each with its best classifier, from the best mean accuracy over the folds downwards.

        The first of equals comes first. Where there is but one setting, its kinds of kernel are ranked.
        """
        choices = []
        for setting in self.settings:
            folds = accuracies.get(
                self.plan.chooser(self.cell(0, setting) | {"classifiers": self.classifiers}), []
            )
            for option in self.classifiers:
                if option["kind"] not in (*self.plan.classifiers, "signals") and not self.plan.classifier:
                    continue
                mean = float(np.mean([f[classifier_key(option)] for f in folds])) if folds else float("nan")
                choices.append(_Choice(mean, setting, option))
        ranked: dict[str, _Choice] = {}
        for choice in sorted(choices, key=lambda c: -c.cv_accuracy):
            kernel = {name: value for name, value in choice.classifier.items() if name != "C"}
            name = json.dumps(choice.setting if len(self.settings) > 1 else kernel, sort_keys=True)
            ranked.setdefault(name, choice)
        return list(ranked.values())


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
        threads=True,
    )
    return all(result is not None for result in found)


def _run(
    plan: Plan, work: Any, cells: list[dict[str, Any]], callback: Callback | None, stage: str
) -> list[dict[str, Any] | None]:
    return run_cells(
        work,
        cells,
        shared={"source": plan.source, "cache": plan.cache},
        folder=None if plan.cache is None else plan.cache / "cells",
        n_jobs=plan.n_jobs,
        callback=callback,
        stage=stage,
        threads=all(method(cell["name"]).kind != "signals" for cell in cells),
    )


def _classifiers(name: str, plan: Plan) -> list[dict[str, Any]]:
    if method(name).kind == "signals":
        return CLASSIFIERS["signals"]
    if plan.classifier is not None:
        return [dict(plan.classifier)]
    # A subspace of a kernel's feature space has no mean of UU'X that a linear classifier could take.
    kinds = ("kernel",) if name == "krp" else ("linear", "kernel")
    if not set(kinds) & set(plan.classifiers):
        raise ValueError("krp: its subspaces need classifiers=('kernel',)")
    return [option for kind in kinds for option in CLASSIFIERS[kind]]


def _judged(
    run: _Run, choices: Sequence[_Choice], cell: Mapping[str, Any], result: Mapping[str, Any]
) -> Judged:
    choice = choices[0]
    candidates = [{"setting": c.setting, "classifier": c.classifier} for c in choices[: run.plan.candidates]]
    key = classifier_key(choice.classifier)
    decision = np.asarray(result["decision"][key])
    score = Score(
        entry=run.position,
        method=run.entry.method,
        stream=run.stream,
        split=run.split or next(iter(run.plan.source.get(run.plan.seeds[0]).splits)),
        seed=run.seed,
        accuracy=result["accuracy"][key],
        cv_accuracy=choice.cv_accuracy,
        parameters=json.dumps(choice.setting, sort_keys=True),
        classifier=key,
        n_test=len(decision),
    )
    return Judged(score, cell, candidates, decision)


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
