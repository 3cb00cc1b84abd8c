"""The page of one visitor: the map, the open step, the settings, and what runs for them.

Nothing here computes. Figures come from `render.picture` in the figure pool, long work from `jobs.runner`;
the event loop only hands results to the browser. A change while a figure is made makes that figure stale:
it is dropped and the newest settings are drawn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui
from panel.io.callbacks import PeriodicCallback

from acot_core.datasets import DATASETS, SequenceDataset
from acot_explorer.components import Bridge, MethodMap
from acot_explorer.desk import Desk
from acot_explorer.figure_panel import FigurePanel, as_file
from acot_explorer.heap import return_memory
from acot_explorer.jobs import figure_pool, runner, visitors
from acot_explorer.method_map import STEPS
from acot_explorer.quiet_page import forget, quiet_page
from acot_explorer.render import archive, export, picture
from acot_explorer.requests import DataRequest
from acot_explorer.snippets import OWN_FILE
from acot_explorer.state import PRESETS, Settings
from acot_explorer.step_view import StepView
from acot_explorer.steps import ALL_STEPS
from acot_explorer.steps.base import NotReady, Step
from acot_explorer.upload import UploadBox

__all__ = ["Explorer"]

_LOG = logging.getLogger("acot_explorer")
_POLL_MS = 300
_LOCK_SECONDS = 60
_SOON = 0.1  # seconds from what a visitor does to the drawing that it asks for, at most
_ON_BAR = {"color": "inherit", "whiteSpace": "nowrap", "&.Mui-disabled": {"color": "inherit", "opacity": 0.5}}


class Explorer:
    """Everything of one session."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.settings.param["dataset"].objects = {info.title: name for name, info in DATASETS.items()}
        self.desk = Desk(self.settings)
        self.desk.connected = self._connected
        self.drawing = self._stale = self._awaited = False  # `drawing`: figures are being made
        self._problems: list[str] = []
        self._document: Any = None
        self._started = self._closed = False
        self._task: asyncio.Future[None] | None = None
        self.bridge = Bridge(width=0, height=0, margin=0)
        self.upload = UploadBox(self)
        self.map = MethodMap(sizing_mode="stretch_width", margin=(0, 8))
        self.steps: dict[str, Step] = {step.name: step(self) for step in ALL_STEPS}
        self._views: dict[str, StepView] = {}
        self._build()
        self._connect()

    # ------------------------------------------------------------ layout

    def _build(self) -> None:
        self._build_tools()
        wide: dict[str, Any] = {"sizing_mode": "stretch_width"}
        self.status = pmui.Typography("", variant="body2", margin=(0, 8), visible=False, **wide)
        self.progress = pmui.LinearProgress(value=0, visible=False, margin=(2, 8), **wide)
        # Of a fixed height, so that the page does not jump when work begins or ends.
        work = pmui.Column(self.progress, self.status, height=32, margin=0, **wide)
        self.stage = pmui.Column(margin=0, **wide)
        main = pmui.Column(self.map, work, self.stage, self.dialog, self.bridge, margin=(4, 12), **wide)
        self.page = quiet_page(
            title="ACOT explorer", header=[self.tools], main=[main], main_width=1360, busy_indicator=None
        )

    def _build_tools(self) -> None:
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
        self.tools = pmui.Row(
            self.undo_button, self.reset_button, self.preset_menu, self.link_button, self.code_button,
            self.zip_button, margin=(0, 0, 0, 12),
        )  # fmt: skip
        self.dialog_text = pmui.TextAreaInput(
            label="Copied (where the browser forbids it, select it by hand)", rows=16, auto_grow=False,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.dialog = pmui.Dialog(
            self.dialog_text,
            title_variant="h6",
            show_close_button=True,
            close_on_click=True,
            width_option="md",
        )

    def _connect(self) -> None:
        settings = self.settings
        self.map.link(settings, bidirectional=True, current="step")
        settings.param.watch(self._changed, list(Settings.names()))
        self.page.param.watch(lambda _: self._theme_changed(), "dark_theme")
        self.undo_button.on_click(lambda _: settings.undo())
        self.reset_button.on_click(lambda _: settings.reset())
        self.preset_menu.on_click(lambda item: settings.apply_preset(item["label"]))
        self.link_button.on_click(lambda _: self._copy("Link to this page", self.link()))
        self.code_button.on_click(lambda _: self._copy("Python that makes these figures", self.code()))
        self.zip_button.on_click(self._export_all)

    def open(self) -> None:
        """Take over the link's settings and lay out the step they name, before the page is sent."""
        for name, values in (pn.state.session_args or {}).items():
            text = urlencode({name: values[0].decode("utf-8", "replace")})
            self._problems += self.settings.from_query(text)
        self.settings.forget()
        self._open_step()

    def start(self) -> None:
        """Begin to compute; called once the page is on the visitor's screen."""
        for problem in self._problems:
            self.notify(f"In the link, {problem}. That setting keeps its default.", "warning")
        self._document = pn.state.curdoc
        if self._document is not None:
            PeriodicCallback(callback=self._poll, period=_POLL_MS, background=True).start()
            pn.state.on_session_destroyed(lambda _: self.close())
            self._document.on_change(self._touched)
        self._started = True
        key = self.step.work_key()
        if key is not None:
            self.desk.rejoin(key)
        self._reflect()
        self._soon(self._open_step)
        self.refresh()

    def _touched(self, event: Any) -> None:
        """The document changes: when it is the visitor who did it, long work makes room already now."""
        if event.setter is not None:
            visitors().expect(_SOON)

    def close(self) -> None:
        """The visitor is gone: stop what runs for nobody else, forget the uploads."""
        self._closed = True
        self.desk.close()
        forget(self._document)
        return_memory()

    def _connected(self) -> bool:
        """Whether a browser shows this page; one that was left or reloaded stays for half a minute more."""
        context = None if self._document is None else self._document.session_context
        session = getattr(context, "session", None)
        return session is None or session.connection_count > 0

    def adopt_upload(self, request: DataRequest, dataset: SequenceDataset, name: str) -> None:
        """Make an uploaded data set the one that is shown."""
        self.desk.keep_upload(request, dataset)
        field = self.settings.param["dataset"]
        field.objects = {**field.names, f"{OWN_FILE}{name}": request.dataset}
        stream = next(iter(dataset.streams))
        self.settings.param["stream"].objects = list({*self.settings.param["stream"].objects, stream})
        self.settings.param.update(dataset=request.dataset, stream=stream, clip=0)
        self.notify(f"{name}: {len(dataset)} clips, {len(dataset.class_names)} classes", "success")

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
            if "step" in names:
                # New models go out in a callback of their own: Panel may send changes of an event ahead of
                # others, and a change must not reach the browser before the model that it is about.
                self._soon(self._open_step)
            if names & {"step", *self.step.inputs}:
                self.refresh()

    def _reflect(self) -> None:
        """Make the bar and the address say what the settings say."""
        self.undo_button.disabled = not self.settings.can_undo
        location = pn.state.location
        if location is not None:
            query = self.settings.to_query(full=False)
            location.search = f"?{query}" if query else ""

    def _soon(self, function: Callable[[], None]) -> None:
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
            self.stage.append(self._views[name].layout)
        return self._views[name]

    def _move(self, by: int) -> None:
        place = list(STEPS).index(self.settings.step) + by
        self.settings.step = list(STEPS)[min(max(place, 0), len(STEPS) - 1)]

    def _theme_changed(self) -> None:
        self.map.dark = self.page.dark_theme
        for panel in (panel for step in self.steps.values() for panel in step.panels):
            panel.view.dark = self.page.dark_theme
        self.refresh()

    # ------------------------------------------------------------ figures

    def refresh(self, *, awaited: bool = True) -> None:
        """Draw the open step's figures anew; at once, or as soon as the drawing under way ends.

        Long work pauses for a figure that a visitor waits for; for one that only shows how the work gets on
        (``awaited`` False) it does not.
        """
        if self._document is None:
            return  # not served (yet)
        self._awaited |= awaited
        if self.drawing:
            self._stale = True
        else:
            self.drawing = True
            self._task = asyncio.ensure_future(self._draw())

    async def locked(self, function: Callable[[], Any]) -> Any:
        """Run a quick function as the document's next callback, in order with all other changes to it."""
        assert self._document is not None
        if self._closed:  # nothing is called back by a document that was destroyed
            raise TimeoutError("the session has ended")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def run() -> None:
            try:
                found = function()
            except Exception as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(found)

        self._document.add_next_tick_callback(run)
        return await asyncio.wait_for(done, _LOCK_SECONDS)

    async def _draw(self) -> None:
        try:
            while not self._closed:
                awaited, self._stale, self._awaited = self._awaited, False, False
                with visitors().waiting() if awaited else nullcontext():
                    await self._draw_once()
                if not self._stale:
                    return
        except TimeoutError:
            _LOG.info("a session ended while a figure was drawn")
        finally:
            self.drawing = False

    def _ask(self) -> tuple[Step, Any, str] | None:
        """What the open step needs now; None when it says what is missing instead."""
        step, theme = self.step, "dark" if self.page.dark_theme else "light"
        try:
            request = step.request()
        except NotReady as reason:
            self._view(step.name).remark.object = ""
            for panel in step.panels:
                panel.say(str(reason))
            return None
        for panel in step.panels:
            panel.view.busy = True
        return step, request, theme

    async def _draw_once(self) -> None:
        asked = await self.locked(self._ask)
        if asked is None:
            return
        step, request, theme = asked
        for number, panel in enumerate(step.panels):
            remark = ""
            try:
                wanted = step.request_of(panel, request)
                drawn = await self.in_background(picture, panel.spec, wanted, theme)
                if number == 0:
                    remark = await self.in_background(step.remark, request)
                show = partial(panel.show, wanted, drawn)
            except NotReady as reason:
                show = partial(panel.say, str(reason))
            except ValueError as error:
                show = partial(panel.say, f"This cannot be shown: {error}")
            except Exception as error:
                _LOG.exception("figure %s", panel.spec.name)
                what = f"{type(error).__name__}: {error}"
                show = partial(panel.say, f"Something went wrong ({what}).\nChange a setting to try again.")
            if self._stale:
                return
            await self.locked(partial(self._show, step, show, remark))

    def _show(self, step: Step, show: Callable[[], None], remark: str) -> None:
        show()
        if remark:
            self._view(step.name).remark.object = remark

    async def in_background(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the figure pool without holding up anybody."""
        return await asyncio.get_running_loop().run_in_executor(figure_pool(), partial(function, *arguments))

    # ------------------------------------------------------------ long work

    def _poll(self) -> None:
        """Look after this session's jobs, a few times a second."""
        ended = self.desk.settle()
        for over in (job for job in ended if job.state == "failed"):
            self.notify(f"{over.title} failed: {over.error}", "error")
        job = self.desk.foremost()
        if job is None:
            if self.progress.visible:
                self.progress.visible = self.status.visible = False
        else:
            now = job.latest
            share = -1 if now is None or not now.total else 100 * now.step / now.total
            self.progress.param.update(
                visible=True,
                value=max(share, 0),
                variant="determinate" if share >= 0 else "indeterminate",
            )
            self.status.param.update(object=job.describe(runner().ahead(job)), visible=True)
        if job is not None or ended:
            self.step.poll()
        if ended:
            self.refresh()

    # ------------------------------------------------------------ to the visitor

    def notify(self, text: str, kind: str = "info") -> None:
        """A short message in the corner."""
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

    def _copy(self, title: str, text: str) -> None:
        self.bridge.send(kind="text", content=text)
        self.dialog_text.value = text
        self.dialog.param.update(title=title, open=True)

    async def export(self, panel: FigurePanel, format: str) -> None:
        """Save one figure or its data."""
        if panel.request is None:
            return
        content = await self.in_background(export, panel.spec, panel.request, format)
        self.send_file(f"acot_{panel.spec.name}.{format}", content)

    async def _export_all(self, _event: Any) -> None:
        """The open step as one zip: every figure in every format, data, settings, code, versions."""
        panels = [panel for panel in self.step.panels if panel.request is not None]
        if not panels:
            self.notify("There is no figure to export yet.", "warning")
            return
        content = await self.in_background(
            archive, [(p.spec, p.request) for p in panels], self.settings.snapshot(), self.step.code()
        )
        self.send_file(f"acot_{self.settings.step}.zip", content)
