"""Retrieval: all methods, the three questions, tuning without a look at the test sequences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_studies import FAST, TINY, tiny, two_streams

from acot_core import figures
from acot_core._utils.progress import Cancelled, Progress
from acot_core.datasets import SequenceDataset
from acot_core.experiments import RetrievalRecord, assert_blind, retrieval
from acot_core.experiments._protocol.parts import Source, load_part, restrict_part
from acot_core.experiments._protocol.similarity import PER_QUERY

SMALL = {"seeds": 1, "n_folds": 2, "adversary": FAST, **TINY}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RetrievalRecord:
    methods = ("average", "grp", "lda", "grp-lda", "acot-random", "acot")
    fixed = {name: {"n_subspaces": 2} for name in methods[1:] if name != "lda"}
    return retrieval(
        "planted",
        methods=methods,
        fixed=fixed,
        cache=tmp_path_factory.mktemp("cache"),
        **{**SMALL, "seeds": 2},
    )


def test_every_measure_is_the_mean_over_the_queries(record: RetrievalRecord) -> None:
    assert record.complete
    assert len(record.scores) == 6 * 2 * 5
    for row in record.scores[record.scores["measure"].isin(PER_QUERY)].itertuples():
        mine = record.queries[(record.queries["method"] == row.method) & (record.queries["seed"] == row.seed)]
        assert row.value == pytest.approx(mine[row.measure].mean())


def test_differences_are_paired(record: RetrievalRecord) -> None:
    table = record.differences().set_index(["against", "measure"])
    by_method = record.queries.groupby("method")["nearest"].mean()
    assert table.loc[("GRP", "nearest"), "mean"] == pytest.approx(
        100 * (by_method["acot"] - by_method["grp"])
    )
    assert (table["low_all"] <= table["low"]).all()
    assert (table["low"] <= table["mean"]).all()
    with pytest.raises(ValueError, match="has no 'krp'"):
        record.differences("krp")


def test_record_round_trip_and_figure(record: RetrievalRecord, tmp_path: Path) -> None:
    again = RetrievalRecord.load(record.save(tmp_path / "retrieval.zip"))
    assert again.summary().equals(record.summary())
    figure = figures.plot_retrieval(again)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][:2] == ["Avg. Pool", "GRP"]
    np.testing.assert_allclose(
        figure.axes[0].lines[1].get_xdata(),
        100 * record.queries.query("method == 'average'")["nearest"].mean(),
    )


def test_order_finds_what_averages_cannot(tmp_path: Path) -> None:
    """Generated classes are each other's reversals: half of an average's nearest neighbours are wrong."""
    options = {**SMALL, "n_sequences": 96}
    record = retrieval("planted", methods=("average", "grp"), tune=False, **options)
    nearest = record.queries.groupby("method")["nearest"].mean()
    assert nearest["grp"] > nearest["average"] + 0.2


def test_the_choice_does_not_depend_on_test_labels() -> None:
    dataset = tiny()
    _, test = dataset.split()

    def chosen(labels: np.ndarray) -> np.ndarray:
        data = SequenceDataset("x", dataset.streams, labels, dataset.class_names, dataset.splits)
        scores = retrieval(data, methods=("grp",), seeds=1, n_folds=2).scores
        return (scores["parameters"] + scores["cv_value"].astype(str)).to_numpy()

    assert_blind(chosen, dataset.labels, test)


def test_few_labels_are_all_that_is_fitted_on() -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    few, n_gallery = restrict_part(part, {"per_class": 2}, 0)
    assert n_gallery == 0
    assert np.bincount(few.labels[few.train]).max() == 2
    assert set(few.train) <= set(part.train)
    np.testing.assert_array_equal(few.test, part.test)


def test_unseen_classes_are_in_no_fit() -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    seen = []
    for i in range(2):
        apart, n_gallery = restrict_part(part, {"unseen": i, "n_parts": 2}, 0)
        fitted, held = set(apart.labels[apart.train]), set(apart.labels[apart.test])
        assert not fitted & held
        assert set(apart.test[:n_gallery]) <= set(part.train)
        assert set(apart.test[n_gallery:]) <= set(part.test)
        seen += sorted(held)
    assert sorted(seen) == sorted(set(part.labels))


@pytest.mark.parametrize("asked", [{"per_class": 2}, {"unseen": 2}])
def test_the_other_questions_are_answered(asked: dict[str, int]) -> None:
    record = retrieval("planted", methods=("average", "acot"), **asked, **SMALL)
    assert record.complete
    assert record.config["tune"] is False
    assert set(record.queries["method"]) == {"average", "acot"}


def test_streams_are_compared_one_by_one() -> None:
    record = retrieval(two_streams(), methods=("average",), seeds=1)
    assert set(record.scores["stream"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"per_class": 0}, "per_class"),
        ({"unseen": 1}, "unseen"),
        ({"unseen": 2, "per_class": 1}, "expected one of them"),
        ({"methods": ("agerage",)}, "method: expected one of"),
    ],
)
def test_bad_arguments(asked: dict, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        retrieval(tiny(), **{"methods": ("average",), "seeds": 1, **asked})


def test_a_cancelled_study_is_not_complete() -> None:
    def stop(event: Progress) -> None:
        if event.stage == "test":
            raise Cancelled

    record = retrieval("planted", methods=("average",), callback=stop, **SMALL)
    assert not record.complete
    assert record.scores.empty
    assert json.dumps(record.config["methods"]) == '["average"]'
