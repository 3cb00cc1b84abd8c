"""Living figures: what a chart shows is its record, its exported table and its exported figure."""

from __future__ import annotations

import base64
import io
from functools import cache
from itertools import groupby, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from acot_explorer.film import film_view, plot_film
from acot_explorer.living import charts
from acot_explorer.living.bands import Fooling, Sweep
from acot_explorer.living.bars import Accuracies, Holdings, Taken
from acot_explorer.living.chart import Chart
from acot_explorer.living.heat import Confusion, Frames, Plan
from acot_explorer.living.player import Person, player_values
from acot_explorer.living.scatter import Embedding
from bokeh.document import Document
from film_data import filmed
from PIL import Image

from acot_core.datasets import SequenceDataset, load
from acot_core.experiments.figure2 import SensitivityRecord
from acot_core.experiments.figure4 import PANELS, EmbeddingRecord
from acot_core.experiments.figure5 import FoolingRecord
from acot_core.experiments.views.adversary import NegativesView, TrainingView
from acot_core.experiments.views.one_fit import classification
from acot_core.experiments.views.one_sequence import (
    dataset_view,
    sequence_view,
    subspace_study,
    transport_study,
)
from acot_core.experiments.views.person import PersonView, person_view
from acot_core.figures import plot_energies, plot_sensitivity, plot_terms
from acot_core.figures.coupling import negative_order
from acot_core.figures.person import plot_person
from acot_core.figures.style import INKS, interval
from acot_core.gan.negatives import random_negatives


@cache
def people() -> SequenceDataset:
    return load("stick-figures", n_people=6, n_features=32)


@cache
def pair() -> tuple[Any, Any]:
    frames = people().streams["pose"][4]
    return frames, random_negatives([frames], 20, 0).frames[0]


@cache
def study() -> Any:
    return subspace_study(*pair(), n_subspaces=2)


@cache
def plan(method: str = "ipot") -> Any:
    return transport_study(*pair(), method=method, trace=100)


def shown(chart: Chart, record: Any, *, dark: bool = False) -> Chart:
    """The chart with a record, in a document, whose check of all models it passes."""
    chart.show(chart.data(record), dark=dark)
    document = Document()
    document.add_root(chart.model)
    assert document.to_json()
    return chart


def column(chart: Chart, source: str, name: str) -> np.ndarray:
    return np.asarray(chart.sources[source].data[name])


def test_energies_are_the_records_its_csvs_and_its_figures() -> None:
    chart = shown(charts.energies(), study())
    table = study().to_frame()
    drawn = {line.get_label(): line.get_ydata() for line in plot_energies(study()).axes[0].lines}
    labels = {"pca": "PCA (start)", "unordered": "without order (β₂ = 0)", "ordered": "ACOT (β₂ = 10)"}
    for name, label in labels.items():
        np.testing.assert_array_equal(column(chart, "lines", name), study().energies[name])
        np.testing.assert_array_equal(
            column(chart, "lines", name), table[table["subspace"] == name]["energy"]
        )
        np.testing.assert_array_equal(column(chart, "lines", name), drawn[label])
    legend = {item.label["value"] for item in chart.plots[0].legend[0].items}
    assert legend == set(labels.values())


def test_terms_are_the_records_and_its_figures() -> None:
    chart = shown(charts.terms(), study())
    drawn = plot_terms(study()).axes[0].lines
    for name, line in zip(("contrast", "distortion", "order", "objective"), drawn, strict=False):
        np.testing.assert_array_equal(column(chart, "lines", name), study().terms[name])
        np.testing.assert_array_equal(column(chart, "lines", name), line.get_ydata())


def test_a_new_record_sends_numbers_and_makes_no_model() -> None:
    chart = shown(charts.energies(), study())
    models = {model.id for model in chart.model.references()}
    other = subspace_study(*pair(), beta2=100.0)
    chart.show(chart.data(other))
    np.testing.assert_array_equal(column(chart, "lines", "ordered"), other.energies["ordered"])
    assert {model.id for model in chart.model.references()} == models


