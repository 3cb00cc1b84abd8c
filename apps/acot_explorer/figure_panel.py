"""A figure on the page with what belongs to it: the picture, a title, and the menu that exports it."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import panel_material_ui as pmui

from acot_explorer.components import FigureView
from acot_explorer.render import FigureSpec, Picture

__all__ = ["MIME", "FigurePanel", "as_file"]

MIME = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "zip": "application/zip",
    "npz": "application/octet-stream",
    "py": "text/x-python",
}


def as_file(name: str, content: bytes) -> dict[str, str]:
    """A message for `Bridge.send` that makes the browser save a file."""
    mime = MIME[name.rpartition(".")[2]]
    return {"kind": "file", "name": name, "mime": mime, "content": base64.b64encode(content).decode()}


class FigurePanel:
    """One figure of a step; ``request`` is what it shows now, None while it shows a message."""

    def __init__(
        self,
        spec: FigureSpec,
        title: str,
        on_export: Callable[[FigurePanel, str], Awaitable[None]],
        on_pick: Callable[[int], None] | None = None,
    ) -> None:
        self.spec, self.title = spec, title
        self.request: Any = None
        self.view = FigureView(sizing_mode="stretch_width")
        self.menu = pmui.MenuButton(
            label="Export",
            icon="download",
            items=[{"label": text} for text in ("PNG (300 dpi)", "SVG", "PDF", "CSV (data)")],
            variant="text",
            size="small",
            disabled=True,
            description=f"Export the figure “{title}” or its data",
            margin=0,
        )

        async def export(item: dict[str, str]) -> None:
            await on_export(self, item["label"].split()[0].lower())

        self.menu.on_click(export)
        if on_pick is not None:
            self.view.param.watch(lambda event: event.new >= 0 and on_pick(event.new), "picked")

    def layout(self) -> Any:
        """The panel as it stands on the page."""
        head = pmui.Row(
            pmui.Typography(self.title, variant="subtitle1", margin=(4, 0)),
            pmui.Row(sizing_mode="stretch_width"),
            self.menu,
            sizing_mode="stretch_width",
        )
        basis = "1 1 100%" if self.spec.wide else "1 1 340px"
        return pmui.Column(head, self.view, styles={"flex": basis}, margin=0)

    def show(self, request: Any, picture: Picture) -> None:
        """Show a picture."""
        self.request = request
        self.menu.disabled = False
        self.view.param.update(
            source=picture.source,
            alt=picture.alt,
            points=picture.points,
            picked=-1,
            busy=False,
            message="",
            serial=self.view.serial + 1,
        )

    def say(self, message: str) -> None:
        """Show words in place of a picture."""
        self.request = None
        self.menu.disabled = True
        self.view.param.update(message=message, busy=False, points=[])
