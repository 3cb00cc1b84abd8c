"""Workarounds for the libraries below, each with its upstream issue.

``tests/apps/test_workarounds.py`` shows for each what happens without it, and fails when it is no longer
needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import sys
from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.io import document as panel_document
from panel.util import edit_readonly
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

__all__ = [
    "freeze_what_stays",
    "hear_refusals",
    "keep_few_arenas",
    "page_of_its_own",
    "quiet_disconnects",
    "send_what_waits",
    "trim_memory",
]

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # names of glibc's mallopt
_PANELS_WRITER = panel_document._dispatch_msgs


def keep_few_arenas() -> None:
    """Limit glibc's malloc to two arenas, with large blocks outside of them.

    By default it makes an arena per thread and puts ever larger blocks into them, between which holes are
    left (https://sourceware.org/bugzilla/show_bug.cgi?id=11261).
    """
    _glibc("mallopt", _ARENA_MAX, 2)
    _glibc("mallopt", _MMAP_THRESHOLD, 2**18)


def trim_memory() -> None:
    """Return freed memory to the system, which glibc does at the top of the heap only (same issue)."""
    _glibc("malloc_trim", 0)


def freeze_what_stays() -> None:
    """Take what is in memory now, the modules above all, out of the garbage collector's sight.

    Panel collects garbage whenever a page was closed, which stops all sessions for as long as a look at
    every object takes (https://github.com/holoviz/panel/pull/6518): with torch and scikit-learn, a second.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def _glibc(name: str, *arguments: int) -> None:
    """Call a function of glibc; do nothing where the C library is another."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        getattr(ctypes.CDLL(None), name)(*arguments)


def page_of_its_own(**options: Any) -> Any:
    """Make a `panel_material_ui.Page` that does not watch ``pn.state.busy``.

    That value belongs to the process: Panel changes it around every callback of every session, so that each
    open page would be told of the work of all others, and its watcher would keep the page for good
    (https://github.com/panel-extensions/panel-material-ui/issues/582 is about the same value).
    """
    before = _busy_watchers()
    page = pmui.Page(**options)
    for watcher in _busy_watchers():
        if not any(watcher is other for other in before):
            pn.state.param.unwatch(watcher)
    with edit_readonly(page):
        page.busy = False
    return page


def _busy_watchers() -> list[Any]:
    return list(pn.state.param.watchers.get("busy", {}).get("value", ()))


def hear_refusals(chooser: Any, refuse: Callable[[str], None]) -> None:
    """Pass on why a `FileInput` refused a file: to its Python side that is an unknown status."""
    original = chooser._handle_msg

    def handle(message: dict[str, Any]) -> None:
        if message.get("status") == "error":
            refuse(f"{str(message.get('error', 'The file could not be sent'))[:300]}.")
        else:
            original(message)

    chooser._handle_msg = handle


def quiet_disconnects() -> None:
    """Log a browser that left while something was sent to it as no error.

    Panel writes to a socket in tasks that nobody awaits, so that the loop would report each
    (https://github.com/holoviz/panel/issues/3341); bokeh forgets a session as its page is closed, and then
    asserts that it is there for the messages still under way.
    """
    for name in ("bokeh.server.protocol_handler", "tornado.application"):
        logging.getLogger(name).addFilter(_not_about_a_closed_session)  # once, however often called
    with contextlib.suppress(RuntimeError):  # no loop yet: the page that is made for warming up
        asyncio.get_running_loop().set_exception_handler(_handle)


def send_what_waits() -> None:
    """Send every message that is queued for a browser, also one queued while another is written.

    Panel's writer, of https://github.com/holoviz/panel/pull/6667, removes the document's mark when it ends,
    also if a message was queued since it began; the writer of that message then takes the missing mark for
    "nothing to send". On a machine under load the message, a new figure, stays until the next change.
    """
    panel_document._dispatch_msgs = _send_all


async def _send_all(document: Any) -> None:
    """Run Panel's writer until no message is queued that no other run of it is about to send."""
    await _PANELS_WRITER(document)
    while document in panel_document._WRITE_MSGS and document not in panel_document._WRITE_BLOCK:
        panel_document._WRITE_BLOCK[document] = True
        await _PANELS_WRITER(document)


def _not_about_a_closed_session(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if isinstance(error, AssertionError) else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__") != "bokeh.server.connection"


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if isinstance(context.get("exception"), StreamClosedError | WebSocketClosedError):
        logging.getLogger("acot_explorer").debug("a browser left while something was being sent")
    else:
        loop.default_exception_handler(context)
