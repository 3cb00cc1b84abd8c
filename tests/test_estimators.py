"""scikit-learn's own checks (`sklearn.utils.estimator_checks`) for every estimator.

The checks bring a flat table (N, p), and no estimator here takes one: sequences differ in length, subspaces
are (N, d, k), several streams dicts. Each is checked behind an adapter, which turns a row into such an
input and leaves to scikit-learn's `validate_data` what concerns the table itself. All that is the estimator's
own is checked as it is: parameters, clones, repr, state, pickles, idempotence, order of samples, subsets of
them, labels, read-only and column-major memory. Checks that an estimator cannot pass are named below, each
with its reason; every other one has to pass.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

import acot_core
from acot_core import ACOTPooling, Adversary, GrassmannSVC, StreamFusion
from acot_core.baselines import (
    GRP,
    KRP,
    AveragePooling,
    DiscriminativePooling,
    MaxPooling,
    PCASubspace,
    RankPooling,
    SupervisedPooling,
)
from acot_core.baselines.signals import DTWClassifier, MiniRocketClassifier
from acot_core.datasets import FrameEncoder
from acot_core.experiments._protocol.cached_negatives import CachedNegatives


def frames_of(row: np.ndarray) -> np.ndarray:
    """A row (p,) as a sequence (3, p) of non-negative frames."""
    grown = np.logaddexp(0, row) + 1e-3
    return np.stack([grown, grown + 0.1, np.logaddexp(0, 2 * row) + 1e-3])


def line_of(row: np.ndarray) -> np.ndarray:
    """A row (p,) as a line in space, (p + 1, 1)."""
    line = np.append(row, 1.0)
    return (line / np.linalg.norm(line))[:, None]


class Turned(list[Any]):
    """Inputs as the estimator wants them."""


class Adapter:
    """The estimator that comes next, behind a flat table."""

    @staticmethod
    def turn(row: np.ndarray) -> Any:
        return frames_of(row)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = tags.input_tags.dict = False
        tags.input_tags.positive_only = False
        return tags

    def _turned(self, X: Any, *, reset: bool = False) -> list[Any]:
        if isinstance(X, Turned):  # by the method that called this one
            return X
        table = validate_data(self, X, reset=reset, dtype=np.float64)
        return Turned(self.turn(row) for row in table)

    def fit(self, X: Any, y: Any = None) -> Any:
        if get_tags(self).target_tags.required:
            validate_data(self, X, y, dtype=np.float64)
        return super().fit(self._turned(X, reset=True), y)  # type: ignore[misc]


class Flat(Adapter):
    """Of a transformer."""

    def transform(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        pooled = self._pooled(self._turned(X))
        return np.stack([np.asarray(p) for p in pooled]).reshape(len(pooled), -1)

    def _pooled(self, X: list[Any]) -> Any:
        return super().transform(X)  # type: ignore[misc]


class FlatClassifier(Adapter):
    """Of a classifier."""

    def decision_function(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        scores = super().decision_function(self._turned(X))  # type: ignore[misc]
        return scores[:, 1] if scores.ndim == 2 and len(self.classes_) == 2 else scores  # type: ignore[attr-defined]

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return super().predict(self._turned(X))  # type: ignore[misc]


class FlatAverage(Flat, AveragePooling):
    pass


class FlatMax(Flat, MaxPooling):
    pass


class FlatRank(Flat, RankPooling):
    pass


class FlatPCA(Flat, PCASubspace):
    pass


class FlatGRP(Flat, GRP):
    pass


class FlatDiscriminative(Flat, DiscriminativePooling):
    pass


class FlatKRP(Flat, KRP):
    pass


class FlatSupervised(Flat, SupervisedPooling):
    pass


class FlatACOT(Flat, ACOTPooling):
    pass


class FlatAdversary(Flat, TransformerMixin, Adversary):
    def _pooled(self, X: list[Any]) -> np.ndarray:
        return self.sample(X, 2).frames.numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # float32
        return tags


class FlatSVC(FlatClassifier, GrassmannSVC):
    turn = staticmethod(line_of)


class FlatFusion(FlatClassifier, StreamFusion):
    @staticmethod
    def turn(row: np.ndarray) -> dict[str, np.ndarray]:
        wide = np.append(row, -row)  # so that unit norm loses neither sign nor size
        return {"a": frames_of(np.append(wide, 1)), "b": frames_of(np.append(wide, 0))}


class FlatEncoder(Flat, FrameEncoder):
    @staticmethod
    def turn(row: np.ndarray) -> np.ndarray:
        return np.stack([row, 2 * row, -row])


def stream() -> Any:
    return make_pipeline(AveragePooling(), LinearSVC(C=100, random_state=0))


ESTIMATORS = [
    FlatAverage(),
    FlatMax(),
    FlatRank(),
    FlatPCA(),
    FlatGRP(),
    FlatDiscriminative(),
    FlatKRP(n_landmarks=8),
    FlatSupervised(),
    FlatACOT(negatives="random", n_negatives=5, n_iter=2, random_state=0),
    FlatACOT(output="projection", negatives="random", n_negatives="2n", transport="ipot", random_state=0),
    FlatAdversary(n_iter=2, classifier_iter=2, batch_size=8, device="cpu", random_state=0),
    FlatSVC(),
    FlatFusion({"a": stream(), "b": stream()}),
    FlatEncoder(n_features=16),
]

EXCLUDED = {
    "check_array_api_input": "runs where SCIPY_ARRAY_API is set; tensors of a device are our way",
    "check_supervised_y_2d": "a column (N, 1) of labels is refused with a reason, not flattened",
}


def own_estimators() -> set[type]:
    """Every public estimator of the package."""
    for module in pkgutil.walk_packages(acot_core.__path__, "acot_core."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    classes, todo = set(), [BaseEstimator]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            public = not kind.__name__.startswith("_") and not inspect.isabstract(kind)
            if kind.__module__.startswith("acot_core.") and public:
                classes.add(kind)
    return classes


def test_every_estimator_of_the_package_is_checked() -> None:
    checked = {base for estimator in ESTIMATORS for base in type(estimator).__mro__}
    # aeon's transformer takes aeon's collections, and has tests of its own.
    unchecked = {kind for kind in own_estimators() - checked if kind.__name__ != "CollectionPooling"}
    assert unchecked == {DTWClassifier, MiniRocketClassifier, CachedNegatives}  # the first two below
    assert CachedNegatives.fit is Adversary.fit  # which is checked: its `sample` alone is another


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: f"{type(e).__name__}-{ESTIMATORS.index(e)}")
def test_scikit_learns_checks(estimator: BaseEstimator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a solver that is given few iterations
        results = check_estimator(estimator, expected_failed_checks=EXCLUDED, on_skip=None)
    passed = [result for result in results if result["status"] == "passed"]
    assert len(passed) >= 44
    assert {result["check_name"] for result in results} - {r["check_name"] for r in passed} <= set(EXCLUDED)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: f"{type(e).__name__}-{ESTIMATORS.index(e)}")
def test_estimators_say_that_they_take_no_table(estimator: BaseEstimator) -> None:
    base = next(c for c in type(estimator).__mro__ if c.__module__.startswith("acot_core."))
    tags = get_tags(base(**estimator.get_params(deep=False)))
    assert tags.input_tags.two_d_array is False


@pytest.mark.parametrize(
    "estimator", [MiniRocketClassifier(84), DTWClassifier(0.5)], ids=lambda e: type(e).__name__
)
def test_classifiers_of_signals(estimator: Any) -> None:
    """aeon's, wrapped: parameters and clones by scikit-learn's checks; the rest needs signals."""
    pytest.importorskip("aeon")
    name = type(estimator).__name__
    for check in (
        checks.check_no_attributes_set_in_init,
        checks.check_estimator_repr,
        checks.check_estimator_cloneable,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_mixin_order,
        checks.check_valid_tag_types,
        checks.check_parameters_default_constructible,
    ):
        check(name, estimator)
    with pytest.raises(NotFittedError):
        estimator.predict([np.ones((9, 1))])
    rng = np.random.default_rng(0)
    signals = [rng.random((12, 2)) + label for label in (0, 1, 0, 1)]
    before = estimator.get_params()
    assert estimator.fit(signals, [3, 4, 3, 4]) is estimator
    assert estimator.get_params() == before
    assert estimator.predict(signals).tolist() == [3, 4, 3, 4]
    assert estimator.score(signals, [3, 4, 3, 4]) == 1
