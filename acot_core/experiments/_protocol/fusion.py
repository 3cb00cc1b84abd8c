"""Streams evaluated together (Sec. 4: two streams, as in two-stream recognition).

Each stream keeps the pooling and the classifier that were chosen for it alone, or, with ``candidates`` above
one, one of the few that were best for it alone: what suits a stream by itself need not suit the pair. With
``fusion="kernel"`` the streams' kernels, each with a diagonal of mean 1 on the training sequences, are added
with weights and one SVM is fitted on the sum; candidates, weights and the SVM's penalty are chosen on the
inner folds of the training sequences, like all else, unless the study fixes the classifier. ``with_mean``
lets a share of a stream's weight go to the same kernel on mean frames, so that average pooling's view is part
of the sum: that is an ensemble, not the paper's representation. With ``fusion="mean"``, and for methods that
have no kernel, the streams' decision values are averaged (Simonyan & Zisserman, 2014).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core.experiments._protocol.cells import fuse_cell, fusion_key
from acot_core.experiments._protocol.classifiers import classifier_key
from acot_core.experiments._protocol.study import Score, Study
from acot_core.experiments.methods import method

_WEIGHTS = (0.3, 0.5, 0.7)
_PENALTIES = (1.0, 10.0, 100.0)
_SHARES = (0.0, 0.25, 0.5, 0.75)

Run = Callable[[Any, list[dict[str, Any]], str], list[dict[str, Any] | None]]


@dataclass(frozen=True)
class Evaluated:
    """One stream's test: its score, its outer cell, its best settings first, its decision values."""

    score: Score
    cell: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]
    decision: NDArray[np.float64]


def fuse(study: Study, evaluated: Sequence[Evaluated], run: Run) -> list[Score]:
    """Scores of all streams together, for every entry, seed and split of which all streams were evaluated.

    ``run`` is `_protocol.sweep.run_cells` with what the study's cells share: (work, cells, stage).
    """
    n_streams = len(study.stream_names())
    groups: dict[Any, list[Evaluated]] = {}
    for j in evaluated:
        groups.setdefault((j.score.entry, j.score.seed, j.score.split), []).append(j)
    complete = [group for group in groups.values() if len(group) == n_streams > 1]
    by_kernel = [
        g for g in complete if study.fusion == "kernel" and method(g[0].score.method).kind != "signals"
    ]
    scores = {id(g): _by_mean(study, g) for g in complete if not any(g is other for other in by_kernel)}

    inner = [
        _cell(group, fold, _options(study, group))
        for group in by_kernel
        for fold in range(study.n_folds)
        if len(_options(study, group)) > 1 and group[0].score.seed in study.tuning_seeds
    ]
    accuracies: dict[str, list[dict[str, float]]] = {}
    for cell, result in zip(inner, run(fuse_cell, inner, "fusion"), strict=True):
        if result is None:
            return []
        accuracies.setdefault(_chooser(study, cell), []).append(result["accuracy"])
    chosen = [
        _choose(accuracies.get(_chooser(study, _cell(group, 0, [])), []), _options(study, group))
        for group in by_kernel
    ]
    outer = [_cell(group, None, [option]) for group, (option, _) in zip(by_kernel, chosen, strict=True)]
    for group, (option, mean), result in zip(
        by_kernel, chosen, run(fuse_cell, outer, "fusion test"), strict=True
    ):
        if result is not None:
            key = fusion_key(option)
            correct = np.asarray(result["correct"][key], bool)
            scores[id(group)] = _score(study, group, correct, mean, key, option["pick"])
    return [scores[id(group)] for group in complete if id(group) in scores]


def _options(study: Study, group: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """Which candidate of each stream, weights of the streams and penalties of the SVM to choose from."""
    n = len(group)
    equal = [1 / n] * n
    if study.classifier is not None:
        return [{"pick": [0] * n, "weights": equal, "C": study.classifier["C"]}]
    weights = [[w, 1 - w] for w in _WEIGHTS] if n == 2 else [equal]
    picks = product(*(range(len(j.candidates)) for j in group))
    options = [{"pick": list(p), "weights": w, "C": C} for p in picks for w in weights for C in _PENALTIES]
    name = group[0].score.method
    if not study.with_mean or method(name).kind != "subspace" or not method(name).of_frames:
        return options
    return [option | {"mean": list(a)} for option in options for a in product(_SHARES, repeat=n)]


def _cell(group: Sequence[Evaluated], fold: int | None, options: list[dict[str, Any]]) -> dict[str, Any]:
    first = group[0].cell
    shared = {name: first[name] for name in ("dataset", "name", "seed", "split", "n_folds", "adversary")}
    if fold is not None:
        shared["seed"] = group[0].score.seed
    streams = [{"stream": j.cell["stream"], "candidates": [dict(c) for c in j.candidates]} for j in group]
    return {**shared, "fold": fold, "streams": streams, "options": options}


def _chooser(study: Study, cell: Mapping[str, Any]) -> str:
    return study.chooser({k: v for k, v in cell.items() if k != "options"})


def _choose(
    folds: Sequence[Mapping[str, float]], options: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], float]:
    """The option with the best mean accuracy over the folds; the first of equals, or the only one."""
    means = [float(np.mean([f[fusion_key(o)] for f in folds])) if folds else float("nan") for o in options]
    best = int(np.argmax(means)) if folds else 0
    return options[best], means[best]


def _by_mean(study: Study, group: Sequence[Evaluated]) -> Score:
    first = group[0].score
    dataset = study.source.get(first.seed)
    train, test = dataset.split(first.split)
    mean = np.mean([j.decision for j in group], axis=0)
    classes = np.unique(dataset.labels[train])
    correct = classes[mean.argmax(1)] == dataset.labels[test]
    return _score(study, group, correct, float("nan"), "mean of decision values")


def _score(
    study: Study,
    group: Sequence[Evaluated],
    correct: NDArray[np.bool_],
    cv_accuracy: float,
    how: str,
    pick: Sequence[int] | None = None,
) -> Score:
    dataset = study.source.get(group[0].score.seed)
    used = [j.candidates[i] for j, i in zip(group, pick or [0] * len(group), strict=True)]
    return replace(
        group[0].score,
        stream="fused",
        accuracy=float(correct.mean()),
        right=right_by_group(correct, dataset.split(group[0].score.split)[1], dataset.groups),
        cv_accuracy=cv_accuracy,
        parameters=" + ".join(json.dumps(c["setting"], sort_keys=True) for c in used),
        classifier=" + ".join(classifier_key(c["classifier"]) for c in used) + f"; {how}",
    )


def right_by_group(correct: NDArray[np.bool_], test: NDArray[np.int64], groups: NDArray | None) -> str:
    """JSON of how many test sequences of each group are right, of how many; without groups each is one."""
    names, group = np.unique(test if groups is None else groups[test], return_inverse=True)
    right, n = np.bincount(group, correct).astype(int).tolist(), np.bincount(group).tolist()
    return json.dumps({str(name): pair for name, pair in zip(names, zip(right, n, strict=True), strict=True)})
