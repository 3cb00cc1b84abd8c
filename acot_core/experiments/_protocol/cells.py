"""The work of one cell of a study: one part of the data, one stream, one setting of the pooling.

Cells are independent of each other and run anywhere (`_protocol.sweep`): plain values go in and come out.
What they are for is decided in `_protocol.evaluation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acot_core._utils.cache import cached
from acot_core._utils.progress import Callback
from acot_core.experiments._protocol.classifiers import classifier_key, decide, kernels, products
from acot_core.experiments._protocol.parts import (
    Part,
    Source,
    cached_adversary,
    load_part,
    share_adversary,
)
from acot_core.experiments._protocol.sweep import digest
from acot_core.experiments.methods import method

_CAPACITY = 24  # representations of one part


@dataclass(frozen=True)
class Pooled:
    """Representations of the sequences to fit on and of the held-out ones, and the mean frames of both."""

    fitted: NDArray
    held: NDArray
    means: tuple[NDArray, NDArray] | None


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The fit that a cell names (`Study.cell`), with what all cells of a study share.

    Attributes
    ----------
    source, cache
        The data, and the folder of what is computed once.
    dataset
        The source's key: it names the cell.
    name, setting, stream
        Method, its parameters, and the stream that it pools.
    seed, split, fold, n_folds
        Which part of the data.
    adversary
        Parameters of the adversary.
    """

    source: Source
    cache: Path | None
    seed: int
    split: str | None
    fold: int | None
    n_folds: int
    adversary: dict[str, Any]
    dataset: Any = None
    name: str = ""
    setting: dict[str, Any] = field(default_factory=dict)
    stream: str = ""

    def part(self) -> Part:
        """The part of the data to fit and to evaluate on."""
        return load_part(self.source, self.seed, self.split, self.fold, self.n_folds, self.cache)

    def signal_classifier(self, part: Part) -> Any:
        """A fitted classifier of raw signals, for methods of that kind."""
        model = method(self.name).pooling(self.setting, None, self.seed)
        return model.fit(part.take(self.stream, part.train, raw=True), part.labels[part.train])

    def pool(self, part: Part) -> Pooled:
        """Representations of one part, from the part's cache where they are there.

        With ``cross_fit`` folds in the setting, each training sequence is pooled with the negatives of an
        adversary that did not see its label (trained on the other folds), as every held-out sequence is: what
        a classifier sees in training is then like what it meets in the test.
        """
        key = digest(self.name, self.setting, self.stream, self.seed, self.adversary)
        return cached(part.pooled, key, lambda: self._pool(part), _CAPACITY)

    def _pool(self, part: Part) -> Pooled:
        both = self._pooled_by(part, part, np.concatenate([part.train, part.test]))
        fitted, held = both[: len(part.train)], both[len(part.train) :]
        if n_folds := int(self.setting.get("cross_fit") or 0):
            for inner, place in part.cross_fit(n_folds, self.seed):
                fitted[place] = self._pooled_by(inner, part, inner.test)
        if not method(self.name).of_frames:
            return Pooled(fitted, held, None)
        means = [mean_frames(part.take(self.stream, index)) for index in (part.train, part.test)]
        return Pooled(fitted, held, (means[0], means[1]))

    def _pooled_by(self, trained_on: Part, part: Part, index: NDArray[np.int64]) -> NDArray:
        """Sequences of a part at ``index`` by a pooling that was fitted on another."""
        how, adversary = method(self.name), None
        if how.needs_adversary(self.setting):
            adversary = cached_adversary(trained_on, self.stream, self.seed, self.adversary, self.cache)
        pooling = how.pooling(self.setting, adversary, self.seed)
        pooling.fit(trained_on.take(self.stream, trained_on.train), part.labels[trained_on.train])
        return pooling.transform(part.take(self.stream, index))


def score_cell(*, classifiers: list[dict[str, Any]], **names: Any) -> dict[str, Any]:
    """Pool one stream of one part with one setting, and evaluate every classifier on it.

    Returns
    -------
    dict
        "accuracy": by classifier, on the held-out sequences of the part; "decision": for the outer part,
        decision values (n_test, n_classes) by classifier.
    """
    fit = Fit(**names)
    part = fit.part()
    labels, truth = part.labels[part.train], part.labels[part.test]
    classes = np.unique(labels)
    decisions: dict[str, NDArray] = {}
    if method(fit.name).kind == "signals":
        test = part.take(fit.stream, part.test, raw=True)
        decisions["signals"] = fit.signal_classifier(part).decision_function(test)
    else:
        pooled = fit.pool(part)
        for kind in dict.fromkeys(c["kind"] for c in classifiers):
            inner = products(kind, pooled.fitted, pooled.held, pooled.means)
            for c in (c for c in classifiers if c["kind"] == kind):
                decisions[classifier_key(c)] = decide(c["C"], *kernels(c, *inner), labels)
    result: dict[str, Any] = {"accuracy": {key: _accuracy(v, classes, truth) for key, v in decisions.items()}}
    if fit.fold is None:
        result["decision"] = {key: np.round(values, 6).tolist() for key, values in decisions.items()}
    return result


