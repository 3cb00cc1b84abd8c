"""The server: bound to this machine, behind a proxy with a password, and what a mishap does to a session.

What has no browser in it speaks HTTP to a server of its own; the rest drives Chromium.
"""

from __future__ import annotations

import base64
import http.cookiejar
import os
import re
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_server import CHROMIUM, PATIENCE, ROOT, browser_test, serve
from explorer_page import changed, shown

sys.path[:0] = [str(ROOT), str(ROOT / "apps")]

# ---------------------------------------------------------------- behind a proxy, with a password


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The command of docs/guides/serving.md."""
    log = tmp_path_factory.mktemp("exposed") / "log.txt"
    with serve(
        log, "--prefix", "acot", "--allow-websocket-origin", "acot.example.org", "--use-xheaders",
        "--basic-auth", "open sesame", "--cookie-secret", "a long random text", "--num-procs", "1",
    ) as (port, _):  # fmt: skip
        yield port


class Client:
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
            with self._opener.open(
                f"http://127.0.0.1:{self.port}{path}", body, timeout=PATIENCE / 1000
            ) as answer:
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
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE / 1000) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.recv(200).decode("latin-1")
    return int(answer.split()[1])


def test_nobody_comes_in_without_the_password(exposed: int) -> None:
    client = Client(exposed)
    status, url, text = client.get("/acot/explorer")
    assert status == 200
    assert urllib.parse.urlsplit(url).path == "/acot/login"
    assert "password" in text.lower()
    assert "ACOT explorer" not in text
    status, url, text = client.get("/acot/login", {"username": "eve", "password": "guess"})
    assert "ACOT explorer" not in text
    assert urllib.parse.urlsplit(client.get("/acot/explorer")[1]).path == "/acot/login"
    assert urllib.parse.urlsplit(client.get("/acot/explorer/autoload.js")[1]).path in (
        "/acot/login",
        "/acot/explorer/autoload.js",
    )


def test_with_the_password_the_page_is_served_below_its_prefix(exposed: int) -> None:
    client = Client(exposed)
    client.get("/acot/explorer")
    client.get("/acot/login", {"username": "ann", "password": "open sesame"})
    status, url, text = client.get("/acot/explorer")
    assert status == 200
    assert urllib.parse.urlsplit(url).path == "/acot/explorer"
    assert "ACOT explorer" in text
    assert client.get("/explorer")[0] == 404  # nothing beside the prefix


def test_pages_of_other_hosts_get_no_socket_nor_do_strangers(exposed: int) -> None:
    trusted = "https://acot.example.org"
    assert upgrade(exposed, trusted) == 403  # without the password
    client = Client(exposed)
    client.get("/acot/explorer")
    client.get("/acot/login", {"username": "ann", "password": "open sesame"})
    assert upgrade(exposed, trusted, client.cookies) == 101
    for origin in ("https://evil.example.com", "http://acot.example.org.evil.com"):
        assert upgrade(exposed, origin, client.cookies) == 403


def listening(port: int) -> set[str]:
    """Addresses (hexadecimal, as Linux tells them) on which somebody listens at a port."""
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                addresses.add(local.rpartition(":")[0])
    return addresses


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables")
def test_the_server_listens_on_this_machine_alone(exposed: int) -> None:
    assert listening(exposed) == {"0100007F"}  # 127.0.0.1
    targets = (ROOT / "Makefile").read_text()
    assert all("--address 127.0.0.1" in line for line in targets.splitlines() if "panel serve" in line)


# ---------------------------------------------------------------- mishaps

_MISHAPS = """
import threading
from acot_explorer import page, session
from acot_explorer.app import build

whole, count = session.train_adversary, [0]

def dies(request, n_iter, callback):
    count[0] += 1
    if count[0] == 1:
        raise MemoryError("the worker died")
    return whole(request, n_iter, callback)

def broken(self):
    raise RuntimeError("no link today")

session.train_adversary = dies
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
    page.get_by_text(re.compile(r"^Step \d+ · ")).first.wait_for()
    return page


class TestMishaps:
    pytestmark = browser_test

    def test_a_worker_that_dies_is_reported_and_a_new_one_serves_the_next_request(self, browser, unlucky):
        page = visit(
            browser, unlucky[0], "step=subspace&n_iter=100"
        )  # which needs an adversary: it is trained
        page.get_by_text(re.compile("cannot be trained.*the worker died", re.DOTALL)).first.wait_for()
        page.get_by_role("tab", name="Adversary").click()
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_role("button", name="Trained").wait_for()
        page.locator(".frame[data-serial]:visible").first.wait_for()
        page.context.close()

    def test_an_exception_in_a_callback_is_told_and_the_page_goes_on(self, browser, unlucky):
        page = visit(browser, unlucky[0], "step=subspace&negatives=random&n_iter=100")
        before = shown(page)
        page.get_by_role("button", name=re.compile("^Copy link")).click()
        page.get_by_text(re.compile("Something went wrong.*no link today")).first.wait_for()
        slider = page.get_by_role("slider", name=re.compile("Order weight")).locator("visible=true")
        slider.press("ArrowRight")
        changed(page, before)
        assert "no link today" in unlucky[1].read_text()  # the log has the traceback
        page.context.close()


class TestEnd:
    pytestmark = browser_test

    def test_a_server_ends_when_it_is_told_to_though_a_training_goes_on_for_minutes(self, browser, tmp_path):
        with serve(tmp_path / "log.txt") as (port, _):
            address = f"http://127.0.0.1:{port}/explorer"
            page = visit(browser, address, "step=sensitivity&swept=sigma&n_seeds=5&n_iter=2000")
            page.get_by_text(re.compile(r"adversaries 1 of 5, adversary")).first.wait_for()
        page.context.close()  # `serve` told the server to end, and would have raised had it not


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
            result = soak(browser, address, process, minutes=0.4, sessions=3, seed=0)
        assert result["errors_of_pages"] == []
        assert errors_in(log) == []
        assert sum(result["deeds"].values()) > 5
        most = result["before"]["threads"] + 3  # the pools', which wait for work
        assert result["after"]["threads"] <= most
        assert result["after"]["share_of_a_processor_in_use"] < 0.2
