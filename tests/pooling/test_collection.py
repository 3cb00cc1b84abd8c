"""ACOT pooling in aeon: its own checks of estimators, unequal lengths, pipelines, and the same as by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline as sklearn_pipeline
from sklearn.svm import SVC

pytest.importorskip("aeon")

from aeon.pipeline import make_pipeline
from aeon.testing.estimator_checking import check_estimator

from acot_core import ACOTPooling, GrassmannSVC
from acot_core.datasets import FrameEncoder
from acot_core.pooling.collection import CollectionPooling

POOLING = ACOTPooling(negatives="random", output="projection", random_state=0)


def unequal() -> tuple[list[np.ndarray], np.ndarray]:
    """24 series (2, t_i) of two classes: the rise comes in the first channel or in the second."""
    rng, y = np.random.default_rng(0), np.arange(24) % 2
    series = []
    for label in y:
        x = 0.3 * rng.normal(size=(2, rng.integers(12, 20)))
        x[label] += np.linspace(0, 3, x.shape[1])
        series.append(x)
    return series, y


def test_aeons_checks_of_an_estimator() -> None:
    failed = check_estimator(CollectionPooling, raise_exceptions=True)
    assert len(failed) > 10
    assert all(result == "PASSED" for result in failed.values()), failed


def test_the_result_is_that_of_encoder_and_pooling_by_hand() -> None:
    X, y = unequal()
    pooled = CollectionPooling(FrameEncoder(random_state=1), POOLING).fit_transform(X, y)
    signals = [x.T for x in X]
    frames = FrameEncoder(random_state=1).fit(signals).transform(signals)
    assert np.array_equal(pooled, clone(POOLING).fit(frames, y).transform(frames))


@pytest.mark.parametrize("pipeline", [make_pipeline, sklearn_pipeline])
def test_it_works_in_the_pipelines_of_aeon_and_scikit_learn(pipeline: Any) -> None:
    X, y = unequal()
    train, test = slice(0, 16), slice(16, 24)
    model = pipeline(CollectionPooling(pooling=POOLING, random_state=0), SVC()).fit(X[train], y[train])
    assert np.mean(model.predict(X[test]) == y[test]) >= 0.875


def test_subspaces_go_to_a_kernel_machine() -> None:
    X, y = unequal()
    subspaces = ACOTPooling(negatives="random", n_subspaces=2, random_state=0)
    model = sklearn_pipeline(CollectionPooling(pooling=subspaces, random_state=0), GrassmannSVC()).fit(X, y)
    assert model[0].transform(X).shape == (24, 256, 2)
    assert model.score(X, y) >= 0.9


def test_the_adversary_of_the_default_needs_labels() -> None:
    X, _ = unequal()
    fitted = CollectionPooling(random_state=0)
    assert fitted.get_tag("requires_y")
    with pytest.raises(ValueError, match="y=None"):
        fitted.fit(X)
