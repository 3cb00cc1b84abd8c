"""The bar at the top: undo, presets, link, code, export, and the dialogs that they open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui

from acot_explorer.about import ABOUT
from acot_explorer.browser import Bridge
from acot_explorer.method_map import map_svg
from acot_explorer.state import PRESETS, Settings

__all__ = ["Toolbar"]

_ON_BAR = {"color": "inherit", "whiteSpace": "nowrap", "&.Mui-disabled": {"color": "inherit", "opacity": 0.5}}
_WIDE_ONLY = "@media (max-width: 900px) { :host { display: none !important; } }"
_NARROW_ONLY = "@media (min-width: 900.01px) { :host { display: none !important; } }"


class Toolbar:
    """The buttons; on a narrow screen they are one menu."""

    def __init__(
        self, settings: Settings, link: Callable[[], str], code: Callable[[], str], bridge: Bridge
    ) -> None:
        self._settings, self._bridge = settings, bridge
        self.on_export_all: Callable[[], Awaitable[None]] | None = None
        bare: dict[str, Any] = {"variant": "text", "size": "small", "margin": (0, 1), "sx": _ON_BAR}

        def button(label: str, icon: str, description: str) -> Any:
            return pmui.Button(label=label, icon=icon, description=description, **bare)

        self.undo_button = button("Undo", "undo", "Undo the last change")
        self.undo_button.disabled = True
        self.reset_button = button("Reset", "restart_alt", "Reset all settings")
        presets = [{"label": name} for name in PRESETS]
        self.preset_menu = pmui.MenuButton(label="Presets", icon="tune", items=presets, **bare)
        self.link_button = button("Copy link", "link", "Copy link to this page with all settings")
        self.code_button = button("Copy code", "code", "Copy code: the Python that makes these figures")
        self.zip_button = button("Export all", "archive", "Export all: figures, data and settings as a zip")
        self.about_button = button("About", "help_outline", "About: what this is, words, the paper")
        wide = pmui.Row(
            self.undo_button, self.reset_button, self.preset_menu, self.link_button, self.code_button,
            self.zip_button, self.about_button, margin=(0, 0, 0, 12), stylesheets=[_WIDE_ONLY],
        )  # fmt: skip
        self._actions: dict[str, Callable[[], Any]] = {
            "Undo": settings.undo,
            "Reset": settings.reset,
            **{f"Preset: {name}": partial(settings.apply_preset, name) for name in PRESETS},
            "Copy link": lambda: self._copy("Link to this page", link()),
            "Copy code": lambda: self._copy("Python that makes these figures", code()),
            "About": self._show_about,
        }
        items = [{"label": label} for label in (*self._actions, "Export all")]
        self.menu = pmui.MenuButton(label="Menu", icon="menu", items=items, **bare)
        narrow = pmui.Row(self.menu, margin=(0, 0, 0, 4), stylesheets=[_NARROW_ONLY])
        self.row = pmui.Row(wide, narrow, margin=0)
        self.dialog_text = pmui.TextAreaInput(
            label="Copied (where the browser forbids it, select it by hand)", rows=16, auto_grow=False,
            sizing_mode="stretch_width",
        )  # fmt: skip
        dialog: dict[str, Any] = {"title_variant": "h6", "show_close_button": True, "close_on_click": True}
        self.dialog = pmui.Dialog(self.dialog_text, width_option="md", **dialog)
        self.about = pmui.Dialog(
            pn.pane.HTML(f'<div class="map">{map_svg()}</div>', sizing_mode="stretch_width"),
            pmui.Typography(ABOUT, variant="body2", sizing_mode="stretch_width"),
            title="ACOT: Adversarially-Contrastive Optimal Transport",
            width_option="md",
            **dialog,
        )
        self._connect()

    def _connect(self) -> None:
        for button in (
            self.undo_button,
            self.reset_button,
            self.link_button,
            self.code_button,
            self.about_button,
        ):
            button.on_click(lambda _, action=self._actions[button.label]: action())
        self.preset_menu.on_click(lambda item: self._settings.apply_preset(item["label"]))
        self.menu.on_click(self._chosen)

    async def _chosen(self, item: dict[str, str]) -> None:
        if item["label"] in self._actions:
            self._actions[item["label"]]()
        elif self.on_export_all is not None:
            await self.on_export_all()

    def reflect(self) -> None:
        """Enable what can be done now."""
        self.undo_button.disabled = not self._settings.can_undo

    def _copy(self, title: str, text: str) -> None:
        self._bridge.send(kind="text", content=text)
        self.dialog_text.value = text
        self.dialog.param.update(title=title, open=True)

    def _show_about(self) -> None:
        self.about.open = True
