"""Streams judged together (Sec. 4: two streams, as in two-stream recognition).

Each stream keeps the pooling and the classifier that were chosen for it alone, or, with ``candidates`` above
one, one of the few that were best for it alone: what suits a stream by itself need not suit the pair. With
``fusion="kernel"`` the streams' kernels, each of mean one on the training clips' diagonal, are added with
weights and one SVM is fitted on the sum; candidates, weights and the SVM's penalty are chosen on the inner
folds of the training clips, like all else, unless the plan fixes the classifier. ``with_mean`` lets a share
of a stream's weight go to the same kernel on mean frames, so that average pooling's view is part of the sum:
that is an ensemble, not the paper's representation. With ``fusion="mean"``, and
for methods that have no kernel, the streams' decision values are averaged (Simonyan & Zisserman, 2014).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core.experiments.cells import classifier_key, fuse_cell, fusion_key
from acot_core.experiments.methods import method
from acot_core.experiments.plan import Plan, Score

__all__ = ["Judged", "fuse"]

_WEIGHTS = (0.3, 0.5, 0.7)
_PENALTIES = (1.0, 10.0, 100.0)
_SHARES = (0.0, 0.25, 0.5, 0.75)

Run = Callable[[Any, list[dict[str, Any]], str], list[dict[str, Any] | None]]


@dataclass(frozen=True)
class Judged:
    """One stream's test: its score, its outer cell, its best settings first, its decision values."""

    score: Score
    cell: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]
    decision: NDArray[np.float64]


def fuse(plan: Plan, judged: Sequence[Judged], run: Run) -> list[Score]:
    """Scores of all streams together, for every entry, seed and split of which all streams were judged.

    ``run`` is `acot_core.experiments.sweep.run_cells` with what the plan's cells share: (work, cells, stage).
    """
    n_streams = len(plan.stream_names())
    groups: dict[Any, list[Judged]] = {}
    for j in judged:
        groups.setdefault((j.score.entry, j.score.seed, j.score.split), []).append(j)
    whole = [group for group in groups.values() if len(group) == n_streams > 1]
    by_kernel = [g for g in whole if plan.fusion == "kernel" and method(g[0].score.method).kind != "signals"]
    scores = {id(g): _by_mean(plan, g) for g in whole if not any(g is other for other in by_kernel)}

    inner = [
        _cell(group, fold, _options(plan, group))
        for group in by_kernel
        for fold in range(plan.n_folds)
        if len(_options(plan, group)) > 1 and group[0].score.seed in plan.tuning_seeds
    ]
    accuracies: dict[str, list[dict[str, float]]] = {}
    for cell, result in zip(inner, run(fuse_cell, inner, "fusion"), strict=True):
        if result is None:
            return []
        accuracies.setdefault(_chooser(plan, cell), []).append(result["accuracy"])
    chosen = [
        _choose(accuracies.get(_chooser(plan, _cell(group, 0, [])), []), _options(plan, group))
        for group in by_kernel
    ]
    outer = [_cell(group, None, [option]) for group, (option, _) in zip(by_kernel, chosen, strict=True)]
    for group, (option, mean), result in zip(
        by_kernel, chosen, run(fuse_cell, outer, "fusion test"), strict=True
    ):
        if result is not None:
            key = fusion_key(option)
            scores[id(group)] = _score(group, result["accuracy"][key], mean, key, option["pick"])
    return [scores[id(group)] for group in whole if id(group) in scores]


def _options(plan: Plan, group: Sequence[Judged]) -> list[dict[str, Any]]:
    """Which candidate of each stream, weights of the streams and penalties of the SVM to choose from."""
    n = len(group)
    equal = [1 / n] * n
    if plan.classifier is not None:
        return [{"pick": [0] * n, "weights": equal, "C": plan.classifier["C"]}]
    weights = [[w, 1 - w] for w in _WEIGHTS] if n == 2 else [equal]
    picks = product(*(range(len(j.candidates)) for j in group))
    options = [{"pick": list(p), "weights": w, "C": C} for p in picks for w in weights for C in _PENALTIES]
    name = group[0].score.method
    if not plan.with_mean or method(name).kind != "subspace" or name == "krp":
        return options
    return [option | {"mean": list(a)} for option in options for a in product(_SHARES, repeat=n)]


def _cell(group: Sequence[Judged], fold: int | None, options: list[dict[str, Any]]) -> dict[str, Any]:
    first = group[0].cell
    shared = {name: first[name] for name in ("dataset", "name", "seed", "split", "n_folds", "adversary")}
    streams = [{"stream": j.cell["stream"], "candidates": [dict(c) for c in j.candidates]} for j in group]
    return {**shared, "fold": fold, "streams": streams, "options": options}


def _chooser(plan: Plan, cell: Mapping[str, Any]) -> str:
    return plan.chooser({k: v for k, v in cell.items() if k != "options"})


def _choose(
    folds: Sequence[Mapping[str, float]], options: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], float]:
    """The option with the best mean accuracy over the folds; the first of equals, or the only one."""
    means = [float(np.mean([f[fusion_key(o)] for f in folds])) if folds else float("nan") for o in options]
    best = int(np.argmax(means)) if folds else 0
    return options[best], means[best]


def _by_mean(plan: Plan, group: Sequence[Judged]) -> Score:
    first = group[0].score
    dataset = plan.source.get(first.seed)
    train, test = dataset.split(first.split)
    mean = np.mean([j.decision for j in group], axis=0)
    classes = np.unique(dataset.labels[train])
    accuracy = float((classes[mean.argmax(1)] == dataset.labels[test]).mean())
    return _score(group, accuracy, float("nan"), "mean of decision values")


def _score(
    group: Sequence[Judged], accuracy: float, cv_accuracy: float, how: str, pick: Sequence[int] | None = None
) -> Score:
    used = [j.candidates[i] for j, i in zip(group, pick or [0] * len(group), strict=True)]
    return replace(
        group[0].score,
        stream="fused",
        accuracy=accuracy,
        cv_accuracy=cv_accuracy,
        parameters=" + ".join(json.dumps(c["setting"], sort_keys=True) for c in used),
        classifier=" + ".join(classifier_key(c["classifier"]) for c in used) + f"; {how}",
    )
