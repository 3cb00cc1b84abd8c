"""A figure on the page with what belongs to it: a title, a pin, and the menu that exports it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import panel_material_ui as pmui

from acot_explorer.browser import FigureView
from acot_explorer.host import Host
from acot_explorer.render import FigureSpec, Picture, picture, record

__all__ = ["FigurePanel", "FigureSlot", "LivingFigure", "as_file"]

_MIME = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "zip": "application/zip",
    "npz": "application/octet-stream",
}


def as_file(name: str, content: bytes) -> dict[str, str]:
    """A message for `Bridge.send` that makes the browser save a file."""
    mime = _MIME[name.rpartition(".")[2]]
    return {"kind": "file", "name": name, "mime": mime, "content": base64.b64encode(content).decode()}


class LivingFigure(Protocol):
    """A figure that the browser draws from data, in place of a PNG; one per panel and session."""

    @property
    def view(self) -> Any:
        """The Panel object on the page, for instance ``pn.pane.Bokeh``."""

    @property
    def can_pin(self) -> bool:
        """Whether `pin` does anything."""

    def data(self, record: Any) -> Any:
        """Data that `show` needs of a record; called in the figures' thread pool, touches no model."""

    def show(self, data: Any, *, dark: bool) -> None:
        """Show the data; called on the event loop, under the document's lock."""

    def pin(self, label: str) -> None:
        """Leave the present curves as a ghost with this name; an empty one removes it."""


@dataclass(frozen=True)
class FigureSlot:
    """One figure of a step; ``living`` makes what the browser draws, without it a PNG is shown.

    An ``optional`` figure leaves the page where it cannot be shown. ``basis`` is its place in the row of
    figures (CSS flex), by default half of it or, if wide, all; ``first`` puts it at the head of the row.
    """

    spec: FigureSpec
    title: str
    living: Callable[[Host], LivingFigure] | None = None
    optional: bool = False
    basis: str = ""
    first: bool = False


class FigurePanel:
    """A figure slot of one session; ``request`` is what it shows now, None while it shows a message."""

    def __init__(
        self,
        slot: FigureSlot,
        host: Host,
        summary: Callable[[], str],
        on_pick: Callable[[int], None] | None = None,
    ) -> None:
        self.spec, self.title, self.host, self._summary = slot.spec, slot.title, host, summary
        self.request: Any = None
        self._drawn: tuple[Any, bool] | None = None  # the request that the browser has, and in which theme
        self._optional, self._basis, self._first = slot.optional, slot.basis, slot.first
        self._layout: Any = None
        self.living = slot.living(host) if slot.living else None
        self.view = FigureView(
            sizing_mode="stretch_width", margin=0, content=self.living.view if self.living else None
        )
        small: dict[str, Any] = {"variant": "text", "size": "small", "disabled": True, "margin": 0}
        self.pin_button = pmui.Button(
            label="Pin", icon="push_pin", description=f"Pin “{slot.title}”: keep it to compare with", **small
        )
        self.menu = pmui.MenuButton(
            label="Export",
            icon="download",
            items=[{"label": text} for text in ("PNG (300 dpi)", "SVG", "PDF", "CSV (data)")],
            description=f"Export the figure “{slot.title}” or its data",
            **small,
        )
        self.pin_button.visible = self.living is None or self.living.can_pin
        self.pin_button.on_click(lambda _: self._pin())
        self.menu.on_click(self._export)
        if on_pick is not None:
            self.view.param.watch(lambda event: event.new >= 0 and on_pick(event.new), "picked")

    async def _export(self, item: dict[str, str]) -> None:
        if self.request is not None:
            await self.host.export(self.spec, self.request, item["label"].split()[0].lower())

    def layout(self) -> Any:
        """The panel as it stands on the page."""
        head = pmui.Row(
            pmui.Typography(self.title, variant="subtitle2", margin=(4, 0), sx={"whiteSpace": "nowrap"}),
            pmui.Row(sizing_mode="stretch_width"),
            self.pin_button,
            self.menu,
            sizing_mode="stretch_width",
            margin=0,
        )
        basis = self._basis or ("1 1 100%" if self.spec.wide else "1 1 330px")
        place = {"flex": basis, "min-width": "0", "order": "-1" if self._first else "0"}
        self._layout = pmui.Column(head, self.view, styles=place, margin=0, visible=not self._optional)
        return self._layout

    def prepare(self, request: Any, *, dark: bool) -> Callable[[], None]:
        """Make what is asked for, in the figures' thread pool; the answer shows it, on the event loop."""
        if self._drawn == (request, dark):
            return partial(self.view.param.update, busy=False)
        if self.living is None:
            drawn = picture(self.spec, request, "dark" if dark else "light")
            return partial(self._show, request, dark, drawn, lambda: None)
        shown = record(self.spec, request)
        show = partial(self.living.show, self.living.data(shown), dark=dark)
        return partial(self._show, request, dark, Picture("", self.spec.describe(shown), []), show)

    def _show(self, request: Any, dark: bool, drawn: Picture, show: Callable[[], None]) -> None:
        self.request, self._drawn = request, (request, dark)
        self._set_visible(True)
        self.menu.disabled = self.pin_button.disabled = False
        show()
        self.view.param.update(
            source=drawn.source,
            alt=drawn.alt,
            points=drawn.points,
            picked=-1,
            busy=False,
            message="",
            serial=self.view.serial + 1,
        )

    def say(self, message: str) -> None:
        """Show words in place of a picture; an optional figure leaves the page."""
        self.request = self._drawn = None
        self._set_visible(not self._optional)
        self.menu.disabled = self.pin_button.disabled = True
        self.view.param.update(message=message, busy=False, points=[])

    def _set_visible(self, visible: bool) -> None:
        if self._layout is not None and self._layout.visible != visible:
            self._layout.visible = visible

    def _pin(self) -> None:
        """Pin what is shown beside what is to come, or take it away again."""
        pinned = self.pin_button.label == "Pin"
        self.pin_button.param.update(
            label="Unpin" if pinned else "Pin", variant="outlined" if pinned else "text"
        )
        label = f"Pinned: {self._summary()}" if pinned else ""
        if self.living is not None:
            self.living.pin(label)
        else:
            self.view.param.update(pinned=self.view.source if pinned else "", pinned_label=label)
