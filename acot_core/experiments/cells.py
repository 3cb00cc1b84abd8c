"""The work of one cell of a study: one part of the data, one stream, one setting of the pooling.

Cells are independent of each other and run anywhere (`acot_core.experiments.sweep`): plain values go in
and come out. What they are for is decided in `acot_core.experiments.protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC

from acot_core.experiments.memory import remember
from acot_core.experiments.methods import method
from acot_core.experiments.parts import (
    Part,
    Source,
    keep_adversary,
    load_part,
    share_adversary,
)
from acot_core.experiments.sweep import digest
from acot_core.grassmann import projection_kernel
from acot_core.progress import Callback

__all__ = ["classifier_key", "fuse_cell", "fusion_key", "score_cell", "train_cell"]


def score_cell(
    *,
    source: Source,
    cache: Path | None,
    dataset: Any,  # names the cell; `source` holds the data
    name: str,
    setting: dict[str, Any],
    seed: int,
    split: str | None,
    stream: str,
    fold: int | None,
    n_folds: int,
    adversary: dict[str, Any],
    classifiers: list[dict[str, Any]],
) -> dict[str, Any]:
    """Pool one stream of one part with one setting, and judge every classifier on it.

    Returns
    -------
    dict
        "accuracy": by classifier, on the clips the part is judged on; "decision": for the outer part,
        decision values (n_test, n_classes) by classifier.
    """
    part = load_part(source, seed, split, fold, n_folds, cache)
    labels, truth = part.labels[part.train], part.labels[part.test]
    classes = np.unique(labels)
    decisions: dict[str, NDArray] = {}
    if method(name).kind == "signals":
        model = method(name).pooling(setting, None, seed)
        model.fit(part.take(stream, part.train, raw=True), labels)
        decisions["signals"] = model.decision_function(part.take(stream, part.test, raw=True))
    else:
        pooled = _pool(part, name, setting, stream, seed, adversary, cache)
        for kind in dict.fromkeys(c["kind"] for c in classifiers):
            products = _products(kind, pooled)
            for c in (c for c in classifiers if c["kind"] == kind):
                decisions[classifier_key(c)] = _decide(c["C"], *_kernels(c, *products), labels)
    result: dict[str, Any] = {"accuracy": {key: _accuracy(v, classes, truth) for key, v in decisions.items()}}
    if fold is None:
        result["decision"] = {key: np.round(values, 6).tolist() for key, values in decisions.items()}
    return result


def fuse_cell(
    *,
    source: Source,
    cache: Path | None,
    dataset: Any,  # names the cell; `source` holds the data
    name: str,
    seed: int,
    split: str | None,
    fold: int | None,
    n_folds: int,
    adversary: dict[str, Any],
    streams: list[dict[str, Any]],
    options: list[dict[str, Any]],
) -> dict[str, Any]:
    """Judge one SVM on the weighted sum of the streams' kernels, for every option: "accuracy" by option.

    Each of ``streams`` names a stream and candidates, each the setting of its pooling and a classifier; each
    of ``options`` which candidates to take, their weights and the SVM's penalty, and perhaps, as "mean",
    which share of each stream's weight the same kernel on its clips' mean frames gets.
    """
    part = load_part(source, seed, split, fold, n_folds, cache)
    labels, truth = part.labels[part.train], part.labels[part.test]
    classes = np.unique(labels)
    mixed = any("mean" in option for option in options)
    kernels: list[list[list[tuple[NDArray, NDArray]]]] = []  # stream, candidate: its kernel, and the mean's
    needed = [sorted({option["pick"][i] for option in options}) for i in range(len(streams))]
    for s, picks in zip(streams, needed, strict=True):
        kernels.append([[] for _ in s["candidates"]])
        for i in picks:
            setting, classifier = s["candidates"][i]["setting"], s["candidates"][i]["classifier"]
            pooled = _pool(part, name, setting, s["stream"], seed, adversary, cache)
            kernels[-1][i].append(_scaled(classifier, pooled))
            if mixed:
                assert pooled.means is not None
                kernels[-1][i].append(_scaled(classifier, _Pooled(*pooled.means, None)))
    accuracy = {}
    for option in options:
        weighted: list[tuple[float, tuple[NDArray, NDArray]]] = []
        shares = option.get("mean", [0.0] * len(streams))
        for own, i, weight, share in zip(kernels, option["pick"], option["weights"], shares, strict=True):
            weighted += zip((weight * (1 - share), weight * share), own[i], strict=False)
        inside, across = (np.asarray(sum(w * k[i] for w, k in weighted)) for i in (0, 1))
        accuracy[fusion_key(option)] = _accuracy(_decide(option["C"], inside, across, labels), classes, truth)
    return {"accuracy": accuracy}


def _scaled(classifier: Mapping[str, Any], pooled: _Pooled) -> tuple[NDArray, NDArray]:
    """The classifier's kernel, scaled so that its diagonal on the training clips has mean one."""
    inside, across = _kernels(classifier, *_products(classifier["kind"], pooled))
    scale = float(np.diag(inside).mean()) or 1.0
    return inside / scale, across / scale


