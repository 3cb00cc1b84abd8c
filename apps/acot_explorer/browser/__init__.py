"""The pieces of the page that no widget library has: the map, figures, equations, and the bridge.

They are small ES modules (the ``.js`` files beside this one) without imports, so that they need no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import Child, JSComponent

__all__ = ["PANES", "Bridge", "EquationView", "FigureView", "MapBar"]

_HERE = Path(__file__).parent
_TOKENS = (_HERE / "tokens.css").read_text()


def _style(name: str) -> list[str]:
    return [_TOKENS + (_HERE / f"{name}.css").read_text()]


PANES = (_HERE / "panes.css").read_text()
"""The panes scroll by themselves: controls and figure are seen together. On a phone the figure is first."""


class MapBar(JSComponent):
    """The map of the method as a bar; ``current`` is the open step, and a click or an arrow key moves it.

    ``places`` holds [name, title, symbol of what it hands on] per step.
    """

    current = param.String(default="")
    places = param.List(default=[])
    dark = param.Boolean(default=False)

    _stylesheets = _style("map")
    _esm = (_HERE / "map.js").read_text()


class FigureView(JSComponent):
    """A figure with the text that replaces it: a picture, or what ``content`` draws in the browser.

    ``points`` holds [x, y, text, id] with x and y as fractions of the picture's width and height, from the
    left and from the top. The nearest point within 14 pixels of the pointer shows its text; clicking it sets
    ``picked`` to its id. ``serial`` counts what was shown.
    """

    content = Child(default=None, allow_None=True)
    source = param.String(default="")
    alt = param.String(default="")
    points = param.List(default=[])
    picked = param.Integer(default=-1)
    pinned = param.String(default="")
    pinned_label = param.String(default="")
    dark = param.Boolean(default=False)
    busy = param.Boolean(default=False)
    message = param.String(default="")
    serial = param.Integer(default=0)

    @classmethod
    def _patch_datamodel_ref(cls, props: Any, ref: str) -> None:
        """Tag the view's own data; Panel visits every model of the figure for that, at every change."""
        tag = f"__ref:{ref}"
        if tag not in props.tags:
            props.tags.append(tag)

    _stylesheets = _style("figure")
    _esm = (_HERE / "figure.js").read_text()


class EquationView(JSComponent):
    """An equation in terms; a term of a setting is a button that leads to the setting's control.

    ``terms`` holds [svg, words, role of the colour, label of the control] per term.
    """

    terms = param.List(default=[])
    dark = param.Boolean(default=False)

    _stylesheets = _style("equation")
    _esm = (_HERE / "equation.js").read_text()


class Bridge(JSComponent):
    """Carries files, text and the address from Python to the browser, and the address and theme back.

    ``address`` is [query, step]: another step becomes an entry of the browser's history, other changes
    replace the present entry. ``visited`` is the query that Back or Forward went to, with a serial number
    after "#". ``theme`` is "light" or "dark": what was chosen last, else the system's.
    """

    address = param.List(default=["", ""])
    visited = param.String(default="")
    theme = param.String(default="")

    _esm = (_HERE / "workarounds.js").read_text() + (_HERE / "bridge.js").read_text()

    def send(self, **message: Any) -> None:
        """Send one message: ``kind`` "file" (name, mime, content in base64) or "text" (content)."""
        self._send_msg(message)
