"""scikit-learn's metadata routing: groups reach the splitter, a callback the step that asked for it."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core._utils.progress import Progress

FOLDS = StratifiedGroupKFold(3)


def grouped() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Sequences that look as their group does: a random fold finds that, a grouped one cannot."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 4)
    y = groups % 2
    looks = rng.random((12, 24)) ** 4
    return [looks[g] + 0.01 * rng.random((8, 24)) for g in groups], y, groups


def model() -> object:
    return make_pipeline(ACOTPooling(negatives="random", random_state=0), GrassmannSVC())


def test_groups_reach_the_folds_of_a_search_with_routing_and_without() -> None:
    X, y, groups = grouped()
    grid = {"acotpooling__n_subspaces": [1, 2]}
    ungrouped = GridSearchCV(model(), grid, cv=3).fit(X, y)
    plain = GridSearchCV(model(), grid, cv=FOLDS).fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = GridSearchCV(model(), grid, cv=FOLDS).fit(X, y, groups=groups)
    assert np.array_equal(plain.cv_results_["mean_test_score"], routed.cv_results_["mean_test_score"])
    assert plain.best_score_ < 0.8
    assert ungrouped.best_score_ != plain.best_score_


def test_groups_reach_a_cross_validation() -> None:
    X, y, groups = grouped()
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_validate(model(), X, y, cv=FOLDS, params={"groups": groups}, return_indices=True)
    for train, test in zip(scores["indices"]["train"], scores["indices"]["test"], strict=True):
        assert not set(groups[train]) & set(groups[test])


# scikit-learn says that fit_transform hands nothing on to transform; ours needs nothing there.
@pytest.mark.filterwarnings("ignore:This object:UserWarning")
def test_a_callback_reaches_the_step_that_asked_for_it() -> None:
    X, y, _ = grouped()
    heard: list[Progress] = []
    with sklearn.config_context(enable_metadata_routing=True):
        adversary = Adversary(n_iter=2, classifier_iter=2, random_state=0)
        pooling = ACOTPooling(adversary=adversary, random_state=0)
        asking = clone(pooling).set_fit_request(callback=True).set_transform_request(callback=True)
        make_pipeline(asking, GrassmannSVC()).fit(X, y, callback=heard.append)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            make_pipeline(pooling, GrassmannSVC()).fit(X, y, callback=heard.append)
    assert {"classifier", "adversary"} <= {event.stage for event in heard}
