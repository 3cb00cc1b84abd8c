"""The drawing of the open step: one loop per session, in which the newest settings win.

Nothing here computes. Figures are made in the figures' thread pool; the event loop only hands them to the
browser. A change while they are made has them made once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from acot_explorer.figure_panel import FigurePanel
from acot_explorer.host import Host
from acot_explorer.jobs import foreground
from acot_explorer.steps.base import NotReady, Step

__all__ = ["Drawing"]

_LOG = logging.getLogger("acot_explorer")
_TOO_LONG = 0.4  # seconds after which the other figures of obsolete settings are not made any more
_SLOW = 0.8  # seconds after which the figures that are still to come are dimmed
_TOGETHER = 0.2  # seconds after which the figures that are made are shown, and the others later


class Stage(Host, Protocol):
    """The page as the drawing sees it: which step is open, and where its remark goes."""

    @property
    def step(self) -> Step:
        """The open step."""

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""

    def remark(self, step: Step, text: str) -> None:
        """Show a step's sentence with the numbers of its figures."""

    def soon(self, function: Callable[[], None]) -> None:
        """Run a function as the document's next callback."""


class Drawing:
    """Draws the open step of a page, again while its settings change."""

    def __init__(self, page: Stage) -> None:
        self._page = page
        self.active = self._stale = self._awaited = False
        self.task: asyncio.Future[None] | None = None

    def request(self, *, awaited: bool = True) -> None:
        """Draw at once, or as soon as the drawing under way ends."""
        self._awaited |= awaited
        if self.active:
            self._stale = True
        else:
            self.active = True
            self.task = asyncio.ensure_future(self._draw())

    async def _draw(self) -> None:
        try:
            while not self._page.closed:
                awaited, self._stale, self._awaited = self._awaited, False, False
                with foreground().waiting() if awaited else nullcontext():
                    await self._draw_once(awaited)
                if not self._stale:
                    return
        except TimeoutError:
            _LOG.info("a session ended while a figure was drawn")
        finally:
            self.active = False

    async def _draw_once(self, awaited: bool) -> None:
        start = perf_counter()
        asked = await self._page.locked(self._ask)
        if asked is None:
            return
        step, request, dark = asked
        missing, remark = list(step.panels), ""
        slow = asyncio.get_running_loop().call_later(_SLOW, self._page.soon, partial(_dim, missing))
        if not awaited:
            slow.cancel()
        try:
            while missing:
                shows, remark = await self._page.in_background(
                    _prepare, step, tuple(missing), request, dark, remark
                )
                del missing[: len(shows)]
                await self._page.locked(partial(self._show, step, shows, remark))
                if self._stale and perf_counter() - start > _TOO_LONG:
                    return
        finally:
            slow.cancel()

    def _ask(self) -> tuple[Step, Any, bool] | None:
        """What the open step needs now; None when it says what is missing instead."""
        step = self._page.step
        try:
            request = step.request()
        except NotReady as reason:
            self._page.remark(step, "")
            for panel in step.panels:
                panel.say(str(reason))
            return None
        return step, request, self._page.dark

    def _show(self, step: Step, shows: list[Callable[[], None]], remark: str) -> None:
        for show in shows:
            show()  # obsolete or not: the figure follows while a slider is dragged
        if remark:
            self._page.remark(step, remark)


def _prepare(
    step: Step, panels: tuple[FigurePanel, ...], request: Any, dark: bool, remark: str
) -> tuple[list[Callable[[], None]], str]:
    """Make the first figures, as many as are quickly made: what shows each, and the step's remark.

    The remark is made with the first figure that can be shown.
    """
    start = perf_counter()
    shows: list[Callable[[], None]] = []
    for panel in panels:
        try:
            show = panel.prepare(step.request_of(panel, request), dark=dark)
            remark = remark or step.remark(request)
        except NotReady as reason:
            show = partial(panel.say, str(reason))
        except ValueError as error:
            show = partial(panel.say, f"This cannot be shown: {error}")
        except Exception as error:
            _LOG.exception("figure %s", panel.spec.name)
            what = f"{type(error).__name__}: {error}"
            show = partial(panel.say, f"Something went wrong ({what}).\nChange a setting to try again.")
        shows.append(show)
        if perf_counter() - start > _TOGETHER:
            break
    return shows, remark


def _dim(panels: list[FigurePanel]) -> None:
    """Dim figures that are not drawn yet."""
    for panel in panels:
        panel.view.busy = True
