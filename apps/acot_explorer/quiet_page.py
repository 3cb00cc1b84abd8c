"""A page that hears nothing of other sessions.

panel-material-ui has every page follow ``pn.state.busy``, which Panel changes around each callback of each
session: with twenty open, every page of the process would be told of it, hundreds of times a second, and the
state's watchers would keep the pages of all who ever came.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

__all__ = ["quiet_page"]


def quiet_page(**options: Any) -> Any:
    """A `panel_material_ui.Page` that does not follow ``pn.state.busy``."""
    before = _followers()
    page = pmui.Page(**options)
    for watcher in _followers():
        if not any(watcher is known for known in before):
            pn.state.param.unwatch(watcher)
    with edit_readonly(page):
        page.busy = False
    return page


def _followers() -> list[Any]:
    return list(pn.state.param.watchers.get("busy", {}).get("value", ()))
