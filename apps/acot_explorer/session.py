"""One session: its jobs, its uploads, and what its steps wait for; no widgets."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache, partial
from typing import Any

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_explorer.cache_keys import AdversaryRequest, DataRequest
from acot_explorer.jobs import Job, JobRunner, runner
from acot_explorer.state import Settings
from acot_explorer.store import adversaries, datasets, load_dataset, train_adversary, uploads

__all__ = ["Key", "NotReady", "Session"]


Key = tuple[str, Hashable]
"""A kind of work, and the request that it answers."""


class NotReady(Exception):
    """Something must happen before the figures can be shown; the message says what to do."""


@cache
def _loader() -> JobRunner:
    """The thread pool that loads data sets, apart from long work: no training holds up a first figure."""
    return JobRunner(workers=1)


class Session:
    """The jobs of one session."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs: list[Job] = []
        self.connected: Callable[[], bool] = lambda: True
        self.began: Callable[[], None] = lambda: None  # called when there is a job to look after
        self._failed: dict[Key, str] = {}

    # ------------------------------------------------------------ jobs

    def submit(
        self, key: Key, title: str, work: Callable[[Callback], Any], where: JobRunner | None = None
    ) -> Job:
        """Begin work for this session, or join equal work of another.

        The newest request wins: this session's earlier jobs of the same kind (``key[0]``) are given up.
        """
        self._failed.pop(key, None)
        self.give_up(*key)
        job = (where or runner()).submit(key, title, work, owner=self)
        if job not in self.jobs:
            self.jobs.append(job)
        self.began()
        return job

    def find(self, key: Key) -> Job | None:
        """This session's job of that key, if it is under way."""
        return next((job for job in self.jobs if job.key == key and job.active), None)

    def rejoin(self, key: Key) -> None:
        """Take part in a job of that key that is under way: a reloaded page finds its work."""
        job = runner().find(key)
        if job is None or self.find(key) is not None:
            return
        job.owners.add(self)
        self.jobs.append(job)
        self.began()
        for owner in tuple(job.owners):
            if isinstance(owner, Session) and not owner.connected():
                owner.release(job)  # of the page before a reload, which would keep the job from pausing

    def failed(self, key: Key) -> str | None:
        """Why the last job of that key failed."""
        return self._failed.get(key)

    def release(self, job: Job) -> None:
        """Give up a job, which stops unless another session wants it."""
        job.release(self)
        if job.active and job in self.jobs:
            self.jobs.remove(job)

    def give_up(self, kind: str, keep: Hashable) -> None:
        """Give up the jobs of a kind that answer another request than ``wanted``."""
        for job in [job for job in self.jobs if job.key[0] == kind and job.key[1] != keep]:
            self.release(job)

    def settle(self) -> list[Job]:
        """The jobs that ended since the last call."""
        ended = [job for job in self.jobs if job.settled]
        self.jobs = [job for job in self.jobs if not job.settled]
        for job in ended:
            if job.state == "failed":
                self._failed[job.key] = job.error
        return ended

    def foremost(self) -> Job | None:
        """The job whose progress is shown: a running one before a queued one."""
        running = [job for job in self.jobs if job.state == "running"]
        return next(iter(running or self.jobs), None)

    def close(self) -> None:
        """The session is over."""
        for job in self.jobs:
            job.release(self)
        self.jobs = []
        uploads().release(self)

    # ------------------------------------------------------------ data

    def keep_upload(self, request: DataRequest, dataset: SequenceDataset) -> None:
        """Keep an uploaded data set until the session ends."""
        uploads().keep(request, dataset, self)

    def data_ready(self) -> bool:
        """Whether the chosen data set is in memory; otherwise its loading begins."""
        request = DataRequest.of(self.settings)
        dataset = uploads().get(request) if request.uploaded else datasets().get(request)
        if dataset is None:
            if self.failed(("data", request)) is None and self.find(("data", request)) is None:
                self.submit(
                    ("data", request), "Preparing the data", partial(load_dataset, request), _loader()
                )
            return False
        fitting: dict[str, Any] = {}
        if self.settings.stream not in dataset.streams:
            fitting["stream"] = next(iter(dataset.streams))
        if self.settings.sequence >= len(dataset):
            fitting["sequence"] = len(dataset) - 1
        if fitting:
            self.settings.adjust(**fitting)
        field = self.settings.param["stream"]
        if list(field.objects) != list(dataset.streams):
            field.objects = list(dataset.streams)
        return True

    def need_data(self) -> None:
        """Raise `NotReady` until the data set is in memory."""
        if not self.data_ready():
            reason = self.failed(("data", DataRequest.of(self.settings)))
            if reason is not None:
                raise NotReady(f"The data cannot be loaded.\n{reason}\nChoose another in the step Data.")
            raise NotReady("The data are being prepared …")

    def need_classes(self, what: str, instead: str = "") -> None:
        """Raise `NotReady` where the training sequences are all of one class: ``what`` cannot be done."""
        self.need_data()
        dataset = load_dataset(DataRequest.of(self.settings))
        if len(set(dataset.labels[dataset.split()[0]].tolist())) < 2:
            raise NotReady(
                f"The sequences of this data set are all of one class, so {what}.\n"
                f"Choose another in the step Data{instead}."
            )

    # ------------------------------------------------------------ adversary

    def train(self, request: AdversaryRequest, n_iter: int) -> Job:
        """Train an adversary up to ``n_iter`` iterations."""
        work = partial(train_adversary, request, n_iter)
        return self.submit(("adversary", request), "Training the adversary", work)

    def training(self, request: AdversaryRequest) -> Job | None:
        """The job that trains it, if it is under way."""
        return self.find(("adversary", request))

    def need_adversary(self, request: AdversaryRequest) -> int:
        """Iterations of the adversary to use; without one its training begins, and `NotReady` is raised."""
        self.need_classes(
            "there is no class for an adversary to hide", ", or random negatives among the settings here"
        )
        n_iter = self.settings.n_iter
        if adversaries().has(request, n_iter):
            return n_iter
        reason = self.failed(("adversary", request))
        if reason is not None:
            raise NotReady(
                f"The adversary cannot be trained.\n{reason}\n"
                "Train it again in the step Adversary, or choose random negatives."
            )
        if self.training(request) is None:
            self.train(request, n_iter)
        raise NotReady("The adversary is being trained for these settings: see the bar below.")

    def iterations_used(self) -> int | None:
        """Iterations of the adversary in use; None where negatives are random."""
        return self.settings.n_iter if self.settings.negatives == "adversarial" else None
