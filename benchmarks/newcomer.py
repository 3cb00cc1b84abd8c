"""From a clean clone to the first picture: ``git clone``, then ``make explore``, which sets all up.

    python -m benchmarks.newcomer [--out FILE]

Seconds until the page answers and until Chromium shows its first figure. The newest commit is cloned, not the
work tree; pip takes packages from where this machine tells it to, and nothing from its own cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from acot_core._utils.files import atomic_write
from acot_core.experiments.record import environment
from benchmarks.explorer import FLAGS, ROOT, first_paint


def main() -> None:
    """Clone, make, look, write what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/newcomer.json")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    load, began = os.getloadavg()[0], time.perf_counter()
    with TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        made = subprocess.Popen(
            ["make", "explore", f"PORT={port}"],
            cwd=folder, env=own | {"PIP_NO_CACHE_DIR": "1"}, start_new_session=True,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/explorer"
            answers = _first_answer(url, made) - began
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                figure = first_paint(browser, url, repeats=1)["figure"][0]
            picture = time.perf_counter() - began
        finally:
            os.killpg(made.pid, signal.SIGTERM)
            made.wait()
    result = {
        "command": "python -m benchmarks.newcomer",
        "seconds_to_page": round(answers, 1),
        "seconds_to_picture": round(picture, 1),
        "of_which_browser": round(figure, 1),
        "load_before": round(load, 1),
        "environment": environment(),
    }
    atomic_write(options.out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result, indent=1))


def _first_answer(url: str, made: subprocess.Popen[bytes]) -> float:
    while made.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=60).read()
            return time.perf_counter()
        except OSError:
            time.sleep(0.2)
    raise SystemExit("make explore ended")


if __name__ == "__main__":
    main()
