"""Progress reports of long work, and a way for the caller to stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter


class Cancelled(Exception):
    """Exception by which a callback stops the work that called it; what is done so far stays."""


@dataclass(frozen=True)
class Progress:
    """One report of a long computation.

    ``stage`` names what runs ("classifier", "adversary", "sweep", ...), ``step`` of ``total`` steps are
    done, ``elapsed`` and ``remaining`` are in seconds (``remaining`` is None until it can be estimated),
    and ``values`` holds what is worth plotting live.

    Examples
    --------
    >>> from acot_core import Adversary
    >>> from acot_core.datasets import planted
    >>> data, reports = planted(n_sequences=12, random_state=0), []
    >>> adversary = Adversary(n_iter=2, classifier_iter=5, random_state=0)
    >>> _ = adversary.fit(data.streams["features"], data.labels, callback=reports.append)
    >>> last = reports[-1]
    >>> last.stage, last.step, last.total
    ('adversary', 2, 2)
    """

    stage: str
    step: int
    total: int
    elapsed: float
    remaining: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)


Callback = Callable[[Progress], None]


class Clock:
    """Makes `Progress` reports with time spent and time left for one stage of ``total`` steps."""

    def __init__(self, stage: str, total: int, callback: Callback | None, *, start: int = 0) -> None:
        self.stage, self.total, self.callback = stage, total, callback
        self._first, self._began = start, perf_counter()

    def report(self, step: int, **values: float) -> None:
        """Tell the callback that ``step`` steps are done. It may raise `Cancelled`."""
        if self.callback is None:
            return
        elapsed = perf_counter() - self._began
        done = step - self._first
        remaining = elapsed / done * (self.total - step) if done > 0 else None
        self.callback(Progress(self.stage, step, self.total, elapsed, remaining, values))
