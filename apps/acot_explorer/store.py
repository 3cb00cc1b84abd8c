"""The caches that all sessions share: data sets and adversaries by request, and the work that makes them.

An uploaded data set is found under the hash of its content alone, so that only those who have the file can
reach it. When the last session that uploaded it ends, it is removed, with all that was made of it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar
from uuid import uuid4
from weakref import WeakSet, finalize

from acot_core._utils.progress import Callback, Cancelled
from acot_core.datasets import SequenceDataset, load
from acot_core.experiments._protocol.parts import forget
from acot_core.gan.adversary import Adversary
from acot_explorer.cache_keys import AdversaryRequest, DataRequest, uploads_in
from acot_explorer.state import Settings
from acot_explorer.stored import ADVERSARIES

__all__ = [
    "Adversaries",
    "Cache",
    "Uploads",
    "adversaries",
    "cache_folder",
    "datasets",
    "growing",
    "load_dataset",
    "train_adversary",
    "uploads",
]

Value = TypeVar("Value")
_LOG = logging.getLogger("acot_explorer")


class Cache(Generic[Value]):
    """A least-recently-used cache for many threads; what was made of an upload leaves it with the upload."""

    _all: ClassVar[WeakSet[Cache[Any]]] = WeakSet()

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._values: OrderedDict[Any, Value] = OrderedDict()
        Cache._all.add(self)

    def get(self, key: Any) -> Value | None:
        """The value, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Any, value: Value) -> Value:
        """Store a value."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        if any(uploads().get(data) is None for data in uploads_in(key)):
            self.drop(key)  # its session ended while the value was made
        return value

    def drop(self, key: Any) -> None:
        """Remove a value."""
        with self._lock:
            self._values.pop(key, None)

    def make(self, key: Any, maker: Callable[[], Value]) -> Value:
        """The value, made on a miss."""
        cached = self.get(key)
        return self.put(key, maker()) if cached is None else cached

    def requests(self) -> list[Any]:
        """All keys, the least recently used first."""
        with self._lock:
            return list(self._values)

    @classmethod
    def forget_upload(cls, data: DataRequest) -> None:
        """Remove what any cache of this process holds about an upload."""
        for cached in list(cls._all):
            for key in cached.requests():
                if data in uploads_in(key):
                    cached.drop(key)


class Uploads:
    """Uploaded data sets, each until the last session that uploaded it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._datasets: dict[DataRequest, tuple[SequenceDataset, set[Hashable]]] = {}

    def keep(self, request: DataRequest, dataset: SequenceDataset, owner: Hashable) -> None:
        """Keep a data set for a session."""
        with self._lock:
            self._datasets.setdefault(request, (dataset, set()))[1].add(owner)

    def get(self, request: DataRequest) -> SequenceDataset | None:
        """The data set, while a session that uploaded it goes on."""
        with self._lock:
            return self._datasets[request][0] if request in self._datasets else None

    def release(self, owner: Hashable) -> None:
        """A session has ended: remove what no other session uploaded, in memory and on the disk."""
        with self._lock:
            for _, owners in self._datasets.values():
                owners.discard(owner)
            gone = {request: dataset for request, (dataset, owners) in self._datasets.items() if not owners}
            for request in gone:
                del self._datasets[request]
        for request, dataset in gone.items():
            Cache.forget_upload(request)
            forget(dataset)
            shutil.rmtree(cache_folder(request), ignore_errors=True)


@cache
def uploads() -> Uploads:
    """Uploads of this process."""
    return Uploads()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="acot-cache-")


def cache_folder(data: DataRequest) -> Path:
    """Folder of interrupted runs' results, until the server or an upload's session ends."""
    folder = Path(_folder().name)
    return folder / data.dataset.removeprefix("upload:") if data.uploaded else folder / "shared"


@cache
def datasets() -> Cache[SequenceDataset]:
    """Data sets of this process that were loaded by name."""
    return Cache(8)


def load_dataset(request: DataRequest, callback: Callback | None = None) -> SequenceDataset:
    """The data set of a request, loaded (and its encoder trained) when it is not in memory yet.

    Raises
    ------
    ValueError
        The data are not on this machine, or cannot be read.
    """
    if request.uploaded:
        upload = uploads().get(request)
        if upload is None:
            raise ValueError("The uploaded file is no longer in memory: please choose it again.")
        return upload
    options: dict[str, Any] = {} if request.dataset == "planted" else {"encoder": request.encoder}
    return datasets().make(
        request,
        lambda: load(request.dataset, random_state=request.seed, callback=callback, **options),
    )


