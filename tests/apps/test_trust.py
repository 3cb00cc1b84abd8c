"""What a demanding user could not trust in the explorer of 0.1; each test failed there."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from acot_explorer.state import choices_of_data
from app_server import browser_test
from bad_uploads import BAD, good
from explorer_page import RANDOM, changed, export, setting, shown, slider, until
from playwright.sync_api import expect

pytestmark = browser_test


def text(page: Any, pattern: str) -> Any:
    """What is visible of a text in the open step."""
    return page.get_by_text(re.compile(pattern, re.DOTALL)).locator("visible=true").first


def test_a_slider_through_values_says_the_one_that_it_is_at(visit: Any) -> None:
    page = visit(f"step=subspace&{RANDOM}")
    weight = slider(page, "Order weight β₂")
    for value in ("30", "100"):
        weight.press("ArrowRight")
        expect(text(page, f"^Order weight β₂: {value}$")).to_be_visible()
        expect(weight).to_have_attribute("aria-valuetext", value)
    until(page, lambda: setting(page, "beta2") == "100.0")


def test_classification_and_sensitivity_have_the_same_controls_of_the_classifier(visit: Any) -> None:
    for step in ("classification", "sensitivity"):
        page = visit(f"step={step}&{RANDOM}&n_seeds=1")
        for label in ("Kernel width γ", "SVM penalty C"):
            menu = page.get_by_role("combobox", name=re.compile(label)).locator("visible=true")
            expect(menu).to_have_count(1)


def test_the_band_of_the_plan_is_not_sold_as_a_finding(visit: Any) -> None:
    page = visit(f"step=transport&{RANDOM}")
    shown(page)
    expect(text(page, "sorted by the frames .* so a band is no finding")).to_be_visible()
    assert page.get_by_text("dissolves").count() == 0


def test_back_goes_to_the_step_before_and_slider_moves_are_no_steps(visit: Any) -> None:
    page = visit(f"step=subspace&{RANDOM}")
    before = shown(page)
    entries = page.evaluate("history.length")
    slider(page, "Distortion weight").press("ArrowLeft")
    slider(page, "Distortion weight").press("ArrowLeft")
    changed(page, before)
    until(page, lambda: setting(page, "beta1") == "0.9")
    assert page.evaluate("history.length") == entries
    page.get_by_role("tab", name=re.compile("Transport")).click()
    page.wait_for_function("location.search.includes('step=transport')")
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    page.get_by_role("tab", name=re.compile("Subspace"), selected=True).wait_for()
    assert setting(page, "beta1") == "0.9"
    page.go_forward()
    page.get_by_role("tab", name=re.compile("Transport"), selected=True).wait_for()
    shown(page)


def test_an_adversary_has_the_iterations_that_are_set_whoever_trained_before(visit: Any) -> None:
    query = "step=adversary&dataset=planted&stream=features&seed=31"
    page = visit(f"{query}&n_iter=200")
    text(page, "^After 200 iterations").wait_for()
    other = visit(f"{query}&n_iter=100")
    text(other, "^After 100 iterations").wait_for()
    expect(other.get_by_role("button", name="Trained", exact=True)).to_be_visible()


def test_a_tooltip_of_the_bar_does_not_swallow_the_next_buttons_click(visit: Any) -> None:
    page = visit(f"step=transport&{RANDOM}")
    page.get_by_role("button", name=re.compile("^Reset")).hover()
    page.get_by_role("tooltip").first.wait_for()
    page.get_by_role("button", name="Presets").click(timeout=5000)
    page.get_by_role("menuitem", name="Order only").wait_for()


def test_the_data_of_the_second_figure_are_its_own(visit: Any) -> None:
    page = visit(f"step=subspace&{RANDOM}")
    shown(page, 1)
    first, second = (pd.read_csv(io.BytesIO(export(page, "CSV (data)", i)[1])) for i in (0, 1))
    assert {"frame", "energy"} <= set(first.columns)
    assert {"contrast", "distortion", "order", "objective"} <= set(second.columns)


def test_two_fooling_rates_say_what_each_is_of(visit: Any) -> None:
    page = visit("step=adversary&dataset=planted&stream=features&n_iter=100&seed=32")
    text(
        page, r"of all training frames.*Of the negatives of this sequence alone, shown below, \d+% fool it"
    ).wait_for()


def test_what_to_notice_is_about_the_data_that_are_shown(visit: Any) -> None:
    page = visit("dataset=planted&stream=features&step=data")
    text(page, "steady rows are background that all classes share").wait_for()
    other = visit("dataset=basic-motions&step=data")
    text(other, "rows that change with time are what order can use").wait_for()
    assert other.get_by_text("background that all classes share").locator("visible=true").count() == 0


def test_a_refused_file_is_not_called_uploaded_and_what_was_made_of_a_good_one_is_said(
    visit: Any, tmp_path: Path
) -> None:
    page = visit("step=data&dataset=planted&stream=features")
    shown(page)
    chooser = page.locator("input[type=file]").first
    bad, signed = tmp_path / "bad.npz", tmp_path / "signed.npz"
    bad.write_bytes(BAD["a pickle"]())
    chooser.set_input_files(bad)
    text(page, r"bad\.npz").wait_for()
    assert page.get_by_text(re.compile("Uploaded")).locator("visible=true").count() == 0
    rng = np.random.default_rng(0)
    rows = int(np.load(io.BytesIO(good()))["lengths"].sum())
    signed.write_bytes(good(features=rng.normal(size=(rows, 3)).astype(np.float32)))
    chooser.set_input_files(signed)
    text(page, "made of 3 signals per frame by an encoder").wait_for()


def test_data_that_most_steps_refuse_say_so_in_the_menu() -> None:
    titles = list(choices_of_data())
    (few,) = (title for title, name in choices_of_data().items() if name == "hmdb-i3d")
    assert "10 clips of one class" in few or "no copy here" in few
    assert titles.index(few) > titles.index("Planted (generated)")
