"""Many visitors of the explorer at once: errors, memory, waiting times, and whose figure each of them sees.

Part of `benchmarks.explorer`. Every visitor has a clip of their own and moves sliders at random, as fast as
their figures come; two more train adversaries all the while. Each picture that a visitor sees is compared,
byte for byte, with those that the settings of this very visitor give.
"""

from __future__ import annotations

import hashlib
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

__all__ = ["CHOSEN", "SLIDERS", "TRAINING", "load"]

SLIDERS = (
    "Subspace dimension k",
    "Distortion weight β₁",
    "Order weight β₂",
    "Order margin η",
    "Number of negatives m",
)
CHOSEN = "step=subspace&n_iter=100"
TRAINING = "step=sensitivity&swept=sigma&n_seeds=5&n_iter=2000"
"""A visitor who trains adversaries for minutes: thirty of them, one after the other."""

_GONE_SECONDS = 45  # the server looks for closed sessions every 17 s, and waits for 15 s

_WATCH = """() => {
window.__times = []; window.__press = null
window.__seen = new Set(); window.__states = new Set([location.search])
for (const name of ["pushState", "replaceState"]) {
  const plain = history[name].bind(history)
  history[name] = (...given) => { plain(...given); window.__states.add(location.search) }
}
window.__watch = (image) => {
  const note = async () => {
    const src = image.src
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(src))
    window.__seen.add([...new Uint8Array(sum)].map((b) => b.toString(16).padStart(2, "0")).join(""))
  }
  note()
  let last = image.dataset.serial
  new MutationObserver(async () => {
    if (image.dataset.serial === last) { return }  // set anew, to the same picture
    last = image.dataset.serial
    await image.decode().catch(() => {})
    if (window.__press !== null) { window.__times.push(performance.now() - window.__press) }
    window.__press = null
    note()
  }).observe(image, {attributes: true, attributeFilter: ["data-serial"]})
}
}"""


@dataclass
class _Visitor:
    """One page and how its visitor moves."""

    page: Page
    chance: random.Random
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        image = self.page.locator("img:visible").first
        image.wait_for()
        self.page.evaluate(_WATCH)
        image.evaluate("image => window.__watch(image)")
        self.sliders = [
            self.page.get_by_role("slider", name=re.compile(re.escape(name))).locator("visible=true")
            for name in SLIDERS
        ]

    def waits(self) -> bool:
        """Whether the last move's figure is not there yet."""
        return bool(self.page.evaluate("window.__press !== null"))

    def move(self) -> None:
        """One step of one slider, one way or the other."""
        slider = self.chance.choice(self.sliders)
        at, low, high = (float(slider.get_attribute(f"aria-value{x}") or 0) for x in ("now", "min", "max"))
        up = at == low or (at != high and self.chance.random() < 0.5)
        self.page.evaluate("window.__press = performance.now()")
        slider.press("ArrowRight" if up else "ArrowLeft")


def load(
    browser: Browser,
    url: str,
    server: int,
    open_page: Callable[[Browser, str], Page],
    *,
    sessions: int,
    seconds: float,
    rounds: int = 2,
) -> dict[str, Any]:
    """Rounds of ``sessions`` visitors each; every round has new ones, the memory is compared between rounds.

    Parameters
    ----------
    server : int
        Process identifier of the server.
    """

    def tell(what: str) -> None:
        print(f"{time.strftime('%X')} {what}, server {resident(server)} MB", file=sys.stderr, flush=True)

    tell("begin")
    first = open_page(browser, f"{url}?{CHOSEN}")
    first.locator("img:visible").first.wait_for()  # the adversary that all visitors share is trained
    first.context.close()
    memory, times, broken = [], [], []
    seen: list[set[str]] = []
    states: list[set[str]] = []
    moves = 0
    trainers = [open_page(browser, f"{url}?{TRAINING}&seed={seed}") for seed in (1, 2)]
    for page in trainers:
        page.get_by_role("button", name="Run the sweep").click()
        page.get_by_text(re.compile("adversaries 1 of 30")).first.wait_for()
    tell("two train")
    for number in range(rounds):
        visitors = [
            _Visitor(open_page(browser, f"{url}?{CHOSEN}&clip={sessions * number + i}"), random.Random(i))
            for i in range(sessions)
        ]
        tell(f"round {number + 1}: {sessions} sessions are open")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for visitor in visitors:
                if not visitor.waits():
                    visitor.move()
                    moves += 1
        patience = time.monotonic() + 60
        while any(visitor.waits() for visitor in visitors) and time.monotonic() < patience:
            time.sleep(0.2)
        memory.append(resident(server))
        tell(f"round {number + 1} is over after {moves} moves")
        for visitor in visitors:
            if visitor.waits():
                visitor.broken.append("a figure that never came")
            times += visitor.page.evaluate("window.__times")
            seen.append(set(visitor.page.evaluate("[...window.__seen]")))
            states.append(set(visitor.page.evaluate("[...window.__states]")))
            broken += visitor.broken
            visitor.page.context.close()
    training = [page.get_by_role("button", name="Stop").is_enabled() for page in trainers]
    for page in trainers:
        page.context.close()
    time.sleep(_GONE_SECONDS)
    tell("all are gone")
    again = open_page(browser, f"{url}?{TRAINING}&seed=1")
    again.get_by_text("Choose a parameter and press").wait_for()  # not "Sweeping …", as while it runs
    again.context.close()
    tell("training has stopped")
    expected = _expected(states)
    return {
        "sessions": sessions,
        "seconds": seconds,
        "moves": moves,
        "figures": sum(map(len, seen)),
        "times_ms": times,
        "still_training": training,
        "training_stopped_with_its_tab": True,
        "errors": broken,
        "figures_not_of_their_session": sum(len(s - e) for s, e in zip(seen, expected, strict=True)),
        "memory_MB": memory,
        "growth_MB": memory[-1] - memory[0],
        "memory_when_all_are_gone_MB": resident(server),
    }


def resident(process: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return round(int(found[1]) / 1024, 1)


def _expected(states: list[set[str]]) -> list[set[str]]:
    """Hashes of the pictures that each visitor may have seen, made anew in this process."""
    from acot_explorer.jobs import runner
    from acot_explorer.page import Explorer
    from acot_explorer.render import picture
    from acot_explorer.requests import AdversaryRequest, DataRequest
    from acot_explorer.store import load_dataset, train_adversary

    runner()
    found = []
    for visited in states:
        explorer = Explorer()
        explorer.open()
        hashes = set()
        for query in sorted(visited):
            explorer.settings.reset()
            assert explorer.settings.from_query(query) == []
            if not found and not hashes:
                load_dataset(DataRequest.of(explorer.settings))
                train_adversary(AdversaryRequest.of(explorer.settings), 100, lambda progress: None)
            step = explorer.steps["subspace"]
            source = picture(step.panels[0].spec, step.request(), "light").source
            hashes.add(hashlib.sha256(source.encode()).hexdigest())
        found.append(hashes)
    return found
