"""Figure 5: curves, accuracies along them, quality of the negatives; record and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acot_core._utils.progress import Cancelled, Progress
from acot_core.datasets import planted
from acot_core.experiments.figure5 import STRONG, FoolingRecord, fooling_curves
from acot_core.figures.fooling import plot_fooling_curves, plot_negative_quality
from acot_core.figures.style import render

SMALL = {"n_iter": 40, "classifier_iter": 100, "eval_every": 20, "hidden": 32, "precision": "float32"}


@pytest.fixture(scope="module")
def dataset():  # type: ignore[no-untyped-def]
    return planted(n_sequences=24, dimension=16, cue_size=3, n_background=2, n_pairs=1, length_range=(5, 9))


@pytest.fixture(scope="module")
def record(dataset) -> FoolingRecord:  # type: ignore[no-untyped-def]
    return fooling_curves(
        dataset, sigmas=(0.01, 0.5), seeds=2, accuracy_at=(20, 40, 1000), fixed={"n_negatives": 10},
        adversary=SMALL | STRONG,
    )  # fmt: skip


def test_record_holds_every_curve(record: FoolingRecord, dataset) -> None:  # type: ignore[no-untyped-def]
    streams = len(dataset.streams)
    assert record.complete
    assert len(record.curves) == streams * 2 * 2 * 3 * 2  # σ, seeds, iterations 0, 20, 40, splits
    assert sorted(set(record.accuracies["iteration"])) == [20, 40]  # 1000 lies beyond
    assert len(record.quality) == streams * 2 * 2
    assert record.accuracies["accuracy"].between(0, 1).all()
    assert set(record.final()["sigma"]) == {0.01, 0.5}
    # Curves of different σ and seeds are different trainings.
    last = record.curves[(record.curves["iteration"] == 40) & (record.curves["split"] == "train")]
    assert last["noise_norm"].nunique() == len(last)


def test_accuracy_is_that_of_the_generator_of_its_iteration(dataset, record: FoolingRecord) -> None:  # type: ignore[no-untyped-def]
    short = fooling_curves(
        dataset, sigmas=(0.01,), seeds=[0], accuracy_at=(20,), fixed={"n_negatives": 10},
        adversary=SMALL | STRONG | {"n_iter": 20},
    )  # fmt: skip
    kept = record.accuracies.query("sigma == 0.01 and seed == 0 and iteration == 20")
    assert short.accuracies["accuracy"].tolist() == kept["accuracy"].tolist()


def test_record_round_trip_and_figures(record: FoolingRecord, tmp_path: Path) -> None:
    again = FoolingRecord.load(record.save(tmp_path / "fooling.zip"))
    assert np.allclose(again.curves["fooling_rate"], record.curves["fooling_rate"])
    figure = plot_fooling_curves(again)
    assert len(figure.axes) == len(set(record.curves["stream"])) + 1
    line = figure.axes[0].lines[0]
    curves = record.curves.query("sigma == 0.01 and split == 'train'")
    expected = curves.groupby("iteration")["fooling_rate"].mean()
    assert np.allclose(line.get_ydata(), expected)
    assert len(render(figure)) > 1000
    quality = plot_negative_quality(again, theme="dark")
    assert len(render(quality, "svg")) > 1000
    bars: Any = quality.axes[0].containers[0]
    shown = bars.lines[0].get_ydata()
    assert np.allclose(shown, record.quality.groupby("sigma")["fooling_rate"].mean())


def test_figures_refuse_empty_records() -> None:
    for plot in (plot_fooling_curves, plot_negative_quality):
        with pytest.raises(ValueError, match="record"):
            plot(FoolingRecord())


def test_cancelled_sweep_keeps_what_is_done(dataset) -> None:  # type: ignore[no-untyped-def]
    def stop(progress: Progress) -> None:
        if progress.step >= 1:
            raise Cancelled

    partial = fooling_curves(dataset, sigmas=(0.01,), seeds=2, accuracy_at=(), adversary=SMALL, callback=stop)
    assert not partial.complete
    assert partial.curves["seed"].unique().tolist() == [0]
    assert len(partial.accuracies) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"streams": ["none"]}, "streams"),
        ({"seeds": 0}, "seeds"),
        ({"sigmas": ()}, "sigmas"),
        ({"accuracy_at": (30,), "adversary": SMALL}, "accuracy_at"),
    ],
)
def test_bad_arguments(dataset, arguments, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        fooling_curves(dataset, **arguments)
