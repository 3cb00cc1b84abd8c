"""Hours of the explorer: many sessions that begin, play, train, stop half-way and end.

    python -m benchmarks.soak [--minutes 60] [--sessions 10] [--seed 0] [--out benchmarks/results/soak.json]

Starts a server of its own and drives it in Chromium. Every user does one thing at a time, at random: moves a
slider, opens another step, trains an adversary (with a seed of its own), pauses, stops or abandons the
training by leaving, takes a change back, chooses a preset, leaves and comes back by a link. Reported are all
errors (of the server's log and of the pages), the server's memory and threads over time, and what is left of
them when all sessions have ended. Linux only: memory, threads and processor time are read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Error, Page, sync_playwright

from acot_core._utils.files import atomic_write
from acot_core.experiments.record import environment
from benchmarks.explorer import FLAGS, PATIENCE, open_page, server
from benchmarks.explorer_load import FIGURE, resident

RESULT = Path(__file__).parent / "results" / "soak.json"
_SAMPLE_SECONDS = 5
_WARM_UP_SECONDS = 600  # caches fill; what the memory does afterwards counts
_GONE_SECONDS = 60  # the server looks for closed sessions every 17 s, and waits for 15 s
_STEPS = (
    "data",
    "adversary",
    "transport",
    "subspace",
    "classification",
    "embedding",
    "sensitivity",
    "images",
)
_BROKEN = re.compile(r"ERROR|CRITICAL|Traceback|Error:|Exception:")


class User:
    """One browser page at a time, and what is done with it."""

    def __init__(self, browser: Browser, url: str, chance: random.Random) -> None:
        self._browser, self._url, self._chance = browser, url, chance
        self.errors: list[str] = []
        self.page = self._arrive("subspace")

    def _arrive(self, step: str, **settings: Any) -> Page:
        settings = {"n_iter": 100, "sequence": self._chance.randrange(100), "step": step} | settings
        query = "&".join(f"{name}={value}" for name, value in settings.items())
        page = open_page(self._browser, f"{self._url}?{query}")
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def leave(self) -> None:
        """Close the page, whatever runs for it."""
        self.page.context.close()

    def act(self) -> str:
        """One thing at random; what it was, or that it could not be done just now."""
        deeds = {"slider": 12, "step": 3, "train": 2, "interrupt": 2, "undo": 1, "preset": 1, "return": 1}
        deed = self._chance.choices(list(deeds), list(deeds.values()))[0]
        try:
            done = getattr(self, f"_{deed}")()
        except Error as error:  # of Playwright: hidden, replaced or disabled in the meantime
            return f"{deed}: {type(error).__name__}"
        return deed if done else f"{deed}: nothing to do"

    def _slider(self) -> bool:
        sliders = self.page.get_by_role("slider").locator("visible=true")
        count = sliders.count()
        if count:
            key = self._chance.choice(["ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End"])
            sliders.nth(self._chance.randrange(count)).press(key)
        return count > 0

    def _step(self) -> bool:
        self.page.locator(f"[data-step={self._chance.choice(_STEPS)}]").first.click()
        return True

    def _train(self) -> bool:
        """Come back to the adversary with a seed of its own, and begin; the old session is abandoned."""
        self.leave()
        seed, n_iter = self._chance.randrange(10_000), self._chance.choice([100, 500, 2000])
        self.page = self._arrive("adversary", seed=seed, n_iter=n_iter)
        return True  # it begins by itself

    def _interrupt(self) -> bool:
        buttons = self.page.get_by_role("button", name=re.compile("^(Pause|Stop)"), disabled=False)
        visible = buttons.locator("visible=true")
        if not visible.count():
            return False
        visible.first.click()
        return True

    def _undo(self) -> bool:
        self.page.get_by_role("button", name=re.compile("^Undo")).click(timeout=1000)
        return True

    def _preset(self) -> bool:
        self.page.get_by_role("button", name="Presets").click()
        items = self.page.get_by_role("menuitem")
        items.first.wait_for()
        items.nth(self._chance.randrange(items.count())).click()
        return True

    def _return(self) -> bool:
        self.leave()
        self.page = self._arrive(self._chance.choice(_STEPS), beta2=self._chance.choice([0.0, 1.0, 100.0]))
        return True


def threads(process: int) -> int:
    """Threads of a process."""
    return len(os.listdir(f"/proc/{process}/task"))  # noqa: PTH208 (a count of names)


def processor_seconds(process: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def soak(
    browser: Browser, url: str, process: int, *, minutes: float, sessions: int, seed: int
) -> dict[str, Any]:
    """Let users play for so many minutes; errors, memory and threads."""
    chance = random.Random(seed)
    first = User(browser, url, random.Random(seed))
    first.page.locator(FIGURE).first.wait_for(timeout=PATIENCE)
    first.leave()
    before = {"memory_MB": resident(process), "threads": threads(process)}
    opened = [User(browser, url, random.Random(f"{seed}-{i}")) for i in range(sessions)]
    deeds: Counter[str] = Counter()
    samples: list[tuple[float, float, int]] = []
    began = time.monotonic()
    while (now := time.monotonic() - began) < 60 * minutes:
        if not samples or now - samples[-1][0] >= _SAMPLE_SECONDS:
            samples.append((round(now, 1), resident(process), threads(process)))
        user = chance.choice(opened)
        deeds[user.act()] += 1
        user.page.wait_for_timeout(1000 * chance.random() / sessions)
    for user in opened:
        user.leave()
    time.sleep(_GONE_SECONDS)
    used = processor_seconds(process)
    time.sleep(5)
    after = {
        "memory_MB": resident(process),
        "threads": threads(process),
        "share_of_a_processor_in_use": round((processor_seconds(process) - used) / 5, 3),
    }
    return {
        "minutes": minutes,
        "sessions": sessions,
        "seed": seed,
        "deeds": dict(sorted(deeds.items())),
        "errors_of_pages": [error for user in opened for error in user.errors],
        "before": before,
        "after": after,
        "growth_MB_per_hour": growth(samples),
        "median_MB_of_each_ten_minutes": medians(samples),
        "samples": {"columns": ["seconds", "memory_MB", "threads"], "rows": samples},
    }


def errors_in(log: Path) -> list[str]:
    """Lines of a server's log that tell of an error."""
    return [line for line in log.read_text().splitlines() if _BROKEN.search(line)]


