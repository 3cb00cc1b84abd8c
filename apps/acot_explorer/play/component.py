"""The Play step as one component of the page: an ES module in the browser, and what answers it here.

The browser evaluates the objective by itself: landscape, energies and terms follow a drag at once. What needs
a plan, a descent or training comes from here, in the figure pool. The browser asks for one solution at a time
and skips what it no longer needs, so that the newest always wins.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from acot_core._utils.progress import Cancelled
from acot_core.experiments.views.octant_data import Snapshot
from acot_explorer.jobs import figure_pool, foreground
from acot_explorer.play.engine import (
    PlaySettings,
    Shown,
    alternation_answer,
    classes_answer,
    initial_state,
    preset_answer,
    snapshots_of,
    solve_answer,
)

__all__ = ["MODULES", "Play", "bundle"]

_LOG = logging.getLogger("acot_explorer")
_HERE = Path(__file__).parent
MODULES = ("math", "dom", "scene", "disk", "charts", "player", "scenes", "words", "play")
"""The parts of the ES module in `js/`, each before those that import it."""


def bundle() -> str:
    """One ES module of all parts: their imports of each other, and all exports but `render`, fall away."""
    parts = []
    for name in MODULES:
        text = (_HERE / "js" / f"{name}.js").read_text()
        text = re.sub(r"^import .* from \"\./\w+\.js\"\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^export (?!function render)", "", text, flags=re.MULTILINE)
        # Each part keeps its private names to itself; what it exports is handed on.
        names = re.findall(
            r"^export (?:async )?(?:function|const) (\w+)",
            (_HERE / "js" / f"{name}.js").read_text(),
            re.MULTILINE,
        )
        if name == MODULES[-1]:
            parts.append(text)
        else:
            parts.append(
                f"const {{{', '.join(names)}}} = (() => {{\n{text}\nreturn {{{', '.join(names)}}}\n}})()"
            )
    return "\n".join(parts)


class Play(JSComponent):
    """The octant to play with; ``dark`` follows the page, ``shown`` is what was solved last.

    ``on_take`` gets the settings to go on with, ``on_export`` the format of a figure to save.
    """

    initial = param.Dict(default={}, doc="What `initial_state` gives.")
    heading = param.String(default="", doc="Number and title of the step, with its question.")
    saved = param.String(default="", doc="What a link carries: see `engine.problem_of`; empty at the start.")
    dark = param.Boolean(default=False)

    _esm = bundle()
    _stylesheets = [(_HERE / "play.css").read_text()]  # noqa: RUF012

    def __init__(
        self,
        *,
        on_take: Callable[[PlaySettings], None] | None = None,
        on_export: Callable[[str], Awaitable[None]] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(initial=initial_state(), **params)
        self._on_take, self._on_export = on_take, on_export
        start = self.initial
        self.shown = Shown.of(start["frames"], start["negatives"], PlaySettings())
        self._run: Any = 0  # the training that the browser follows; an older one stops
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """The session is over: a training that only it follows stops."""
        self._run = -1

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and data.get("kind") == "take":
            self._take(data)
            return
        task = asyncio.get_running_loop().create_task(self._answer(data))
        self._tasks.add(task)  # the loop itself keeps no hold of a task
        task.add_done_callback(self._tasks.discard)

    def _take(self, data: dict[str, Any]) -> None:
        try:
            settings = PlaySettings.of(data.get("settings"))
        except ValueError as error:
            self._send_msg({"kind": "problem", "text": str(error)})
            return
        if self._on_take is not None:
            self._on_take(settings)

    async def _answer(self, data: Any) -> None:
        """Compute what the browser asks for, away from the event loop, and send it."""
        try:
            if not isinstance(data, dict) or data.get("kind") not in self._kinds:
                raise ValueError("the browser sent a message of no known kind")
            await self._kinds[data["kind"]](self, data)
        except ValueError as error:
            self._send_msg({"kind": "problem", "text": str(error)})
        except Exception as error:
            _LOG.exception("Play: %s", data.get("kind"))
            text = f"Something went wrong ({type(error).__name__}: {error})."
            self._send_msg({"kind": "problem", "text": text})

    async def _send(
        self, kind: str, function: Callable[..., dict[str, Any]], *arguments: Any, **more: Any
    ) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        with foreground().waiting():  # long work gives way
            answer = await loop.run_in_executor(figure_pool(), partial(function, *arguments))
        self._send_msg({"kind": kind, **answer, **more})
        return answer

    async def _solve(self, data: dict[str, Any]) -> None:
        settings, number = PlaySettings.of(data["settings"]), data.get("snapshot")

        def compute() -> dict[str, Any]:
            snapshot = None
            if isinstance(number, int):  # of the training shown, as far as the timeline has got
                snapshots = snapshots_of(settings.sigma)
                snapshot = snapshots[min(max(number, 0), len(snapshots) - 1)]
            twin, given = bool(data.get("twin")), data.get("negatives")
            return solve_answer(data["frames"], settings, given=given, snapshot=snapshot, twin=twin)

        answer = await self._send("solved", compute, serial=data.get("serial"), snapshot=number)
        self.shown = Shown.of(data["frames"], answer["negatives"], settings)

    async def _alternate(self, data: dict[str, Any]) -> None:
        settings = PlaySettings.of(data["settings"])
        await self._send("alternated", alternation_answer, data["frames"], data["negatives"], settings)

    async def _classes(self, data: dict[str, Any]) -> None:
        await self._send("classes", classes_answer, PlaySettings.of(data["settings"]), data.get("name"))

    async def _preset(self, data: dict[str, Any]) -> None:
        await self._send("preset", preset_answer, data.get("preset"), data.get("seed"))

    async def _export(self, data: dict[str, Any]) -> None:
        if data.get("format") not in ("png", "svg", "pdf", "csv"):
            raise ValueError(f"format: expected 'png', 'svg', 'pdf' or 'csv', got {data.get('format')!r}")
        if self._on_export is not None:
            await self._on_export(data["format"])

    async def _train(self, data: dict[str, Any]) -> None:
        """Train (or replay) an adversary; each snapshot goes out with its plan and descent."""
        settings, run = PlaySettings.of(data["settings"]), data.get("run")
        self._run = run
        fresh: queue.SimpleQueue[Snapshot | None] = queue.SimpleQueue()

        def watch(snapshot: Snapshot) -> None:
            if self._run != run:
                raise Cancelled
            fresh.put(snapshot)

        def train() -> None:
            try:
                snapshots_of(settings.sigma, watch)
            except Cancelled:
                pass
            finally:
                fresh.put(None)

        loop = asyncio.get_running_loop()
        training = loop.run_in_executor(None, train)
        while (snapshot := await loop.run_in_executor(None, fresh.get)) is not None and self._run == run:
            await self._send(
                "snapshot",
                partial(solve_answer, data["frames"], settings, snapshot=snapshot),
                run=run,
                iteration=snapshot.iteration,
                fooling_rate=snapshot.fooling_rate,
                noise_norm=snapshot.noise_norm,
            )
        await training
        self._send_msg({"kind": "trained", "run": run})

    _kinds: dict[str, Callable[..., Any]] = {  # noqa: RUF012
        "solve": _solve,
        "alternate": _alternate,
        "classes": _classes,
        "preset": _preset,
        "export": _export,
        "train": _train,
    }
