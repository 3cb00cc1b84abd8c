"""Single-threaded blocks, for bitwise reproducibility, and a thread pool whose workers compute in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from threading import Lock, local
from typing import Any, TypeVar

import joblib
import torch
from joblib.parallel import ThreadingBackend, get_active_backend
from threadpoolctl import OpenBLASController, ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Blocks:
    """Who is in a single-threaded block, and what to put back when the last thread leaves."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.threads = 0  # threads of the process in a block
        self.torch_threads = 1
        self.blas: Any = None
        self.here = local()  # .depth: how deep this thread is in blocks


_blocks = _Blocks()


def _after_fork() -> None:
    """In a forked child: OpenMP's threads and whoever held the lock are gone, and waiting would never end."""
    global _blocks
    _blocks = _Blocks()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)


@cache
def _pools() -> ThreadpoolController:
    """Finding them takes milliseconds; torch's and numpy's are there by now."""
    return ThreadpoolController()


def _take_blas() -> None:
    """Let this thread, which holds the lock, set BLAS's number of threads, whichever thread did before.

    From 3.8 on threadpoolctl ignores, without a word, all threads but the one that set a limit first.
    """
    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute on one thread within the block: sums are then added in the same order everywhere.

    Last bits matter: a sequence's noise is keyed by its content (`acot_core.sequences.content_seed`).
    OpenMP's number of threads belongs to the calling thread, which gets it back when it leaves; BLAS's and
    torch's belong to the process, and come back when no thread is in a block any more.
    """
    state = _blocks
    with state.lock:
        before = torch.get_num_threads()
        openmp = _pools().select(user_api="openmp").limit(limits=1)
        if state.threads == 0:
            _take_blas()
            state.torch_threads, state.blas = before, _pools().select(user_api="blas").limit(limits=1)
        torch.set_num_threads(1)
        state.threads += 1
    state.here.depth = getattr(state.here, "depth", 0) + 1
    try:
        yield
    finally:
        state.here.depth -= 1
        with state.lock:
            state.threads -= 1
            if state.threads == 0:
                torch.set_num_threads(state.torch_threads)
                _take_blas()
                state.blas.restore_original_limits()
                _take_blas()  # and others may again
            openmp.restore_original_limits()


def parallel_map(
    work: Callable[[Item], Result], items: Iterable[Item], n_jobs: int | None = None
) -> Iterator[Result]:
    """Results of ``work`` for each item, in their order, in parallel by joblib, each on one thread.

    Parameters
    ----------
    work : callable
        Releases the GIL for most of its time, as torch does, or runs in processes.
    items : iterable
    n_jobs : int, optional
        As in `joblib.Parallel`. None is what `joblib.parallel_config` says, else one per thread of torch.
    """
    if getattr(_blocks.here, "depth", 0):  # this thread is in a pool already
        yield from map(work, items)
        return
    workers = joblib.effective_n_jobs(n_jobs)
    if n_jobs is None and workers == 1:
        workers = torch.get_num_threads()
    backend = get_active_backend(prefer="threads")[0]
    if isinstance(backend, ThreadingBackend):
        # What joblib would do, minus its polling: it looks for results every 10 ms.
        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(partial(_alone, work, torch.is_grad_enabled()), items)
        return
    jobs = (joblib.delayed(_alone)(work, torch.is_grad_enabled(), item) for item in items)
    return_as = "generator" if backend.supports_return_generator else "list"
    yield from joblib.Parallel(workers, prefer="threads", return_as=return_as)(jobs)


def _alone(work: Callable[[Item], Result], gradients: bool, item: Item) -> Result:
    # Whether gradients are recorded belongs to a thread, too: as where the map was called.
    with torch.set_grad_enabled(gradients), single_threaded():
        return work(item)
