"""Fitted estimators go to another process without pickle, by skops, and say there what they said here."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io as sio
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core.baselines import GRP, KRP, AveragePooling, MaxPooling, PCASubspace, RankPooling
from acot_core.gan._checkpoint import contents

ADVERSARY = Adversary(n_iter=3, classifier_iter=5, random_state=0)
TRUSTED = ["acot_core.gan.adversary.Adversary"]
ACOT = ACOTPooling(adversary=ADVERSARY, random_state=0)
MODELS = {
    "acot": make_pipeline(clone(ACOT).set_params(n_subspaces=2), GrassmannSVC()),
    "acot-random": make_pipeline(clone(ACOT).set_params(negatives="random"), GrassmannSVC()),
    "acot-linear": make_pipeline(clone(ACOT).set_params(output="projection"), SVC()),
    "grp": make_pipeline(GRP(), GrassmannSVC()),
    "krp": make_pipeline(KRP(), GrassmannSVC()),
    "pca": make_pipeline(PCASubspace(), GrassmannSVC()),
    "average": make_pipeline(AveragePooling(), SVC()),
    "max": make_pipeline(MaxPooling(), SVC()),
    "rank": make_pipeline(RankPooling(), SVC()),
}
ELSEWHERE = """
import pathlib, sys
import numpy as np, skops.io as sio
folder = pathlib.Path(sys.argv[1])
X = np.split(*(np.load(folder / "data.npz")[name] for name in ("frames", "ends")))
for model in folder.glob("*.skops"):
    trusted = sio.get_untrusted_types(file=model)
    assert all(name.startswith("acot_core.") for name in trusted), trusted
    np.save(model.with_suffix(".npy"), sio.load(model, trusted=trusted).decision_function(X))
"""


def sequences() -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((rng.integers(5, 9), 6)) for _ in range(12)], np.arange(12) % 2


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which another process has written what the stored models say."""
    folder = tmp_path_factory.mktemp("models")
    X, y = sequences()
    for name, model in MODELS.items():
        sio.dump(model.fit(X, y), folder / f"{name}.skops")
    np.savez(folder / "data.npz", frames=np.concatenate(X), ends=np.cumsum([len(x) for x in X])[:-1])
    command = [sys.executable, "-c", ELSEWHERE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_a_fitted_pipeline_says_the_same_in_another_process(name: str, elsewhere: Path) -> None:
    told = np.load(elsewhere / f"{name}.npy")
    assert np.array_equal(told, MODELS[name].decision_function(sequences()[0]))


def state(adversary: Adversary) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in contents(adversary)[0].items()}


def test_an_adversary_keeps_all_of_its_state_and_trains_on(tmp_path: Path) -> None:
    X, y = sequences()
    uninterrupted = Adversary(n_iter=6, classifier_iter=5, random_state=0).fit(X, y)
    half = Adversary(n_iter=3, classifier_iter=5, random_state=0).fit(X, y)
    for copy in (sio.loads(sio.dumps(half), trusted=TRUSTED), pickle.loads(pickle.dumps(half))):
        assert copy.get_params() == half.get_params()
        assert copy.history_.equals(half.history_)
        ours, theirs = state(half), state(copy)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
        copy.save(tmp_path / "half")
        again = Adversary(n_iter=6, classifier_iter=5, random_state=0).fit(X, y, resume=tmp_path / "half")
        for one, other in zip(state(uninterrupted).values(), state(again).values(), strict=True):
            assert np.array_equal(one, other)


def test_an_adversary_that_is_not_fitted_is_stored_too() -> None:
    loaded = sio.loads(sio.dumps(ADVERSARY), trusted=TRUSTED)
    assert loaded.get_params() == ADVERSARY.get_params()
    assert not loaded.is_fitted


def test_no_network_is_pickled() -> None:
    X, y = sequences()
    fitted = Adversary(n_iter=1, classifier_iter=1, random_state=0).fit(X, y)
    assert b"torch" not in pickle.dumps(fitted)
