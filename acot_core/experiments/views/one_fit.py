"""Classify once (Sec. 3.6, Eq. 14): ACOT and baselines on one split at one setting; confusion matrix.

`ablation` and `comparison` are the tables over seeds, tuned; this shows which classes are confused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.cells import mean_frames
from acot_core.experiments._protocol.classifiers import LINEAR, check_classifier, classify
from acot_core.experiments.methods import method
from acot_core.experiments.record import Record
from acot_core.gan.adversary import Adversary

BESIDE = ("average", "max", "pca", "grp")
"""The baselines of this view: two averages, the principal subspace, and order without contrast."""

_LABELS = {"random": "COT + Random", "others": "COT + others", "self": "COT, no contrast"}


@dataclass(kw_only=True)
class ClassificationRecord(Record):
    """Accuracy of each method on the test sequences of one split, and ACOT's confusion matrix.

    Attributes
    ----------
    accuracies : table
        ``method``, ``label``, ``accuracy``, its 95 % interval ``low`` and ``high`` (Wilson's, for the number
        of test sequences), ``correct`` and ``n_test``.
    confusion : int array (C, C)
        Test sequences by true class (rows) and predicted class (columns), for ACOT.
    """

    tidy = "accuracies"
    accuracies: pd.DataFrame
    confusion: np.ndarray
    class_names: list[str]

    def confusion_frame(self) -> pd.DataFrame:
        """One row per pair of true and predicted class."""
        table = pd.DataFrame(self.confusion, index=self.class_names, columns=self.class_names)
        return (
            table.rename_axis("true").reset_index().melt("true", var_name="predicted", value_name="sequences")
        )


def classification(
    dataset: SequenceDataset,
    stream: str,
    *,
    adversary: Adversary | None = None,
    split: str | None = None,
    beside: tuple[str, ...] = BESIDE,
    gamma: float = 0.1,
    C: float = 100.0,
    classifier: Mapping[str, Any] | None = None,
    random_state: int = 0,
    callback: Callback | None = None,
    **parameters: Any,
) -> ClassificationRecord:
    """Pool, train a classifier on the training sequences, evaluate on the test sequences.

    The classifier and its protocol are those of `acot_core.experiments.sensitivity`: the same settings give
    the same accuracy.

    Parameters
    ----------
    dataset, stream, split
        The data; the first split by default.
    adversary : Adversary, optional
        A fitted one, of the same split's training sequences; None: random negatives.
    beside : tuple of str
        Further methods of `acot_core.experiments.METHODS`, at their own defaults with the same k.
    gamma, C : float
        Of the kernel of Eq. (14) and of the SVM, for subspaces.
    classifier : mapping, optional
        Instead of both, one setting such as ``{"kind": "projection", "C": 10.0}`` (see
        `acot_core.experiments._protocol.classifiers`). Vectors get a linear SVM with C = 10 in any case.
    random_state : int
        Of the negatives.
    callback : callable, optional
        Gets a `Progress` after every method; `Cancelled` leaves those done so far, when ACOT is among them.
    **parameters
        Of `acot_core.ACOTPooling`.

    Raises
    ------
    ValueError
        No test sequences, or parameters that the pooling or the classifier refuses.
    """
    start = perf_counter()
    setting = dict(classifier or {"kind": "kernel", "C": C, "gamma": gamma})
    check_classifier(setting)
    train, test = dataset.split(split)
    if len(test) == 0:
        raise ValueError(f"{dataset.name}: this split has no test sequences, so nothing can be evaluated")
    sequences = dataset.streams[stream]
    X, X_test = ([sequences[i] for i in index] for index in (train, test))
    y, y_test = dataset.labels[train], dataset.labels[test]
    means = mean_frames(X), mean_frames(X_test)

    def predict(pooling: Any) -> np.ndarray:
        fitted = pooling.fit(X, y).transform(X)
        how = setting if fitted.ndim == 3 else LINEAR
        decision = classify(how, fitted, pooling.transform(X_test), y, means)
        return np.unique(y)[decision.argmax(1)]

    clock = Clock("method", 1 + len(beside), callback)
    clock.report(0)
    if adversary is None:
        parameters = {"negatives": "random", **parameters}
    acot = method("acot")
    pooling = acot.make(adversary=adversary, random_state=random_state, **parameters)
    predictions = {"acot": predict(pooling)}
    labels = {"acot": _LABELS.get(str(parameters.get("negatives")), "ACOT")}
    try:
        clock.report(1)
        k = parameters.get("n_subspaces", 1)
        for done, name in enumerate(beside, 2):
            how = method(name)
            fixed: Mapping[str, Any] = {"n_subspaces": k} if how.kind == "subspace" else {}
            predictions[name] = predict(how.pooling(how.settings(fixed, tune=False)[0], None, random_state))
            labels[name] = how.label
            clock.report(done)
    except Cancelled:
        pass
    rows = [_row(name, labels[name], predicted == y_test) for name, predicted in predictions.items()]
    return ClassificationRecord(
        accuracies=pd.DataFrame(rows),
        confusion=confusion_matrix(y_test, predictions["acot"], labels=np.arange(len(dataset.class_names))),
        class_names=dataset.class_names,
        config={
            "dataset": dataset.name, "stream": stream, "split": split, "classifier": setting,
            "random_state": random_state, **parameters,
        },
        seconds=perf_counter() - start,
    )  # fmt: skip


def _row(name: str, label: str, right: np.ndarray) -> dict[str, Any]:
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, method="wilson")
    return {
        "method": name, "label": label, "accuracy": float(right.mean()), "low": float(interval.low),
        "high": float(interval.high), "correct": int(right.sum()), "n_test": len(right),
    }  # fmt: skip
