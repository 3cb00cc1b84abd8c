"""What goes wrong outside any job: the visitor is told, the log has it, and the page goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import panel as pn
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

__all__ = ["ignore_the_departed", "tell"]

_LOG = logging.getLogger("acot_explorer")


def tell(error: BaseException) -> None:
    """An exception that a callback of the page left: in the log, and in a corner of the visitor's page."""
    _LOG.error("a callback failed", exc_info=error)
    if pn.state.notifications is not None:
        pn.state.notifications.error(
            f"Something went wrong ({type(error).__name__}: {error}). The page goes on; the log has more.",
            duration=10_000,
        )


def ignore_the_departed() -> None:
    """Take it as no error that a visitor left while something was sent to them, or came from them.

    Panel writes to a session's socket in tasks that nobody waits for, so that the loop would report each;
    bokeh forgets a session at once when its page is closed, and then fails at the messages still under way.
    """
    for name in ("bokeh.server.protocol_handler", "tornado.application"):
        logging.getLogger(name).addFilter(_concerns_somebody)  # once only, however often it is called
    with contextlib.suppress(RuntimeError):  # no loop yet: the page that is made for warming up
        asyncio.get_running_loop().set_exception_handler(_handle)


def _concerns_somebody(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if isinstance(error, AssertionError) else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__") != "bokeh.server.connection"


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if isinstance(context.get("exception"), StreamClosedError | WebSocketClosedError):
        _LOG.debug("a visitor left while something was being sent")
    else:
        loop.default_exception_handler(context)
