"""What browser tests do with a page of the explorer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app_server import PATIENCE

__all__ = [
    "RANDOM", "changed", "evaluate", "export", "figure", "place", "save", "setting", "shown", "slider",
    "titled", "until", "words",
]  # fmt: skip

RANDOM = "dataset=planted&stream=features&negatives=random&n_negatives=20&n_iter=100"
"""Settings at which every figure is there within a second."""


def figure(page: Any, number: int = 0) -> Any:
    """A figure of the open step, which is shown."""
    return page.locator(".frame[data-serial]:not([data-serial='']):visible").nth(number)


def shown(page: Any, number: int = 0) -> int:
    """The serial number of what a figure shows, once it is there."""
    figure(page, number).wait_for()
    return int(figure(page, number).get_attribute("data-serial"))


def words(page: Any, number: int = 0) -> str:
    """The text that replaces a figure."""
    return str(figure(page, number).get_attribute("data-alt"))


def until(page: Any, condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    for _ in range(PATIENCE // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never happened")


def changed(page: Any, before: int, number: int = 0) -> int:
    """Wait until a figure shows something newer than ``before``."""
    until(page, lambda: figure(page, number).count() and shown(page, number) != before)
    return shown(page, number)


def setting(page: Any, name: str) -> str | None:
    """A setting as the address bar has it; None at its default."""
    page.wait_for_timeout(50)
    match = re.search(rf"[?&]{name}=([^&]+)", page.url)
    return match[1] if match else None


def save(page: Any, action: Callable[[], Any]) -> tuple[str, bytes]:
    """The file that an action makes the browser save."""
    with page.expect_download() as download:
        action()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def export(page: Any, label: str, number: int = 0) -> tuple[str, bytes]:
    page.get_by_role("button", name=re.compile("^Export the figure")).locator("visible=true").nth(
        number
    ).click()
    return save(page, lambda: page.get_by_role("menuitem", name=label).click())


def slider(page: Any, label: str) -> Any:
    """The slider of that label in the open step."""
    return page.get_by_role("slider", name=re.compile(re.escape(label))).locator("visible=true")


MODEL = """name => { for (const doc of Bokeh.documents) for (const model of doc._all_models.values())
  if (model.name === name && Bokeh.index.find_one(model)) { return model } }"""


def evaluate(page: Any, name: str, code: str, *arguments: Any) -> Any:
    """Evaluate JavaScript about the plot of that name: ``model``, ``view`` and ``args`` are there."""
    return page.evaluate(
        f"([name, args]) => {{ const model = ({MODEL})(name), view = Bokeh.index.find_one(model); {code} }}",
        [name, list(arguments)],
    )


def place(page: Any, name: str, x: float, y: float) -> tuple[float, float]:
    """Where a point of a plot is on the screen."""
    code = """const box = view.canvas_view.el.getBoundingClientRect()
    return [box.x + view.frame.x_scale.compute(args[0]), box.y + view.frame.y_scale.compute(args[1])]"""
    position = evaluate(page, name, code, x, y)
    return position[0], position[1]


def titled(page: Any, start: str) -> str:
    """The name, given here, of the plot whose title begins so."""
    page.evaluate(
        """title => { for (const doc of Bokeh.documents) for (const m of doc._all_models.values())
        if (m.title?.text?.startsWith(title) && Bokeh.index.find_one(m)) { m.name = title } }""",
        start,
    )
    return start
