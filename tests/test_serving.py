"""The server: bound to this machine, behind a proxy with a password, and what a mishap does to a session.

What has no browser in it speaks HTTP to a server of its own; the rest drives Chromium.
"""

from __future__ import annotations

import base64
import ctypes
import http.cookiejar
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_server import CHROMIUM, PATIENCE, ROOT, browser_test, serve

sys.path[:0] = [str(ROOT), str(ROOT / "apps")]

# ---------------------------------------------------------------- behind a proxy, with a password


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The recipe of README, "Serving it to others"."""
    log = tmp_path_factory.mktemp("exposed") / "log.txt"
    with serve(
        log, "--prefix", "acot", "--allow-websocket-origin", "acot.example.org", "--use-xheaders",
        "--basic-auth", "open sesame", "--cookie-secret", "a long random text", "--num-procs", "1",
    ) as (port, _):  # fmt: skip
        yield port


class Visitor:
    """A browser's requests without a browser: as they reach the server from the proxy."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    @property
    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def get(self, path: str, data: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, address in the end, text."""
        body = None if data is None else urllib.parse.urlencode(data).encode()
        try:
            with self._opener.open(f"http://127.0.0.1:{self.port}{path}", body, timeout=60) as answer:
                return answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.url, ""


def upgrade(port: int, origin: str, cookies: str = "") -> int:
    """The status that the server answers to a WebSocket from a page of ``origin``."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /acot/explorer/ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin}",
        f"Cookie: {cookies}",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.recv(200).decode("latin-1")
    return int(answer.split()[1])


def test_nobody_comes_in_without_the_password(exposed: int) -> None:
    visitor = Visitor(exposed)
    status, url, text = visitor.get("/acot/explorer")
    assert status == 200
    assert urllib.parse.urlsplit(url).path == "/acot/login"
    assert "password" in text.lower()
    assert "ACOT explorer" not in text
    status, url, text = visitor.get("/acot/login", {"username": "eve", "password": "guess"})
    assert "ACOT explorer" not in text
    assert urllib.parse.urlsplit(visitor.get("/acot/explorer")[1]).path == "/acot/login"
    assert urllib.parse.urlsplit(visitor.get("/acot/explorer/autoload.js")[1]).path in (
        "/acot/login",
        "/acot/explorer/autoload.js",
    )


def test_with_the_password_the_page_is_served_below_its_prefix(exposed: int) -> None:
    visitor = Visitor(exposed)
    visitor.get("/acot/explorer")
    visitor.get("/acot/login", {"username": "ann", "password": "open sesame"})
    status, url, text = visitor.get("/acot/explorer")
    assert status == 200
    assert urllib.parse.urlsplit(url).path == "/acot/explorer"
    assert "ACOT explorer" in text
    assert visitor.get("/explorer")[0] == 404  # nothing beside the prefix


def test_pages_of_other_hosts_get_no_socket_nor_do_strangers(exposed: int) -> None:
    known = "https://acot.example.org"
    assert upgrade(exposed, known) == 403  # without the password
    visitor = Visitor(exposed)
    visitor.get("/acot/explorer")
    visitor.get("/acot/login", {"username": "ann", "password": "open sesame"})
    assert upgrade(exposed, known, visitor.cookies) == 101
    for origin in ("https://evil.example.com", "http://acot.example.org.evil.com"):
        assert upgrade(exposed, origin, visitor.cookies) == 403


def listening(port: int) -> set[str]:
    """Addresses (hexadecimal, as Linux tells them) on which somebody listens at a port."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                found.add(local.rpartition(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables")
def test_the_server_listens_on_this_machine_alone(exposed: int) -> None:
    assert listening(exposed) == {"0100007F"}  # 127.0.0.1
    targets = (ROOT / "Makefile").read_text()
    assert all("--address 127.0.0.1" in line for line in targets.splitlines() if "panel serve" in line)


# ---------------------------------------------------------------- mishaps

_MISHAPS = """
import threading
from acot_explorer import desk, page
from acot_explorer.app import build

whole, count = desk.train_adversary, [0]

def dies(request, n_iter, callback):
    count[0] += 1
    if count[0] == 1:
        raise MemoryError("the worker died")
    return whole(request, n_iter, callback)

def broken(self):
    raise RuntimeError("no link today")

desk.train_adversary = dies
page.Explorer.link = broken
build().servable(title="ACOT explorer")
"""


@pytest.fixture(scope="module")
def unlucky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An explorer whose first training dies, and whose links cannot be copied: address and log."""
    folder = tmp_path_factory.mktemp("unlucky")
    (folder / "explorer.py").write_text(_MISHAPS)
    with serve(folder / "log.txt", app=folder / "explorer.py") as (port, _):
        yield f"http://127.0.0.1:{port}/explorer", folder / "log.txt"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


def visit(browser, address: str, query: str):
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}?{query}", wait_until="domcontentloaded")
    page.get_by_text(re.compile(r"^Step \d · ")).first.wait_for()
    return page


