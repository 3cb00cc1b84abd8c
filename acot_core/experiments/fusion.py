"""Streams judged together (Sec. 4: two streams, as in two-stream recognition).

Each stream keeps the pooling and the classifier that were chosen for it alone. With ``fusion="kernel"`` the
streams' kernels, each of mean one on the training clips' diagonal, are added with weights and one SVM is
fitted on the sum; weights and the SVM's penalty are chosen on the inner folds of the training clips, like all
else, unless the plan fixes the classifier. With ``fusion="mean"``, and for methods that have no kernel, the
streams' decision values are averaged (Simonyan & Zisserman, 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core.experiments.cells import fuse_cell, fusion_key
from acot_core.experiments.methods import method
from acot_core.experiments.plan import Plan, Score

__all__ = ["Judged", "fuse"]

_WEIGHTS = (0.3, 0.5, 0.7)
_PENALTIES = (1.0, 10.0, 100.0)

Run = Callable[[Any, list[dict[str, Any]], str], list[dict[str, Any] | None]]


@dataclass(frozen=True)
class Judged:
    """One stream's test: its score, its decision values, its outer cell."""

    score: Score
    cell: Mapping[str, Any]
    decision: NDArray[np.float64]
    classes: NDArray
    truth: NDArray


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
    scores = {id(g): _by_mean(g) for g in whole if not any(g is other for other in by_kernel)}

    options = _options(plan, n_streams)
    inner = [
        _cell(plan, group, fold, options)
        for group in by_kernel
        for fold in range(plan.n_folds)
        if len(options) > 1 and group[0].score.seed in plan.tuning_seeds
    ]
    accuracies: dict[str, list[dict[str, float]]] = {}
    for cell, result in zip(inner, run(fuse_cell, inner, "fusion"), strict=True):
        if result is None:
            return []
        accuracies.setdefault(_chooser(plan, cell), []).append(result["accuracy"])
    chosen = [
        _choose(accuracies.get(_chooser(plan, _cell(plan, g, 0, options)), []), options) for g in by_kernel
    ]
    outer = [_cell(plan, g, None, [option]) for g, (option, _) in zip(by_kernel, chosen, strict=True)]
    for group, (option, mean), result in zip(
        by_kernel, chosen, run(fuse_cell, outer, "fusion test"), strict=True
    ):
        if result is not None:
            key = fusion_key(option)
            scores[id(group)] = _score(group, result["accuracy"][key], mean, key)
    return [scores[id(group)] for group in whole if id(group) in scores]


def _options(plan: Plan, n_streams: int) -> list[dict[str, Any]]:
    """Weights of the streams and penalties of the SVM to choose from."""
    if plan.classifier is not None:
        return [{"weights": [1 / n_streams] * n_streams, "C": plan.classifier["C"]}]
    weights = [[w, 1 - w] for w in _WEIGHTS] if n_streams == 2 else [[1 / n_streams] * n_streams]
    return [{"weights": w, "C": C} for w in weights for C in _PENALTIES]


def _cell(
    plan: Plan, group: Sequence[Judged], fold: int | None, options: list[dict[str, Any]]
) -> dict[str, Any]:
    first = group[0].cell
    shared = {name: first[name] for name in ("dataset", "name", "seed", "split", "n_folds", "adversary")}
    streams = [
        {"stream": j.cell["stream"], "setting": j.cell["setting"], "classifier": j.cell["classifiers"][0]}
        for j in group
    ]
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


def _by_mean(group: Sequence[Judged]) -> Score:
    mean = np.mean([j.decision for j in group], axis=0)
    accuracy = float((group[0].classes[mean.argmax(1)] == group[0].truth).mean())
    return _score(group, accuracy, float("nan"), "mean of decision values")


def _score(group: Sequence[Judged], accuracy: float, cv_accuracy: float, how: str) -> Score:
    return replace(
        group[0].score,
        stream="fused",
        accuracy=accuracy,
        cv_accuracy=cv_accuracy,
        parameters=" + ".join(j.score.parameters for j in group),
        classifier=" + ".join(j.score.classifier for j in group) + f"; {how}",
    )
