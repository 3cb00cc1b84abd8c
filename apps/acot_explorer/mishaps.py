"""What goes wrong outside any job: the visitor is told, the log has it, and the page goes on."""

from __future__ import annotations

import asyncio
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
    """Take it as no error, in the running event loop, that a visitor left while something was being sent.

    Panel writes to a session's socket in tasks that nobody waits for, so that the loop would report each one.
    """
    asyncio.get_running_loop().set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if isinstance(context.get("exception"), StreamClosedError | WebSocketClosedError):
        _LOG.debug("a visitor left while something was being sent")
    else:
        loop.default_exception_handler(context)
