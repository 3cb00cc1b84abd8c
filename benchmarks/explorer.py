"""How long a visitor of the explorer waits, alone and among many.

    python -m benchmarks.explorer [--moves 8] [--sessions 20 --seconds 60] [--out FILE]

Starts a server of its own and drives it in Chromium. "Slider" is the time from the key press to the new
picture in the page (decoded), at the default data, at settings that were not seen before; then the same
while another visitor trains adversaries. ``--sessions`` adds `benchmarks.explorer_load`.
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

from acot_core.files import atomic_write
from acot_core.records import environment
from benchmarks.explorer_load import CHOSEN, SLIDERS, TRAINING, load

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
def server(log: Path | None = None) -> Iterator[tuple[str, int]]:
    """The explorer on a free port: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", str(ROOT / "apps/explorer.py"), "--port", str(port),
               "--address", "127.0.0.1", "--warm"]  # fmt: skip
    with Path(log or os.devnull).open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
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
    """A visitor of their own."""
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url, wait_until="domcontentloaded")
    page.get_by_text(re.compile(r"^Step \d · ")).first.wait_for()
    return page


def first_paint(browser: Browser, url: str, repeats: int = 5) -> dict[str, list[float]]:
    """Seconds until the step's words stand, and until its first figure does."""
    words, figures = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        page = open_page(browser, url)
        words.append(time.perf_counter() - start)
        page.locator("img:visible").first.wait_for()
        figures.append(time.perf_counter() - start)
        page.context.close()
    return {"words": words, "figure": figures}


WATCH = """image => { const before = image.src; window.__t = performance.now(); window.__done = null
  const look = async () => { if (image.src !== before) { await image.decode().catch(() => {});
    window.__done = performance.now() - window.__t } else { requestAnimationFrame(look) } }; look() }"""


def slide(page: Page, label: str, key: str) -> float | None:
    """Milliseconds from a key press on a slider to the new picture; None when the slider is at its end."""
    slider = page.get_by_role("slider", name=re.compile(re.escape(label))).locator("visible=true")
    at, low, high = (slider.get_attribute(f"aria-value{x}") for x in ("now", "min", "max"))
    if at == (high if key == "ArrowRight" else low):
        return None
    slider.focus()
    page.locator("img:visible").first.evaluate(WATCH)
    slider.press(key)
    page.wait_for_function("window.__done !== null")
    page.wait_for_timeout(300)
    return float(page.evaluate("window.__done"))


def measure(page: Page, moves: int) -> list[float]:
    """Many moves of every slider, there and back; those back are look-ups and do not count."""
    times = []
    for label in SLIDERS:
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
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    result: dict[str, Any] = {"environment": environment(), "load_before": os.getloadavg()}
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        log = Path(folder) / "server.txt"
        with server(log) as (url, process):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            if arguments.moves:
                result |= alone(browser, url, arguments.moves)
            if arguments.sessions:
                found = load(
                    browser, url, process, open_page, sessions=arguments.sessions, seconds=arguments.seconds,
                    rounds=arguments.rounds,
                )  # fmt: skip
                result["many"] = found | {"times_ms": summary(found["times_ms"])}
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
    """One visitor: first paint, sliders, and sliders while another visitor trains."""
    paint = first_paint(browser, url)
    result: dict[str, Any] = {"first_paint_s": {name: summary(values) for name, values in paint.items()}}
    start = f"{url}?{CHOSEN}&beta1=0.5&beta2=0.0&n_negatives=10"
    page = open_page(browser, f"{start}&clip=1")
    page.locator("img:visible").first.wait_for()
    result["slider_ms"] = summary(measure(page, moves))
    page.context.close()
    other = open_page(browser, f"{url}?{TRAINING}")
    other.get_by_role("button", name="Run the sweep").click()
    other.get_by_text(re.compile("adversaries 1 of 30")).first.wait_for()
    page = open_page(browser, f"{start}&clip=2")
    page.locator("img:visible").first.wait_for()
    result["slider_ms_while_another_trains"] = summary(measure(page, moves))
    result["still_training"] = bool(other.get_by_text(re.compile("adversaries .* of 30")).count())
    page.context.close()
    other.context.close()
    return result


if __name__ == "__main__":
    main()
