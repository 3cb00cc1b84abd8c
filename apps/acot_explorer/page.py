"""The page of one session: its settings, the open step, and what runs for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui
from panel.io.document import hold

from acot_core.datasets import SequenceDataset
from acot_explorer._workarounds import page_of_its_own, trim_memory
from acot_explorer.browser import PANES, Bridge, MapBar
from acot_explorer.cache_keys import AdversaryRequest, DataRequest
from acot_explorer.drawing import Drawing
from acot_explorer.figure_panel import as_file
from acot_explorer.jobs import figure_pool, foreground, runner
from acot_explorer.method_map import FLOWS, STEPS
from acot_explorer.render import FigureSpec, archive, export
from acot_explorer.session import Session
from acot_explorer.snippets import OWN_FILE
from acot_explorer.state import Settings, choices_of_data
from acot_explorer.step_view import StepView
from acot_explorer.steps import ALL_STEPS
from acot_explorer.steps.base import Step
from acot_explorer.toolbar import Toolbar

__all__ = ["Explorer"]

_POLL_MS = 200
_LOCK_SECONDS = 60
_SOON = 0.1  # seconds from a change in the browser to the drawing that it asks for, at most
_TIGHT = {
    "& .MuiToolbar-root": {"minHeight": "44px !important", "height": "44px"},
    "& h3.title": {"fontSize": "1.15rem", "whiteSpace": "nowrap"},
}
_THEME = {
    "components": {
        "MuiTooltip": {"defaultProps": {"disableInteractive": True}},
        "MuiButtonBase": {"defaultProps": {"disableRipple": True}},
    },
    "transitions": {
        "duration": dict.fromkeys(
            ("shortest", "shorter", "short", "standard", "complex", "enteringScreen", "leavingScreen"), 0
        )
    },
}
"""A tooltip lets clicks through to what it covers. A slider's thumb jumps: to glide, the browser would paint
the page a dozen times, which takes longer than the new figure."""

_OVER_THE_FOOT = {
    "position": "fixed", "bottom": "0", "left": "0", "right": "0", "z-index": "20", "padding": "0",
}  # fmt: skip


class Explorer:
    """Everything of one session; the `Host` of its steps."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.settings.param["dataset"].objects = choices_of_data()
        self.session = Session(self.settings)
        self.session.connected = self._connected
        self._problems: list[str] = []
        self._document: Any = None
        self._polling: Any = None
        self._started = self.closed = False
        self.bridge = Bridge(width=0, height=0, margin=0)
        self.map = MapBar(
            sizing_mode="stretch_width",
            margin=0,
            places=[[name, title, FLOWS.get(name, "")] for name, title in STEPS.items()],
        )
        self.drawer = Drawing(self)
        self.steps: dict[str, Step] = {step.name: step(self) for step in ALL_STEPS}
        self._views: dict[str, StepView] = {}
        self.toolbar = Toolbar(self.settings, self.link, self.code, self.bridge)
        self._build()
        self._connect()

    def _build(self) -> None:
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        self.status = pmui.Typography("", variant="body2", margin=(2, 12), **wide)
        self.progress = pmui.LinearProgress(value=0, margin=0, **wide)
        self.work = pmui.Paper(
            self.progress, self.status, styles=_OVER_THE_FOOT, margin=0, visible=False, elevation=6, **wide
        )
        self.stage = pn.Column(
            margin=0, stylesheets=[PANES], css_classes=["stage"], sizing_mode="stretch_both"
        )
        body = pn.Column(
            self.map, self.stage, self.work, self.toolbar.dialog, self.toolbar.about, self.bridge,
            margin=0, stylesheets=[PANES], css_classes=["body"], sizing_mode="stretch_both",
        )  # fmt: skip
        self.page = page_of_its_own(
            title="ACOT explorer", header=[self.toolbar.row], main=[body], busy_indicator=None, sx=_TIGHT,
            theme_config=_THEME,
        )  # fmt: skip

    def _connect(self) -> None:
        self.map.link(self.settings, bidirectional=True, current="step")
        self.settings.param.watch(self._changed, list(Settings.names()))
        self.page.param.watch(lambda _: self._theme_changed(), "dark_theme")
        self.bridge.param.watch(lambda event: self._set_theme(event.new), "theme")
        self.bridge.param.watch(lambda event: self._visit(event.new), "visited")
        self.toolbar.zip_button.on_click(self._export_all)
        self.toolbar.on_export_all = self._export_all

    def open(self) -> None:
        """Take over the link's settings and lay out the step they name, before the page is sent."""
        for name, values in (pn.state.session_args or {}).items():
            text = urlencode({name: values[0].decode("utf-8", "replace")})
            self._problems += self.settings.from_query(text)
        self.settings.forget()
        self.page.dark_theme = pn.state.cookies.get("acot-theme") == "dark"
        self.map.dark = self.dark
        self._open_step()

    def start(self) -> None:
        """Begin to compute; called once the page is on the screen."""
        if self._problems:
            note = (
                "These settings keep their defaults"
                if self._problems[1:]
                else "That setting keeps its default"
            )
            self.notify(f"In the link, {'; '.join(self._problems)}. {note}.", "warning")
        self._document = pn.state.curdoc
        if self._document is not None:
            self.session.began = self._look_after
            self._look_after()
            pn.state.on_session_destroyed(lambda _: self.close())
            self._document.on_change(self._touched)
        self._started = True
        key = self.step.work_key()
        if key is not None:
            self.session.rejoin(key)
        self._reflect()
        self.soon(self._open_step)
        self._set_theme(self.bridge.theme)
        self.refresh()

    def _touched(self, event: Any) -> None:
        """The document changes: where the browser changed it, long work gives way already now."""
        if event.setter is not None:
            foreground().expect(_SOON)

    def close(self) -> None:
        """The session has ended: stop what runs for no other, remove the uploads."""
        self.closed = True
        self.session.close()
        trim_memory()

    def _connected(self) -> bool:
        """Whether a browser shows this page; one that was left or reloaded stays for half a minute more."""
        context = None if self._document is None else self._document.session_context
        session = getattr(context, "session", None)
        return session is None or session.connection_count > 0

    def adopt_upload(self, request: DataRequest, dataset: SequenceDataset, name: str) -> None:
        """Make an uploaded data set the one that is shown."""
        self.session.keep_upload(request, dataset)
        field = self.settings.param["dataset"]
        field.objects = {**field.names, f"{OWN_FILE}{name}": request.dataset}
        stream = next(iter(dataset.streams))
        self.settings.param["stream"].objects = list({*self.settings.param["stream"].objects, stream})
        self.settings.param.update(dataset=request.dataset, stream=stream, sequence=0)
        self.notify(f"{name}: {len(dataset)} sequences, {len(dataset.class_names)} classes", "success")

    # ------------------------------------------------------------ changes

    @property
    def step(self) -> Step:
        """The open step."""
        return self.steps[self.settings.step]

    def _changed(self, *events: Any) -> None:
        # Panel loses what changes between the page's sending and its display; `start` catches up.
        if self._started:
            names = {event.name for event in events}
            self._reflect()
            self.session.give_up("data", DataRequest.of(self.settings))
            self.session.give_up("adversary", AdversaryRequest.of(self.settings))
            if "step" in names:
                # New models go out in a callback of their own: Panel may send changes of an event ahead of
                # others, and a change must not reach the browser before the model that it is about.
                self.soon(self._open_step)
            if names & {"step", *self.step.inputs}:
                self.refresh()

    def _reflect(self) -> None:
        """Make the bar and the address say what the settings say."""
        self.toolbar.reflect()
        self.bridge.address = [self.settings.to_query(full=False), self.settings.step]

    def _visit(self, visited: str) -> None:
        """The browser went back or forward: take over that entry's settings."""
        self.settings.replace(visited.partition("#")[0])

    def soon(self, function: Callable[[], None]) -> None:
        """Run a function as the document's next callback; at once while there is no document."""
        if self._document is None:
            function()
        else:
            self._document.add_next_tick_callback(function)

    def _open_step(self) -> None:
        name = self.settings.step
        self.map.current = name
        self._view(name)
        for other, view in self._views.items():
            view.layout.visible = other == name

    def _view(self, name: str) -> StepView:
        if name not in self._views:
            self._views[name] = StepView(self.steps[name], self._move)
            self._views[name].set_dark(self.dark)
            self.stage.append(self._views[name].layout)
        return self._views[name]

    def _move(self, by: int) -> None:
        place = list(STEPS).index(self.settings.step) + by
        self.settings.step = list(STEPS)[min(max(place, 0), len(STEPS) - 1)]

    @property
    def dark(self) -> bool:
        """Whether the theme is the dark one."""
        return bool(self.page.dark_theme)

    def _set_theme(self, theme: str) -> None:
        if self._started and theme:  # what changes before the page is displayed does not reach it
            self.page.dark_theme = theme == "dark"

    def _theme_changed(self) -> None:
        self.bridge.theme = "dark" if self.dark else "light"
        self.map.dark = self.dark
        for view in self._views.values():
            view.set_dark(self.dark)
        self.refresh()

    # ------------------------------------------------------------ figures

    @property
    def drawing(self) -> bool:
        """Whether figures are being made at the moment."""
        return self.drawer.active

    def refresh(self, *, awaited: bool = True) -> None:
        """Draw the open step's figures anew; ``awaited``: long work pauses for them."""
        if self._document is not None:  # else not served (yet)
            self.drawer.request(awaited=awaited)

    def remark(self, step: Step, text: str) -> None:
        """Show a step's sentence with the numbers of its figures, and what to notice in them."""
        self._view(step.name).say(text, step.notice())

    async def locked(self, function: Callable[[], Any]) -> Any:
        """Run a quick function as the document's next callback, in order with all other changes to it."""
        assert self._document is not None
        if self.closed:  # nothing is called back by a document that was destroyed
            raise TimeoutError("the session has ended")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def run() -> None:
            try:
                with hold(self._document):  # all changes go out as one message
                    answer = function()
            except Exception as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(answer)

        self._document.add_next_tick_callback(run)
        return await asyncio.wait_for(done, _LOCK_SECONDS)

    async def in_background(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the figures' thread pool."""
        return await asyncio.get_running_loop().run_in_executor(figure_pool(), partial(function, *arguments))

    # ------------------------------------------------------------ long work

    def _look_after(self) -> None:
        """A job has begun: poll until all have ended."""
        if self._polling is None and not self.closed:
            self._polling = self._document.add_periodic_callback(self._poll, _POLL_MS)

    def _poll(self) -> None:
        """Look after this session's jobs, a few times per second."""
        ended = self.session.settle()
        for failed in (job for job in ended if job.state == "failed"):
            self.notify(f"{failed.title} failed: {failed.error}", "error")
        job = self.session.foremost()
        if job is not None:
            now = job.latest
            share = -1 if now is None or not now.total else 100 * now.step / now.total
            self.progress.param.update(
                value=max(share, 0), variant="determinate" if share >= 0 else "indeterminate"
            )
            self.status.object = job.describe(runner().ahead(job))
        self.work.visible = job is not None
        if job is not None or ended:
            self.step.poll()
        if ended:
            self.refresh()
        elif job is None and self._polling is not None:
            self._document.remove_periodic_callback(self._polling)
            self._polling = None

    # ------------------------------------------------------------ to the browser

    def notify(self, text: str, kind: str = "info") -> None:
        """Show a short message in the corner."""
        if pn.state.notifications is not None:
            getattr(pn.state.notifications, kind)(text, duration=6000)

    def send_file(self, name: str, content: bytes) -> None:
        """Make the browser save a file."""
        self.bridge.send(**as_file(name, content))

    def link(self) -> str:
        """The address of this page with every setting in it."""
        location = pn.state.location
        if location is None:
            return f"/explorer?{self.settings.to_query()}"
        port = f":{location.port}" if location.port else ""
        base = f"{location.protocol}//{location.hostname}{port}"
        return f"{base}{location.pathname}?{self.settings.to_query()}"

    def code(self) -> str:
        """The Python that reproduces what the open step shows."""
        return self.step.code() + "\n"

    async def export(self, spec: FigureSpec, request: Any, format: str) -> None:
        """Make the browser save one figure or its data."""
        content = await self.in_background(export, spec, request, format)
        self.send_file(f"acot_{spec.name}.{format}", content)

    async def _export_all(self, _event: Any = None) -> None:
        """Save the open step as one zip: every figure in every format, data, settings, code, versions."""
        exports = self.step.exports()
        if not exports:
            self.notify("There is no figure to export yet.", "warning")
            return
        content = await self.in_background(archive, exports, self.settings.snapshot(), self.step.code())
        self.send_file(f"acot_{self.settings.step}.zip", content)