class _File:
    """An adversary on the disk, for as long as this object lives."""

    def __init__(self, adversary: Adversary, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = adversary.save(folder / f"{uuid4().hex}.safetensors")
        finalize(self, self.path.unlink, missing_ok=True)


@dataclass(frozen=True)
class _Packaged:
    """An adversary that comes with the package."""

    path: Path


class Adversaries:
    """Trained and half-trained adversaries by request and iterations, and the newest of each request.

    They lie in the cache folder; those used last are in memory as well. Requests ``by_hand`` were paused,
    stopped or stepped: no page, not even a reloaded one, trains them on unasked.
    """

    def __init__(self) -> None:
        self._files: Cache[_File | _Packaged] = Cache(64)
        self._newest: Cache[int] = Cache(64)
        self._in_memory: Cache[Adversary] = Cache(8)
        self.by_hand: Cache[bool] = Cache(64)

    def put(self, request: AdversaryRequest, adversary: Adversary) -> None:
        """Store an adversary as the newest of its request."""
        key = (request, adversary.n_iter_)
        self._in_memory.put(key, adversary)
        try:
            self._files.put(key, _File(adversary, cache_folder(request.data) / "adversaries"))
        except OSError:
            _LOG.exception("an adversary stays in memory alone, where later ones will take its place")
        self._newest.put(request, adversary.n_iter_)

    def add_packaged(self, request: AdversaryRequest, n_iter: int, path: Path) -> None:
        """Offer an adversary that comes with the package; it samples only: longer trainings begin anew."""
        self._files.put((request, n_iter), _Packaged(path))

    def has(self, request: AdversaryRequest, n_iter: int) -> bool:
        """Whether the adversary of exactly that many iterations is stored."""
        key = (request, n_iter)
        return (self._files.get(key) or self._in_memory.get(key)) is not None

    def begun(self, request: AdversaryRequest, n_iter: int) -> int:
        """Iterations that a training up to ``n_iter`` can go on from; 0 when it begins anew."""
        if self.has(request, n_iter):
            return n_iter
        newest = self._newest.get(request) or 0
        return newest if newest < n_iter and self.has(request, newest) else 0

    def get(self, request: AdversaryRequest, n_iter: int) -> Adversary:
        """The adversary of that many iterations.

        Raises
        ------
        ValueError
            It is not stored any more.
        """
        key = (request, n_iter)
        file, adversary = self._files.get(key), self._in_memory.get(key)
        if adversary is None and file is not None:
            try:
                adversary = self._in_memory.put(key, Adversary.load(file.path, device="cpu"))
            except (OSError, ValueError):  # the folder was emptied by somebody else
                _LOG.exception("an adversary cannot be read back")
                self._files.drop(key)
        if adversary is None:
            raise ValueError("The adversary is no longer stored: please train it again.")
        return adversary

    def restart(self, request: AdversaryRequest) -> None:
        """Have the next training of a request begin anew."""
        self._newest.drop(request)


@cache
def adversaries() -> Adversaries:
    """Adversaries of this process; those that come with the package are there from the beginning."""
    made = Adversaries()
    for sigma, path in ADVERSARIES.items():
        if path.exists():
            settings = Settings(sigma=sigma)
            made.add_packaged(AdversaryRequest.of(settings), settings.n_iter, path)
    return made


@cache
def growing() -> Cache[Adversary]:
    """Adversaries in training, whose histories can be read while they grow."""
    return Cache(16)


def train_adversary(request: AdversaryRequest, n_iter: int, callback: Callback) -> Adversary:
    """Train, or go on training, up to ``n_iter`` iterations; the adversary is stored, whole or half-trained.

    Parameters
    ----------
    request : AdversaryRequest
    n_iter : int
    callback : callable
        Gets `Progress`; may raise `Cancelled`.

    Raises
    ------
    ValueError
        The half-trained adversary to go on from is not stored any more; the next call begins anew.
    """
    dataset = load_dataset(request.data, callback)
    train, test = dataset.split()
    sequences = dataset.streams[request.stream]
    training = [sequences[i] for i in train]
    held_out = ([sequences[i] for i in test], dataset.labels[test]) if len(test) else None
    adversary = Adversary(n_iter=n_iter, device="cpu", **request.arguments())
    done = adversaries().begun(request, n_iter)
    before = adversaries().get(request, done) if done else None
    growing().put(request, adversary)
    with tempfile.TemporaryDirectory(prefix="acot-") as folder:
        resume = None
        if before is not None:
            resume = before.save(Path(folder) / "adversary.safetensors")
        try:
            adversary.fit(
                training, dataset.labels[train], callback=callback, held_out=held_out, resume=resume
            )
        finally:
            growing().drop(request)
    if adversary.is_fitted:
        adversaries().put(request, adversary)
    if adversary.cancelled_:
        raise Cancelled
    return adversary
