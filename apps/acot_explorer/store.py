"""What all sessions share: data sets, adversaries and results by request, and the work that makes them.

A data set that a visitor uploaded is found under the hash of its content alone, so that nobody comes upon it
who does not have it. When the last session that brought it ends, it is forgotten, with all that was made of
it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar
from uuid import uuid4
from weakref import WeakSet, finalize

from acot_core.adversary import Adversary
from acot_core.datasets import SequenceDataset, load
from acot_core.experiments.parts import forget
from acot_core.progress import Callback, Cancelled
from acot_explorer.requests import AdversaryRequest, DataRequest, uploads_in

__all__ = [
    "Adversaries",
    "Memo",
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


class Memo(Generic[Value]):
    """A small dictionary that many threads use and that forgets what was not used for longest.

    What was made of an upload is kept no longer than the upload.
    """

    _all: ClassVar[WeakSet[Memo[Any]]] = WeakSet()

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._values: OrderedDict[Any, Value] = OrderedDict()
        Memo._all.add(self)

    def get(self, key: Any) -> Value | None:
        """The value, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Any, value: Value) -> Value:
        """Keep a value."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        if any(uploads().get(data) is None for data in uploads_in(key)):
            self.drop(key)  # its session ended while the value was made
        return value

    def drop(self, key: Any) -> None:
        """Forget a value."""
        with self._lock:
            self._values.pop(key, None)

    def make(self, key: Any, maker: Callable[[], Value]) -> Value:
        """The value, made when it is not there."""
        found = self.get(key)
        return self.put(key, maker()) if found is None else found

    def known(self) -> list[Any]:
        """All keys, the longest unused first."""
        with self._lock:
            return list(self._values)

    @classmethod
    def forget_upload(cls, data: DataRequest) -> None:
        """Drop what any memo of this process holds about an upload."""
        for memo in list(cls._all):
            for key in memo.known():
                if data in uploads_in(key):
                    memo.drop(key)


class Uploads:
    """Data sets that visitors brought, each until the last session that brought it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[DataRequest, tuple[SequenceDataset, set[Hashable]]] = {}

    def keep(self, request: DataRequest, dataset: SequenceDataset, owner: Hashable) -> None:
        """Keep a data set for a session."""
        with self._lock:
            self._kept.setdefault(request, (dataset, set()))[1].add(owner)

    def get(self, request: DataRequest) -> SequenceDataset | None:
        """The data set, while somebody who brought it is there."""
        with self._lock:
            return self._kept[request][0] if request in self._kept else None

    def release(self, owner: Hashable) -> None:
        """A session has ended: forget what nobody else brought, in memory and on the disk."""
        with self._lock:
            for _, owners in self._kept.values():
                owners.discard(owner)
            gone = {request: kept for request, (kept, owners) in self._kept.items() if not owners}
            for request in gone:
                del self._kept[request]
        for request, dataset in gone.items():
            Memo.forget_upload(request)
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
    """Where interrupted runs keep what they have done; gone when the server, or an upload's session, ends."""
    folder = Path(_folder().name)
    return folder / data.dataset.removeprefix("upload:") if data.uploaded else folder / "shared"


@cache
def datasets() -> Memo[SequenceDataset]:
    """Data sets of this process that were loaded by name."""
    return Memo(8)


def load_dataset(request: DataRequest, callback: Callback | None = None) -> SequenceDataset:
    """The data set of a request, loaded (and its encoder trained) when it is not in memory yet.

    Raises
    ------
    ValueError
        The data are not on this machine, or cannot be read.
    """
    if request.uploaded:
        found = uploads().get(request)
        if found is None:
            raise ValueError("The uploaded file is no longer in memory: please choose it again.")
        return found
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


class Adversaries:
    """Trained and half-trained adversaries: for each request the newest, and those of certain lengths.

    They lie in the cache folder; those used last are in memory as well.
    """

    def __init__(self) -> None:
        self._files: Memo[_File] = Memo(64)
        self._newest: Memo[int] = Memo(64)
        self._at_hand: Memo[Adversary] = Memo(8)

    def put(self, request: AdversaryRequest, adversary: Adversary) -> None:
        """Keep an adversary as the newest of its request."""
        key = (request, adversary.n_iter_)
        self._at_hand.put(key, adversary)
        try:
            self._files.put(key, _File(adversary, cache_folder(request.data) / "adversaries"))
        except OSError:
            _LOG.exception("an adversary stays in memory alone, where later ones will take its place")
        self._newest.put(request, adversary.n_iter_)

    def iterations(self, request: AdversaryRequest, n_iter: int | None = None) -> int | None:
        """``n_iter`` where an adversary of so many is kept, else those of the newest; None without any."""
        for wanted in (n_iter, self._newest.get(request)):
            key = (request, wanted)
            if wanted is not None and (self._files.get(key) or self._at_hand.get(key)) is not None:
                return wanted
        return None

    def get(self, request: AdversaryRequest, n_iter: int) -> Adversary:
        """The adversary of that many iterations.

        Raises
        ------
        ValueError
            It is not kept any more.
        """
        key = (request, n_iter)
        file, found = self._files.get(key), self._at_hand.get(key)
        if found is None and file is not None:
            try:
                found = self._at_hand.put(key, Adversary.load(file.path, device="cpu"))
            except (OSError, ValueError):  # somebody has tidied up the folder
                _LOG.exception("an adversary cannot be read back")
                self._files.drop(key)
        if found is None:
            raise ValueError("The adversary is no longer kept: please train it again.")
        return found

    def restart(self, request: AdversaryRequest) -> None:
        """Forget which is the newest, so that training begins anew."""
        self._newest.drop(request)


@cache
def adversaries() -> Adversaries:
    """Adversaries of this process."""
    return Adversaries()


@cache
def growing() -> Memo[Adversary]:
    """Adversaries in training, whose histories can be read while they grow."""
    return Memo(16)


def train_adversary(request: AdversaryRequest, n_iter: int, callback: Callback) -> Adversary:
    """Train, or go on training, up to ``n_iter`` iterations; whatever comes of it is kept in the store.

    Parameters
    ----------
    request : AdversaryRequest
    n_iter : int
    callback : callable
        Gets `Progress`; may raise `Cancelled`.

    Raises
    ------
    ValueError
        What there was to go on from is not kept any more; the next call begins anew.
    """
    dataset = load_dataset(request.data, callback)
    train, test = dataset.split()
    sequences = dataset.streams[request.stream]
    part = [sequences[i] for i in train]
    held_out = ([sequences[i] for i in test], dataset.labels[test]) if len(test) else None
    adversary = Adversary(n_iter=n_iter, device="cpu", **request.arguments())
    done = adversaries().iterations(request)
    before = None if done is None else adversaries().get(request, done)
    growing().put(request, adversary)
    with tempfile.TemporaryDirectory(prefix="acot-") as folder:
        resume = None
        if before is not None and 0 < before.n_iter_ < n_iter:
            resume = before.save(Path(folder) / "adversary.safetensors")
        try:
            adversary.fit(part, dataset.labels[train], callback, held_out=held_out, resume=resume)
        finally:
            growing().drop(request)
    if adversary.is_fitted:
        adversaries().put(request, adversary)
    if adversary.cancelled_:
        raise Cancelled
    return adversary
