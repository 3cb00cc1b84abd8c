"""Many sessions of the explorer at once: errors, memory, waiting times, and whose figure each of them shows.

Part of `benchmarks.explorer`. Every session has a sequence of its own and moves sliders at random, as fast as
its figures come; two more train adversaries all the while. The numbers that each figure shows, as its text
states them, are compared with those that the settings of this very session give.
"""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

__all__ = ["CHOSEN", "FIGURE", "SLIDERS", "TRAINING", "begin_training", "load"]

SLIDERS = (
    "Subspace dimension k",
    "Distortion weight β₁",
    "Order weight β₂",
    "Order margin η",
    "Number of negatives m",
)
FIGURE = ".frame[data-serial]:not([data-serial='']):visible, .frame:not([data-serial]) img:visible"
"""A figure that is shown, in this explorer and in that of 0.1."""

CHOSEN = "step=subspace&dataset=planted&stream=features&n_iter=100"
TRAINING = "step=sensitivity&dataset=planted&stream=features&swept=sigma&n_seeds=5&n_iter=2000"
"""A session that trains adversaries for minutes: thirty of them, one after the other."""

_LOOK_SECONDS = 0.02  # between two looks at all pages, which would take more than a core without it
_IDLE_SECONDS = 5
_GONE_SECONDS = 45  # the server looks for closed sessions every 17 s, and waits for 15 s

_WATCH = """() => {
window.__times = []; window.__press = null
window.__seen = new Set(); window.__states = new Set([location.search])
for (const name of ["pushState", "replaceState"]) {
  const plain = history[name].bind(history)
  history[name] = (...given) => { plain(...given); window.__states.add(location.search) }
}
window.__watch = (figure) => {
  const note = () => { if (figure.dataset.alt) { window.__seen.add(figure.dataset.alt) } }
  note()
  let last = figure.dataset.serial
  new MutationObserver(() => {
    if (figure.dataset.serial === last) { return }  // set anew, to the same number
    last = figure.dataset.serial
    requestAnimationFrame(() => {
      if (window.__press !== null) { window.__times.push(performance.now() - window.__press) }
      window.__press = null
      note()
    })
  }).observe(figure, {attributes: true, attributeFilter: ["data-serial"]})
}
}"""


_PLACE = """slider => {
slider.addEventListener("keydown", () => { window.__press = performance.now() }, {capture: true, once: true})
window.__press = Infinity
return ["now", "min", "max"].map((name) => slider.getAttribute(`aria-value${name}`))
}"""
"""Where a slider is; its next key press is noted (until then the page counts as waiting)."""


