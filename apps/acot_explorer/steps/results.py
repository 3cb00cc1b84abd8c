"""The step Paper: Figures 2, 4, 5 and Table 1 by one button each, from stored results (Sec. 4, App. B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from acot_core._utils.progress import Callback
from acot_core.experiments.beyond.landscape import LandscapeRecord
from acot_core.experiments.figure2 import SensitivityRecord
from acot_core.experiments.record import Record
from acot_core.figures import (
    plot_ablation,
    plot_embedding,
    plot_fooling_curves,
    plot_landscape,
    plot_sensitivity,
)
from acot_explorer.cache_keys import DataRequest
from acot_explorer.figure_panel import FigurePanel, FigureSlot
from acot_explorer.host import Host
from acot_explorer.living.bands import Fooling, Sweep
from acot_explorer.living.heat import Weights
from acot_explorer.living.scatter import Embedding
from acot_explorer.living.table import Ablation
from acot_explorer.render import FigureSpec
from acot_explorer.session import Key
from acot_explorer.steps.base import NotReady, Step
from acot_explorer.store import Cache, cache_folder
from acot_explorer.stored import (
    DATA,
    DATASET,
    MEASURED,
    RESULTS,
    SIGMAS,
    STREAMS,
    Measured,
    stored,
)

__all__ = ["ResultsStep"]


_TABLE = """
:host { flex: none; overflow-x: auto; } p { font-size: 14px; margin: 6px 0; }
h3 { margin: 4px 0; font-size: 16px; }
table { border-collapse: collapse; font-size: 13px; margin: 6px 0 14px; }
th, td { padding: 3px 12px 3px 0 !important; text-align: left; border: 0 !important;
         border-bottom: 1px solid rgba(128, 128, 128, .35) !important; }
td:not(:first-child) { font-variant-numeric: tabular-nums; white-space: nowrap; }
code { overflow-wrap: anywhere; color: inherit !important; background: none !important;
       font-size: 12.5px !important; }