_KEPT = 24  # representations of one part


@dataclass(frozen=True)
class _Pooled:
    """Representations of the clips to fit on and of those to judge, and the mean frames of both."""

    fitted: NDArray
    held: NDArray
    means: tuple[NDArray, NDArray] | None


def _pool(
    part: Part,
    name: str,
    setting: dict[str, Any],
    stream: str,
    seed: int,
    adversary: dict[str, Any],
    cache: Path | None,
) -> _Pooled:
    def pool() -> _Pooled:
        how = method(name)
        trained = keep_adversary(part, stream, seed, adversary, cache) if how.adversarial else None
        pooling = how.pooling(setting, trained, seed)
        train, test = part.take(stream, part.train), part.take(stream, part.test)
        fitted = pooling.fit(train, part.labels[part.train]).transform(train)
        means = None if name == "krp" else (_means(train), _means(test))
        return _Pooled(fitted, pooling.transform(test), means)

    return remember(part.pooled, digest(name, setting, stream, seed, adversary), pool, _KEPT)


def _products(kind: str, pooled: _Pooled) -> tuple[NDArray, NDArray]:
    """Inner products of the training clips with themselves, and of the others with them."""
    fitted, held = pooled.fitted, pooled.held
    if kind == "linear":
        if fitted.ndim == 3:
            # The mean of UU'X (Sec. 3.6): the representation in R^d for a linear classifier.
            assert pooled.means is not None
            fitted, held = (
                np.einsum("ndk,nek,ne->nd", U, U, mean, optimize=True)
                for U, mean in zip((fitted, held), pooled.means, strict=True)
            )
        return fitted @ fitted.T, held @ fitted.T
    if fitted.ndim == 2:
        fitted, held = (
            (R / np.maximum(np.linalg.norm(R, axis=1, keepdims=True), 1e-12))[:, :, None]
            for R in (fitted, held)
        )
    train, test = torch.from_numpy(fitted), torch.from_numpy(held)
    # Less k, the greatest value there is: that scales Eq. (14) by a constant and keeps it from overflowing.
    k = fitted.shape[2]
    return projection_kernel(train, train).numpy() - k, projection_kernel(test, train).numpy() - k


def _kernels(classifier: Mapping[str, Any], inside: NDArray, across: NDArray) -> tuple[NDArray, NDArray]:
    """The classifier's kernel from inner products: themselves, or Eq. (14)."""
    inside, across = inside.astype(np.float64), across.astype(np.float64)
    if classifier["kind"] == "kernel":
        return np.exp(classifier["gamma"] * inside), np.exp(classifier["gamma"] * across)
    return inside, across


def _decide(C: float, inside: NDArray, across: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Decision values (n_test, n_classes) of an SVM on kernels."""
    values = SVC(C=C, kernel="precomputed", random_state=0).fit(inside, labels).decision_function(across)
    return values if values.ndim == 2 else np.stack([-values, values], 1)


def _accuracy(decision: NDArray, classes: NDArray, truth: NDArray) -> float:
    return float((classes[decision.argmax(1)] == truth).mean())


def _means(sequences: list[torch.Tensor]) -> NDArray:
    return torch.stack([s.mean(0) for s in sequences]).numpy()


def train_cell(
    *,
    source: Source,
    cache: Path | None,
    dataset: Any,  # names the cell; `source` holds the data
    seed: int,
    split: str | None,
    stream: str,
    fold: int | None,
    n_folds: int,
    adversary: dict[str, Any],
    callback: Callback | None = None,
) -> dict[str, Any]:
    """Train (or find in the cache) the adversary of one stream of one part: its last measurements."""
    part = load_part(source, seed, split, fold, n_folds, cache)
    history = share_adversary(part, stream, seed, adversary, cache, callback).history
    return {name: float(history.iloc[-1][name]) for name in ("fooling_rate", "noise_norm")}


def classifier_key(classifier: Mapping[str, Any]) -> str:
    return classifier["kind"] + "".join(f" {k}={v:g}" for k, v in classifier.items() if k != "kind")


def fusion_key(option: Mapping[str, Any]) -> str:
    weights = "weights " + ":".join(f"{w:g}" for w in option["weights"]) + f", C={option['C']:g}"
    taken = ", candidates " + ":".join(map(str, option["pick"])) if any(option["pick"]) else ""
    means = ", shares of the mean " + ":".join(f"{a:g}" for a in option["mean"]) if "mean" in option else ""
    return weights + taken + means
