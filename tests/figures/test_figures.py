"""Figures: every record has one, in both themes and all widths, the same bytes each time, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from acot_core import figures
from acot_core.experiments import (
    SensitivityRecord,
    ablation,
    embedding,
    evaluate,
    landscape,
    plan_matters,
    sensitivity,
)
from acot_core.figures.style import WIDTHS, band, drawing, format_of, interval, new_figure, render

TINY = {"n_sequences": 32, "n_pairs": 2, "dimension": 24, "length_range": (8, 14)}
FAST = {"n_iter": 3, "classifier_iter": 10, "hidden": 8}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict:
    common = {"adversary": FAST, "cache": tmp_path_factory.mktemp("cache"), **TINY}
    linear = {"kind": "linear", "C": 10.0}
    return {
        "ablation": (
            figures.plot_ablation, ablation("planted", seeds=2, classifier=linear, **common),
        ),
        "comparison": (
            figures.plot_comparison,
            evaluate(
                "planted", encoders=("auto",), subspaces=(1,), classifiers=("linear",), seeds=2, **common
            ),
        ),
        "sensitivity": (
            figures.plot_sensitivity, sensitivity("planted", "beta2", values=(0, 1, 100), seeds=2, **common),
        ),
        "landscape": (
            figures.plot_landscape,
            landscape("planted", beta1=(0.5, 1.0), beta2=(1.0, 10.0), seeds=1, **common),
        ),
        "plans": (figures.plot_plans, plan_matters("planted", plans=("emd", "uniform"), seeds=2, **common)),
        "embedding": (
            figures.plot_embedding, embedding("planted", frames_per_class=6, perplexity=5, **common),
        ),
    }  # fmt: skip


NAMES = ["ablation", "comparison", "sensitivity", "landscape", "plans", "embedding"]


@pytest.mark.parametrize("name", NAMES)
def test_every_record_has_a_figure(drawn: dict, name: str) -> None:
    plot, record = drawn[name]
    sizes = {}
    for theme in ("light", "dark"):
        for width in WIDTHS:
            figure = plot(record, theme=theme, width=width)
            assert figure.get_figwidth() == WIDTHS[width]
            axes = [ax for ax in figure.axes if ax.get_visible()]
            assert all(ax.get_xlabel() or ax.get_ylabel() for ax in axes)
            sizes[theme, width] = render(figure, "png", dpi=60)
    assert sizes["light", "column"] != sizes["dark", "column"]


def test_labels_say_which_interval_and_how_many_seeds(drawn: dict) -> None:
    plot, record = drawn["sensitivity"]
    (legend,) = plot(record).legends
    assert any("each of 2 seeds" in text.get_text() for text in legend.get_texts())


def test_axes_names_carry_the_quality_of_an_embedding(drawn: dict) -> None:
    plot, record = drawn["embedding"]
    labels = [ax.get_xlabel() for ax in plot(record).axes]
    assert len(labels) == 4
    assert all("silhouette" in label and "purity" in label for label in labels)


def simple(theme: str = "light") -> Figure:
    with drawing(theme):
        figure, (axes,) = new_figure()
        band(axes, [0, 1, 2], np.arange(6).reshape(2, 3), color="C0", label="ours")
        axes.legend()
    return figure


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_same_figure_same_bytes(kind: str) -> None:
    first = render(simple(), kind)
    assert first == render(simple(), kind)
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    assert first != render(simple("dark"), kind)


def test_the_callers_settings_are_left_alone() -> None:
    with mpl.rc_context({"font.size": 23.0}):
        simple()
        render(simple())
        assert mpl.rcParams["font.size"] == 23.0


def test_threads_do_not_mix_figures() -> None:
    expected = {theme: render(simple(theme)) for theme in ("light", "dark")}
    themes = ["light", "dark"] * 8
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda theme: render(simple(theme)), themes))
    assert all(image == expected[theme] for image, theme in zip(pictures, themes, strict=True))


def test_interval_of_one_seed_is_empty() -> None:
    mean, low, high = interval(np.ones((1, 3)))
    np.testing.assert_array_equal(low, high)
    np.testing.assert_array_equal(mean, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simple("blue"), "theme"),
        (lambda: new_figure(width="poster"), "width"),
        (lambda: render(simple(), "gif"), "format"),
        (lambda: render(simple(), dpi=0), "dpi"),
        (lambda: format_of("figure.jpg"), "expected a name"),
    ],
)
def test_bad_arguments(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_name_tells_the_format(tmp_path: Path) -> None:
    assert format_of(str(tmp_path / "a.b.PDF")) == "pdf"


@pytest.mark.parametrize(
    ("parameter", "values", "current", "place"),
    [
        ("n_subspaces", range(1, 11), 1, 1),
        ("n_subspaces", range(1, 11), 7, 7),
        ("beta1", (0, 0.5, 1, 2), 0.7, 0.7),  # between two that were swept
        ("beta2", (0, 1, 100), 100, 2),  # at equal distances
        ("beta2", (0, 1, 100), 5, None),  # there is no place for it
        ("beta2", (0, 1, 100), None, None),
    ],
)
def test_the_present_setting_is_marked_where_it_is(parameter, values, current, place):
    rows = [
        {"split": "1", "seed": s, "value": float(v), "accuracy": 0.5 + 0.01 * s}
        for s in range(3)
        for v in values
    ]
    record = SensitivityRecord(parameter=parameter, scores=pd.DataFrame(rows))
    axes = figures.plot_sensitivity(record, current=current).axes[0]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert marks == ([] if place is None else [place])
    assert [text.get_text() for text in axes.texts] == ([] if place is None else [f"now {current:g}"])


def test_pictures_in_rows_under_their_names() -> None:
    rng = np.random.default_rng(0)
    rows = {name: rng.uniform(0, 255, (3, 8, 10, 3)) for name in ("frames", "flow")}
    figure = figures.plot_pictures(rows, {"flow": ("a", "b", "c")})
    assert [ax.get_title("left") for ax in figure.axes if ax.get_title("left")] == ["frames", "flow"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "", "", "a", "b", "c"]
    np.testing.assert_array_equal(figure.axes[4].images[0].get_array(), rows["flow"][1].round())
    assert render(figure, "png")
    with pytest.raises(ValueError, match="rows: expected as many pictures in each"):
        figures.plot_pictures({"frames": rows["frames"], "flow": rows["flow"][:2]})
