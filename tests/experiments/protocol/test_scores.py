"""Scores: intervals by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acot_core.datasets import load
from acot_core.experiments import comparison
from acot_core.experiments._protocol.scores import confidence


def test_confidence_by_hand() -> None:
    interval = confidence(np.array([1.0, 2.0, 3.0]))
    assert interval["mean"] == 2
    assert interval["high"] - 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert np.isnan(confidence(np.array([1.0]))["low"])


def test_differences_are_those_of_the_accuracies_with_an_interval_over_groups() -> None:
    data = load("planted", n_sequences=48)
    data = replace(data, groups=np.array([f"video {i // 2}" for i in range(len(data))]))
    chosen = {"classifier": {"kind": "linear", "C": 10.0}, "seeds": 2, "tune": False}
    record = comparison(data, methods=("average", "grp", "acot-random"), **chosen)
    table = record.differences_of("grp").set_index("against")
    mean = record.scores.groupby("label")["accuracy"].mean()
    for against in ("Avg. Pool", "COT + Random + PCA + order"):
        assert table.loc[against, "mean"] == pytest.approx(100 * (mean["GRP"] - mean[against]))
    row = table.loc["Avg. Pool"]
    assert row["n_groups"] == len(np.unique(data.groups[data.split()[1]]))
    assert row["low"] < row["mean"] < row["high"]
    # Nothing in GRP and averages depends on the seed: only the test sequences move the difference.
    of_grp = record.scores[record.scores["method"] == "grp"]
    assert of_grp["right"].nunique() == 1
    with pytest.raises(ValueError, match="of: the record has no"):
        record.differences_of("krp")