@dataclass
class _Session:
    """One page and how its sliders move."""

    page: Page
    chance: random.Random
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        figure = self.page.locator(FIGURE).nth(1)  # the objective, whose text has four digits of it
        figure.wait_for()
        self.page.evaluate(_WATCH)
        figure.evaluate("figure => window.__watch(figure)")
        # Handles: to look a slider up by its name takes the browser longer than the move.
        self.sliders = [
            self.page.get_by_role("slider", name=re.compile(re.escape(name)))
            .locator("visible=true")
            .element_handle()
            for name in SLIDERS
        ]

    def waits(self) -> bool:
        """Whether the last move's figure is not there yet."""
        return bool(self.page.evaluate("window.__press !== null"))

    def move(self) -> None:
        """One step of one slider, one way or the other."""
        slider = self.chance.choice(self.sliders)
        at, low, high = map(float, slider.evaluate(_PLACE))
        up = at == low or (at != high and self.chance.random() < 0.5)
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
    """Rounds of ``sessions`` each; every round has new ones, the memory is compared between rounds.

    Parameters
    ----------
    server : int
        Process identifier of the server.
    """

    def tell(what: str) -> None:
        print(f"{time.strftime('%X')} {what}, server {resident_all(server)} MB", file=sys.stderr, flush=True)

    tell("begin")
    first = open_page(browser, f"{url}?{CHOSEN}")
    first.locator(FIGURE).first.wait_for()  # the adversary that all sessions share is trained
    first.context.close()
    memory, times, broken = [], [], []
    seen: list[set[str]] = []
    states: list[set[str]] = []
    moves = 0
    trainers = [open_page(browser, f"{url}?{TRAINING}&seed={seed}") for seed in (1, 2)]
    for page in trainers:
        begin_training(page)
    tell("two train")
    for number in range(rounds):
        opened = [
            _Session(open_page(browser, f"{url}?{CHOSEN}&sequence={sessions * number + i}"), random.Random(i))
            for i in range(sessions)
        ]
        tell(f"round {number + 1}: {sessions} sessions are open")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for session in opened:
                if not session.waits():
                    session.move()
                    moves += 1
            time.sleep(_LOOK_SECONDS)
        patience = time.monotonic() + 60
        while any(session.waits() for session in opened) and time.monotonic() < patience:
            time.sleep(0.2)
        memory.append(resident_all(server))
        tell(f"round {number + 1} is over after {moves} moves")
        for session in opened:
            if session.waits():
                session.broken.append("a figure that never came")
            times += session.page.evaluate("window.__times")
            seen.append(set(session.page.evaluate("[...window.__seen]")))
            states.append(set(session.page.evaluate("[...window.__states]")))
            broken += session.broken
            session.page.context.close()
    training = [page.get_by_role("button", name="Stop").is_enabled() for page in trainers]
    for page in trainers:
        page.context.close()
    time.sleep(_GONE_SECONDS)
    tell("all are gone")
    before = processor_seconds(server)
    time.sleep(_IDLE_SECONDS)
    stopped = processor_seconds(server) - before < _IDLE_SECONDS / 2
    tell("training has stopped" if stopped else "training goes on")
    expected = _expected(states)
    return {
        "sessions": sessions,
        "seconds": seconds,
        "moves": moves,
        "figures": sum(map(len, seen)),
        "times_ms": times,
        "still_training": training,
        "training_stopped_with_its_tab": stopped,
        "errors": broken,
        "figures_not_of_their_session": sum(len(s - e) for s, e in zip(seen, expected, strict=True)),
        "memory_MB": memory,
        "growth_MB": memory[-1] - memory[0],
        "memory_when_all_are_gone_MB": resident_all(server),
    }


def begin_training(page: Page) -> None:
    """Wait until the page of `TRAINING` trains."""
    button = page.get_by_role("button", name="Run the sweep")
    button.wait_for()
    if button.is_enabled():  # in 0.1 it does not begin by itself
        button.click()
    page.get_by_text(re.compile(r"adversaries \d+ of (5|30)")).first.wait_for()


def resident(process: int) -> float:
    """Resident memory of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert match is not None
    return round(int(match[1]) / 1024, 1)


def resident_all(process: int) -> float:
    """Resident memory of a process and its children, in MB."""
    return round(sum(map(resident, _family(process))), 1)


def processor_seconds(process: int) -> float:
    """Time that a process and its children have had on a processor."""
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(") ")[2].split() for each in _family(process)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def _family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *map(int, children)]


def _expected(states: list[set[str]]) -> list[set[str]]:
    """The texts of the figures that each session may have shown, made anew in this process."""
    from acot_explorer.cache_keys import AdversaryRequest, DataRequest
    from acot_explorer.jobs import runner
    from acot_explorer.page import Explorer
    from acot_explorer.render import record
    from acot_explorer.store import load_dataset, train_adversary

    runner()
    expected: list[set[str]] = []
    for visited in states:
        explorer = Explorer()
        explorer.open()
        texts: set[str] = set()
        for query in sorted(visited):
            explorer.settings.reset()
            assert explorer.settings.from_query(query) == []
            if not expected and not texts:
                load_dataset(DataRequest.of(explorer.settings))
                train_adversary(AdversaryRequest.of(explorer.settings), 100, lambda progress: None)
            step = explorer.steps["subspace"]
            spec = step.panels[1].spec
            texts.add(spec.describe(record(spec, step.request())))
        expected.append(texts)
    return expected
