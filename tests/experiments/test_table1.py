"""Table 1: rows, differences, cache, records, cancelling, Dask."""

from __future__ import annotations

from pathlib import Path

import joblib
import pandas as pd
import pytest
from tiny_studies import FAST, LINEAR, TINY

from acot_core._utils.progress import Cancelled, Progress
from acot_core.experiments import PRESETS, TABLE1, AblationRecord, ablation
from acot_core.experiments.methods import METHODS


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[AblationRecord, Path]:
    cache = tmp_path_factory.mktemp("cache")
    record = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, cache=cache, **TINY)
    return record, cache


def test_table1(table: tuple[AblationRecord, Path]) -> None:
    record, _ = table
    assert record.complete
    assert list(dict.fromkeys(record.scores["method"])) == [*TABLE1, "acot-random", "grp"]
    assert len(record.to_frame()) == 8 * 2
    assert record.table().shape == (8, 1)
    differences = record.differences()
    to_itself = differences[(differences["label"] == "GRP") & (differences["baseline"] == "grp")]
    assert to_itself["mean"].tolist() == [0]
    first = record.scores.pivot_table(index="method", columns="seed", values="accuracy")
    by_hand = 100 * (first.loc["acot"] - first.loc["average"]).mean()
    difference = differences[
        (differences["label"] == METHODS["acot"].label) & (differences["baseline"] == "average")
    ]
    assert difference["mean"].item() == pytest.approx(by_hand)


def test_a_second_run_is_read_from_the_cache(table: tuple[AblationRecord, Path]) -> None:
    record, cache = table
    files = {f: f.stat().st_mtime_ns for f in cache.rglob("*") if f.is_file()}
    again = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, cache=cache, **TINY)
    pd.testing.assert_frame_equal(again.scores, record.scores)
    assert {f: f.stat().st_mtime_ns for f in cache.rglob("*") if f.is_file()} == files


def test_record_round_trip(table: tuple[AblationRecord, Path], tmp_path: Path) -> None:
    record, _ = table
    loaded = AblationRecord.load(record.save(tmp_path / "table.zip"))
    pd.testing.assert_frame_equal(loaded.summary(), record.summary())
    assert loaded.config["seeds"] == [0, 1]


def test_cancelled_ablation_returns_what_is_complete() -> None:
    def stop(event: Progress) -> None:
        if event.stage == "test" and event.step == 2:
            raise Cancelled

    record = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, callback=stop, **TINY)
    assert not record.complete
    assert len(record.scores) == 2


def test_dask_gives_the_same_record(table: tuple[AblationRecord, Path], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    record, _ = table
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        remote = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, cache=tmp_path, **TINY)
    pd.testing.assert_frame_equal(remote.scores, record.scores)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_keywords_of_an_experiment(name: str, tmp_path: Path) -> None:
    preset = PRESETS[name]
    record = ablation(
        "planted", n_subspaces=None, seeds=1, cache=tmp_path, fixed=preset["fixed"],
        classifier=preset["classifier"], adversary={**preset["adversary"], **FAST}, **TINY,
    )  # fmt: skip
    assert record.complete
    assert record.config["adversary"].get("pivot", "mean") == ("frame" if name == "advconot" else "mean")
