"""The protocol (Sec. 4): parameters by cross-validation inside the training sequences, then one test.

For every split and seed: each setting of the pooling and of the classifier is fitted and evaluated on the
inner parts (folds of the training sequences); the setting with the best mean accuracy is fitted on all
training sequences and evaluated, once, on the test sequences. `_protocol.fusion` evaluates all streams.
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

from acot_core._utils.progress import Callback
from acot_core.experiments._protocol.cells import score_cell, train_cell
from acot_core.experiments._protocol.classifiers import CLASSIFIERS, classifier_key
from acot_core.experiments._protocol.edges import edges_of_choice
from acot_core.experiments._protocol.fusion import Evaluated, fuse, right_by_group
from acot_core.experiments._protocol.study import Entry, Run, Score, Study
from acot_core.experiments._protocol.sweep import run_cells
from acot_core.experiments.methods import method


class LeakError(AssertionError):
    """A prediction depended on a label that the method must not see."""


def evaluate_entries(study: Study, entries: Sequence[Entry], callback: Callback | None = None) -> list[Score]:
    """Evaluate methods by the protocol above.

    Parameters
    ----------
    study : Study
    entries : sequence of Entry
    callback : callable, optional
        Gets a `Progress` after every cell of the stages "adversaries", "folds" and "test". Raising
        `Cancelled` stops: what was evaluated completely is returned, and every finished cell stays cached.

    Returns
    -------
    list of Score
        By entry, seed, split and stream; the fused ones last.
    """
    if study.cache is None:  # adversaries are shared between cells all the same
        with tempfile.TemporaryDirectory(prefix="acot-") as folder:
            return evaluate_entries(replace(study, cache=Path(folder)), entries, callback)
    runs = study.runs(entries)
    inner = [cell for run in runs if run.seed in study.tuning_seeds for cell in _inner_cells(run)]
    if not train_adversaries(study, inner + [run.cell(None, run.settings[0]) for run in runs], callback):
        return []
    accuracies: dict[str, list[dict[str, float]]] = {}
    for cell, result in zip(inner, run_study_cells(study, score_cell, inner, callback, "folds"), strict=True):
        if result is None:
            return []
        accuracies.setdefault(study.chooser(cell), []).append(result["accuracy"])
    choices = [_choices(run, accuracies) for run in runs]
    ranked = [_rank(run, of_run) for run, of_run in zip(runs, choices, strict=True)]
    outer = [
        run.cell(None, best[0].setting, classifiers=[best[0].classifier])
        for run, best in zip(runs, ranked, strict=True)
    ]
    results = run_study_cells(study, score_cell, outer, callback, "test")
    evaluated = [
        _evaluated(run, of_run, best, cell, result)
        for run, of_run, best, cell, result in zip(runs, choices, ranked, outer, results, strict=True)
        if result is not None
    ]
    scores = [e.score for e in evaluated]
    if study.fuse and len(evaluated) == len(runs):
        scores += fuse(
            study, evaluated, lambda work, cells, stage: run_study_cells(study, work, cells, callback, stage)
        )
    return scores


@dataclass(frozen=True)
class _Choice:
    cv_accuracy: float
    setting: dict[str, Any]
    classifier: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """All parameters that were chosen, the classifier's by their kind."""
        kind = self.classifier["kind"]
        of_classifier = {f"{kind} {k}": v for k, v in self.classifier.items() if k in ("C", "gamma")}
        return {**self.setting, **of_classifier}


def _inner_cells(run: Run) -> list[dict[str, Any]]:
    """The cells to choose on; none where there is nothing to choose.

    Every classifier is tried on every representation, whatever the study chooses from: cells are shared.
    """
    classifiers = _classifiers(run.entry.method, run.study)
    if len(run.settings) * len(classifiers) == 1:
        return []
    folds = range(run.study.n_folds)
    return [run.cell(fold, setting, classifiers=classifiers) for fold in folds for setting in run.settings]


def _choices(run: Run, accuracies: Mapping[str, list[dict[str, float]]]) -> list[_Choice]:
    """Every setting with every classifier that the study allows, and its mean accuracy over the folds."""
    classifiers = _classifiers(run.entry.method, run.study)
    choices = []
    for setting in run.settings:
        folds = accuracies.get(run.study.chooser(run.cell(0, setting, classifiers=classifiers)), [])
        for option in classifiers:
            if option["kind"] not in (*run.study.classifiers, "signals") and not run.study.classifier:
                continue
            mean = float(np.mean([f[classifier_key(option)] for f in folds])) if folds else float("nan")
            choices.append(_Choice(mean, setting, option))
    return choices


