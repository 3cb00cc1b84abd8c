"""The protocol: blind to held-out labels, and tuned on the folds."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_studies import FAST, LINEAR, TINY, tiny

from acot_core.datasets import SequenceDataset
from acot_core.experiments import (
    ComparisonRecord,
    LeakError,
    Study,
    assert_blind,
    landscape,
    plan_matters,
    sensitivity,
)
from acot_core.experiments._protocol.cells import score_cell
from acot_core.experiments._protocol.evaluation import evaluate_entries
from acot_core.experiments._protocol.parts import Source
from acot_core.experiments._protocol.study import Entry


def with_labels(dataset: SequenceDataset, labels: np.ndarray, leak: bool) -> SequenceDataset:
    """The data set under other labels; with ``leak`` each label is also written into its own features."""
    sequences = []
    for frames, label in zip(dataset.streams["features"], labels, strict=True):
        frames = frames.clone()
        if leak:
            frames[:, label] += 5
        sequences.append(frames)
    return SequenceDataset("labelled", {"features": sequences}, labels, dataset.class_names, dataset.splits)


@pytest.mark.parametrize("leak", [False, True])
def test_a_leaked_label_raises_leak_error(leak: bool) -> None:
    dataset = tiny()
    _, test = dataset.split()

    def predict(labels: np.ndarray) -> np.ndarray:
        """Correct or not, by sequence, put back into predicted labels through the accuracy's own truth."""
        study = Study(Source.of(with_labels(dataset, labels, leak)), seeds=(0,), classifier=LINEAR)
        cell = {
            "dataset": None, "name": "average", "setting": {}, "seed": 0, "split": None, "stream": "features",
            "fold": None, "n_folds": 3, "adversary": {}, "classifiers": [LINEAR],
        }  # fmt: skip
        scored = score_cell(source=study.source, cache=None, **cell)
        return np.array(scored["decision"]["linear C=10"]).argmax(1)

    if leak:
        with pytest.raises(LeakError, match="predictions changed"):
            assert_blind(predict, dataset.labels, test)
    else:
        assert_blind(predict, dataset.labels, test)


def test_the_chosen_setting_does_not_depend_on_test_labels() -> None:
    dataset = tiny()
    _, test = dataset.split()

    def chosen(labels: np.ndarray) -> np.ndarray:
        source = Source.of(with_labels(dataset, labels, False))
        scores = evaluate_entries(
            Study(source, seeds=(0,)), [Entry("grp", {"n_subspaces": 1}, tune=True), Entry("average")]
        )
        return np.array([s.parameters + s.classifier + str(s.cv_accuracy) for s in scores])

    assert_blind(chosen, dataset.labels, test)


def test_tuning_chooses_the_setting_that_is_best_on_the_folds() -> None:
    """Order decides the planted classes, so a tuned GRP must not choose the weight that ignores it."""
    study = Study(Source.of("planted", {**TINY, "n_sequences": 64}), seeds=(0,), classifiers=("linear",))
    (tuned,) = evaluate_entries(study, [Entry("grp", {"n_subspaces": 1}, tune=True)])
    assert json.loads(tuned.parameters)["n_subspaces"] == 1
    assert tuned.cv_accuracy > 0.7
    assert tuned.accuracy > 0.7


def test_tune_seeds_choose_for_all_seeds(tmp_path: Path) -> None:
    study = Study(Source.of("planted", TINY), seeds=(0, 1, 2), tune_seeds=2, cache=tmp_path)
    scores = evaluate_entries(study, [Entry("grp", {"n_subspaces": 1}, tune=True)])
    assert len({(s.parameters, s.classifier, s.cv_accuracy) for s in scores}) == 1
    alone = [
        evaluate_entries(
            replace(study, seeds=(s,), tune_seeds=None), [Entry("grp", {"n_subspaces": 1}, tune=True)]
        )[0]
        for s in (0, 1)
    ]
    record = ComparisonRecord(scores=pd.DataFrame([{"label": "GRP", **asdict(s)} for s in scores]))
    (choice,) = record.choices().to_dict("records")
    assert choice["n"] == 3
    assert choice["parameters"] == scores[0].parameters
    assert choice["cv_accuracy"] == pytest.approx(100 * scores[0].cv_accuracy)
    # The choice made together is no seed's best, and no better than the mean of what each would choose.
    assert scores[0].cv_accuracy <= np.mean([s.cv_accuracy for s in alone]) + 1e-12
    inner = [f for f in (tmp_path / "cells").iterdir() if "decision" not in json.loads(f.read_text())]
    assert len(inner) == 2 * 3 * 9  # no fold of the third seed


def test_bad_studies_raise_value_errors() -> None:
    with pytest.raises(ValueError, match="candidates"):
        Study(Source.of(tiny()), seeds=(0,), candidates=0)
    with pytest.raises(ValueError, match="tune_seeds"):
        Study(Source.of(tiny()), seeds=(0,), tune_seeds=2)
    with pytest.raises(ValueError, match="fusion"):
        Study(Source.of(tiny()), seeds=(0,), fusion="sum")
    with pytest.raises(ValueError, match="method: expected one of"):
        evaluate_entries(Study(Source.of(tiny()), seeds=(0,)), [Entry("agerage")])
    with pytest.raises(ValueError, match="streams"):
        evaluate_entries(Study(Source.of(tiny()), seeds=(0,), streams=("rgb",)), [Entry("average")])
    with pytest.raises(ValueError, match="seeds"):
        Study(Source.of(tiny()), seeds=())
    with pytest.raises(ValueError, match="classifiers"):
        Study(Source.of(tiny()), seeds=(0,), classifiers=("deep",))
    with pytest.raises(ValueError, match="options"):
        Source.of(tiny(), {"noise": 1})
    with pytest.raises(ValueError, match="parameter"):
        sensitivity(tiny(), "gamma")
    with pytest.raises(ValueError, match="plans"):
        plan_matters(tiny(), plans=("best",))
    with pytest.raises(ValueError, match="beta1"):
        landscape(tiny(), beta1=(1.0, 0.5))


def test_threads_give_the_same_scores(tmp_path: Path) -> None:
    study = Study(Source.of("planted", TINY), seeds=(0, 1), adversary=FAST, classifier=LINEAR)
    entries = [Entry("acot", {"n_subspaces": k}) for k in (1, 2)] + [Entry("average")]
    for n_jobs in (1, 2):
        assert (
            len(evaluate_entries(replace(study, cache=tmp_path / str(n_jobs), n_jobs=n_jobs), entries)) == 6
        )
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / n / "cells").iterdir()} for n in "12")
    assert len(one) == 8  # with two adversaries; decision values and all
    assert one == two
