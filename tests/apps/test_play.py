"""The Play step in Chromium: dragged, hovered, played, scrubbed, linked; numbers against the package."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from acot_explorer.play import PlaySettings
from acot_explorer.play.engine import classes_answer
from app_server import CHROMIUM, PATIENCE, browser_test, serve

from acot_core.experiments import octant_view
from acot_core.experiments.views.disk import subspace_of, to_disk
from acot_core.subspace import ACOTObjective

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
pytestmark = browser_test


@pytest.fixture(scope="module")
def address(tmp_path_factory):
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


class Octant:
    """The Play step on a page, with its state as Python has it."""

    def __init__(self, page) -> None:
        self.page = page
        self.root = page.locator(".octant")
        self.root.wait_for()
        self.svg = self.root.locator(".disk svg")

    def state(self, *names):
        """Values of the page's state."""
        values = self.root.evaluate(
            "(root, names) => JSON.stringify(names.map((name) => root.play.state[name]))", list(names)
        )
        values = json.loads(values)
        return values[0] if len(values) == 1 else values

    def scene(self):
        """Plan, negatives, U and terms that are on the stage."""
        text = self.root.evaluate(
            "(root) => { const {plan, negatives, U, terms, yours, images, step} = root.play.app.scene();"
            "return JSON.stringify({plan, negatives, U, terms, yours, images, step}) }"
        )
        return json.loads(text)

    def wait(self, condition: str) -> None:
        """Until a JavaScript condition on ``state`` and ``app`` holds."""
        for _ in range(PATIENCE // 50):
            if self.root.evaluate(
                f"(root) => {{ const {{state, app}} = root.play; return !!({condition}) }}"
            ):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never: {condition}")

    def settle(self) -> None:
        """Until the descent has been played and nothing is asked for."""
        self.wait("!state.playing && state.at >= state.path.length - 1 - 1e-6 && state.mode === 'descent'")

    def place(self, point) -> tuple[float, float]:
        """Where a unit vector is on the screen."""
        u, v = to_disk(torch.tensor(point, dtype=torch.float64)).tolist()
        box = self.svg.bounding_box()
        return box["x"] + box["width"] * (u / 1.5 + 1) / 2, box["y"] + box["height"] * (1 - v / 1.5) / 2

    def drag(self, start, stop, steps: int = 8) -> None:
        """Press at one point of the sphere, and let go at another."""
        mouse = self.page.mouse
        mouse.move(*self.place(start))
        mouse.down()
        mouse.move(*self.place(stop), steps=steps)
        mouse.up()

    def numbers(self, column: int) -> list[float]:
        """The table of the terms: what U is worth (0), or your own (1)."""
        cells = self.root.locator(".numbers tr").locator(f"td:nth-of-type({column + 1})").all_inner_texts()
        return [float(cell.replace("−", "-")) for cell in cells[-4:]]


@pytest.fixture
def visit(browser, address):
    """Open the explorer's first step; afterwards: no request left the machine, no script failed."""
    contexts, outside, broken = [], [], []

    def open_page(query="", width=1366, height=657, **options) -> Octant:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("request", lambda request: outside.append(request.url))
        page.goto(f"{address}?{query}" if query else address, wait_until="domcontentloaded")
        return Octant(page)

    yield open_page
    for context in contexts:
        context.close()
    local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
    assert [url for url in outside if not url.startswith(local)] == []
    assert broken == []


def objective(octant: Octant) -> ACOTObjective:
    """The package's objective of what is on the stage."""
    scene, settings = octant.scene(), octant.state("settings")
    X, Y, plan = (
        torch.tensor(values, dtype=torch.float64)[None]
        for values in (octant.state("frames"), scene["negatives"], scene["plan"])
    )
    weights = {name: settings[name] for name in ("beta1", "beta2", "eta")}
    return ACOTObjective(X, plan=plan, negatives=Y, **weights)


def worth(octant: Octant, point) -> list[float]:
    """Weighted terms and value of a subspace, by the package."""
    octant_objective, settings = objective(octant), octant.state("settings")
    U = subspace_of(torch.tensor([point], dtype=torch.float64), settings["n_subspaces"])
    terms = {name: float(value) for name, value in octant_objective.terms(U).items()}
    weighted = [
        -terms["contrast"],
        settings["beta1"] * terms["distortion"],
        settings["beta2"] * terms["order"],
    ]
    return [*weighted, float(octant_objective.value(U))]


def test_it_is_the_first_step_and_moves_by_itself(visit):
    octant = visit()
    octant.wait("state.playing && state.at > 0.2")
    octant.settle()
    path = octant.state("path")
    np.testing.assert_allclose(octant.numbers(0), worth(octant, path[-1]["p"]), atol=6e-4)
    view = octant_view(octant.state("frames"), octant.state("negatives"))
    assert path[-1]["value"] == pytest.approx(view.path["value"].iloc[-1], abs=1e-4)


def test_who_wants_no_motion_gets_none(visit):
    octant = visit(reduced_motion="reduce")
    octant.settle()
    octant.page.wait_for_timeout(1200)
    assert octant.state("playing") is False
    assert octant.state("at") == len(octant.state("path")) - 1


def test_dragging_a_frame_solves_anew_and_the_newest_wins(visit):
    octant = visit()
    octant.settle()
    before, frames = octant.state("path"), octant.state("frames")
    octant.drag(frames[15], [0.2, 0.95, 0.25], steps=25)
    octant.wait("state.frames[15][1] > 0.9")
    octant.page.wait_for_timeout(1500)
    after, moved = octant.state("path", "frames")
    assert moved[:15] == frames[:15]
    assert after != before
    view = octant_view(moved, octant.state("negatives"))
    np.testing.assert_allclose(octant.state("plan"), view.plan, atol=1e-6)
    assert after[-1]["value"] == pytest.approx(view.path["value"].iloc[-1], abs=1e-3)
    np.testing.assert_allclose(octant.numbers(0), worth(octant, octant.scene()["U"]), atol=6e-4)


def test_hovering_over_the_disk_evaluates_that_subspace(visit):
    octant = visit()
    octant.settle()
    for point in ([0.9, -0.1, 0.42], [-0.3, 0.9, 0.3]):
        octant.page.mouse.move(*octant.place(point))
        octant.wait("state.probe && app.scene().yours")
        octant.page.wait_for_timeout(100)
        np.testing.assert_allclose(octant.numbers(1), worth(octant, octant.state("probe")), atol=6e-4)
        expect(octant.root.locator(".curve.yours")).to_have_attribute("d", re.compile("^M"))
    octant.page.mouse.move(5, 5)
    octant.wait("!state.probe")


def test_beat_the_solver(visit):
    octant = visit()
    octant.settle()
    octant.page.mouse.click(*octant.place([0.9, 0.1, 0.42]))
    octant.wait("state.you")
    gap = worth(octant, octant.state("you"))[-1] - octant.state("path")[-1]["value"]
    expect(octant.root.locator(".verdict")).to_contain_text(f"better by {gap:.3f}")
    octant.drag(octant.state("you"), octant.state("path")[-1]["p"])
    expect(octant.root.locator(".verdict")).to_contain_text(re.compile("As good as the solver|You beat"))


def test_play_pause_step_and_scrub(visit):
    octant = visit()
    octant.settle()
    root, path = octant.root, octant.state("path")
    root.get_by_label("Place on the timeline").fill("3")
    expect(root.locator(".where")).to_have_text(
        f"iteration 3 of {len(path) - 1}: objective {path[3]['value']:.3f}".replace("-", "−")
    )
    np.testing.assert_allclose(octant.numbers(0)[-1], path[3]["value"], atol=6e-4)
    root.get_by_role("button", name="One step forward").click()
    octant.wait("state.at === 4")
    root.get_by_role("button", name="One step back").click()
    octant.wait("state.at === 3")
    root.get_by_label("Speed").select_option("0.25")
    root.get_by_role("button", name="Play").click()
    octant.wait("state.playing && state.at > 3")
    root.get_by_role("button", name="Pause").click()
    octant.page.wait_for_timeout(100)
    stopped = octant.state("at")
    octant.page.wait_for_timeout(400)
    assert octant.state("at") == stopped < 6


def test_a_frame_its_couplings_its_energy_and_its_row_are_one(visit):
    octant = visit()
    octant.settle()
    root = octant.root
    octant.page.mouse.move(*octant.place(octant.state("frames")[17]))
    octant.wait("state.hover.frame != null")
    t, scene = octant.state("hover")["frame"], octant.scene()
    partners = sum(share > 1e-6 for share in scene["plan"][t])
    expect(root.locator(".negative.lit")).to_have_count(partners)
    expect(root.locator(".couplings line.lit")).to_have_count(partners)
    expect(root.locator(".image")).to_have_count(1)
    expect(root.locator(".cross")).to_be_visible()
    assert float(root.locator(".spot").get_attribute("cy")) > 0
    chart = root.locator(".energies svg").bounding_box()
    octant.page.mouse.move(chart["x"] + chart["width"] - 9, chart["y"] + 30)
    octant.wait("state.hover.frame === state.frames.length - 1")
    expect(root.locator("circle.frame.lit")).to_have_count(1)
    matrix = root.locator(".matrix").bounding_box()
    octant.page.mouse.move(matrix["x"] + 3, matrix["y"] + 2)
    octant.wait("state.hover.frame === 0 && state.hover.over === 0")
    share = 100 * 20 * octant.scene()["plan"][0][0]
    expect(root.locator(".plan-note")).to_contain_text(f"frame 1 sends {share:.0f} %")


def test_sliders_move_landscape_and_solution(visit):
    octant = visit()
    octant.settle()
    octant.root.get_by_label("Distortion weight").fill("0")
    octant.root.get_by_label("Order weight").fill("0")
    octant.wait(
        "state.settings.beta1 === 0 && state.settings.beta2 === 0 && Math.abs(app.scene().U[2]) > 0.95"
    )
    assert octant.numbers(0)[1:3] == [0, 0]
    octant.root.get_by_role("radio", name="2 plane").click()
    octant.wait("state.settings.n_subspaces === 2 && state.path[0].p[2] < 0.9")
    octant.page.wait_for_timeout(1000)
    view = octant_view(octant.state("frames"), octant.state("negatives"), n_subspaces=2, beta1=0.0, beta2=0.0)
    assert octant.state("path")[-1]["value"] == pytest.approx(view.path["value"].iloc[-1], abs=1e-3)
    expect(octant.root.locator(".circle")).to_have_attribute("d", re.compile("^M"))
    octant.root.get_by_label("transport", exact=True).select_option("sinkhorn")
    octant.wait("state.plan.flat().filter((share) => share > 1e-6).length > 200")


def test_reverse_draw_and_place(visit):
    octant = visit()
    octant.settle()
    frames = octant.state("frames")
    octant.root.get_by_role("button", name="Reverse time").click()
    octant.wait("state.preset === 'reversed'")
    assert octant.state("frames") == frames[::-1]
    octant.root.get_by_role("button", name="Draw").click()
    octant.drag([0.9, 0.4, 0.1], [0.1, 0.3, 0.95], steps=12)
    octant.wait("state.preset === 'own' && state.tool === null")
    drawn = np.array(octant.state("frames"))
    assert len(drawn) == 20
    assert drawn[0, 0] > 0.8
    assert drawn[-1, 2] > 0.9
    octant.root.get_by_role("button", name="Negative", exact=True).click()
    octant.page.mouse.click(*octant.place([0.3, 0.3, 0.9]))
    octant.wait(
        "state.negatives.length === 51 && state.plan[0].length === 51 && state.settings.negatives === 'own'"
    )
    octant.root.get_by_role("button", name="Negative", exact=True).click()
    octant.page.mouse.dblclick(*octant.place(octant.state("negatives")[-1]))
    octant.wait("state.negatives.length === 50")


def test_the_alternation_half_step_by_half_step(visit):
    octant = visit()
    octant.settle()
    octant.root.get_by_role("radio", name="Alternation").click()
    octant.wait("state.alternation")
    objective_ = octant.state("alternation")["objective"]
    expect(octant.root.locator(".where")).to_contain_text("round 1, new plan")
    octant.root.get_by_role("button", name="One step forward").click()
    expect(octant.root.locator(".where")).to_have_text(
        f"round 1, U turned: value {objective_[1]:.3f}".replace("-", "−")
    )
    assert octant.scene()["U"] == pytest.approx(octant.state("alternation")["points"][1])


def test_the_adversary_is_trained_live(visit):
    octant = visit()
    octant.settle()
    octant.root.get_by_role("radio", name="Adversary").click()
    octant.root.get_by_role("button", name="Play").click()
    octant.wait("state.snapshots.length > 3")
    octant.wait("state.snapshots.length === 49 && !state.training")
    snapshots = octant.state("snapshots")
    assert snapshots[0]["fooling_rate"] < 0.2 < 0.8 < snapshots[-1]["fooling_rate"]
    heights = [np.mean(np.array(snapshots[i]["negatives"])[:, 2]) for i in (0, -1)]
    assert heights[1] < 0.4 * heights[0]
    octant.root.get_by_label("Place on the timeline").fill("0")
    octant.wait("state.at === 0 && !state.playing")
    first = octant.numbers(0)
    octant.root.get_by_label("Place on the timeline").fill("48")
    octant.wait("state.at === 48")
    octant.page.wait_for_timeout(100)
    assert octant.numbers(0) != first  # the landscape has tilted
    np.testing.assert_allclose(octant.numbers(0), worth(octant, octant.scene()["U"]), atol=6e-4)
    expect(octant.root.locator(".where")).to_contain_text(f"{100 * snapshots[48]['fooling_rate']:.0f} %")


def test_two_classes_whose_averages_coincide(visit):
    octant = visit()
    octant.settle()
    octant.root.get_by_label("Sequence", exact=True).select_option("classes")
    octant.wait("state.twin")
    U, V = octant.scene()["U"], octant.state("twin")["path"][-1]["p"]
    octant.settle()
    U = octant.scene()["U"]
    angle = np.degrees(np.arccos(min(1, abs(np.dot(U, V)))))
    expect(octant.root.locator(".verdict")).to_contain_text(f"averages are 0° apart, their U {angle:.0f}°")


def test_six_scenes_and_whether_it_helps(visit):
    octant = visit()
    octant.settle()
    root = octant.root
    titles = []
    for number in range(1, 7):
        button = root.get_by_role("button", name=f"Scene {number}:")
        button.click()
        expect(button).to_have_attribute("aria-current", "step")
        titles.append(root.get_by_role("heading", level=2).inner_text())
    assert titles[0] == "What is a sequence?"
    assert len(set(titles)) == 6
    octant.wait("state.classes && state.classes.points.length === 60 && state.preset === 'growing'")
    expected = classes_answer(PlaySettings(), "acot")["accuracies"]
    for name, label in (("average", "average"), ("pca", "PCA"), ("acot", "ACOT")):
        expect(root.get_by_role("radio", name=label)).to_contain_text(f"{100 * expected[name]:.0f}")


def test_by_keyboard_alone(visit):
    octant = visit()
    octant.settle()
    octant.root.locator("circle.frame").first.focus()
    octant.page.keyboard.press("ArrowRight")
    octant.wait("state.hover.frame === 1")
    frames = octant.state("frames")
    octant.page.keyboard.press("Shift+ArrowUp")
    octant.wait("state.preset === 'own'")
    assert octant.state("frames")[1][2] > frames[1][2]
    ring = octant.root.get_by_role("slider", name="Your U")
    ring.focus()
    octant.page.keyboard.press("ArrowLeft")
    octant.wait("state.you")
    value = worth(octant, octant.state("you"))[-1]
    expect(ring).to_have_attribute("aria-valuetext", f"objective {value:.3f}".replace("-", "−"))
    octant.page.keyboard.press("Escape")
    octant.wait("!state.you")


def test_the_settings_go_on_to_the_data(visit):
    octant = visit()
    octant.settle()
    octant.root.get_by_label("Order weight").fill("7")
    octant.wait("state.settings.beta2 === 30")
    octant.root.get_by_role("button", name="Take these settings to my data").click()
    octant.page.wait_for_url(re.compile("step=data.*beta2=30|beta2=30.*step=data"))


def test_link_and_undo_bring_back_what_was_played_with(visit):
    octant = visit()
    octant.settle()
    start = octant.state("frames")
    octant.root.get_by_label("Distortion weight").fill("0")
    octant.page.wait_for_url(re.compile("beta1"))
    octant.page.wait_for_timeout(1100)  # another change, not the same move
    octant.drag(start[15], [0.2, 0.95, 0.25])
    octant.page.wait_for_url(re.compile("frames"))
    again = visit(octant.page.url.partition("?")[2])
    again.wait("state.preset === 'own' && state.settings.beta1 === 0")
    np.testing.assert_allclose(again.state("frames"), octant.state("frames"), atol=6e-4)
    undo = octant.page.get_by_role("button", name=re.compile("^Undo"))
    undo.click()
    octant.wait("state.preset === 'growing' && state.settings.beta1 === 0")
    undo.click()
    octant.wait("state.settings.beta1 === 1")
    np.testing.assert_allclose(octant.state("frames"), start, atol=1e-6)


def test_the_figure_is_exported_as_it_is(visit):
    octant = visit()
    octant.settle()
    with octant.page.expect_download() as download:
        octant.root.get_by_label("Export the figure").select_option("csv")
    lines = Path(download.value.path()).read_text().splitlines()
    table = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    shown = [row["value"] for row in octant.state("path")]
    np.testing.assert_allclose([float(row["value"]) for row in table], shown, atol=1e-4)


def test_the_landscape_follows_a_drag(visit):
    octant = visit()
    octant.settle()
    frames, landscapes, solutions = octant.root.evaluate(
        "async (root) => { const {state, app} = root.play, canvas = root.querySelector('.disk canvas');"
        "const seen = new Set(), start = performance.now(), solved = state.solved || 0; let frames = 0;"
        "while (performance.now() - start < 3000) { const s = (performance.now() - start) / 3000;"
        "const p = [0.5 - 0.4 * s, 0.3 + 0.5 * s, 0.6], n = Math.hypot(...p);"
        "app.moveFrame(15, p.map((x) => x / n)); await new Promise(requestAnimationFrame);"
        "const c = canvas.width, pixels = canvas.getContext('2d').getImageData(c * 0.6, c * 0.4, 40, 40);"
        "seen.add(pixels.data.join()); frames += 1 }"
        "return [frames, seen.size, state.solved - solved] }"
    )
    assert landscapes >= 0.8 * frames > 4  # another landscape at nearly every frame that the browser draws
    assert solutions >= 2


@pytest.mark.parametrize(("width", "height"), [(1366, 657), (1280, 720), (800, 900), (390, 844)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_and_can_be_read(visit, width, height, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    octant = visit("", width, height, color_scheme=theme)
    octant.settle()
    octant.wait(f"state.dark === {str(theme == 'dark').lower()}")
    assert octant.root.evaluate("(root) => root.scrollWidth - root.clientWidth") <= 0
    if width >= 1280:
        for part in (".disk", ".slider.beta1", ".slider.beta2", ".player", ".plan"):
            box = octant.root.locator(part).bounding_box()
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height, part
    report = axe.run(octant.page, context={"include": [["body"]]})
    serious = [v for v in report.response["violations"] if v["impact"] in ("serious", "critical")]
    where = [(v["id"], n["target"], n["failureSummary"]) for v in serious for n in v["nodes"]]
    assert [w for w in where if "octant" in json.dumps(w) or ".play" in json.dumps(w)] == []
