"""The explorer in Chromium: controls, training, exports, link, upload, keyboard, and no request outside."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pypdf
import pytest
from acot_explorer.method_map import STEPS
from acot_explorer.upload import template_file
from app_server import browser_test
from bad_uploads import BAD
from explorer_page import (
    RANDOM,
    changed,
    evaluate,
    export,
    figure,
    place,
    save,
    setting,
    shown,
    titled,
    until,
    words,
)  # fmt: skip

from acot_core.datasets import load

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = browser_test


def test_every_step_opens_from_the_map_with_keyboard_alone(visit):
    page = visit(f"{RANDOM}")
    places = page.get_by_role("tab")
    expect(places).to_have_count(len(STEPS))
    places.first.focus()
    page.keyboard.press("Home")
    for number, title in enumerate(STEPS.values(), 1):
        page.get_by_text(f"Step {number} · {title}").locator("visible=true").wait_for()
        expect(page.get_by_role("tab", name=f"Step {number}: {title}")).to_have_attribute(
            "aria-selected", "true"
        )
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    page.get_by_text("Step 1 · ").locator("visible=true").wait_for()


@pytest.mark.parametrize(
    ("label", "name", "key", "value"),
    [
        ("Subspace dimension k", "n_subspaces", "ArrowRight", "2"),
        ("Distortion weight β₁", "beta1", "ArrowLeft", "0.95"),
        ("Order weight β₂", "beta2", "ArrowRight", "30.0"),
        ("Order margin η", "eta", "ArrowRight", "0.015"),
        ("Number of negatives m", "n_negatives", "ArrowRight", "30"),
    ],
)
def test_each_slider_of_the_subspace_changes_its_setting_and_the_figure(visit, label, name, key, value):
    page = visit(f"step=subspace&{RANDOM}")
    before, text = shown(page), (words(page), words(page, 1))
    slider = page.get_by_role("slider", name=re.compile(re.escape(label))).locator("visible=true")
    slider.focus()
    slider.press(key)
    now = changed(page, before)
    assert (words(page), words(page, 1)) != text
    assert setting(page, name) == value
    page.get_by_role("button", name=re.compile("^Undo")).click()
    changed(page, now)
    until(page, lambda: (words(page), words(page, 1)) == text)
    assert setting(page, name) in (None, "20")


def test_menus_of_the_transport_change_solver_and_negatives(visit):
    page = visit(f"step=transport&{RANDOM}")
    before = shown(page)
    expect(page.get_by_text("+0.00% against the exact plan")).to_be_visible()
    page.get_by_role("combobox", name=re.compile("Transport solver")).click()
    page.get_by_text("Entropic (Sinkhorn)", exact=True).locator("visible=true").click()
    after = changed(page, before)
    assert setting(page, "transport") == "sinkhorn"
    assert words(page) != ""
    page.get_by_label(re.compile("^Sequence")).locator("visible=true").first.fill("4")
    page.keyboard.press("Enter")
    changed(page, after)
    assert setting(page, "sequence") == "4"


def test_training_shows_its_curve_pauses_resumes_and_stops(visit):
    page = visit("step=adversary&n_iter=1000&seed=4&sigma=0.02")
    first = shown(page)  # it begins by itself: a curve while it trains
    changed(page, first)
    page.get_by_role("button", name="Pause").click()
    resume = page.get_by_role("button", name=re.compile(r"Resume from \d+"))
    resume.wait_for()
    done = int(re.search(r"\d+", resume.inner_text())[0])
    assert 0 < done < 1000
    page.reload(wait_until="domcontentloaded")
    resume = page.get_by_role("button", name=f"Resume from {done}")
    resume.wait_for()
    shown(page)
    page.get_by_role("button", name=re.compile("^Step:")).click()
    page.get_by_role("button", name=f"Resume from {done + 20}").click()
    page.get_by_role("button", name=re.compile("^Stop")).click()
    page.get_by_role("button", name="Train", exact=True).wait_for()
    assert shown(page, 1)  # what was trained can be used


def test_training_under_way_survives_a_reload(visit):
    page = visit("step=adversary&n_iter=2000&seed=5")
    shown(page)
    page.reload(wait_until="domcontentloaded")
    page.get_by_text(re.compile(r"Training the adversary: adversary \d+ of 2000")).wait_for()
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name=re.compile(r"Resume from \d+")).wait_for()


def test_accuracy_stands_beside_average_pooling(visit):
    page = visit(f"step=classification&{RANDOM}")
    shown(page)
    expect(
        page.get_by_text(re.compile("average pooling", re.I)).locator("visible=true").first
    ).to_be_visible()
    assert "COT + Random" in words(page)
    assert "Avg. Pool" in words(page)
    assert "Confusion matrix" in words(page, 1)


def test_a_sweep_streams_its_points_marks_the_present_setting_and_stops(visit):
    page = visit("step=sensitivity&n_iter=100&n_seeds=1&swept=eta&n_negatives=20&seed=2")
    page.get_by_text(re.compile(r"Sweeping: value \d+ of 8, (adversaries|test)")).wait_for()
    before = shown(page)  # it begins by itself, and the first values are shown before the last are done
    page.get_by_text(re.compile("; 8 of 8 values, 1 seed")).first.wait_for()
    _, content = export(page, "CSV (data)")
    table = pd.read_csv(io.BytesIO(content))
    ours = table[table["value"].notna()].set_index("value")["accuracy"]
    assert list(ours.index) == [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1]
    text = words(page)
    assert f"best {ours.max():.0%} at {ours.idxmax():g}" in text
    average = table.loc[table["value"].isna(), "accuracy"].mean()
    page.get_by_text(re.compile(f"average pooling {average:.0%}; 8 of 8 values")).first.wait_for()
    # The swept parameter's own slider moves the mark, and nothing is computed anew.
    run = page.get_by_role("button", name="Run the sweep").locator("visible=true")
    before = shown(page)
    page.get_by_role("slider", name=re.compile("^Order margin")).locator("visible=true").press("ArrowRight")
    changed(page, before)
    assert setting(page, "eta") == "0.015"
    assert words(page) == text
    expect(run).to_be_disabled()
    # Any other one makes it another sweep.
    page.get_by_role("slider", name=re.compile("^Subspace dim")).locator("visible=true").press("ArrowRight")
    page.get_by_text(re.compile(r"; [1-7] of 8 values, 1 seed")).first.wait_for()
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    expect(run).to_be_enabled()
    assert figure(page).count() == 1  # the points that were finished are shown


def test_the_embedding_follows_its_controls_and_its_points_name_their_sequences(visit):
    page = visit("step=embedding&n_iter=100&n_negatives=20&seed=2")
    before = shown(page)  # it begins by itself
    text = words(page)
    _, content = export(page, "CSV (data)")
    table = pd.read_csv(io.BytesIO(content))
    assert set(table["panel"]) == {"frames", "average", "cot-random", "acot"}
    assert (table["panel"] == "acot").sum() == 96  # the test sequences
    assert set(table.loc[table["panel"] == "frames", "kind"]) == {"frame", "negative"}
    page.get_by_role("slider", name=re.compile("^Subspace dim")).locator("visible=true").press("ArrowRight")
    changed(page, before)
    other = words(page)
    same = [part for part in other.split("; ") if part in text]
    assert any("Average pooling" in part for part in same)  # which has no k
    assert not any("contrastive" in part for part in same)
    page.get_by_role("button", name=re.compile("^Undo")).click()
    until(page, lambda: words(page) == text)
    # The dot of average pooling that lies farthest from its neighbours, whose sequence is then opened.
    rows = "const rows = model.renderers[0].data_source.data; return ['x_average', 'y_average', 'sequence']"
    plot = titled(page, "(b)")
    x, y, sequences = np.array(evaluate(page, plot, f"{rows}.map((name) => [...rows[name]])"))
    places = np.stack([x, y], 1)
    apart = np.sort(np.linalg.norm(places[:, None] - places, axis=2), axis=1)[:, 1]
    dataset = load("stick-figures", random_state=2)
    assert sequences.tolist() == dataset.split()[1].tolist()
    dot = int(np.argmax(apart))
    page.mouse.click(*place(page, plot, *places[dot]))
    page.get_by_role("tab", name="Data", selected=True).wait_for()
    shown(page)
    number = int(sequences[dot])
    page.wait_for_function(f"location.search.includes('sequence={number}')")
    name = dataset.class_names[dataset.labels[number]]
    expect(figure(page)).to_have_attribute("data-alt", re.compile(f"equence {number}.*{name}"))
    page.go_back()
    page.get_by_role("tab", name="Embedding", selected=True).wait_for()


def test_each_export_opens_and_is_what_is_shown(visit):
    page = visit(f"step=subspace&{RANDOM}&beta2=30.0&sequence=3")
    shown(page, 1)
    name, table = export(page, "CSV (data)")
    assert name == "acot_energies.csv"
    energies = pd.read_csv(io.BytesIO(table))
    assert set(energies["subspace"]) == {"ordered", "unordered", "pca"}
    ordered = energies.loc[energies["subspace"] == "ordered", "energy"].to_numpy()
    share = f"{np.mean(np.diff(ordered) < 0):.0%}"
    assert share in words(page)
    name, pdf = export(page, "PDF")
    assert "Energy over time" in pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    name, svg = export(page, "SVG", 1)
    assert name == "acot_objective.svg"
    assert svg.lstrip().startswith(b"<?xml")
    assert b"<image" not in svg
    name, png = export(page, "PNG (300 dpi)")
    assert png.startswith(b"\x89PNG")
    name, everything = save(page, page.get_by_role("button", name=re.compile("^Export all")).click)
    with zipfile.ZipFile(io.BytesIO(everything)) as file:
        assert file.read("energies.csv") == table
        settings = json.loads(file.read("settings.json"))["settings"]
        assert (settings["beta2"], settings["sequence"], settings["negatives"]) == (30.0, 3, "random")


def test_the_copied_link_opens_the_same_page(visit):
    page = visit(f"step=subspace&{RANDOM}&beta2=30.0&n_subspaces=3&sequence=2")
    shown(page, 1)
    text = words(page), words(page, 1)
    page.get_by_role("button", name=re.compile("^Copy link")).click()
    page.get_by_role("dialog").wait_for()
    link = page.get_by_role("dialog").get_by_role("textbox").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert "beta1=1.0" in link  # defaults, too
    other = visit(link.partition("?")[2])
    shown(other, 1)
    assert (words(other), words(other, 1)) == text
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Copy code")).click()
    code = page.get_by_role("dialog").get_by_role("textbox").input_value()
    assert "subspace_study" in code
    assert "beta2=30.0" in code


def test_a_link_with_a_bad_value_says_so_and_keeps_the_rest(visit):
    page = visit(f"step=transport&{RANDOM}&beta2=7&sequence=6")
    page.get_by_text(re.compile("In the link, beta2 = 7")).first.wait_for()
    shown(page)
    assert setting(page, "sequence") == "6"


def test_own_sequences_are_explored(visit, tmp_path):
    page = visit("step=data")
    shown(page)
    name, template = save(page, page.get_by_role("button", name="Template file").click)
    assert template == template_file()
    (tmp_path / name).write_bytes(template)
    before = shown(page)
    page.locator("input[type=file]").first.set_input_files(tmp_path / name)
    changed(page, before)
    page.get_by_text(re.compile("24 sequences, 2 classes")).locator("visible=true").first.wait_for()
    assert "rising" in words(page)
    page.get_by_role("button", name=re.compile("^Copy code")).click()
    assert f"load('{name}')" in page.get_by_role("dialog").get_by_role("textbox").input_value()


def test_bad_files_are_refused_and_what_was_shown_stays(visit, tmp_path):
    page = visit("step=data")
    shown(page)
    before = words(page)
    chooser = page.locator("input[type=file]").first
    for number, (kind, content) in enumerate(BAD.items()):
        if kind == "nothing":
            continue  # the browser sends no empty file
        file = tmp_path / f"bad{number}.npz"
        file.write_bytes(content())
        chooser.set_input_files(file)
        refusal = page.get_by_text(re.compile(rf"bad{number}\.npz:")).locator("visible=true").first
        refusal.wait_for()
        assert "Traceback" not in refusal.inner_text(), kind
        assert words(page) == before, kind
    expect(page.get_by_text("Not loaded")).to_be_visible()


def test_a_file_of_500_megabytes_is_refused_at_once(visit, tmp_path):
    page = visit("step=data")
    shown(page)
    before = words(page)
    file = tmp_path / "huge.npz"
    with file.open("wb") as huge:
        huge.truncate(500 * 2**20)  # takes no room on the disk
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text(re.compile("huge.npz|too large|exceed", re.I)).locator("visible=true").first.wait_for()
    assert words(page) == before


def test_the_theme_follows_the_system_and_what_was_chosen_is_remembered(visit):
    def background(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = visit(f"step=transport&{RANDOM}"), visit(f"step=transport&{RANDOM}", scheme="dark")
    shown(light)
    before = shown(dark)
    until(dark, lambda: background(dark) != background(light))
    chosen = background(light)
    dark.get_by_role("button", name=re.compile("theme", re.I)).click()
    changed(dark, before)
    until(dark, lambda: background(dark) == chosen)
    until(dark, lambda: "acot-theme=light" in dark.evaluate("document.cookie"))
    dark.reload(wait_until="domcontentloaded")
    shown(dark)
    assert background(dark) == chosen


def test_reset_and_presets(visit):
    page = visit(f"step=subspace&{RANDOM}&beta1=0.5")
    before = shown(page)
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("menuitem", name="Order only").click()
    changed(page, before)
    assert (setting(page, "beta1"), setting(page, "beta2")) == ("0.0", "100.0")
    page.get_by_role("button", name=re.compile("^Reset")).click()
    page.wait_for_function("!location.search.includes('beta')")
    assert setting(page, "step") == "subspace"


def test_narrow_page_needs_no_sideways_scrolling(visit):
    page = visit(f"step=subspace&{RANDOM}", width=800)
    shown(page, 1)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 800
    for number in (0, 1):
        box = figure(page, number).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 800


def axe_source():
    """axe-core: from `ACOT_AXE`, or as axe-playwright-python (of the dev extra) brings it; else None."""
    if given := os.environ.get("ACOT_AXE"):
        return Path(given)
    package = importlib.util.find_spec("axe_playwright_python")
    return Path(package.origin).with_name("axe.min.js") if package and package.origin else None


@pytest.mark.skipif(
    axe_source() is None and not os.environ.get("CI"), reason="axe-playwright-python is not installed"
)
@pytest.mark.parametrize("step", STEPS)
def test_axe_finds_nothing_serious_in_either_theme(visit, step):
    def background():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = visit(f"step={step}&{RANDOM}")
    if step in ("data", "transport", "subspace", "classification", "results"):
        shown(page)
    page.evaluate(axe_source().read_text())
    assert serious_violations(page) == []
    light = background()
    page.emulate_media(color_scheme="dark")
    until(page, lambda: background() != light)
    assert serious_violations(page, ["color-contrast", "link-in-text-block"]) == []


def serious_violations(page: Any, rules: list[str] | None = None) -> list[object]:
    """What axe calls serious or critical, four looks long: some names and colours come a second later."""
    options = {"resultTypes": ["violations"]} | (
        {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    )
    serious: list[object] = []
    for _ in range(4):
        page.wait_for_timeout(1200)
        violations = page.evaluate("options => axe.run(document, options)", options)["violations"]
        serious = [
            (rule["id"], [(node["html"][:160], node["target"]) for node in rule["nodes"][:3]])
            for rule in violations
            if rule["impact"] in ("serious", "critical")
        ]
        if not serious:
            break
    return serious
