"""What happens without each of `acot_explorer._workarounds`, and with it."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bokeh
import panel as pn
import panel_material_ui as pmui
import pytest
from acot_explorer import _workarounds as workarounds
from acot_explorer import app, page
from app_server import ROOT, browser_test
from bokeh.document import Document
from panel.io import document as panel_document
from panel.util import edit_readonly
from tornado.websocket import WebSocketClosedError

from benchmarks.explorer_load import resident

glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="asks glibc"
)


@glibc
def test_free_memory_goes_back_to_the_system_only_when_trimmed() -> None:
    used = [b"x" * (60_000 + i % 2) for i in range(2000)]
    among = used[::20]  # so that holes are left: unasked, glibc gives back what is free at the top only
    full = resident(os.getpid())
    del used
    before = resident(os.getpid())
    assert before > full - 60
    workarounds.trim_memory()
    assert resident(os.getpid()) < before - 60
    assert len(among) == 100


@glibc
@pytest.mark.parametrize("asked", [True, False])
def test_large_blocks_leave_holes_by_default(asked: bool) -> None:
    program = f"""
import os
from acot_explorer._workarounds import keep_few_arenas
from benchmarks.explorer_load import resident
if {asked}:
    keep_few_arenas()
bytes(2**23)  # by default glibc will take blocks of up to this size from its arena from now on
used = [b"x" * (300_000 + i) for i in range(400)]
full, among = resident(os.getpid()), used[::20]
del used
print(full - resident(os.getpid()))
"""
    # dask, which a test may have imported, sets some of glibc's options in the environment.
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (float(done.stdout) > 100) == asked


@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_there_at_the_start_is_looked_at_again_and_again_by_default(frozen: bool) -> None:
    program = f"""
import gc
from acot_explorer._workarounds import freeze_what_stays
before = len(gc.get_objects())
if {frozen}:
    freeze_what_stays()
    freeze_what_stays()  # what came since stays free to go