def _rank(run: Run, choices: Sequence[_Choice]) -> list[_Choice]:
    """The settings, each with its best classifier, from the best mean accuracy over the folds downwards.

    The first of equals comes first. Where there is but one setting, its kinds of kernel are ranked.
    """
    ranked: dict[str, _Choice] = {}
    several = len(run.settings) > 1
    for choice in sorted(choices, key=lambda c: -c.cv_accuracy):
        kernel = {name: value for name, value in choice.classifier.items() if name != "C"}
        ranked.setdefault(json.dumps(choice.setting if several else kernel, sort_keys=True), choice)
    return list(ranked.values())


def train_adversaries(study: Study, cells: Sequence[dict[str, Any]], callback: Callback | None) -> bool:
    """Train every adversary that a cell needs, once, before the cells; False when that was cancelled."""
    needed: dict[str, dict[str, Any]] = {}
    names = ("dataset", "seed", "split", "stream", "fold", "n_folds", "adversary")
    for cell in cells:
        if method(cell["name"]).needs_adversary(cell["setting"]):
            task = {k: v for k, v in cell.items() if k in names}
            task["cross_fit"] = int(cell["setting"].get("cross_fit") or 0)
            needed.setdefault(json.dumps(task, sort_keys=True), task)
    results = run_study_cells(study, train_cell, list(needed.values()), callback, "adversaries", reports=True)
    return all(result is not None for result in results)


def run_study_cells(
    study: Study,
    work: Any,
    cells: Sequence[dict[str, Any]],
    callback: Callback | None,
    stage: str,
    *,
    reports: bool = False,
) -> list[dict[str, Any] | None]:
    """`run_cells` with what all cells of a study share.

    Equal cells are run once, and those of one part one after the other: a worker has its features in memory.
    """
    keys = [json.dumps(cell, sort_keys=True) for cell in cells]
    distinct = dict(zip(keys, cells, strict=True))
    order = sorted(distinct, key=lambda key: [str(distinct[key].get(n)) for n in ("seed", "split", "fold")])
    results = run_cells(
        work,
        [distinct[key] for key in order],
        shared={"source": study.source, "cache": study.cache},
        folder=None if study.cache is None else study.cache / "cells",
        n_jobs=study.n_jobs,
        callback=callback,
        stage=stage,
        reports=reports,
        threads=all(method(cell["name"]).kind != "signals" for cell in cells if "name" in cell),
    )
    by_key = dict(zip(order, results, strict=True))
    return [by_key[key] for key in keys]


def _classifiers(name: str, study: Study) -> list[dict[str, Any]]:
    if method(name).kind == "signals":
        return CLASSIFIERS["signals"]
    if study.classifier is not None:
        return [dict(study.classifier)]
    # A subspace of another space than the frames' has no mean of UU'X that a linear classifier could take.
    kinds = ("linear", "projection", "kernel") if method(name).of_frames else ("projection", "kernel")
    if not set(kinds) & set(study.classifiers):
        raise ValueError(f"{name}: its subspaces need some of classifiers={kinds}")
    return [option for kind in kinds for option in CLASSIFIERS[kind]]


def _evaluated(
    run: Run,
    choices: Sequence[_Choice],
    ranked: Sequence[_Choice],
    cell: Mapping[str, Any],
    result: Mapping[str, Any],
) -> Evaluated:
    best = ranked[0]
    candidates = [{"setting": c.setting, "classifier": c.classifier} for c in ranked[: run.study.candidates]]
    key = classifier_key(best.classifier)
    decision = np.asarray(result["decision"][key])
    dataset = run.study.source.get(run.seed)
    train, test = dataset.split(run.split)
    predicted = np.unique(dataset.labels[train])[decision.argmax(1)]
    edges = edges_of_choice(best.values, best.cv_accuracy, [(c.values, c.cv_accuracy) for c in choices])
    score = Score(
        entry=run.position,
        method=run.entry.method,
        stream=run.stream,
        split=run.split_name,
        seed=run.seed,
        accuracy=result["accuracy"][key],
        cv_accuracy=best.cv_accuracy,
        parameters=json.dumps(best.setting, sort_keys=True),
        classifier=key,
        edges=", ".join(edges),
        n_test=len(decision),
        right=right_by_group(predicted == dataset.labels[test], test, dataset.groups),
    )
    return Evaluated(score, cell, candidates, decision)


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
        raise LeakError(f"{changed} predictions changed with the labels of the held-out sequences")
