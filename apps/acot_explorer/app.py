"""How the page is made and served."""

from __future__ import annotations

import sys
from typing import Any

import panel as pn

from acot_explorer.heap import keep_little
from acot_explorer.jobs import runner, visitors
from acot_explorer.mishaps import ignore_the_departed, tell
from acot_explorer.page import Explorer

__all__ = ["build"]

_SENT_SECONDS = 1.0  # in which a page that is built is sent and connected: long work makes room for that, too


def build() -> Any:
    """The page of one visitor, ready for ``.servable()``."""
    pn.extension("mathjax", notifications=True, throttled=True, exception_handler=tell)
    sys.setswitchinterval(0.0005)  # training in a thread lets go of the interpreter sooner
    keep_little()
    runner()
    with visitors().waiting():
        explorer = Explorer()
        explorer.open()
    visitors().expect(_SENT_SECONDS)
    pn.state.onload(ignore_the_departed)
    pn.state.onload(explorer.start)
    return explorer.page
