"""One run of the representation classifier (Sec. 3.6, Eq. 14): ACOT beside its rivals, and who is mistaken.

`ablation` and `comparison` are the honest tables, over seeds and tuned; this is one split at one setting, to
see which classes are taken for which.
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from acot_core.adversary import Adversary
from acot_core.classify import GrassmannSVC
from acot_core.datasets import SequenceDataset
from acot_core.experiments.methods import method
from acot_core.pooling import ACOTPooling
from acot_core.progress import Callback, Cancelled, Clock
from acot_core.records import Record

__all__ = ["BESIDE", "ClassificationRecord", "classification"]

BESIDE = ("average", "max", "pca", "grp")
"""The methods that stand beside ACOT: two averages, the principal subspace, and order without contrast."""


@dataclass(kw_only=True)
class ClassificationRecord(Record):
    """Accuracy of each method on the test clips of one split, and ACOT's confusion matrix.

    Attributes
    ----------
    accuracies : table
        ``method``, ``label``, ``accuracy``, its 95 % interval ``low`` and ``high`` (Wilson's, for the number
        of test clips), ``correct`` and ``n_test``.
    confusion : int array (C, C)
        Test clips by true class (rows) and predicted class (columns), for ACOT.
    """

    accuracies: pd.DataFrame
    confusion: np.ndarray
    class_names: list[str]

    def to_frame(self) -> pd.DataFrame:
        """One row a method."""
        return self.accuracies

    def confusion_frame(self) -> pd.DataFrame:
        """One row a pair of true and predicted class."""
        table = pd.DataFrame(self.confusion, index=self.class_names, columns=self.class_names)
        return table.rename_axis("true").reset_index().melt("true", var_name="predicted", value_name="clips")


def classification(
    dataset: SequenceDataset,
    stream: str,
    *,
    adversary: Adversary | None = None,
    split: str | None = None,
    beside: tuple[str, ...] = BESIDE,
    gamma: float = 1.0,
    C: float = 10.0,
    random_state: int = 0,
    callback: Callback | None = None,
    **parameters: Any,
) -> ClassificationRecord:
    """Pool, train a classifier on the training clips, judge on the test clips.

    Parameters
    ----------
    dataset, stream, split
        The data; the first split by default.
    adversary : Adversary, optional
        A fitted one, of the same split's training clips; None: random negatives.
    beside : tuple of str
        Further methods of `acot_core.experiments.METHODS`, at their own defaults with the same k.
    gamma, C : float
        Of the kernel of Eq. (14) and of the support vector machine. Vectors get a linear one.
    callback : callable, optional
        Gets a `Progress` after every method; `Cancelled` leaves those done so far, when ACOT is among them.
    **parameters
        Of `acot_core.ACOTPooling`.

    Raises
    ------
    ValueError
        No test clips, or parameters that the pooling refuses.
    """
    start = perf_counter()
    train, test = dataset.split(split)
    if len(test) == 0:
        raise ValueError(f"{dataset.name}: this split has no test clips, so nothing can be judged")
    sequences = dataset.streams[stream]
    X, y = [sequences[i] for i in train], dataset.labels[train]
    X_test, y_test = [sequences[i] for i in test], dataset.labels[test]
    negatives = "random" if adversary is None else "adversarial"
    clock = Clock("method", 1 + len(beside), callback)
    clock.report(0)
    pooling = ACOTPooling(
        adversary=adversary, negatives=negatives, device="cpu", random_state=random_state, **parameters
    )
    found = {"acot": _predict(pooling, "subspace", X, y, X_test, gamma, C)}
    labels = {"acot": "ACOT" if adversary is not None else "COT + Random"}
    try:
        clock.report(1)
        k = parameters.get("n_subspaces", 1)
        for done, name in enumerate(beside, 2):
            how = method(name)
            fixed: Mapping[str, Any] = {"n_subspaces": k} if how.kind == "subspace" else {}
            model = how.pooling(how.settings(fixed, tune=False)[0], None, random_state)
            found[name] = _predict(model, how.kind, X, y, X_test, gamma, C)
            labels[name] = how.label
            clock.report(done)
    except Cancelled:
        pass
    rows = [_row(name, labels[name], predicted == y_test) for name, predicted in found.items()]
    return ClassificationRecord(
        accuracies=pd.DataFrame(rows),
        confusion=confusion_matrix(y_test, found["acot"], labels=np.arange(len(dataset.class_names))),
        class_names=dataset.class_names,
        config={
            "dataset": dataset.name, "stream": stream, "split": split, "gamma": gamma, "C": C,
            "random_state": random_state, **parameters,
        },
        seconds=perf_counter() - start,
    )  # fmt: skip


def _predict(
    pooling: Any, kind: str, X: list[Any], y: np.ndarray, X_test: list[Any], gamma: float, C: float
) -> np.ndarray:
    fitted = pooling.fit(X, y).transform(X)
    classifier = (
        GrassmannSVC(gamma=gamma, C=C)
        if kind == "subspace"
        else make_pipeline(StandardScaler(), SVC(kernel="linear", C=C, random_state=0))
    )
    return np.asarray(classifier.fit(fitted, y).predict(pooling.transform(X_test)))


def _row(name: str, label: str, right: np.ndarray) -> dict[str, Any]:
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, method="wilson")
    return {
        "method": name, "label": label, "accuracy": float(right.mean()), "low": float(interval.low),
        "high": float(interval.high), "correct": int(right.sum()), "n_test": len(right),
    }  # fmt: skip
