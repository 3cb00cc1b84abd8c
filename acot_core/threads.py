"""One thread for what must not depend on how many there are, or is one of several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from threading import Lock, local
from typing import Any, TypeVar

import joblib
import torch
from joblib.parallel import ThreadingBackend, get_active_backend
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["one_thread", "side_by_side"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = Lock()
_inside = 0  # threads in the block
_before = 1
_blas: Any = None


class _Here(local):
    inside = 0  # how deep this thread is in the block


_here = _Here()


@cache
def _pools() -> ThreadpoolController:
    """Finding them takes milliseconds; torch's and numpy's are there by now."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread within the block: sums are then added in the same order everywhere.

    Last bits matter: a sequence's noise is keyed by its content (`acot_core.sequences.content_seed`).
    OpenMP's number of threads belongs to the calling thread, which gets it back when it leaves; BLAS's and
    torch's belong to the process, and come back when no thread is in the block any more.
    """
    global _inside, _before, _blas
    with _lock:
        before = torch.get_num_threads()
        openmp = _pools().select(user_api="openmp").limit(limits=1)
        if _inside == 0:
            _before, _blas = before, _pools().select(user_api="blas").limit(limits=1)
        torch.set_num_threads(1)
        _inside += 1
    _here.inside += 1
    try:
        yield
    finally:
        _here.inside -= 1
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.set_num_threads(_before)
                _blas.restore_original_limits()
            openmp.restore_original_limits()


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], n_jobs: int | None = None
) -> Iterator[Result]:
    """Results of ``work`` for each item, in their order, several at once by joblib, each on one thread.

    Parameters
    ----------
    work : callable
        Releases Python's lock for most of its time, as torch does, or runs in processes.
    items : iterable
    n_jobs : int, optional
        As in `joblib.Parallel`. None is what `joblib.parallel_config` says, else one a thread of torch.
    """
    if _here.inside:  # this thread is one of several already
        yield from map(work, items)
        return
    wanted = joblib.effective_n_jobs(n_jobs)
    if n_jobs is None and wanted == 1:
        wanted = torch.get_num_threads()
    backend = get_active_backend(prefer="threads")[0]
    if isinstance(backend, ThreadingBackend):
        # What joblib would do, less its polling: it looks for results every 10 ms.
        with ThreadPoolExecutor(wanted) as pool:
            yield from pool.map(partial(_alone, work), items)
        return
    jobs = (joblib.delayed(_alone)(work, item) for item in items)
    return_as = "generator" if backend.supports_return_generator else "list"
    yield from joblib.Parallel(wanted, prefer="threads", return_as=return_as)(jobs)


def _alone(work: Callable[[Item], Result], item: Item) -> Result:
    with one_thread():
        return work(item)
