"""Conditions on generated data."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from tiny_studies import TINY

from acot_core._utils.progress import Callback, Cancelled, Progress
from acot_core.datasets import load
from acot_core.experiments import CONDITIONS, Study, conditions
from acot_core.experiments._protocol.study import Entry


@pytest.mark.parametrize("tune", [True, False])
def test_conditions_tune_every_method_where_asked(tune: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def collect(_: Study, entries: list[Entry], __: Callback | None) -> None:
        raise Cancelled([(entry.method, entry.tune) for entry in entries])

    monkeypatch.setattr(sys.modules["acot_core.experiments.beyond.conditions"], "collect", collect)
    with pytest.raises(Cancelled) as asked:
        conditions({"tiny": TINY}, methods=("average", "grp"), seeds=1, tune=tune)
    assert asked.value.args == ([("average", tune), ("grp", tune)],)


def test_conditions_are_compared_within_themselves(tmp_path: Path) -> None:
    asked = {"as it is": TINY, "no cue": {**TINY, "cue_strength": 0.0}}
    run = {"methods": ("average", "grp"), "seeds": 2, "cache": tmp_path, "n_folds": 2}
    record = conditions(asked, **run)
    assert record.complete
    assert list(record.scores["condition"].unique()) == list(asked)
    differences = record.paired("average", ("condition", "label"))
    wide = record.scores.pivot(index="seed", columns=["condition", "label"], values="accuracy")
    for row in differences.itertuples():
        gained = wide[row.condition][row.label] - wide[row.condition]["Avg. Pool"]
        assert row.mean == pytest.approx(100 * gained.mean())
        assert row.n == 2
    # A condition by itself gives what it gives among others.
    alone = conditions({"no cue": asked["no cue"]}, **run).scores
    among = record.scores[record.scores["condition"] == "no cue"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)
    with pytest.raises(ValueError, match="at least one"):
        conditions({})

    def stop(event: Progress) -> None:
        if event.stage == "test":
            raise Cancelled

    stopped = conditions(asked, **{**run, "cache": tmp_path / "other"}, callback=stop)
    assert not stopped.complete


def test_every_condition_can_be_generated() -> None:
    for options in CONDITIONS.values():
        assert len(load("planted", **options)) == options.get("n_sequences", 192)