"""


@dataclass(frozen=True)
class _Request:
    """A result; ``parts`` counts what a recomputation has so far, None is the stored one."""

    name: str
    parts: int | None = None


@cache
def _recomputed() -> Cache[Record]:
    """Results that were computed anew in this process, complete or as far as they are."""
    return Cache(16)


def _record(request: _Request) -> Any:
    record = stored(request.name) if request.parts is None else _recomputed().get(request.name)
    if record is None:
        raise ValueError("This result is no longer in memory: please recompute it.")
    return record


def _parts(record: Record) -> int:
    return len(record.to_frame())


def _describe(record: Any) -> str:
    if isinstance(record, SensitivityRecord):
        ours = record.scores[record.scores["value"].notna()].groupby("value")["accuracy"].mean()
        least, most = f"{ours.min():.0%} at {ours.idxmin():g}", f"{ours.max():.0%} at {ours.idxmax():g}"
        return f"Accuracy between {least} and {most}"
    if isinstance(record, LandscapeRecord):
        beta1, beta2, values = record.grid("acot")
        i, j = np.unravel_index(np.nanargmax(values), values.shape)
        return f"ACOT's best is {values[i, j]:.0f} % at β₁ = {beta1[i]:g}, β₂ = {beta2[j]:g}"
    return f"{_parts(record)} rows of data, which can be exported"


_SPECS = {
    "figure2": FigureSpec("figure2", _record, plot_sensitivity, _describe, wide=True),
    "figure4": FigureSpec("figure4", _record, plot_embedding, _describe, wide=True),
    "figure5": FigureSpec("figure5", _record, plot_fooling_curves, _describe, wide=True),
    "table1": FigureSpec("table1", _record, plot_ablation, _describe, wide=True),
    "landscape": FigureSpec("landscape", _record, plot_landscape, _describe, wide=True),
}


def _kind(name: str) -> str:
    return name[:7] if name.startswith("figure") else name


class ResultsStep(Step):
    """The paper's figures and table on the stick figures, at full size, at once."""

    name = "results"
    question = "What did the paper find, and what is found here?"
    method = (
        "Each button shows a full-size result that comes with the package, made of generated people from "
        "fixed seeds. Recompute makes it anew here: its points appear as they are found. The settings of the "
        "other steps follow, so that one can go on from there."
    )
    inputs = ("result",)
    shown = ()
    figures = (
        FigureSlot(_SPECS["figure2"], "Accuracy against one parameter", lambda host: Sweep(), True),
        FigureSlot(_SPECS["figure4"], "t-SNE of frames and of representations",
                   lambda host: Embedding(partial(_open, host)), True),
        FigureSlot(_SPECS["figure5"], "Fooling rate and accuracy",
                   lambda host: Fooling(STREAMS, SIGMAS), True),
        FigureSlot(_SPECS["table1"], "Table 1", lambda host: Ablation((*STREAMS, "fused")), True),
        FigureSlot(_SPECS["landscape"], "Accuracy in % over both weights", lambda host: Weights(), True),
    )  # fmt: skip

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._seen: tuple[Any, ...] = ()
        small: dict[str, Any] = {"size": "small", "margin": (2, 3)}
        self.buttons = {}
        for name, result in RESULTS.items():
            button = pmui.Button(label=result.title, variant="outlined", **small)
            button.on_click(lambda _, name=name: self.choose(name))
            self.buttons[name] = button
        self.run_button = pmui.Button(label="Recompute", icon="play_arrow", **small)
        self.stop_button = pmui.Button(label="Stop", icon="stop", variant="outlined", disabled=True, **small)
        self.others = pmui.Select(
            label="Measured on other data",
            options={"Choose …": "", **{m.title: name for name, m in MEASURED.items()}},
            size="small", margin=(10, 8), sizing_mode="stretch_width",
        )  # fmt: skip
        self.others.param.watch(self._choose_other, "value")
        self.table = pn.pane.Markdown("", visible=False, sizing_mode="stretch_width", stylesheets=[_TABLE])
        self.run_button.on_click(lambda _: self.run())
        self.stop_button.on_click(lambda _: self.stop())

    def controls(self) -> Sequence[Any]:
        """One button per result, then those of its recomputation, then the other measurements."""
        return [
            pmui.FlexBox(*self.buttons.values(), gap="2px", margin=(4, 6)),
            pmui.Row(self.run_button, self.stop_button, margin=(4, 6)),
            self.others,
        ]

    def extras(self) -> Sequence[Any]:
        """The table of a measurement on other data."""
        return [self.table]

    def choose(self, name: str) -> None:
        """Show a result, and set what it was made with."""
        if name in MEASURED:
            self.settings.result = name
            return
        values = {"dataset": DATASET, "stream": STREAMS[0], **RESULTS[name].settings}
        self.settings.param.update(result=name, **values)

    def _choose_other(self, event: Any) -> None:
        if event.new:
            self.choose(event.new)

    def run(self) -> None:
        """Make the result anew."""
        name = self.settings.result
        _recomputed().drop(name)
        self.host.session.submit((self.name, name), RESULTS[name].title, partial(_recompute, name))
        self.host.refresh()

    def stop(self) -> None:
        """Stop; what was made is shown."""
        job = self.host.session.find(self.work_key())
        if job is not None:
            self.host.session.release(job)
        self.host.refresh()

    def work_key(self) -> Key:
        """The recomputation of this result."""
        return (self.name, self.settings.result)

    def poll(self) -> None:
        """Show what is new."""
        record = _recomputed().get(self.settings.result)
        seen = (self.settings.result, 0 if record is None else _parts(record))
        if seen != self._seen:
            self._seen = seen
            self.host.refresh(awaited=False)

    def request(self) -> _Request:
        """The result that is chosen: the stored one, or what a recomputation has so far."""
        name = self.settings.result
        measured = MEASURED.get(name)
        self.others.value = name if measured else ""
        self.table.param.update(object=_laid_out(measured), visible=measured is not None)
        job = self.host.session.find(self.work_key())
        self.run_button.disabled = job is not None or measured is not None
        self.stop_button.disabled = job is None
        for other, button in self.buttons.items():
            button.variant = "contained" if other == name else "outlined"
        if measured is not None:
            raise NotReady("")  # no figure but the table
        record = _recomputed().get(name)
        if record is not None:
            return _Request(name, _parts(record))
        failure = self.host.session.failed(self.work_key())
        if failure is not None:
            raise NotReady(f"This did not work.\n{failure}")
        return _Request(name)

    def request_of(self, panel: FigurePanel, request: _Request) -> _Request:
        """Request of the one figure of this kind."""
        if panel.spec is not _SPECS[_kind(request.name)]:
            raise NotReady("")
        return request

    def notice(self) -> str:
        """Remarks on the paper's own figure."""
        name = self.settings.result
        return RESULTS[name].paper if name in RESULTS else ""

    def remark(self, request: _Request) -> str:
        """Origin of the numbers."""
        record = _record(request)
        result = RESULTS[request.name]
        complete = record.config.get("complete", True)
        if request.parts is not None:
            state = "computed here" if complete else "computed here, as far as it is"
        else:
            state = (
                f"stored, made in {record.seconds:.0f} s with torch {record.environment.get('torch', '?')}"
            )
        seeds = result.arguments.get("seeds", 1)
        runs = f"{seeds} seed{'s' if seeds != 1 else ''}"
        return f"**{result.title}** on {DATA}, {runs}: {state}. {_describe(record)}."

    def code(self) -> str:
        """The experiment in a call; of a measurement, its command."""
        if self.settings.result in MEASURED:
            return f"# in a shell:\n# {MEASURED[self.settings.result].command}"
        result = RESULTS[self.settings.result]
        function = result.make.__name__
        plot = _SPECS[_kind(result.name)].plot.__name__
        arguments = ", ".join(f"{name}={value!r}" for name, value in result.arguments.items())
        return "\n".join(
            [
                f"from acot_core.experiments import {function}",
                f"from acot_core.figures import {plot}",
                f"result = {function}({DATASET!r}, {arguments})",
                f"{plot}(result, width='page').savefig('{result.name}.pdf')",
            ]
        )


def _laid_out(measured: Measured | None) -> str:
    """A measurement as Markdown."""
    if measured is None:
        return ""
    return f"### {measured.title}\n\n`{measured.command}`\n\n{measured.text}"


def _open(host: Host, index: int) -> None:
    """Open a sequence in the step Data; the browser's Back returns."""
    host.settings.param.update(sequence=index, step="data")


def _recompute(name: str, callback: Callback) -> Record:
    """Make a result; a sweep value by value, so that its points appear one after the other."""
    result, folder = RESULTS[name], cache_folder(DataRequest(DATASET, "untrained", 0))
    values = result.arguments.get("values", ())
    for count in range(1, len(values)):
        shorter = result.compute(cache=folder, callback=callback, values=values[:count])
        _recomputed().put(name, shorter)
    record = result.compute(cache=folder, callback=callback)
    if _parts(record):
        _recomputed().put(name, record)
    return record