def test_a_pin_stays_while_the_curve_goes_on() -> None:
    chart = shown(charts.energies(), study())
    chart.pin("β₂ 10")
    other = subspace_study(*pair(), beta2=100.0)
    chart.show(chart.data(other))
    np.testing.assert_array_equal(column(chart, "lines pinned", "ordered"), study().energies["ordered"])
    np.testing.assert_array_equal(column(chart, "lines", "ordered"), other.energies["ordered"])
    chart.pin("")
    assert len(column(chart, "lines pinned", "ordered")) == 0


@pytest.mark.parametrize("method", ["emd", "ipot", "sinkhorn"])
def test_plan(method: str) -> None:
    record = plan(method)
    chart = shown(Plan(), record)
    n, m = record.plan.shape
    order = negative_order(record)
    np.testing.assert_array_equal(column(chart, "image", "image")[0], record.plan[:, order] * n)
    cells = pd.DataFrame({k: v for k, v in chart.sources["cells"].data.items() if k != "index"})
    both = record.to_frame().merge(cells, left_on=["frame", "negative"], right_on=["t", "negative"])
    assert len(both) == n * m
    np.testing.assert_array_equal(both["mass_x"], both["mass_y"])
    np.testing.assert_array_equal(both["cost_x"], both["cost_y"])
    assert f"{record.value:.4f}" in chart.heat.title.text  # type: ignore[attr-defined]


def test_ipot() -> None:
    chart = shown(charts.ipot(), plan())
    gap = (plan().trace["value"] - plan().exact).abs() / plan().exact
    np.testing.assert_allclose(column(chart, "lines", "gap"), gap.clip(lower=1e-8))
    np.testing.assert_array_equal(column(chart, "lines", "iteration"), plan().trace["iteration"])


def test_frames_and_means() -> None:
    record = sequence_view(people(), "pose", 4)
    chart = shown(Frames(), record)
    order = record.order
    assert len(set(order)) == len(order) == min(96, record.frames.shape[1])
    np.testing.assert_array_equal(column(chart, "image", "image")[0], record.frames.T[order])
    np.testing.assert_array_equal(column(chart, "rows", "its_class"), record.class_mean[order])
    np.testing.assert_allclose(column(chart, "rows", "sequence"), record.frames.mean(0)[order])
    blocks = [name for name, _ in groupby(record.peak_class[order])]
    assert blocks == [name for name in people().class_names if name in blocks]  # one block a class, in order
    assert len(blocks) > 1
    names = chart.heat.yaxis[0].major_label_overrides  # type: ignore[attr-defined]
    assert {record.peak_class[order[int(place)]] for place in names} <= set(blocks)


@pytest.mark.parametrize(
    "make",
    [charts.energies, charts.terms, charts.ipot, charts.training, Accuracies, Confusion, Embedding, Frames,
     Holdings, Plan, Sweep, Taken],
)  # fmt: skip
def test_two_sessions_share_no_model(make: Any) -> None:
    documents = [Document(), Document()]
    for document in documents:
        document.add_root(make().model)


def test_zoom_stays_until_the_shape_changes() -> None:
    chart = Frames()
    chart.show(chart.data(sequence_view(people(), "pose", 4)))
    chart.heat.x_range.end = 5
    chart.show(chart.data(sequence_view(people(), "pose", 4)))
    assert chart.heat.x_range.end == 5
    longer = next(i for i, x in enumerate(people().streams["pose"]) if len(x) != len(pair()[0]))
    chart.show(chart.data(sequence_view(people(), "pose", longer)))
    assert chart.heat.x_range.end == len(people().streams["pose"][longer])


