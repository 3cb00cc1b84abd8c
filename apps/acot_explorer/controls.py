"""Controls of the page, made from the settings (and so from `acot_core.parameters.PARAMETERS`)."""

from __future__ import annotations

from typing import Any

import panel_material_ui as pmui
import param

from acot_core.parameters import PARAMETERS
from acot_explorer.state import Settings

__all__ = ["control", "controls"]

_GATHER_MS = 5  # Panel gathers a widget's changes for 50 ms before it acts; a slider tells of one at a time


def control(settings: Settings, name: str) -> Any:
    """The widget for one setting: a slider for a number, a menu for a choice, a switch for yes or no."""
    field = settings.param[name]
    common: dict[str, Any] = {
        "label": field.label,
        "description": field.doc or "",
        "sizing_mode": "stretch_width",
        "margin": (2, 8, 10, 8),
        "size": "small",
    }
    if isinstance(field, param.Boolean):
        return pmui.Switch.from_param(field, **common)
    if name in PARAMETERS and isinstance(field, param.Selector):
        return _discrete(settings, name, common)
    if isinstance(field, param.Selector):
        return pmui.Select.from_param(field, **common)
    if name in ("seed", "clip", "image"):
        return pmui.IntInput.from_param(field, sx={"& button": {"color": "text.secondary"}}, **common)
    if isinstance(field, param.Integer):
        return pmui.IntSlider.from_param(field, **common)
    return pmui.FloatSlider.from_param(field, format="0.[000]", **common)


def controls(settings: Settings, *names: str) -> list[Any]:
    """Widgets for several settings."""
    made = [control(settings, name) for name in names]
    for widget in made:
        widget._debounce = _GATHER_MS
    return made


def _discrete(settings: Settings, name: str, common: dict[str, Any]) -> Any:
    """A slider through given values, as a slider through their positions.

    panel-material-ui's own DiscreteSlider loses every change when Panel's ``throttled`` is on (0.16).
    """
    choices = list(settings.param[name].objects)

    def state() -> dict[str, Any]:
        value = getattr(settings, name)
        return {"value": choices.index(value), "value_label": f"{value:g}"}

    slider = pmui.IntSlider(start=0, end=len(choices) - 1, **state(), **common)
    slider.param.watch(lambda event: settings.param.update(**{name: choices[event.new]}), "value")
    settings.param.watch(lambda _: slider.param.update(**state()), name)
    return slider
