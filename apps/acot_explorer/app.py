"""The application: a page per session, ready to be served."""

from __future__ import annotations

import logging
from typing import Any

import panel as pn

from acot_explorer._workarounds import (
    freeze_what_stays,
    keep_few_arenas,
    quiet_disconnects,
    send_what_waits,
)
from acot_explorer.jobs import foreground, runner
from acot_explorer.page import Explorer
from acot_explorer.upload import file_to_explore

__all__ = ["build"]

_SENT_SECONDS = 1.0  # in which a page that is built is sent and connected: long work gives way to that, too


def build() -> Any:
    """The page of one session, ready for ``.servable()``."""
    pn.extension(notifications=True, exception_handler=report)
    keep_few_arenas()
    freeze_what_stays()
    send_what_waits()
    runner()
    with foreground().waiting():
        explorer = Explorer()
        if named := file_to_explore():
            explorer.adopt_upload(*named)
            explorer.settings.step = "data"
        explorer.open()
    foreground().expect(_SENT_SECONDS)
    pn.state.onload(quiet_disconnects)
    pn.state.onload(explorer.start)
    return explorer.page


def report(error: BaseException) -> None:
    """Report an exception that a callback raised: in the log, and in a corner of the page, which goes on."""
    logging.getLogger("acot_explorer").error("a callback failed", exc_info=error)
    if pn.state.notifications is not None:
        pn.state.notifications.error(
            f"Something went wrong ({type(error).__name__}: {error}). The page goes on; the log has more.",
            duration=10_000,
        )
