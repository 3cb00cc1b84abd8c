"""What one session has under way: its jobs, its uploads, and what its steps wait for. No widget here."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache, partial
from typing import Any

from acot_core.datasets import SequenceDataset
from acot_core.progress import Callback
from acot_explorer.jobs import Job, JobRunner, runner
from acot_explorer.requests import AdversaryRequest, DataRequest
from acot_explorer.state import Settings
from acot_explorer.store import adversaries, datasets, load_dataset, train_adversary, uploads

__all__ = ["Desk", "NotReady"]


class NotReady(Exception):
    """Something must happen before the figures can be shown; the message says what to do."""


@cache
def _loader() -> JobRunner:
    """Data sets are loaded beside the long work, so that no training holds up a visitor's first figure."""
    return JobRunner(workers=1)


class Desk:
    """The jobs of one session."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.jobs: list[Job] = []
        self.connected: Callable[[], bool] = lambda: True
        self._failed: dict[Hashable, str] = {}

    # ------------------------------------------------------------ jobs

    def submit(
        self, key: Hashable, title: str, work: Callable[[Callback], Any], where: JobRunner | None = None
    ) -> Job:
        """Begin work for this session, or join equal work of another."""
        self._failed.pop(key, None)
        job = (where or runner()).submit(key, title, work, owner=self)
        if job not in self.jobs:
            self.jobs.append(job)
        return job

    def find(self, key: Hashable) -> Job | None:
        """This session's job of that key, if it is under way."""
        return next((job for job in self.jobs if job.key == key and job.active), None)

    def rejoin(self, key: Hashable) -> None:
        """Take part in a job of that key that is under way: a reloaded page finds its work."""
        job = runner().find(key)
        if job is None or self.find(key) is not None:
            return
        job.owners.add(self)
        self.jobs.append(job)
        for owner in tuple(job.owners):
            if isinstance(owner, Desk) and not owner.connected():
                owner.release(job)  # the page before the reload: whoever pauses now shall be alone to decide

    def failed(self, key: Hashable) -> str | None:
        """Why the last job of that key failed."""
        return self._failed.get(key)

    def release(self, job: Job) -> None:
        """This session wants a job no more; another one may."""
        job.release(self)
        if job.active and job in self.jobs:
            self.jobs.remove(job)

    def settle(self) -> list[Job]:
        """The jobs that ended since the last call."""
        ended = [job for job in self.jobs if job.settled]
        self.jobs = [job for job in self.jobs if not job.settled]
        for job in ended:
            if job.state == "failed":
                self._failed[job.key] = job.error
        return ended

    def foremost(self) -> Job | None:
        """The job to tell the visitor about."""
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
        if self.settings.clip >= len(dataset):
            fitting["clip"] = len(dataset) - 1
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
                raise NotReady(f"The data cannot be loaded.\n{reason}\nChoose another data set in step 1.")
            raise NotReady("The data are being prepared …")

    def need_classes(self, what: str, instead: str = "") -> None:
        """Raise `NotReady` where the training clips are all of one class; ``what`` cannot be done then."""
        self.need_data()
        dataset = load_dataset(DataRequest.of(self.settings))
        if len(set(dataset.labels[dataset.split()[0]].tolist())) < 2:
            raise NotReady(
                f"The clips of this data set are all of one class, so {what}.\n"
                f"Choose another data set in step 1{instead}."
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
        known = adversaries().iterations(request, self.settings.n_iter)
        if known is not None:
            return known
        reason = self.failed(("adversary", request))
        if reason is not None:
            raise NotReady(
                f"The adversary cannot be trained.\n{reason}\n"
                "Train it again in step 2, or choose random negatives."
            )
        if self.training(request) is None:
            self.train(request, self.settings.n_iter)
        raise NotReady("The adversary is being trained for these settings: see the bar above.")

    def iterations_used(self) -> int | None:
        """Iterations of the adversary in use; None where negatives are random or none is trained."""
        if self.settings.negatives != "adversarial":
            return None
        request = AdversaryRequest.of(self.settings)
        known = adversaries().iterations(request, self.settings.n_iter)
        return self.settings.n_iter if known is None else known