def test_accuracies_and_confusion() -> None:
    record = classification(people(), "pose", n_negatives=10)
    bars = shown(Accuracies(), record)
    for name in ("accuracy", "low", "high", "correct"):
        np.testing.assert_array_equal(column(bars, "bars", name), record.to_frame()[name])
    names = bars.figure.yaxis[0].major_label_overrides  # type: ignore[attr-defined]
    assert [names[p] for p in bars.sources["bars"].data["place"]] == record.accuracies["label"].tolist()
    matrix = shown(Confusion(), record)
    table = record.confusion_frame()
    cells = pd.DataFrame(
        {k: list(v) for k, v in matrix.sources["cells"].data.items() if k in ("true", "predicted", "count")}
    )
    both = table.merge(cells, on=["true", "predicted"])
    assert len(both) == len(table) == len(record.class_names) ** 2
    np.testing.assert_array_equal(both["sequences"], both["count"])


def test_holdings() -> None:
    record = dataset_view(people(), "pose")
    chart = shown(Holdings(), record)
    counts = dict(zip(chart.sources["classes"].data["name"], column(chart, "classes", "count"), strict=True))
    assert counts == record.table["class"].value_counts().to_dict()
    assert column(chart, "lengths", "count").sum() == len(record.table)


def test_what_the_noise_takes() -> None:
    rng = np.random.default_rng(0)
    record = NegativesView(
        frames=rng.random(20), noise=rng.random(20), negatives=rng.random(20), correct=0.9, fooled=0.4
    )
    chart = shown(Taken(), record)
    back = np.argsort(column(chart, "features", "feature"))
    for name, values in (("frame", record.frames), ("noise", record.noise), ("negative", record.negatives)):
        np.testing.assert_array_equal(column(chart, "features", name)[back], values)
    assert "fooled by 40%" in chart.figure.title.text  # type: ignore[attr-defined]


def test_training() -> None:
    rows = [
        {"iteration": i, "split": s, "fooling_rate": i / 100 + (s == "train"), "misclassification_rate": 0.5,
         "noise_norm": 0.1, "wasserstein": 0.2, "generator_loss": 0.0}
        for i in (10, 20, 30) for s in ("train", "held_out")
    ]  # fmt: skip
    record = TrainingView(history=pd.DataFrame(rows), n_iter=100)
    chart = shown(charts.training(), record)
    np.testing.assert_allclose(column(chart, "lines", "fooling_rate"), [1.1, 1.2, 1.3])
    np.testing.assert_allclose(column(chart, "held_out", "fooling_rate"), [0.1, 0.2, 0.3])
    assert column(chart, "lines", "noise_norm").tolist() == [0.1] * 3
    assert [plot.x_range.end for plot in chart.plots] == [100, 100]


def sweep(parameter: str, values: list[float], seeds: int) -> SensitivityRecord:
    rng = np.random.default_rng(1)
    rows = [
        {"method": "acot", "split": "1", "seed": s, "accuracy": rng.random(), "value": v}
        for v in values
        for s in range(seeds)
    ]
    rows += [
        {"method": "average", "split": "1", "seed": s, "accuracy": 0.4 + s / 10, "value": np.nan}
        for s in range(seeds)
    ]
    return SensitivityRecord(parameter=parameter, scores=pd.DataFrame(rows), config={"current": values[1]})


@pytest.mark.parametrize(
    ("parameter", "values"), [("n_subspaces", [1, 2, 4]), ("beta2", [0.0, 0.1, 1.0, 100.0])]
)
def test_sweep_is_the_exported_figures(parameter: str, values: list[float]) -> None:
    record = sweep(parameter, values, 3)
    chart = shown(Sweep(), record)
    axes = plot_sensitivity(record, current=values[1]).axes[0]
    np.testing.assert_allclose(column(chart, "ours", "x"), np.asarray(axes.lines[0].get_xdata()))
    np.testing.assert_allclose(100 * column(chart, "ours", "mean"), np.asarray(axes.lines[0].get_ydata()))
    wide = record.scores.dropna().pivot_table(index="seed", columns="value", values="accuracy")
    np.testing.assert_allclose(column(chart, "ours", "low"), interval(wide.to_numpy())[1])
    assert column(chart, "ours", "value").tolist() == values
    assert (
        column(chart, "runs", "accuracy").tolist()
        == record.scores["accuracy"].dropna().tolist()[: len(values) * 3]
    )
    np.testing.assert_allclose(column(chart, "level", "accuracy"), 0.5)
    assert chart.now.location == np.asarray(axes.lines[-1].get_xdata())[0]  # type: ignore[attr-defined]