class TestMishaps:
    pytestmark = browser_test

    def test_a_worker_that_dies_is_reported_and_a_new_one_serves_the_next_request(self, browser, unlucky):
        page = visit(
            browser, unlucky[0], "step=subspace&n_iter=100"
        )  # which needs an adversary: it is trained
        page.get_by_text(re.compile("cannot be trained.*the worker died", re.DOTALL)).first.wait_for()
        page.locator("[data-step=adversary]").first.click()
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_role("button", name="Trained").wait_for()
        page.locator("img:visible").first.wait_for()
        page.context.close()

    def test_an_exception_in_a_callback_is_told_and_the_page_goes_on(self, browser, unlucky):
        page = visit(browser, unlucky[0], "step=subspace&negatives=random&n_iter=100")
        figure = page.locator("img:visible").first
        figure.wait_for()
        before = figure.get_attribute("src")
        page.get_by_role("button", name=re.compile("^Copy link")).click()
        page.get_by_text(re.compile("Something went wrong.*no link today")).first.wait_for()
        slider = page.get_by_role("slider", name=re.compile("Order weight")).locator("visible=true")
        slider.press("ArrowRight")
        while figure.get_attribute("src") == before:  # the test's time limit ends it
            page.wait_for_timeout(50)
        assert "no link today" in unlucky[1].read_text()  # the log has the traceback
        page.context.close()


class TestEnd:
    pytestmark = browser_test

    def test_a_server_ends_when_it_is_told_to_though_a_training_goes_on_for_minutes(self, browser, tmp_path):
        with serve(tmp_path / "log.txt") as (port, _):
            address = f"http://127.0.0.1:{port}/explorer"
            page = visit(browser, address, "step=sensitivity&swept=sigma&n_seeds=5&n_iter=2000")
            page.get_by_role("button", name="Run the sweep").click()
            page.get_by_text(re.compile(r"adversaries 1 of 30, adversary")).first.wait_for()
        page.context.close()  # `serve` told the server to end, and would have raised had it not


class TestMemory:
    @pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
    def test_what_is_free_goes_back_to_the_system(self):
        from acot_explorer.heap import return_memory

        from benchmarks.explorer_load import resident

        if not hasattr(ctypes.CDLL(None), "malloc_trim"):
            pytest.skip("not glibc")
        used = [b"x" * (60_000 + i % 2) for i in range(2000)]
        among = used[::20]  # so that holes are left: unasked, glibc gives back what is free at the top only
        del used
        kept = resident(os.getpid())
        return_memory()
        assert resident(os.getpid()) < kept - 60
        assert len(among) == 100

    @pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
    @pytest.mark.parametrize("asked", [True, False])
    def test_large_blocks_leave_no_holes(self, asked):
        if not hasattr(ctypes.CDLL(None), "malloc_trim"):
            pytest.skip("not glibc")
        program = f"""
import os
from acot_explorer.heap import keep_little
from benchmarks.explorer_load import resident
if {asked}:
    keep_little()
bytes(2**23)  # unasked, glibc will take blocks of up to this size from its pool from now on
used = [b"x" * (300_000 + i) for i in range(400)]
full, among = resident(os.getpid()), used[::20]
del used
print(full - resident(os.getpid()))
"""
        # dask, which a test may have imported, sets some of glibc's options in the environment.
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=plain, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert (float(done.stdout) > 100) == asked


def test_the_server_asks_glibc_to_keep_little(monkeypatch):
    from acot_explorer import app

    asked = []
    monkeypatch.setattr(app, "keep_little", lambda: asked.append(True))
    app.build()
    assert asked == [True]


def test_a_page_that_closes_gives_memory_back(monkeypatch):
    from acot_explorer import page

    given = []
    monkeypatch.setattr(page, "return_memory", lambda: given.append(True))
    page.Explorer().close()
    assert given == [True]


def test_the_soaks_figures_of_memory():
    from benchmarks.soak import growth, medians

    samples = [(60.0 * i, 700.0 + i, 8) for i in range(60)]  # a megabyte a minute
    assert growth(samples) == pytest.approx(60)
    samples[15] = (900.0, 9999.0, 8)  # work in progress hardly moves a median
    assert medians(samples) == pytest.approx([704.5, 715, 724.5, 734.5, 744.5, 754.5], abs=1)


class TestSoak:
    """`benchmarks.soak`, in short: no error anywhere, and nothing left of the sessions."""

    pytestmark = browser_test

    def test_sessions_come_play_and_leave_no_trace(self, browser, tmp_path):
        from benchmarks.soak import errors_in, soak

        log = tmp_path / "log.txt"
        with serve(log, "--warm") as (port, process):
            address = f"http://127.0.0.1:{port}/explorer"
            found = soak(browser, address, process, minutes=0.4, sessions=3, seed=0)
        assert found["errors_of_pages"] == []
        assert errors_in(log) == []
        assert sum(found["deeds"].values()) > 5
        assert found["after"]["threads"] <= found["before"]["threads"] + 3  # the pools', which wait for work
        assert found["after"]["share_of_a_processor_in_use"] < 0.2
