"""Sweeps: many independent cells, run by joblib on one machine or many, each stored as soon as it is done.

A cell is a dictionary of plain values (JSON's types). Its result is another. Results lie in a folder, one
file per cell, named by a digest of the cell: an interrupted sweep, started again, repeats nothing.

Everything goes through `joblib.Parallel`, so that ``with joblib.parallel_config(backend="dask")`` moves a
sweep to a Dask cluster, unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import ThreadingBackend, get_active_backend

from acot_core import __version__
from acot_core._utils.files import atomic_write
from acot_core._utils.progress import Callback, Cancelled, Clock, Progress
from acot_core._utils.threads import single_threaded

Cell = Mapping[str, Any]
Work = Callable[..., dict[str, Any]]

_ATTEMPTS = 3
_THREADS = 4  # beyond, the GIL is in their way


def digest(*parts: Any) -> str:
    """A short name for plain values: equal for equal values, in whatever order a mapping holds them.

    Scalars of NumPy, as grids of `numpy.arange` hold, count as the numbers that they are.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=np.generic.item)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def run_cells(
    work: Work,
    cells: Sequence[Cell],
    *,
    shared: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    stage: str = "sweep",
    reports: bool = False,
    threads: bool = False,
) -> list[dict[str, Any] | None]:
    """Results of ``work(**cell, **shared)`` for all cells, in their order.

    Parameters
    ----------
    work : function
        Of a module (so that another process can import it). Its result must be plain values.
    cells : sequence of mappings
        Keyword arguments, plain values only.
    shared : mapping, optional
        Keyword arguments that all cells share and that do not decide a result (a data set that the cells
        name by fingerprint, a cache folder).
    folder : Path, optional
        Where results are stored and looked up. None stores nothing.
    n_jobs : int, optional
        As in `joblib.Parallel`; None is what `joblib.parallel_config` says, else one, or with ``threads`` as
        many as torch has. With 1, cells run one after the other in this thread.
    callback : callable, optional
        Gets a `Progress` after every cell. Raising `Cancelled` stops the sweep; what is done is returned and
        stored.
    stage : str
        What the reports call this sweep.
    reports : bool
        The work takes a ``callback`` itself. With ``n_jobs=1`` it gets one, so that a long cell reports, and
        can be stopped, on its way.
    threads : bool
        The cells are short and release the GIL for most of their time. Where no backend is configured a few
        run in a thread pool of this process, which starts nothing and shares what is in memory.

    Returns
    -------
    list of (dict or None)
        None for a cell that was not reached because the sweep was cancelled.

    Notes
    -----
    When a worker process dies, the cells that have no result yet are run again, three times at most. Every
    cell runs on one thread, so that its result does not depend on where it runs.
    """
    name = f"{work.__module__}.{work.__qualname__}"
    files = [None if folder is None else folder / f"{digest(name, __version__, c)}.json" for c in cells]
    results: list[dict[str, Any] | None] = [_read(file) for file in files]
    done = sum(result is not None for result in results)
    clock = Clock(stage, len(cells), callback, start=done)

    def within(progress: Progress) -> None:
        assert callback is not None
        callback(replace(progress, stage=f"{stage} {done + 1} of {len(cells)}, {progress.stage}"))

    if n_jobs is None and threads and joblib.effective_n_jobs(None) == 1:
        n_jobs = min(torch.get_num_threads(), _THREADS)
    # A backend that `joblib.parallel_config` names goes first.
    threads = threads and isinstance(get_active_backend(prefer="threads")[0], ThreadingBackend)
    n_threads = joblib.effective_n_jobs(n_jobs) if threads else 0

    try:
        clock.report(done)
        for attempt in range(_ATTEMPTS):
            missing = [i for i, result in enumerate(results) if result is None]
            if not missing:
                break
            stream: Generator[tuple[int, dict[str, Any]]]
            if n_jobs == 1:
                extra = {"callback": within} if reports and callback is not None else {}
                stream = (_run(i, work, dict(cells[i]), {**(shared or {}), **extra}) for i in missing)
            elif 0 < n_threads <= _THREADS:
                stream = _in_threads(n_threads, work, {i: dict(cells[i]) for i in missing}, shared or {})
            else:
                jobs = (joblib.delayed(_run)(i, work, dict(cells[i]), dict(shared or {})) for i in missing)
                stream = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
            try:
                for i, result in stream:
                    results[i] = result
                    file = files[i]
                    if file is not None:
                        file.parent.mkdir(parents=True, exist_ok=True)
                        atomic_write(file, json.dumps(result).encode())
                    done += 1
                    clock.report(done)
            except BrokenProcessPool:
                if attempt == _ATTEMPTS - 1:
                    raise
            finally:
                stream.close()
    except Cancelled:
        pass
    return results


def _in_threads(
    n_threads: int, work: Work, cells: Mapping[int, dict[str, Any]], shared: Mapping[str, Any]
) -> Generator[tuple[int, dict[str, Any]]]:
    """Results in the order in which a thread pool finishes them.

    When a cell fails or the caller stops, those that run are waited for: a thread that is still inside of
    native code when the interpreter ends brings the process down. An interrupt is not kept waiting.
    """
    pool = ThreadPoolExecutor(n_threads)
    wait = True
    try:
        futures = [pool.submit(_run, i, work, cell, dict(shared)) for i, cell in cells.items()]
        for future in as_completed(futures):
            yield future.result()
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


def _run(index: int, work: Work, cell: dict[str, Any], shared: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    try:
        with single_threaded():
            return index, work(**cell, **shared)
    except Exception as error:
        error.add_note(f"in the cell {str(dict(cell))[:300]}")
        raise


def _read(file: Path | None) -> dict[str, Any] | None:
    if file is None or not file.is_file():
        return None
    try:
        result = json.loads(file.read_bytes())
    except ValueError:
        return None  # damaged: compute it again
    return result if isinstance(result, dict) else None
