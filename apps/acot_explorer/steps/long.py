"""Steps whose figure takes a run of its own: a button, a bar, a result that is kept (base class)."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, ClassVar

import panel_material_ui as pmui

from acot_core.progress import Callback
from acot_core.records import Record
from acot_explorer.steps.base import NotReady, Step
from acot_explorer.store import Memo

__all__ = ["LongStep", "kept", "results"]


@cache
def results() -> Memo[Record]:
    """Records of long runs, by request."""
    return Memo(64)


def kept(request: Hashable) -> Record:
    """The record of a request that was run."""
    found = results().get(request)
    if found is None:
        raise ValueError("This result is no longer in memory: please run it again.")
    return found


class LongStep(Step):
    """A step with a Run and a Stop button."""

    verb: ClassVar[str] = "Run"
    title: ClassVar[str] = "Running"
    invitation: ClassVar[str] = "Press Run."
    automatic: ClassVar[bool] = False

    def __init__(self, explorer: Any) -> None:
        super().__init__(explorer)
        self._stopped: set[Hashable] = set()
        self._told: str | None = None  # how the job stood at the last poll
        # Disabled until the data are there: a press before that would come to nothing.
        small: dict[str, Any] = {"size": "small", "margin": (4, 4), "disabled": True}
        self.run_button = pmui.Button(label=self.verb, icon="play_arrow", **small)
        self.stop_button = pmui.Button(label="Stop", icon="stop", variant="outlined", **small)
        self.run_button.on_click(lambda _: self.run())
        self.stop_button.on_click(lambda _: self.stop())

    def controls(self) -> list[Any]:
        """The buttons, then the widgets."""
        return [
            pmui.FlexBox(self.run_button, self.stop_button, gap="4px", margin=(0, 0, 6, 0)),
            *super().controls(),
        ]

    def wanted(self) -> Hashable:
        """The request that the settings make."""
        raise NotImplementedError

    def work(self, request: Any, callback: Callback) -> Record:
        """The run; in a worker's thread."""
        raise NotImplementedError

    def complete(self, record: Record) -> bool:
        """Whether the record is whole, or was stopped on the way."""
        return bool(record.config.get("complete", True))

    def needs_data(self) -> bool:
        """Whether the run is about the sequences that are chosen."""
        return True

    def run(self) -> None:
        """Begin the run for the present settings."""
        if self.needs_data():
            try:
                self.explorer.desk.need_classes("there is nothing to tell apart")
            except NotReady:
                return  # the figure's place says why
        request = self.wanted()
        self._stopped.discard(request)

        def work(callback: Callback) -> Record:
            found = self.work(request, callback)
            if self.complete(found):
                results().put(request, found)
            return found

        self.explorer.desk.submit((self.name, request), self.title, work)
        self.explorer.refresh()

    def stop(self) -> None:
        """Stop; what was done is kept for the next run."""
        request = self.wanted()
        job = self.explorer.desk.find(self.work_key())
        self._stopped.add(request)
        if job is not None:
            self.explorer.desk.release(job)
        self.explorer.refresh()

    def request(self) -> Hashable:
        """The finished run of these settings."""
        if self.needs_data():
            try:
                self.explorer.desk.need_classes("there is nothing to tell apart")
            except NotReady:
                self.run_button.disabled = self.stop_button.disabled = True
                raise
        request = self.wanted()
        job = self.explorer.desk.find((self.name, request))
        known = results().get(request)
        failure = self.explorer.desk.failed((self.name, request))
        if (
            known is None
            and job is None
            and failure is None
            and self.automatic
            and request not in self._stopped
        ):
            self.run()
            job = self.explorer.desk.find((self.name, request))
        self.run_button.param.update(disabled=job is not None or known is not None)
        self.stop_button.disabled = job is None
        if known is not None:
            return request
        if job is not None and job.state == "queued":
            raise NotReady("Other work is under way.\nThis begins when its turn has come.")
        if job is not None:
            raise NotReady(f"{self.title} … see the bar above.\nStop keeps what is done for the next run.")
        if failure is not None:
            raise NotReady(f"This did not work.\n{failure}\nChange a setting and try again.")
        raise NotReady(self.invitation)

    def work_key(self) -> Hashable:
        """The run of these settings."""
        return (self.name, self.wanted())

    def poll(self) -> None:
        """The buttons, and the words in the figure's place, follow the job."""
        job = self.explorer.desk.find(self.work_key())
        state = None if job is None else job.state
        if job is None or state != self._told:
            self.explorer.refresh(awaited=job is None)
        self._told = state
