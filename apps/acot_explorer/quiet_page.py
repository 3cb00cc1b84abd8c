"""A page that hears nothing of other sessions, and of which nothing stays when its own has ended.

panel-material-ui has every page follow ``pn.state.busy``, which Panel changes around each callback of each
session: with twenty open, every page of the process would be told of it, hundreds of times a second, and the
state's watchers would keep the pages of all who ever came. So would Panel's view of the notifications.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

__all__ = ["forget", "quiet_page"]


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


def forget(document: Any) -> None:
    """Drop the views of a document that is destroyed; Panel would keep that of the notifications for good."""
    views = pn.state._views
    for ref in [ref for ref, view in views.items() if view[2] is document]:
        views.pop(ref, None)


def _followers() -> list[Any]:
    return list(pn.state.param.watchers.get("busy", {}).get("value", ()))
