"""Layout of a step on the page: words and controls in the left pane, the scene in the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui

from acot_explorer.browser import PANES, EquationView
from acot_explorer.equations import Term, term_svg
from acot_explorer.method_map import STEPS
from acot_explorer.state import Settings
from acot_explorer.steps.base import Step

__all__ = ["StepView"]

_WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
_NOTE = {
    "fontSize": "0.8125rem",
    "padding": "2px 10px",
    "& *": {"fontSize": "0.8125rem"},
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
        self._panels = step.panels
        heading = pmui.Typography(
            f"Step {index + 1} · {STEPS[step.name]}: {step.question}",
            variant="subtitle1",
            sx={"fontWeight": 700, "lineHeight": 1.3},
            margin=(0, 8, 2, 8),
            **_WIDE,
        )
        method = pmui.Typography(step.method, variant="body2", margin=(0, 8), **_WIDE)
        self.equation = EquationView(
            terms=[_shown(term, step.settings) for term in step.equation],
            visible=bool(step.equation),
            margin=(4, 8, 6, 8),
            **_WIDE,
        )
        self.notice = pmui.Alert(
            object=step.notice(), severity="info", title="What to notice", margin=(4, 6), sx=_NOTE, **_WIDE
        )
        back = pmui.Button(label="Back", icon="arrow_back", variant="outlined", disabled=index == 0, **_SMALL)
        following = pmui.Button(
            label="Next", end_icon="arrow_forward", disabled=index == len(names) - 1, **_SMALL
        )
        back.on_click(lambda _: on_move(-1))
        following.on_click(lambda _: on_move(1))
        self.remark = pmui.Typography("", variant="body2", margin=(0, 4), **_WIDE)
        left = pn.Column(
            heading, method, self.equation, *step.controls(), self.notice, pmui.Row(back, following),
            css_classes=["left"], stylesheets=[PANES], margin=0,
        )  # fmt: skip
        scene = step.scene()
        figures = [
            self.remark,
            pmui.FlexBox(*[panel.layout() for panel in step.panels], gap="12px", **_WIDE),
            *step.extras(),
        ]
        self._scene = scene
        right = pn.Column(
            *(figures if scene is None else [scene]), css_classes=["right"], stylesheets=[PANES], margin=0
        )
        self.layout = pn.Row(
            *([right] if step.fills else [left, right]),
            css_classes=["step"],
            stylesheets=[PANES],
            sizing_mode="stretch_both",
            margin=0,
        )

    def say(self, remark: str, notice: str) -> None:
        """Show the numbers of the figures in a sentence, and what to notice."""
        self.remark.object = remark
        self.notice.param.update(object=notice, visible=bool(notice))

    def set_dark(self, dark: bool) -> None:
        """Follow the theme."""
        self.equation.dark = dark
        for panel in self._panels:
            panel.view.dark = dark
        if self._scene is not None and hasattr(self._scene, "dark"):
            self._scene.dark = dark


def _shown(term: Term, settings: Settings) -> list[str]:
    """A term as the browser gets it."""
    label = settings.param[term.setting].label if term.setting else ""
    return [term_svg(term.latex), term.words, term.role, label]
