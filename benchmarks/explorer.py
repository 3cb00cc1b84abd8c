"""Waits of a session of the explorer for its figures, alone and among many.

    python -m benchmarks.explorer [--moves 8] [--sessions 20 --seconds 60] [--processes 2] [--out FILE]
        [--root CHECKOUT]

Starts a server of its own and drives it in Chromium. "Slider" is the time from the key press to the new
figure on the screen, at the planted data, at settings that were not seen before, in the steps Subspace and
Transport; then the same while another session trains adversaries; "drag" the figures per second while a
slider is dragged. In the step Play: from a slider to the new solution, landscapes and solutions per second
while a frame is dragged, and pictures per second while it plays, is hovered over and scrubbed. First paint is
the first figure, in Play the octant when its star has begun to walk. ``--sessions`` adds
`benchmarks.explorer_load`; ``--processes`` has several processes share them, ``--root`` measures the explorer
of another checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from acot_core._utils.files import atomic_write
from acot_core.experiments.record import environment
from benchmarks.explorer_load import CHOSEN, FIGURE, SLIDERS, TRAINING, begin_training, load

ROOT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
PATIENCE = 180_000


@contextmanager
def server(log: Path | None = None, root: Path = ROOT, processes: int = 1) -> Iterator[tuple[str, int]]:
    """The explorer of a checkout on a free port: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", str(root / "apps/explorer.py"), "--port", str(port),
               "--address", "127.0.0.1"]  # fmt: skip
    # What is made warm before the server divides itself would be shared by all of its parts.
    command += ["--warm"] if processes == 1 else ["--num-procs", str(processes)]
    with Path(log or os.devnull).open("w") as output:
        paths = os.pathsep.join([str(root), str(root / "apps")])
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=output, stderr=output)
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/explorer", process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


def open_page(browser: Browser, url: str) -> Page:
    """A session of its own."""
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url, wait_until="domcontentloaded")
    page.get_by_text(re.compile(r"^Step \d+ · ")).first.wait_for()
    return page


def first_paint(browser: Browser, url: str, repeats: int = 5) -> dict[str, list[float]]:
    """Seconds until the step's words stand, and until its first figure does."""
    words, figures = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        page = open_page(browser, url)
        words.append(time.perf_counter() - start)
        page.locator(f"{FIGURE}, .octant[data-at]:not([data-at='0'])").first.wait_for()
        figures.append(time.perf_counter() - start)
        page.context.close()
    return {"words": words, "figure": figures}


_SOLVE = """async (root) => { const {state, app} = root.play, times = []
for (let move = 1; move <= 20; move++) {
  const before = state.solved || 0, start = performance.now()
  app.setting({beta1: Number((0.05 * move).toFixed(2)), n_subspaces: 1 + move % 2})
  while ((state.solved || 0) === before) { await new Promise(requestAnimationFrame) }
  await new Promise(requestAnimationFrame)
  times.push(performance.now() - start)
}
return times }"""

_RATES = """async (root) => { const {state, app} = root.play, found = {}, seconds = 3
const disk = root.querySelector(".disk svg"), box = disk.getBoundingClientRect()
const canvas = root.querySelector(".disk canvas"), range = root.querySelector(".timeline input")
const rate = async (name, move) => {
  const start = performance.now(); let pictures = 0
  while (performance.now() - start < 1000 * seconds) {
    move((performance.now() - start) / 1000 / seconds)
    await new Promise(requestAnimationFrame)
    pictures += 1
  }
  found[`${name}_per_second`] = pictures / seconds
}
await rate("hover", (share) => disk.dispatchEvent(new PointerEvent("pointermove", {bubbles: true,
  clientX: box.x + box.width * (0.2 + 0.6 * share), clientY: box.y + 0.4 * box.height})))
await rate("scrub", (share) => { range.value = share * range.max; range.dispatchEvent(new Event("input")) })
app.play(true)
await rate("playing", () => { if (!state.playing) { app.play(true) } })
app.play(false)
const seen = new Set(), solved = state.solved || 0
await rate("drag_pictures", (share) => {
  const p = [0.5 - 0.4 * share, 0.3 + 0.5 * share, 0.6], n = Math.hypot(...p), c = canvas.width
  app.moveFrame(15, p.map((x) => x / n))
  seen.add(canvas.getContext("2d").getImageData(c * 0.6, c * 0.4, 40, 40).data.join())
})
found.drag_landscapes_per_second = seen.size / seconds
found.drag_solutions_per_second = ((state.solved || 0) - solved) / seconds
return found }"""


def play(page: Page) -> dict[str, Any]:
    """Milliseconds from a setting of Play to the new solution, and what it shows per second."""
    root = page.locator(".octant")
    root.wait_for()
    page.wait_for_timeout(4000)  # the first walk is over
    return {"slider_ms": summary(root.evaluate(_SOLVE)), **root.evaluate(_RATES)}