def test_sweep_under_way_shows_what_is_there() -> None:
    record = sweep("n_subspaces", [1, 2, 4], 2)
    record.scores = record.scores[:3]  # both seeds of the first value, one of the second, no baseline
    chart = shown(Sweep(), record)
    assert column(chart, "ours", "n").tolist() == [1, 1]
    assert len(column(chart, "runs", "x")) == 3
    record.scores = record.scores[:0]
    chart.show(chart.data(record))
    assert len(column(chart, "ours", "x")) == 0


def test_fooling() -> None:
    rng = np.random.default_rng(2)
    grid = list(product(("a", "b"), (0.01, 0.1), (0, 1, 2), (20, 40)))
    curves = pd.DataFrame(
        [{"stream": st, "sigma": sg, "seed": s, "iteration": i, "split": "train",
          "fooling_rate": rng.random()}
         for st, sg, s, i in grid]
    )  # fmt: skip
    accuracies = curves.drop(columns="split").rename(columns={"fooling_rate": "accuracy"})
    chart = shown(Fooling(("a", "b"), (0.01, 0.1)), FoolingRecord(curves=curves, accuracies=accuracies))
    rows = curves[(curves["stream"] == "b") & (curves["sigma"] == 0.1)]
    np.testing.assert_allclose(
        column(chart, "fooling b 0.1", "mean"), rows.groupby("iteration")["fooling_rate"].mean()
    )
    np.testing.assert_allclose(
        column(chart, "accuracy b 0.1", "mean"), column(chart, "fooling b 0.1", "mean")
    )


def embedding_record() -> EmbeddingRecord:
    rng = np.random.default_rng(3)
    rows = []
    for panel in PANELS:
        kinds = ["frame", "negative"] * 4 if panel == "frames" else ["sequence"] * 5
        for i, kind in enumerate(kinds):
            x, y = rng.random(2)
            rows.append(
                {"panel": panel, "x": x, "y": y, "label": i % 2, "class_name": "ab"[i % 2], "kind": kind}
            )
    quality = [{"panel": p, "silhouette": 0.1, "purity": 0.5, "n_points": 5} for p in PANELS]
    config = {"sequences_shown": [10, 20, 30, 40, 50]}
    return EmbeddingRecord(points=pd.DataFrame(rows), quality=pd.DataFrame(quality), config=config)


