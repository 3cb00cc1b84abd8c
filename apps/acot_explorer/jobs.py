"""Long work off the event loop: a shared pool, a queue one can see, progress, and a way to stop.

A job is a function of one argument, ``callback(Progress)``, which it calls at every step. The callback raises
`Cancelled` once nobody wants the job any more, so that the work stops at its next step with all done so far
kept. Two sessions that ask for the same thing (an equal key) share one job.

Figures go first: work that releases the GIL as often as training does also takes it back each time that a
figure's computation releases it. So the callback waits while any session's figure is drawn, yet for no more
than nine tenths of a job's time: all jobs come to an end.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from time import perf_counter
from typing import Any, Literal

import torch

from acot_core._utils.progress import Callback, Cancelled, Progress

__all__ = ["Foreground", "Job", "JobRunner", "figure_pool", "foreground", "runner"]

State = Literal["queued", "running", "done", "cancelled", "failed"]
_LOG = logging.getLogger("acot_explorer")
_WAIT_PER_WORK = 9.0  # seconds that a job may be kept waiting for each second of its work ...
_LONGEST_WAIT = 1.0  # ... and at a stretch


class Foreground:
    """Figures that sessions wait for (``count`` of them at the moment), to which long work gives way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0
        self._expected = 0.0  # until when a figure may be asked for at any moment

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within the block a session waits for a figure."""
        with self._changed:
            self.count += 1
        try:
            yield
        finally:
            with self._changed:
                self.count -= 1
                self._changed.notify_all()

    def expect(self, seconds: float) -> None:
        """A setting has moved: a figure will be asked for within ``seconds``."""
        self._expected = perf_counter() + seconds

    def give_way(self, seconds: float) -> float:
        """Wait until no figure is awaited or expected, for ``seconds`` at most; return how long that took."""
        start = now = perf_counter()
        end = start + seconds
        with self._changed:
            while now < end and (self.count or now < self._expected):
                self._changed.wait((end if self.count else min(end, self._expected)) - now)
                now = perf_counter()
        return now - start


class Job:
    """One piece of long work and how it stands; safe to read from any thread."""

    def __init__(self, key: Any, title: str, work: Callable[[Callback], Any]) -> None:
        self.key, self.title, self._work = key, title, work
        self.state: State = "queued"
        self.result: Any = None
        self.error: str = ""
        self.latest: Progress | None = None
        self.owners: set[Hashable] = set()
        self._stop = threading.Event()
        self._future: Future[None] | None = None
        self._server = _running_loop()
        self._credit, self._resumed = _LONGEST_WAIT, 0.0

    @property
    def active(self) -> bool:
        """Whether the job waits or runs, and is still wanted."""
        return self.state in ("queued", "running") and not self._stop.is_set()

    @property
    def settled(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.state in ("done", "cancelled", "failed")

    def release(self, owner: Hashable) -> None:
        """This owner wants the job no more; when it was the last, the job stops at its next step."""
        self.owners.discard(owner)
        if not self.owners and not self.settled:
            self._stop.set()
            if self._future is not None and self._future.cancel():
                self.state = "cancelled"

    def _callback(self, progress: Progress) -> None:
        self.latest = progress
        self._check()
        worked = perf_counter() - self._resumed
        self._credit = min(self._credit + _WAIT_PER_WORK * worked, _LONGEST_WAIT)
        self._credit -= foreground().give_way(self._credit)
        self._resumed = perf_counter()
        self._check()

    def _check(self) -> None:
        """Raise `Cancelled` when nobody wants the work, or the server that was asked for it has ended.

        The interpreter waits for the workers before it calls the main thread dead: the loop is what tells.
        """
        if self._stop.is_set() or (self._server is not None and not self._server.is_running()):
            raise Cancelled

    def run(self) -> None:
        """Do the work (in a worker's thread) and settle the state, whatever happens."""
        self.state = "running"
        try:
            self._check()
            self._resumed = perf_counter()
            self.result = self._work(self._callback)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except ValueError as error:
            self.error, self.state = str(error), "failed"
        except BaseException as error:
            _LOG.exception("%s failed", self.title)
            self.error, self.state = f"{type(error).__name__}: {error}", "failed"
        finally:
            self.owners.clear()  # the runner may keep the job for long; it shall not keep its sessions

    def start(self, pool: ThreadPoolExecutor) -> None:
        """Hand the work to a pool."""
        self._future = pool.submit(self.run)

    def describe(self, ahead: int) -> str:
        """State of the job, in words."""
        if self.state == "queued":
            return f"{self.title}: queued, {ahead} ahead" if ahead else f"{self.title}: starts next"
        if self.state == "running" and self.latest is not None:
            now = self.latest
            left = "" if now.remaining is None else f", about {max(1, round(now.remaining))} s left"
            left += " in this part" if left and " of " in now.stage else ""
            return f"{self.title}: {now.stage} {now.step} of {now.total}{left}"
        return f"{self.title}: {self.state if self.state != 'running' else 'started'}"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of the server that asks for work; None without a server."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class JobRunner:
    """Runs jobs in the order they came, ``workers`` at a time."""

    def __init__(self, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="acot-job")
        self._workers = workers
        self._jobs: list[Job] = []
        self._lock = threading.Lock()

    def submit(
        self, key: Hashable, title: str, work: Callable[[Callback], Any], owner: Hashable = None
    ) -> Job:
        """Queue work, or join the job of an equal key that is still under way."""
        with self._lock:
            self._jobs = [job for job in self._jobs if not job.settled]
            for job in self._jobs:
                if job.key == key and job.active:
                    job.owners.add(owner)
                    return job
            job = Job(key, title, work)
            job.owners.add(owner)
            self._jobs.append(job)
            job.start(self._pool)
        return job

    def find(self, key: Hashable) -> Job | None:
        """The job of that key, whoever wants it, if it is under way."""
        with self._lock:
            return next((job for job in self._jobs if job.key == key and job.active), None)

    def ahead(self, job: Job) -> int:
        """Number of jobs that must end before this one begins; 0 when it runs or is next."""
        with self._lock:
            if job.state != "queued" or job not in self._jobs:
                return 0
            before = [j for j in self._jobs[: self._jobs.index(job)] if not j.settled]
        return max(0, len(before) - self._workers + 1)

    def release_all(self, owner: Hashable) -> None:
        """A session is gone: stop what only it wanted."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            if owner in job.owners:
                job.release(owner)

    def shutdown(self) -> None:
        """Stop everything and wait until the workers have ended."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            for owner in tuple(job.owners):
                job.release(owner)
        self._pool.shutdown(wait=True)


@cache
def runner() -> JobRunner:
    """The one runner of this process, shared by all sessions."""
    torch.set_num_threads(1)  # parallel sessions share the cores; one computation does not take them all
    return JobRunner()


@cache
def foreground() -> Foreground:
    """The figures that sessions of this process wait for."""
    return Foreground()


@cache
def figure_pool() -> ThreadPoolExecutor:
    """The pool for what a slider waits for, kept apart from long work."""
    return ThreadPoolExecutor(2, thread_name_prefix="acot-figure")
