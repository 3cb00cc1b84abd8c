"""The methods and their grids."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from acot_core.experiments import (
    comparison,
    embedding,
    factorial,
    fooling_curves,
    landscape,
    plan_matters,
    sensitivity,
)
from acot_core.experiments._protocol.classifiers import CLASSIFIERS
from acot_core.experiments.methods import METHODS, method


def test_every_grid_holds_parameters_of_its_method() -> None:
    for m in METHODS.values():
        for setting in m.settings({}, tune=True):
            m.make(**setting)


def test_ordered_methods_search_equally_many_settings_over_the_same_weights() -> None:
    """GRP could take an order weight of 100 where ACOT stopped at 30: it then lost by 19 points."""
    names = ("grp", "krp", "acot", "acot-random", "no-ot")
    grids = {name: method(name).settings({}, tune=True) for name in names}
    assert {len(grid) for grid in grids.values()} == {27}
    for grid in grids.values():
        assert {s["n_subspaces"] for s in grid} == {1, 4, 8}
        weights = {s["beta2"] / s.get("beta1", 1.0) for s in grid}
        assert min(weights) == 0.5
        assert max(weights) == 400.0
    assert len(method("acot").settings({"n_subspaces": 1}, tune=True)) == 9
    assert len(method("discriminative").settings({}, tune=True)) == 27


def test_a_grid_of_ones_own_takes_the_place_of_the_methods() -> None:
    grid = {"beta1": [0.0, 8.0], "beta2": [0.0, 1.0, 2.0]}
    for name in ("grp", "acot"):
        settings = method(name).settings({"n_subspaces": 4}, tune=True, grid=grid)
        assert [(s["beta1"], s["beta2"]) for s in settings] == [
            (beta1, beta2) for beta1 in grid["beta1"] for beta2 in grid["beta2"]
        ]
    settings = method("grp-lda").settings({}, tune=True, grid=grid)
    assert len(settings) == 2 * 3 * 3  # on averages or frames, three k, three weights of order
    assert method("rank").settings({}, tune=True, grid=grid) == method("rank").settings({}, tune=True)
    assert method("acot").settings({}, tune=False, grid=grid) == method("acot").settings({}, tune=False)


def test_a_grid_is_searched_and_recorded() -> None:
    record = comparison(
        "planted", methods=("average", "grp"), grid={"n_subspaces": (2,), "beta2": (0.0, 3.0)}, seeds=1,
        n_folds=2, n_sequences=48,
    )  # fmt: skip
    of_grp = record.scores.set_index("method").loc["grp", "parameters"]
    assert json.loads(of_grp)["n_subspaces"] == 2
    assert json.loads(of_grp)["beta2"] in (0.0, 3.0)
    assert record.config["grid"] == {"n_subspaces": [2], "beta2": [0.0, 3.0]}


@pytest.mark.parametrize(
    ("grid", "tune", "why"),
    [
        ({"bta1": [1.0]}, True, r"grid: .*\['beta1', 'beta2', 'n_subspaces'\], got \['bta1'\]"),
        ({"beta1": [1.0]}, False, "grid: expected parameters that the tuned methods search"),
        ({"beta1": []}, True, "grid: expected values for beta1, got none"),
    ],
)
def test_a_grid_that_would_be_ignored_is_refused(grid: dict[str, list[float]], tune: bool, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        comparison("planted", methods=("average", "grp"), tune=tune, grid=grid, seeds=1, n_sequences=48)


@pytest.mark.parametrize(
    "experiment", [embedding, factorial, fooling_curves, landscape, plan_matters, sensitivity]
)
def test_an_experiment_that_tunes_nothing_takes_no_grid(experiment: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"grid: nothing is tuned here, got values for \['beta1'\]"):
        experiment("planted", grid={"beta1": [1.0]}, n_sequences=48)


def test_every_method_is_tuned_over_the_same_classifiers() -> None:
    assert {c["kind"] for kind in ("linear", "projection", "kernel") for c in CLASSIFIERS[kind]} == {
        "linear", "projection", "kernel",
    }  # fmt: skip
    assert all(c["relative"] for c in CLASSIFIERS["kernel"])


def test_only_adversarial_negatives_need_an_adversary() -> None:
    asked = {name: method(name).needs_adversary(method(name).settings({}, tune=False)[0]) for name in METHODS}
    assert {name for name, needs in asked.items() if needs} == {"acot-only", "acot-pca", "no-ot", "acot"}
    with pytest.raises(ValueError, match="method: expected one of"):
        method("agerage")


@pytest.mark.parametrize("name", ["krp", "grp-lda", "grp-probabilities"])
def test_subspaces_of_another_space_are_classified_by_their_kernels(name: str) -> None:
    """They have no mean of UU'X: a linear classifier is not tried on them."""
    fixed = {name: {"n_subspaces": 1, "beta2": 1.0} | ({"on": "averages"} if name != "krp" else {})}
    record = comparison("planted", methods=(name,), fixed=fixed, seeds=1, n_folds=2, n_sequences=48)
    assert record.scores["classifier"].str.split().str[0].isin(["projection", "kernel"]).all()
    with pytest.raises(ValueError, match=f"{name}: its subspaces need some of classifiers"):
        comparison("planted", methods=(name,), fixed=fixed, seeds=1, classifiers=("linear",), n_sequences=48)