def test_embedding_and_a_click_that_opens_a_sequence() -> None:
    record = embedding_record()
    picked: list[int] = []
    chart = shown(Embedding(picked.append), record)
    for name in (n for n in PANELS if n != "frames"):
        rows = record.points[record.points["panel"] == name]
        np.testing.assert_array_equal(column(chart, "sequences", f"x_{name}"), rows["x"])
        np.testing.assert_array_equal(column(chart, "sequences", f"y_{name}"), rows["y"])
    assert column(chart, "frames", "marker").tolist() == ["circle", "x"] * 4
    chart.sources["sequences"].selected.indices = [3]
    assert picked == [40]
    chart.sources["sequences"].selected.indices = [0, 1]  # a class is isolated, nothing opens
    assert picked == [40]
    assert [item.label["value"] for item in chart.legend.items] == ["a", "b"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("dark", [False, True])
def test_themes(dark: bool) -> None:
    chart = shown(charts.energies(), study(), dark=dark)
    ink = INKS["dark" if dark else "light"]
    assert chart.plots[0].background_fill_color == ink.background
    assert chart.plots[0].xaxis[0].major_label_text_color == ink.foreground


# ------------------------------------------------------------------ the person


def person() -> PersonView:
    view = person_view(people(), "pose", 4, pair()[1], plan().plan, n_ghosts=2)
    assert view is not None
    return view


def test_the_person_is_the_one_of_the_sequence() -> None:
    view = person()
    joints = people().raw["joints"][4].reshape(-1, 15, 2).numpy()
    np.testing.assert_allclose(view.joints, joints, rtol=1e-6)
    table = view.to_frame()
    np.testing.assert_allclose(table["x"].to_numpy().reshape(len(joints), 15), joints[..., 0], rtol=1e-6)


def test_ghosts_are_the_nearest_real_frames_of_the_heaviest_negatives() -> None:
    view, sequences = person(), people().streams["pose"]
    Y = pair()[1]
    for t in (0, 7):
        heaviest = np.argsort(-plan().plan[t], kind="stable")[:2]
        assert view.ghost_negative[t].tolist() == heaviest.tolist()
        best = max(
            ((float(frame @ Y[heaviest[0]]), s, f) for s, x in enumerate(sequences) if s != 4
             for f, frame in enumerate(x)),
        )  # fmt: skip
        assert (view.ghost_sequence[t, 0], view.ghost_frame[t, 0]) == best[1:]
        ghost, body = view.ghosts[t, 0], view.joints[t]
        np.testing.assert_allclose(ghost[:, 1].max(), body[:, 1].max())  # on the same ground
        np.testing.assert_allclose(ghost[:, 0].mean(), body[:, 0].mean())


def test_player_gets_every_frame_in_the_pictures_scale() -> None:
    view = person()
    values = player_values(view)
    joints = np.array(values["joints"])
    assert joints.shape == view.joints.shape
    scale = np.ptp(view.joints[..., 0]) / np.ptp(joints[..., 0])
    np.testing.assert_allclose(np.ptp(joints[..., 1]) * scale, np.ptp(view.joints[..., 1]), rtol=0.01)
    assert len(values["names"]) == len(joints)
    assert f"sequence {view.ghost_sequence[3, 0]}" in values["names"][3][0]
    figure = Person()
    figure.show(figure.data(view), dark=True)
    assert figure.view.joints == values["joints"]
    assert figure.view.dark


def test_person_without_joints_or_with_a_bad_plan() -> None:
    assert person_view(load("planted", n_sequences=12), "features", 0) is None
    alone = person_view(people(), "pose", 4)
    assert alone is not None
    assert alone.ghosts.shape[1] == 0
    with pytest.raises(ValueError, match=r"plan: expected shape \(\d+, 20\), got \(2, 20\)"):
        person_view(people(), "pose", 4, pair()[1], np.ones((2, 20)))
    with pytest.raises(ValueError, match="sequence: expected 0 to 47, got 48"):
        person_view(people(), "pose", 48)


def test_strip_of_the_person() -> None:
    view = person()
    figure = plot_person(view, n_frames=4)
    assert len(figure.axes) == 4
    bodies = figure.axes[0].collections[-1].get_segments()  # type: ignore[attr-defined]
    np.testing.assert_allclose(bodies[0], view.joints[0][list(view.bones[0])])


def test_a_film_shows_each_frame_the_picture_that_is_nearest() -> None:
    assert film_view(load("planted", n_sequences=12), "features", 2) is None
    view = film_view(filmed(), "features", 2)
    assert view is not None
    n = len(filmed().streams["features"][2])
    nearest = [min(range(3), key=lambda i: abs(view.rows[i] - t)) for t in range(n)]
    assert view.picture_of.tolist() == nearest
    assert view.to_frame()["shows"].tolist() == [view.rows[i] for i in nearest]
    figure = Person()
    figure.show(figure.data(view))
    assert figure.view.image_of == nearest
    for i, address in enumerate(figure.view.images):
        kind, _, data = address.partition(",")
        assert kind == "data:image/jpeg;base64"
        colour = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).mean((0, 1))
        np.testing.assert_allclose(colour, view.pictures[i].mean((0, 1)), atol=4)
    strip = plot_film(view)
    assert [axes.get_xlabel() for axes in strip.axes] == [f"t = {t}" for t in view.rows]
    np.testing.assert_array_equal(strip.axes[1].images[0].get_array(), view.pictures[1])
    figure.show(figure.data(person()))
    assert figure.view.image_of == []  # a person again
