"""Living figures in Chromium: time is shared, playing costs the server nothing, numbers are the package's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from acot_explorer.film import film_values, film_view
from acot_explorer.stored import stored
from app_server import browser_test
from explorer_page import changed, evaluate, figure, place, setting, shown, slider, titled, until
from film_data import filmed

from acot_core.datasets import load
from acot_core.datasets.storage import save_dataset
from acot_core.experiments.views.one_sequence import subspace_study
from acot_core.gan.negatives import random_negatives

pytest.importorskip("playwright.sync_api")
pytestmark = browser_test

QUICK = "negatives=random&n_negatives=20"
ENERGIES = "energy ‖U′xₜ‖² over frame t"


def time(page: Any) -> int:
    return int(page.evaluate("window.acotTime.frame"))


def test_pointing_at_a_frame_moves_the_person_and_every_mark(visit):
    page = visit(f"step=subspace&{QUICK}")
    shown(page, 2)
    page.get_by_role("button", name="Pause").locator("visible=true").click()
    energy = evaluate(page, ENERGIES, "return model.renderers[1].data_source.data['ordered'][7]")
    page.mouse.move(*place(page, ENERGIES, 7, energy))
    until(page, lambda: time(page) == 7)
    line = page.get_by_role("slider", name="Frame of the sequence").locator("visible=true")
    assert line.input_value() == "7"
    mark = "const mark = model.center.find((m) => m.tags?.[0] === 'time-line')"
    assert evaluate(page, ENERGIES, f"{mark}; return [mark.location, mark.visible]") == [7, True]
    line.focus()
    line.press("ArrowRight")  # and the other way round
    until(page, lambda: evaluate(page, ENERGIES, f"{mark}; return mark.location") == 8)


def test_playing_moves_on_by_itself_and_tells_the_server_nothing(visit):
    page = visit(f"step=subspace&{QUICK}")
    shown(page, 2)
    pause = page.get_by_role("button", name="Pause").locator("visible=true")
    pause.wait_for()  # it plays as soon as it is seen
    page.evaluate(
        """window.told = 0
        Bokeh.documents.forEach((doc) => doc.on_change((event) => window.told += event.sync))"""
    )
    seen = set()
    until(page, lambda: seen.add(time(page)) or len(seen) > 5)
    assert page.evaluate("window.told") == 0
    pause.click()
    stopped = time(page)
    page.wait_for_timeout(500)
    assert time(page) == stopped


def test_what_a_slider_shows_is_what_the_package_finds(visit):
    page = visit(f"step=subspace&sequence=3&{QUICK}")
    before = shown(page)
    box = slider(page, "Order weight β₂")
    box.focus()
    box.press("ArrowRight")
    changed(page, before)
    frames = load("stick-figures").streams["pose"][3]
    negatives = random_negatives([frames], 20, 0).frames[0]
    for name in ("ordered", "unordered", "pca"):
        there = evaluate(page, ENERGIES, f"return [...model.renderers[1].data_source.data['{name}']]")
        here = subspace_study(frames, negatives, beta2=30.0).energies[name]
        np.testing.assert_allclose(there, here, atol=1e-5)
    assert setting(page, "beta2") == "30.0"


def test_the_figure_follows_a_drag(visit):
    page = visit(f"step=subspace&{QUICK}")
    before = shown(page)
    box = slider(page, "Distortion weight β₁").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    seen = set()
    for move in range(1, 25):
        page.mouse.move(box["x"] + box["width"] / 2 + 5 * move, middle)
        page.wait_for_timeout(60)
        seen.add(shown(page))
    page.mouse.up()
    assert len(seen - {before}) >= 2  # while the button was down


def test_a_click_in_the_embedding_opens_the_sequence_and_back_returns(visit):
    page = visit("step=results&result=figure4")
    shown(page)
    points = stored("figure4").to_frame()
    average = points[points["panel"] == "average"].reset_index(drop=True)
    others = average[["x", "y"]].to_numpy()
    apart = [np.sort(np.linalg.norm(others - p, axis=1))[1] for p in others]
    chosen = int(np.argmax(apart))  # nothing lies on top of it
    page.mouse.click(*place(page, titled(page, "(b)"), *others[chosen]))
    page.get_by_text("Data: What does").locator("visible=true").wait_for()
    assert setting(page, "sequence") == (str(chosen) if chosen else None)
    page.go_back()
    page.get_by_text("Paper: What did").locator("visible=true").wait_for()
    assert figure(page).is_visible()


def test_a_video_plays_as_pictures_on_the_same_time_line(visit, tmp_path):
    save_dataset(tmp_path / "film.npz", filmed())
    page = visit("step=data")
    shown(page)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "film.npz")
    picture = page.locator("img.picture").locator("visible=true")
    picture.wait_for()
    pause = page.get_by_role("button", name="Pause").locator("visible=true")
    pause.click()
    line = page.get_by_role("slider", name="Frame of the sequence").locator("visible=true")
    view = film_view(filmed(), "features", 0)
    expected = film_values(view)
    for t in (0, 3, len(view.picture_of) - 1):
        line.fill(str(t))
        assert picture.get_attribute("src") == expected["images"][expected["image_of"][t]]
        assert time(page) == t


def test_a_move_paints_each_figure_once(visit):
    page = visit(f"step=subspace&{QUICK}")
    shown(page, 2)
    page.get_by_role("button", name="Pause").locator("visible=true").click()
    page.evaluate(
        """() => { window.paints = {}
        for (const view of Bokeh.index.query((view) => view.model.type === "Figure")) {
          view.repainted.connect(() => { paints[view.model.name] = (paints[view.model.name] ?? 0) + 1 })
        } }"""
    )
    before = shown(page)
    box = slider(page, "Distortion weight β₁")
    box.focus()
    box.press("ArrowRight")
    changed(page, before)
    page.wait_for_timeout(500)
    paints = page.evaluate("paints")
    assert paints[ENERGIES] == paints["value over iteration of conjugate gradient"] == 1


PLOTS = """const shown = (view) => view.model.type === "Figure" && view.el.offsetWidth > 0
const plots = [...Bokeh.index.query(shown)]
const parts = (plot, type) => [...plot.children()].filter((view) => view.model.type === type)"""
BLANK = f"""() => {{ {PLOTS}
  const inked = ({{canvas}}) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
    .data.some((value) => value > 0)
  return plots.flatMap((plot) => parts(plot, "Legend").flatMap((legend) => legend.entries))
    .filter((entry) => !inked(entry.glyph)).map((entry) => entry.label) }}"""


def test_every_line_of_a_legend_has_its_sample(visit):
    page = visit(f"step=subspace&{QUICK}")
    shown(page, 2)
    seen = {time(page)}
    until(page, lambda: seen.add(time(page)) or len(seen) > 3)  # the time line has moved
    assert page.evaluate(BLANK) == []
    before = shown(page)
    box = slider(page, "Distortion weight β₁")
    box.focus()
    box.press("ArrowRight")
    before = changed(page, before)
    page.wait_for_timeout(500)
    assert page.evaluate(BLANK) == []
    page.get_by_role("button", name=re.compile("theme", re.I)).click()
    changed(page, before)
    page.wait_for_timeout(500)
    assert page.evaluate(BLANK) == []


@pytest.mark.parametrize(
    "query", ["step=data", "step=adversary", "step=transport", "step=sensitivity", "step=embedding",
              "step=results&result=table1", "step=results&result=figure5"],
)  # fmt: skip
def test_on_a_phone_the_panels_stand_one_below_the_other(visit, query):
    page = visit(query, 390, 844)
    shown(page)
    page.wait_for_timeout(500)
    narrow, cut, blank = page.evaluate(
        f"""() => {{ {PLOTS}
        const named = (plot) => plot.model.title.text || plot.model.name
        const right = (view) => view.el.getBoundingClientRect().right
        return [
          plots.filter((plot) => plot.el.offsetWidth < 300 && plot.model.sizing_mode !== "fixed").map(named),
          plots.filter((plot) =>
            parts(plot, "Title").some((t) => t.get_size().width > plot.bbox.width - plot.frame.bbox.left)
            || parts(plot, "Legend").some((legend) => right(legend) > right(plot) + 1)).map(named),
          ({BLANK})(),
        ] }}"""
    )
    assert (narrow, cut, blank) == ([], [], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.locator(".frame:visible").evaluate_all(
        "frames => frames.filter((each) => each.scrollWidth > each.clientWidth).length"
    )
    assert wide == 0
