"""The explorer in Chromium: controls, training, exports, link, upload, keyboard, and no request outside."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pypdf
import pytest
from acot_explorer.method_map import STEPS
from acot_explorer.upload import template_file
from app_server import CHROMIUM, PATIENCE, browser_test, serve
from bad_uploads import BAD

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = browser_test


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of our own on a free port."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with serve(log, "--warm") as (port, _):
        yield f"http://127.0.0.1:{port}/explorer"
    assert "ERROR" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM is not None, "CI must have Chromium"
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update"]  # fmt: skip
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture
def visit(browser, address):
    """Open the explorer at some settings; afterwards: no request left the machine, no script failed."""
    contexts, outside, broken = [], [], []

    def watch(page):
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on(
            "request",
            lambda request: (
                outside.append(request.url)
                if not request.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))
                else None
            ),
        )

    def open_page(query="", width=1280, height=1000):
        context = browser.new_context(
            viewport={"width": width, "height": height}, permissions=["clipboard-read", "clipboard-write"]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        watch(page)
        page.goto(f"{address}?{query}" if query else address, wait_until="domcontentloaded")
        page.get_by_text(re.compile(r"^Step \d · ")).first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert outside == []
    assert broken == []


def figure(page, number=0):
    """A figure of the open step."""
    return page.locator("img:visible").nth(number)


def shown(page, number=0):
    """What a figure shows, once it is there."""
    figure(page, number).wait_for()
    return figure(page, number).get_attribute("src")


def changed(page, before, number=0):
    """Wait until a figure differs from ``before``."""
    for _ in range(PATIENCE // 50):
        now = figure(page, number).get_attribute("src") if figure(page, number).count() else before
        if now != before:
            return now
        page.wait_for_timeout(50)
    raise AssertionError("the figure did not change")


def setting(page, name):
    """A setting as the address bar has it; None at its default."""
    page.wait_for_timeout(50)
    found = re.search(rf"[?&]{name}=([^&]+)", page.url)
    return found and found[1]


def save(page, action):
    """The file that an action makes the browser save."""
    with page.expect_download() as download:
        action()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def export(page, label, number=0):
    page.get_by_role("button", name=re.compile("^Export the figure")).locator("visible=true").nth(
        number
    ).click()
    return save(page, lambda: page.get_by_role("menuitem", name=label).click())


RANDOM = "negatives=random&n_negatives=20&n_iter=100"


def test_every_step_opens_from_the_map_with_keyboard_alone(visit):
    page = visit(f"{RANDOM}")
    places = page.get_by_role("tab")
    expect(places).to_have_count(8)
    places.first.focus()
    for number, title in enumerate(
        ("Data", "Adversary", "Transport", "Subspace", "Classification", "Sensitivity", "Embedding"), 1
    ):
        page.get_by_text(f"Step {number} · {title}").locator("visible=true").wait_for()
        expect(page.get_by_role("tab", name=f"Step {number}: {title}")).to_have_attribute(
            "aria-selected", "true"
        )
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    page.get_by_text("Step 1 · Data").locator("visible=true").wait_for()


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
    before = shown(page)
    slider = page.get_by_role("slider", name=re.compile(re.escape(label))).locator("visible=true")
    slider.focus()
    slider.press(key)
    changed(page, before)
    assert setting(page, name) == value
    page.get_by_role("button", name=re.compile("^Undo")).click()
    for _ in range(200):
        if figure(page).get_attribute("src") == before:
            break
        page.wait_for_timeout(50)
    assert figure(page).get_attribute("src") == before  # the same picture, from the cache
    assert setting(page, name) in (None, "20")


def test_menus_of_the_transport_change_solver_and_negatives(visit):
    page = visit(f"step=transport&{RANDOM}")
    before = shown(page)
    expect(page.get_by_text("+0.00% against the exact plan")).to_be_visible()
    page.get_by_role("combobox", name=re.compile("Transport solver")).click()
    page.get_by_text("Entropic (Sinkhorn)", exact=True).locator("visible=true").click()
    after = changed(page, before)
    assert setting(page, "transport") == "sinkhorn"
    assert figure(page).get_attribute("alt") != ""
    page.get_by_label(re.compile("^Clip")).locator("visible=true").first.fill("4")
    page.keyboard.press("Enter")
    changed(page, after)
    assert setting(page, "clip") == "4"


def test_training_shows_its_curve_pauses_resumes_and_stops(visit):
    page = visit("step=adversary&n_iter=1000&seed=4&sigma=0.02")
    expect(page.get_by_text("No adversary with these settings yet").first).to_be_visible()
    page.get_by_role("button", name="Train", exact=True).click()
    first = shown(page)  # a curve while it trains
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
    assert shown(page, 1)  # what was trained is kept and can be used


def test_training_under_way_survives_a_reload(visit):
    page = visit("step=adversary&n_iter=2000&seed=5")
    page.get_by_role("button", name="Train", exact=True).click()
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
    words = figure(page).get_attribute("alt")
    assert "COT + Random" in words
    assert "Avg. Pool" in words
    assert "Confusion matrix" in figure(page, 1).get_attribute("alt")


def test_a_sweep_runs_reports_and_marks_the_present_setting(visit):
    page = visit("step=sensitivity&n_iter=100&n_seeds=1&swept=eta&n_negatives=20&seed=2")
    run = page.get_by_role("button", name="Run the sweep")
    page.get_by_text("Choose a parameter and press Run the sweep.").wait_for()
    run.click()
    page.get_by_text(re.compile(r"Sweeping: (adversaries|test) \d+ of \d+")).wait_for()
    before = shown(page)
    words = figure(page).get_attribute("alt")
    _, content = export(page, "CSV (data)")
    table = pd.read_csv(io.BytesIO(content))
    ours = table[table["value"].notna()].set_index("value")["accuracy"]
    assert list(ours.index) == [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1]
    assert f"best {ours.max():.0%} at {ours.idxmax():g}" in words
    average = table.loc[table["value"].isna(), "accuracy"].mean()
    page.get_by_text(re.compile(f"average pooling {average:.0%}; 8 values, 1 seed")).first.wait_for()
    # The swept parameter's own slider moves the mark, and nothing is computed anew.
    page.get_by_role("slider", name=re.compile("^Order margin")).locator("visible=true").press("ArrowRight")
    changed(page, before)
    assert setting(page, "eta") == "0.015"
    assert figure(page).get_attribute("alt") == words
    expect(run).to_be_disabled()
    # Any other one makes it another sweep.
    page.get_by_role("slider", name=re.compile("^Subspace dim")).locator("visible=true").press("ArrowRight")
    page.get_by_text("Choose a parameter and press Run the sweep.").wait_for()
    run.click()
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    page.get_by_text("Choose a parameter and press Run the sweep.").wait_for()
    expect(run).to_be_enabled()


def test_the_embedding_follows_its_controls_and_its_points_name_their_clips(visit):
    page = visit("step=embedding&n_iter=100&n_negatives=20&seed=2")
    before = shown(page)  # it begins by itself
    words = figure(page).get_attribute("alt")
    _, content = export(page, "CSV (data)")
    table = pd.read_csv(io.BytesIO(content))
    assert set(table["panel"]) == {"frames", "average", "cot-random", "acot"}
    assert (table["panel"] == "acot").sum() == 96  # the test clips
    assert set(table.loc[table["panel"] == "frames", "kind"]) == {"frame", "negative"}
    page.get_by_role("slider", name=re.compile("^Subspace dim")).locator("visible=true").press("ArrowRight")
    changed(page, before)
    other = figure(page).get_attribute("alt")
    same = [part for part in other.split("; ") if part in words]
    assert any("Average pooling" in part for part in same)  # which has no k
    assert not any("contrastive" in part for part in same)
    page.get_by_role("button", name=re.compile("^Undo")).click()
    for _ in range(200):
        if figure(page).get_attribute("src") == before:
            break
        page.wait_for_timeout(50)
    assert figure(page).get_attribute("src") == before
    # A search for a point of the right half, whose points are clips.
    box = figure(page).bounding_box()
    tip = page.locator(".tip").locator("visible=true")
    for step in range(400):
        x, y = 0.82 + 0.16 * (step % 20) / 20, 0.1 + 0.45 * (step // 20) / 20
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if tip.count() and tip.first.inner_text().startswith("clip"):
            break
    clip, name = tip.first.inner_text().split("\n")
    page.mouse.down()
    page.mouse.up()
    page.get_by_text("Step 1 · Data").locator("visible=true").wait_for()
    shown(page)
    number = clip.removeprefix("clip ")
    page.wait_for_function(f"location.search.includes('clip={number}')")
    expect(figure(page)).to_have_attribute("alt", re.compile(f"clip {number}, class {name}"))


def test_each_export_opens_and_is_what_is_shown(visit):
    page = visit(f"step=subspace&{RANDOM}&beta2=30.0&clip=3")
    shown(page, 1)
    name, table = export(page, "CSV (data)")
    assert name == "acot_energies.csv"
    energies = pd.read_csv(io.BytesIO(table))
    assert set(energies["subspace"]) == {"ordered", "unordered", "pca"}
    ordered = energies.loc[energies["subspace"] == "ordered", "energy"].to_numpy()
    share = f"{np.mean(np.diff(ordered) < 0):.0%}"
    assert share in figure(page).get_attribute("alt")
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
        assert (settings["beta2"], settings["clip"], settings["negatives"]) == (30.0, 3, "random")


def test_the_copied_link_opens_the_same_page(visit):
    page = visit(f"step=subspace&{RANDOM}&beta2=30.0&n_subspaces=3&clip=2")
    picture = shown(page)
    page.get_by_role("button", name=re.compile("^Copy link")).click()
    page.get_by_role("dialog").wait_for()
    link = page.get_by_role("dialog").get_by_role("textbox").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert "beta1=1.0" in link  # defaults, too
    other = visit(link.partition("?")[2])
    assert shown(other) == picture
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Copy code")).click()
    code = page.get_by_role("dialog").get_by_role("textbox").input_value()
    assert "subspace_study" in code
    assert "beta2=30.0" in code


def test_a_link_with_a_bad_value_says_so_and_keeps_the_rest(visit):
    page = visit(f"step=transport&{RANDOM}&beta2=7&clip=6")
    page.get_by_text(re.compile("In the link, beta2 = 7")).first.wait_for()
    shown(page)
    assert setting(page, "clip") == "6"


def test_own_sequences_are_explored(visit, tmp_path):
    page = visit("")
    shown(page)
    name, template = save(page, page.get_by_role("button", name="Template file").click)
    assert template == template_file()
    (tmp_path / name).write_bytes(template)
    before = shown(page)
    page.locator("input[type=file]").first.set_input_files(tmp_path / name)
    changed(page, before)
    page.get_by_text(re.compile("24 clips, 2 classes")).locator("visible=true").first.wait_for()
    assert "rising" in figure(page).get_attribute("alt")
    page.get_by_role("button", name=re.compile("^Copy code")).click()
    assert f"load('{name}')" in page.get_by_role("dialog").get_by_role("textbox").input_value()


def test_bad_files_are_refused_and_what_was_shown_stays(visit, tmp_path):
    page = visit("")
    before = shown(page)
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
        assert figure(page).get_attribute("src") == before, kind
    expect(page.get_by_text("Not loaded")).to_be_visible()


def test_a_file_of_500_megabytes_is_refused_at_once(visit, tmp_path):
    page = visit("")
    before = shown(page)
    file = tmp_path / "huge.npz"
    with file.open("wb") as huge:
        huge.truncate(500 * 2**20)  # takes no room on the disk
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text(re.compile("huge.npz|too large|exceed", re.I)).locator("visible=true").first.wait_for()
    assert figure(page).get_attribute("src") == before


def test_dark_theme_redraws_the_figures(visit):
    page = visit(f"step=transport&{RANDOM}")
    before = shown(page)
    page.get_by_role("button", name=re.compile("theme", re.I)).click()
    changed(page, before)


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
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_step(visit, theme):
    page = visit(RANDOM)
    shown(page, 1)
    if theme == "dark":
        before = shown(page)
        page.get_by_role("button", name=re.compile("theme", re.I)).click()
        changed(page, before)
    page.evaluate(axe_source().read_text())
    for number, step in enumerate(STEPS, 1):
        page.get_by_role("tab", name=re.compile(f"^Step {number}:")).click()
        page.get_by_text(f"Step {number} · ").locator("visible=true").wait_for()
        if step in ("data", "transport", "subspace", "classification"):
            shown(page, 1)
        for _ in range(10):
            page.wait_for_timeout(1200)  # names for what the widgets leave unnamed come once a second
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            serious = [
                (step, rule["id"], [(node["html"][:160], node["target"]) for node in rule["nodes"][:3]])
                for rule in found
                if rule["impact"] in ("serious", "critical")
            ]
            if not serious:
                break
        assert serious == []
