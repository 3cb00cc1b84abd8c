"""How a step stands on the page: words, controls on the left, figures on the right or below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui

from acot_explorer.method_map import STEPS
from acot_explorer.steps.base import Step

__all__ = ["StepView"]

_WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
_NOTE = {
    "fontSize": "0.875rem",
    "padding": "4px 12px",
    "& *": {"fontSize": "0.875rem"},
    "& p": {"margin": 0},
    "& .MuiAlert-icon": {"marginRight": "8px"},
    "& .MuiAlert-message > *:not(.MuiAlertTitle-root)": {"margin": 0, "padding": 0},
}
_SMALL: dict[str, Any] = {"size": "small", "margin": (4, 6)}


class StepView:
    """The widgets of one step; made when the step is opened for the first time, then only hidden."""

    def __init__(self, step: Step, on_move: Callable[[int], None]) -> None:
        names = list(STEPS)
        index = names.index(step.name)
        heading = pmui.Typography(
            f"Step {index + 1} · {STEPS[step.name]}: {step.question}",
            variant="h6",
            margin=(0, 8, 0, 8),
            **_WIDE,
        )
        method = pmui.Typography(step.method, variant="body2", margin=(0, 8), **_WIDE)
        equation = pn.pane.LaTeX(
            f"$${step.equation}$$" if step.equation else "",
            renderer="mathjax",
            margin=(2, 8, 6, 8),
            styles={"font-size": "13px", "overflow-x": "auto", "overflow-y": "hidden"},
            visible=bool(step.equation),
            **_WIDE,
        )
        notice = pmui.Alert(
            step.notice, severity="info", title="What to notice", margin=(8, 4), sx=_NOTE, **_WIDE
        )
        back = pmui.Button(label="Back", icon="arrow_back", variant="outlined", disabled=index == 0, **_SMALL)
        following = pmui.Button(
            label="Next", end_icon="arrow_forward", disabled=index == len(names) - 1, **_SMALL
        )
        back.on_click(lambda _: on_move(-1))
        following.on_click(lambda _: on_move(1))
        self.remark = pmui.Typography("", variant="body2", margin=(0, 4), **_WIDE)
        left = pmui.Column(
            pmui.FlexBox(*[_cell(c) for c in step.controls()], gap="2px", **_WIDE),
            notice,
            pmui.Row(back, following),
            styles={"flex": "1 1 280px"},
            margin=0,
        )
        right = pmui.Column(
            self.remark,
            pmui.FlexBox(*[panel.layout() for panel in step.panels], gap="12px", **_WIDE),
            styles={"flex": "4 1 620px"},
            margin=0,
        )
        body = pmui.FlexBox(left, right, align_items="flex-start", gap="12px", margin=(6, 0, 0, 0), **_WIDE)
        self.layout = pmui.Column(heading, method, equation, body, margin=(0, 0, 24, 0), **_WIDE)


def _cell(widget: Any) -> Any:
    """A control in the box of controls: beside others where there is room, below them where not."""
    widget.styles = {**widget.styles, "flex": "1 1 230px"}
    return widget
