"""Steps whose figure takes a run of its own: it begins by itself, streams its parts, and can be stopped.

At the default settings some show a result that comes with the package; another run is one click away.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import panel_material_ui as pmui

from acot_core._utils.progress import Callback
from acot_core.experiments.record import Record
from acot_explorer.host import Host
from acot_explorer.session import Key
from acot_explorer.steps.base import NotReady, Step
from acot_explorer.store import Cache
from acot_explorer.stored import OPENINGS, opening

__all__ = ["LongStep", "Run", "cached_record", "results"]


@dataclass(frozen=True)
class Run:
    """A run, and how many parts of it are done; each part makes the figures anew, as another run does."""

    request: Hashable
    parts: int = 0
    packaged: bool = False


@cache
def results() -> Cache[Record]:
    """Records of long runs by request: complete, or as far as they are."""
    return Cache(64)


def cached_record(run: Run) -> Record:
    """The record of a run."""
    record = results().get(run.request)
    if record is None:
        raise ValueError("This result is no longer in memory: please run it again.")
    return record


class LongStep(Step):
    """A step with a Run and a Stop button."""

    verb: ClassVar[str] = "Run"
    title: ClassVar[str] = "Running"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        # A page is made with the default settings, before it takes over those of the link.
        self._opening = self.wanted() if self.name in OPENINGS else None
        self._stopped: set[Hashable] = set()
        self._seen: tuple[Any, ...] = ()  # the state of the job and its parts, at the last poll
        # Disabled until the data are there: a press before that would come to nothing.
        small: dict[str, Any] = {"size": "small", "margin": (4, 4), "disabled": True}
        self.run_button = pmui.Button(label=self.verb, icon="play_arrow", **small)
        self.stop_button = pmui.Button(label="Stop", icon="stop", variant="outlined", **small)
        self.run_button.on_click(lambda _: self.run())
        self.stop_button.on_click(lambda _: self.stop())

    def controls(self) -> list[Any]:
        """The buttons, then the widgets."""
        return [pmui.Row(self.run_button, self.stop_button, margin=0), *super().controls()]

    def wanted(self) -> Hashable:
        """The request that the settings make."""
        raise NotImplementedError

    def work(self, request: Any, callback: Callback) -> Record:
        """The run, in a worker's thread; it may put what it has so far into `results`."""
        raise NotImplementedError

    def complete(self, record: Record) -> bool:
        """Whether the record is whole, or was stopped on the way."""
        return bool(record.config.get("complete", True))

    def parts(self, record: Record) -> int:
        """Number of parts of the run in the record."""
        return 1

    def needs_data(self) -> bool:
        """Whether the run is about the sequences that are chosen."""
        return True

    def run(self) -> None:
        """Begin the run for the present settings."""
        try:
            self._check_data()
        except NotReady:
            return  # the figure's place says why
        request = self.wanted()
        if self._packaged(results().get(request)):
            results().drop(request)
        self._begin(request)
        self.host.refresh()

    def _packaged(self, record: Record | None) -> bool:
        """Whether the record came with the package."""
        return record is not None and self.name in OPENINGS and record is opening(self.name)

    def _begin(self, request: Hashable) -> None:
        self._stopped.discard(request)

        def work(callback: Callback) -> Record:
            record = self.work(request, callback)
            if self.parts(record):
                results().put(request, record)
            return record

        self.host.session.submit((self.name, request), self.title, work)

    def stop(self) -> None:
        """Stop; what was done is shown, and used by the next run."""
        self._stopped.add(self.wanted())
        job = self.host.session.find(self.work_key())
        if job is not None:
            self.host.session.release(job)
        self.host.refresh()

    def _check_data(self) -> None:
        if self.needs_data():
            self.host.session.need_classes("there is nothing to tell apart")

    def request(self) -> Run:
        """The run of these settings, finished or as far as it is; it begins when there is none."""
        session = self.host.session
        try:
            self._check_data()
        except NotReady:
            self.run_button.disabled = self.stop_button.disabled = True
            raise
        request = self.wanted()
        session.give_up(self.name, request)
        record, failure = results().get(request), session.failed((self.name, request))
        if record is None and request == self._opening and session.find((self.name, request)) is None:
            record = results().put(request, opening(self.name))
        is_complete = record is not None and self.complete(record)
        if session.find((self.name, request)) is None and not (
            is_complete or failure or request in self._stopped
        ):
            self._begin(request)
        job = session.find((self.name, request))
        packaged = self._packaged(record)
        label = f"{self.verb} anew" if packaged else self.verb
        self.run_button.param.update(label=label, disabled=job is not None or (is_complete and not packaged))
        self.stop_button.disabled = job is None
        if record is not None:
            return Run(request, self.parts(record), packaged)
        if failure is not None:
            raise NotReady(f"This did not work.\n{failure}\nChange a setting and try again.")
        if job is None:
            raise NotReady(f"Stopped before there was anything to show.\nPress {self.verb} to go on.")
        if job.state == "queued":
            raise NotReady("Other work is under way.\nThis begins when its turn has come.")
        raise NotReady(f"{self.title} … see the bar below.")

    def work_key(self) -> Key:
        """The run of these settings."""
        return (self.name, self.wanted())

    def poll(self) -> None:
        """The buttons, the words in the figure's place and the parts that are done follow the job."""
        job = self.host.session.find(self.work_key())
        record = results().get(self.wanted())
        state = (job and job.state, record and self.parts(record))
        if state != self._seen:
            self.host.refresh(awaited=job is None)
        self._seen = state