print(before, len(gc.get_objects()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before > 100_000
    assert (after < before / 100) == frozen


def test_the_application_asks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(app, "keep_few_arenas", lambda: calls.append("arenas"))
    monkeypatch.setattr(app, "freeze_what_stays", lambda: calls.append("freeze"))
    monkeypatch.setattr(app, "send_what_waits", lambda: calls.append("send"))
    monkeypatch.setattr(page, "trim_memory", lambda: calls.append("trim"))
    app.build()
    page.Explorer().close()
    assert calls == ["arenas", "freeze", "send", "trim"]


def watchers_of_busy() -> int:
    return len(pn.state.param.watchers.get("busy", {}).get("value", ()))


@pytest.mark.parametrize(
    ("make", "told"), [(pmui.Page, True), (workarounds.page_of_its_own, False)], ids=["panel", "ours"]
)
def test_a_page_watches_the_busy_state_of_the_whole_process(make: Any, told: bool) -> None:
    before = watchers_of_busy()
    made = make(title="one of many")
    assert (watchers_of_busy() > before) == told
    changes: list[Any] = []
    made.param.watch(changes.append, "busy")
    with edit_readonly(pn.state):
        pn.state.busy = not pn.state.busy  # as Panel does around every callback of every session
        pn.state.busy = not pn.state.busy
    assert bool(changes) == told


def test_a_refused_file_is_an_unknown_status_by_default() -> None:
    refusal = {"status": "error", "error": "File x.npz exceeds the limit"}
    with pytest.raises(ValueError, match="Unknown status"):
        pmui.FileInput()._handle_msg(refusal)
    chooser, refused = pmui.FileInput(), []
    workarounds.hear_refusals(chooser, refused.append)
    chooser._handle_msg(refusal)
    assert refused == ["File x.npz exceeds the limit."]


@pytest.mark.parametrize("quiet", [False, True])
def test_a_browser_that_left_is_an_error_by_default(quiet: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> None:
        loop = asyncio.get_running_loop()
        if quiet:
            workarounds.quiet_disconnects()
        context = {"message": "Task exception was never retrieved", "exception": WebSocketClosedError()}
        loop.call_exception_handler(context)

    with caplog.at_level(logging.ERROR):
        asyncio.run(leave())
    assert ("never retrieved" in caplog.text) != quiet


class SlowSocket:
    """A browser's end, as Panel sees it: each message is written once its future is done."""

    def __init__(self) -> None:
        self._socket = self.protocol = self
        self.sent: list[str] = []
        self.written: list[asyncio.Future[None]] = []

    def create(self, kind: str, events: list[str]) -> str:
        return events[0]

    def write(self, msg: str) -> list[asyncio.Future[None]]:
        self.sent.append(msg)
        self.written.append(asyncio.get_running_loop().create_future())
        return self.written[-1:]


@pytest.mark.parametrize("patched", [False, True])
def test_a_message_queued_just_as_another_was_written_is_not_sent_by_default(
    patched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel_document, "_dispatch_msgs", workarounds._PANELS_WRITER)
    monkeypatch.setitem(panel_document.extra_socket_handlers, SlowSocket, SlowSocket.write)
    if patched:
        workarounds.send_what_waits()
        workarounds.send_what_waits()  # as often as a page is opened

    async def move() -> list[str]:
        document, socket = Document(), SlowSocket()
        panel_document.schedule_write_events(document, [socket], ["first"])  # type: ignore[list-item]
        await asyncio.sleep(0)
        socket.written[0].set_result(None)
        panel_document.schedule_write_events(document, [socket], ["second"])  # type: ignore[list-item]
        for _ in range(20):
            await asyncio.sleep(0)
            for future in socket.written[1:]:
                if not future.done():
                    future.set_result(None)
        assert (document in panel_document._WRITE_MSGS) != patched
        return socket.sent

    assert asyncio.run(move()) == (["first", "second"] if patched else ["first"])


_A_FIGURE = """async () => {
const {Plotting, Models} = window.Bokeh
const source = new Models.ColumnDataSource({data: {x: [1, 2, 3], y: [3, 1, 2]}})
const plot = Plotting.figure({title: "a title", width: 300, height: 200})
plot.line({field: "x"}, {field: "y"}, {source, legend_label: "a line"})
await Plotting.show(plot, document.body)
window.repaint = async () => {
  const before = {...window.counts}
  source.change.emit()
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  return [counts.lookups - before.lookups, counts.sheets - before.sheets]
}
}"""

_COUNTS = """() => {
window.counts = {lookups: 0, sheets: 0}
const style = CSSStyleDeclaration.prototype.getPropertyValue
CSSStyleDeclaration.prototype.getPropertyValue = function (name) {
  if (name.startsWith("--bk-")) { window.counts.lookups++ }
  return style.call(this, name)
}
const text = Object.getOwnPropertyDescriptor(Node.prototype, "textContent")
Object.defineProperty(Node.prototype, "textContent", {...text, set(value) {
  if (this.localName === "style") { window.counts.sheets++ }
  text.set.call(this, value)
}})
}"""


class TestInABrowser:
    pytestmark = browser_test

    def test_bokeh_paints_the_same_without_a_look_at_any_style_sheet(self, browser: Any) -> None:
        page = browser.new_page()
        static = Path(bokeh.__file__).parent / "server" / "static" / "js"
        page.evaluate(_COUNTS)
        for name in ("bokeh.min.js", "bokeh-api.min.js"):
            page.add_script_tag(path=static / name)
        page.evaluate(_A_FIGURE)
        page.evaluate("repaint()")  # the first is of the layout, too
        lookups, sheets = page.evaluate("repaint()")
        assert lookups > 10
        assert sheets > 2
        picture = page.screenshot()
        page.add_script_tag(path=ROOT / "apps" / "acot_explorer" / "browser" / "workarounds.js")
        assert page.evaluate("repaint()") == [0, 0]
        assert page.screenshot() == picture
        page.close()
