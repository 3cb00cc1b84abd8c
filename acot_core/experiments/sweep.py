"""Sweeps: many independent cells, run by joblib on one machine or many, each stored as soon as it is done.

A cell is a dictionary of plain values (JSON's types). Its result is another. Results lie in a folder, one
file a cell, named by a digest of the cell: a sweep that was interrupted finds them and repeats nothing.

Everything goes through `joblib.Parallel`, so that ``with joblib.parallel_config(backend="dask")`` moves a
sweep to a Dask cluster, unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import BrokenProcessPool

from acot_core import __version__
from acot_core.files import atomic_write
from acot_core.progress import Callback, Cancelled, Clock, Progress
from acot_core.threads import one_thread

__all__ = ["Cell", "digest", "run_cells"]

Cell = Mapping[str, Any]
Work = Callable[..., dict[str, Any]]

_ATTEMPTS = 3
_THREADS = 4  # beyond, Python's lock is in their way


def digest(*parts: Any) -> str:
    """A short name for plain values: equal for equal values, in whatever order a mapping holds them."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
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
        Where results are kept and looked for. None keeps nothing.
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
        The cells are short and leave Python's lock free for most of their time. Where no backend is
        configured a few at once then run in threads of this process, which starts nothing and shares what is
        in memory.

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
    prefer = "threads" if threads and joblib.effective_n_jobs(n_jobs) <= _THREADS else None

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
            else:
                jobs = (joblib.delayed(_run)(i, work, dict(cells[i]), dict(shared or {})) for i in missing)
                stream = joblib.Parallel(n_jobs=n_jobs, prefer=prefer, return_as="generator_unordered")(jobs)
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


def _run(index: int, work: Work, cell: dict[str, Any], shared: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    with one_thread():
        return index, work(**cell, **shared)


def _read(file: Path | None) -> dict[str, Any] | None:
    if file is None or not file.is_file():
        return None
    try:
        result = json.loads(file.read_bytes())
    except ValueError:
        return None  # damaged: compute it again
    return result if isinstance(result, dict) else None
