"""A server of the explorer for tests, and the browser that visits it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = int(os.environ.get("ACOT_PATIENCE", "60")) * 1000  # ms; waits end as soon as they can
browser_test = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here"),
]


@contextmanager
def serve(log: Path, *options: str, app: Path = ROOT / "apps" / "explorer.py") -> Iterator[tuple[int, int]]:
    """A server on a free port of this machine, as README starts it: port and process.

    Raises
    ------
    subprocess.TimeoutExpired
        In the end, when the server goes on although it was told to end.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", str(app), "--port", str(port), "--address",
               "127.0.0.1", *options]  # fmt: skip
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=output, stderr=output
        )
    try:
        for _ in range(4 * PATIENCE // 100):
            assert server.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise TimeoutError("the server did not begin to listen")
        yield port, server.pid
    finally:
        server.terminate()
        try:
            server.wait(timeout=PATIENCE / 1000)
        finally:
            server.kill()