WATCH = """figure => { const shown = () => figure.dataset.serial || figure.src
  const before = shown(); window.__t = performance.now(); window.__done = null
  const look = async () => { if (shown() !== before) {
    const picture = figure.querySelector?.("img") ?? figure
    if (picture.src) { await picture.decode().catch(() => {}) }
    requestAnimationFrame(() => { window.__done = performance.now() - window.__t })
  } else { requestAnimationFrame(look) } }; look() }"""


def slide(page: Page, label: str, key: str) -> float | None:
    """Milliseconds from a key press on a slider to the new figure; None when the slider is at its end."""
    slider = page.get_by_role("slider", name=re.compile(re.escape(label))).locator("visible=true")
    at, low, high = (slider.get_attribute(f"aria-value{x}") for x in ("now", "min", "max"))
    if at == (high if key == "ArrowRight" else low):
        return None
    slider.focus()
    page.locator(FIGURE).first.evaluate(WATCH)
    slider.press(key)
    page.wait_for_function("window.__done !== null")
    page.wait_for_timeout(300)
    return float(page.evaluate("window.__done"))


def drag(page: Page, seconds: float = 4.0) -> float:
    """Figures per second while the slider of the distortion weight is dragged from end to end."""
    slider = page.get_by_role("slider", name=re.compile("Distortion weight")).locator("visible=true")
    box = slider.locator("xpath=../..").bounding_box()
    assert box is not None
    count = """figure => { window.__figures = 0
      const note = () => { window.__figures += 1 }
      new MutationObserver(note).observe(figure, {attributeFilter: ["data-serial"]}) }"""
    page.locator(FIGURE).first.evaluate(count)
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    start = time.perf_counter()
    while (now := time.perf_counter() - start) < seconds:
        page.mouse.move(box["x"] + 4 + now / seconds * (box["width"] - 8), box["y"] + box["height"] / 2)
        page.wait_for_timeout(20)
    page.mouse.up()
    return float(page.evaluate("window.__figures")) / seconds


def measure(page: Page, moves: int, sliders: tuple[str, ...] = SLIDERS) -> list[float]:
    """Many moves of every slider."""
    times = []
    for label in sliders:
        for _ in range(moves):
            took = slide(page, label, "ArrowRight")
            if took is not None:
                times.append(took)
    return times


def summary(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(values)
    return {
        "n": len(values),
        "median": statistics.median(values),
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "max": ordered[-1],
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60, help="how long each session moves sliders")
    parser.add_argument("--rounds", type=int, default=2, help="how often as many new sessions do so")
    parser.add_argument("--processes", type=int, default=1, help="of the server (panel serve --num-procs)")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout whose explorer is measured")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    result: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.explorer", *sys.argv[1:]]),
        "environment": environment(),
        "processes": arguments.processes,
        "load_before": os.getloadavg(),
    }
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        log = Path(folder) / "server.txt"
        with server(log, arguments.root, arguments.processes) as (url, process):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            if arguments.moves:
                result |= alone(browser, url, arguments.moves)
            if arguments.sessions:
                many = load(
                    browser, url, process, open_page, sessions=arguments.sessions, seconds=arguments.seconds,
                    rounds=arguments.rounds,
                )  # fmt: skip
                result["many"] = many | {"times_ms": summary(many["times_ms"])}
            browser.close()
        text = log.read_text()
        result["errors_of_the_server"] = [line for line in text.splitlines() if "ERROR" in line]
        if result["errors_of_the_server"]:
            print(text, file=sys.stderr)
    result["load_after"] = os.getloadavg()
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(arguments.out, text.encode())


def alone(browser: Browser, url: str, moves: int) -> dict[str, Any]:
    """One session: first paint, sliders, a drag, and sliders while another session trains."""
    paint = first_paint(browser, url)
    result: dict[str, Any] = {"first_paint_s": {name: summary(values) for name, values in paint.items()}}
    start = f"{url}?{CHOSEN}&beta1=0.5&beta2=0.0&n_negatives=10"
    page = open_page(browser, f"{start}&sequence=1&clip=1")
    page.locator(FIGURE).first.wait_for()
    result["slider_ms"] = summary(measure(page, moves))
    result["drag_figures_per_second"] = drag(page)
    page.context.close()
    page = open_page(browser, f"{start}&sequence=1&clip=1".replace("step=subspace", "step=transport"))
    page.locator(FIGURE).first.wait_for()
    result["transport_slider_ms"] = summary(measure(page, 2 * moves, (SLIDERS[-1],)))
    page.context.close()
    page = open_page(browser, url)
    if page.locator(".octant").count():  # not in 0.1
        result["play"] = play(page)
    page.context.close()
    other = open_page(browser, f"{url}?{TRAINING}")
    begin_training(other)
    page = open_page(browser, f"{start}&sequence=2&clip=2")
    page.locator(FIGURE).first.wait_for()
    result["slider_ms_while_another_trains"] = summary(measure(page, moves))
    result["still_training"] = other.get_by_role("button", name="Stop").is_enabled()
    page.context.close()
    other.context.close()
    return result


if __name__ == "__main__":
    main()