def fuse_cell(
    *, streams: list[dict[str, Any]], options: list[dict[str, Any]], **names: Any
) -> dict[str, Any]:
    """Evaluate one SVM on the weighted sum of the streams' kernels, for every option.

    Gives "accuracy" by option, and of the outer part "correct", whether each test sequence is right.

    Each of ``streams`` names a stream and candidates, each the setting of its pooling and a classifier; each
    of ``options`` which candidates to take, their weights and the SVM's penalty, and perhaps, as "mean",
    which share of each stream's weight the same kernel on its sequences' mean frames gets.
    """
    fit = Fit(**names)
    part = fit.part()
    labels, truth = part.labels[part.train], part.labels[part.test]
    classes = np.unique(labels)
    mixed = any("mean" in option for option in options)
    grams: list[list[list[tuple[NDArray, NDArray]]]] = []  # stream, candidate: its kernel, and the mean's
    needed = [sorted({option["pick"][i] for option in options}) for i in range(len(streams))]
    for s, picks in zip(streams, needed, strict=True):
        grams.append([[] for _ in s["candidates"]])
        for i in picks:
            setting, classifier = s["candidates"][i]["setting"], s["candidates"][i]["classifier"]
            pooled = replace(fit, setting=setting, stream=s["stream"]).pool(part)
            grams[-1][i].append(_scaled(classifier, pooled))
            if mixed:
                assert pooled.means is not None
                grams[-1][i].append(_scaled(classifier, Pooled(*pooled.means, None)))
    correct = {}
    for option in options:
        weighted: list[tuple[float, tuple[NDArray, NDArray]]] = []
        shares = option.get("mean", [0.0] * len(streams))
        for of_stream, i, weight, share in zip(grams, option["pick"], option["weights"], shares, strict=True):
            weighted += zip((weight * (1 - share), weight * share), of_stream[i], strict=False)
        inside, across = (np.asarray(sum(w * k[i] for w, k in weighted)) for i in (0, 1))
        decision = decide(option["C"], inside, across, labels)
        correct[fusion_key(option)] = classes[decision.argmax(1)] == truth
    result: dict[str, Any] = {"accuracy": {key: float(values.mean()) for key, values in correct.items()}}
    if fit.fold is None:
        result["correct"] = {key: values.astype(int).tolist() for key, values in correct.items()}
    return result


def _scaled(classifier: Mapping[str, Any], pooled: Pooled) -> tuple[NDArray, NDArray]:
    """The classifier's kernel, scaled so that its diagonal on the training sequences has mean 1."""
    inner = products(classifier["kind"], pooled.fitted, pooled.held, pooled.means)
    inside, across = kernels(classifier, *inner)
    scale = float(np.diag(inside).mean()) or 1.0
    return inside / scale, across / scale


def _accuracy(decision: NDArray, classes: NDArray, truth: NDArray) -> float:
    return float((classes[decision.argmax(1)] == truth).mean())


def mean_frames(sequences: Sequence[torch.Tensor]) -> NDArray:
    """Mean frame of each sequence: (N, d)."""
    return torch.stack([s.mean(0) for s in sequences]).numpy()


def train_cell(*, cross_fit: int = 0, callback: Callback | None = None, **names: Any) -> dict[str, Any]:
    """Train (or find in the cache) the adversaries of one stream of one part: the last measurements."""
    fit = Fit(**names)
    part = fit.part()
    parts = [inner for inner, _ in part.cross_fit(cross_fit, fit.seed)] if cross_fit else []
    for each in (*parts, part):
        trained = share_adversary(each, fit.stream, fit.seed, fit.adversary, fit.cache, callback)
    return {name: float(trained.history_.iloc[-1][name]) for name in ("fooling_rate", "noise_norm")}


def fusion_key(option: Mapping[str, Any]) -> str:
    weights = "weights " + ":".join(f"{w:g}" for w in option["weights"]) + f", C={option['C']:g}"
    taken = ", candidates " + ":".join(map(str, option["pick"])) if any(option["pick"]) else ""
    means = ", shares of the mean " + ":".join(f"{a:g}" for a in option["mean"]) if "mean" in option else ""
    return weights + taken + means
