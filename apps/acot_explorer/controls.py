"""Controls of the page, made from the settings and the table of parameters."""

from __future__ import annotations

from typing import Any

import panel_material_ui as pmui
import param

from acot_core.experiments.parameters import PARAMETERS
from acot_explorer.state import Settings

__all__ = ["control", "controls"]

_TIGHT = {"& .MuiSlider-root": {"padding": "6px 0"}, "& .MuiTypography-root": {"fontSize": "0.875rem"}}
_GATHER_MS = 5  # Panel gathers a widget's changes for 50 ms before it acts: half of what a figure may take


def control(settings: Settings, name: str) -> Any:
    """The widget for one setting: a slider for a number, a menu for a choice, a switch for yes or no."""
    field = settings.param[name]
    common: dict[str, Any] = {
        "label": field.label,
        "description": field.doc or "",
        "sizing_mode": "stretch_width",
        "margin": (6, 8, 4, 8),
        "size": "small",
    }
    slider: dict[str, Any] = {**common, "margin": (0, 8, 2, 8), "sx": _TIGHT}
    if isinstance(field, param.Boolean):
        return pmui.Switch.from_param(field, **common)
    if name in PARAMETERS and isinstance(field, param.Selector):
        return pmui.DiscreteSlider.from_param(field, options=dict(field.names), **slider)
    if isinstance(field, param.Selector):
        return pmui.Select.from_param(field, **common)
    if name in ("seed", "sequence", "image"):
        return pmui.IntInput.from_param(field, sx={"& button": {"color": "text.secondary"}}, **common)
    if isinstance(field, param.Integer):
        return pmui.IntSlider.from_param(field, **slider)
    return pmui.FloatSlider.from_param(field, format="0.[000]", **slider)


def controls(settings: Settings, *names: str) -> list[Any]:
    """Widgets for several settings."""
    widgets = [control(settings, name) for name in names]
    for widget in widgets:
        widget._debounce = _GATHER_MS
    return widgets
