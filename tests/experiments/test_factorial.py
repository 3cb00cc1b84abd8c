"""The factorial study: combinations, analysis of variance, figure."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_studies import FAST, TINY, tiny

from acot_core import figures
from acot_core.experiments import FactorialRecord, factorial, retrieval

RUN: dict[str, Any] = {
    "negatives": ("adversarial", "random", "none"),
    "plans": ("emd", "uniform"),
    "beta1": (1.0, 2.0),
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> FactorialRecord:
    cache = tmp_path_factory.mktemp("cache")
    return factorial("planted", **RUN, n_subspaces=2, seeds=2, adversary=FAST, cache=cache, **TINY)


def test_every_combination_is_there_once_per_seed(record: FactorialRecord) -> None:
    assert record.complete
    table = record.scores
    contrasted = table[table["negatives"] != "none"]
    assert len(contrasted) == 2 * 2 * 2 * 2 * 2
    assert len(table) - len(contrasted) == 2 * 2 * 2  # without a contrast there is no plan
    assert not table.duplicated(["negatives", "plan", "order", "beta1", "seed"]).any()


def test_a_combination_is_what_retrieval_measures(record: FactorialRecord) -> None:
    fixed = {"acot": {"n_subspaces": 2, "beta1": 2.0, "beta2": 15.0, "transport": "uniform"}}
    alone = retrieval(
        "planted", methods=("acot",), fixed=fixed, tune=False, seeds=2, adversary=FAST, **TINY
    ).scores.query("measure == 'average_precision'")
    mine = record.scores.query(
        "negatives == 'adversarial' and plan == 'uniform' and order == 15 and beta1 == 2"
    )
    np.testing.assert_allclose(mine["average_precision"], alone["value"], atol=1e-6)


def test_analysis_of_variance_finds_the_factor_that_was_put_in() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"negatives": y, "plan": p, "order": o, "beta1": b, "seed": s,
         "nearest": 0.5 + 0.2 * (y == "adversarial") + 0.1 * (o > 0) + 0.001 * rng.normal()}
        for y, p, o, b, s in product(
            ("adversarial", "random"), ("emd", "uniform"), (0.0, 15.0), (1.0, 2.0), range(3)
        )
    ]  # fmt: skip
    table = pd.DataFrame(rows).assign(average_precision=0.0, accuracy=0.0)
    anova = FactorialRecord(scores=table).anova("nearest").set_index("term")
    assert anova.loc["negatives", "share"] == pytest.approx(80, abs=1)
    assert anova.loc["order", "share"] == pytest.approx(20, abs=1)
    assert anova.loc["plan", "share"] < 0.1
    assert anova.loc["negatives", "p"] < 1e-10
    assert anova["share"].sum() == pytest.approx(100)
    with pytest.raises(ValueError, match="response"):
        FactorialRecord(scores=table).anova("speed")


def test_gain_over_no_contrast(record: FactorialRecord) -> None:
    gain = record.contrast("nearest").set_index(["order", "beta1"])
    by_hand = record.scores.query("order == 15 and beta1 == 1").groupby("negatives")["nearest"].mean()
    assert gain.loc[(15.0, 1.0), "random"] == pytest.approx(100 * (by_hand["random"] - by_hand["none"]))


def test_record_and_figure(record: FactorialRecord, tmp_path: Path) -> None:
    again = FactorialRecord.load(record.save(tmp_path / "factorial.zip"))
    figure = figures.plot_factorial(again)
    labels = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert labels[0] == "negatives: adversarial"
    assert len(labels) == len(record.levels())


def test_bad_levels() -> None:
    with pytest.raises(ValueError, match="negatives: expected some of"):
        factorial(tiny(), negatives=("own",))
    with pytest.raises(ValueError, match="at least one level"):
        factorial(tiny(), beta1=())


def test_frames_of_others_have_no_own_frame_to_be_paired_with(tmp_path: Path) -> None:
    asked = {"negatives": ("random", "others", "self"), "plans": ("emd", "identity"), "beta1": (1.0,)}
    record = factorial("planted", **asked, n_subspaces=1, seeds=2, cache=tmp_path, **TINY)
    pairs = set(record.scores[["negatives", "plan"]].itertuples(index=False, name=None))
    assert ("others", "emd") in pairs
    assert ("others", "identity") not in pairs
    assert "negatives x plan" in record.anova("nearest")["term"].tolist()
