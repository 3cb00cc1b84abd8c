"""A server of the explorer, a browser, and pages in it that watch what they load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from app_server import CHROMIUM, PATIENCE, serve


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own on a free port."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with serve(log, "--warm") as (port, _):
        yield f"http://127.0.0.1:{port}/explorer"
    assert "ERROR" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    assert CHROMIUM is not None, "CI must have Chromium"
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=PATIENCE)  # a busy machine is slow, not wrong
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update"]  # fmt: skip
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open the explorer at some settings; afterwards: no request left the machine, no script failed."""
    contexts: list[Any] = []
    outside: list[str] = []
    broken: list[str] = []

    def watch(page: Any) -> None:
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda line: broken.append(line.text) if line.type == "error" else None)
        page.on(
            "request",
            lambda request: (
                outside.append(request.url)
                if not request.url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))
                else None
            ),
        )

    def open_page(query: str = "", width: int = 1280, height: int = 1000, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, permissions=["clipboard-read", "clipboard-write"],
            color_scheme=scheme,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        watch(page)
        page.goto(f"{address}?{query}" if query else address, wait_until="domcontentloaded")
        page.get_by_text(re.compile(r"^Step \d+ · ")).first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert outside == []
    # panel-material-ui refuses what is too large by itself, and says so in the console.
    assert [each for each in broken if "exceeds maximum file size" not in each] == []