def growth(samples: list[tuple[float, float, int]]) -> float:
    """Slope of the memory over time, MB per hour, once warm (the last half, where all is shorter)."""
    start = min(_WARM_UP_SECONDS, samples[-1][0] / 2)
    seconds, memory = np.array([row[:2] for row in samples if row[0] >= start]).T
    return round(3600 * float(np.polyfit(seconds, memory, 1)[0]), 1) if len(seconds) > 2 else float("nan")


def medians(samples: list[tuple[float, float, int]], seconds: float = 600) -> list[float]:
    """Median memory of each ten minutes: work in progress, which comes and goes, hardly moves it."""
    parts: dict[int, list[float]] = {}
    for at, memory, _ in samples:
        parts.setdefault(int(at // seconds), []).append(memory)
    return [round(statistics.median(parts[i]), 1) for i in sorted(parts)]


def main() -> None:
    """Soak and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--log", type=Path, help="where to keep the server's log")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with TemporaryDirectory() as folder:
        log = arguments.log or Path(folder) / "log.txt"
        with server(log) as (url, process), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            result = soak(
                browser, url, process,
                minutes=arguments.minutes, sessions=arguments.sessions, seed=arguments.seed,
            )  # fmt: skip
            browser.close()
            errors, lines = errors_in(log), log.read_text().splitlines()
            result = {"environment": environment(), "load": os.getloadavg(), "errors_in_log": errors} | result
            result["last_lines_of_log"] = lines[-20:] if errors else []
            atomic_write(arguments.out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps({k: v for k, v in result.items() if k not in ("samples", "environment")}, indent=1))


if __name__ == "__main__":
    main()
