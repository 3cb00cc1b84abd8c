"""Sweeps: interrupted, killed, in threads and processes, they lose no result."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import joblib
import pytest

from acot_core._utils.progress import Cancelled, Progress
from acot_core.experiments._protocol.sweep import digest, run_cells


def square(*, x: int, log: str) -> dict[str, int]:
    with Path(log).open("a") as file:
        file.write(f"{x}\n")
    return {"square": x * x}


def die_once(*, x: int, log: str) -> dict[str, int]:
    mark = Path(log).with_suffix(".died")
    if x == 2 and not mark.exists():
        mark.touch()
        os._exit(1)
    return square(x=x, log=log)


def hang_once(*, x: int, log: str) -> dict[str, int]:
    """The first worker that takes cell 2 says who it is, and never comes back."""
    mark = Path(log).with_suffix(".pid")
    if x == 2 and not mark.exists():
        mark.with_suffix(".part").write_text(str(os.getpid()))
        mark.with_suffix(".part").rename(mark)
        time.sleep(600)
    return square(x=x, log=log)


def test_an_interrupted_sweep_repeats_nothing(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    cells = [{"x": x} for x in range(6)]

    def stop(event: Progress) -> None:
        if event.step == 3:
            raise Cancelled

    first = run_cells(square, cells, shared={"log": log}, folder=tmp_path / "cells", callback=stop)
    assert sum(result is not None for result in first) == 3
    second = run_cells(square, cells, shared={"log": log}, folder=tmp_path / "cells")
    assert second == [{"square": x * x} for x in range(6)]
    assert sorted(Path(log).read_text().split()) == list("012345")
    # A damaged file is computed again.
    damaged = next((tmp_path / "cells").iterdir())
    damaged.write_bytes(b'{"square": ')
    assert run_cells(square, cells, shared={"log": log}, folder=tmp_path / "cells") == second


def test_a_killed_process_loses_no_result(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    results = run_cells(
        die_once, [{"x": x} for x in range(5)], shared={"log": log}, folder=tmp_path / "cells", n_jobs=2
    )
    assert results == [{"square": x * x} for x in range(5)]
    assert (tmp_path / "log.died").exists()


def test_a_killed_dask_worker_loses_no_result(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    log, mark = str(tmp_path / "log"), tmp_path / "log.pid"

    def kill() -> None:
        while not mark.exists():
            time.sleep(0.05)
        os.kill(int(mark.read_text()), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        workers = set(client.run(os.getpid).values())
        results = run_cells(
            hang_once, [{"x": x} for x in range(8)], shared={"log": log}, folder=tmp_path / "cells"
        )
    assert int(mark.read_text()) in workers  # a worker process, which SIGKILL alone could end
    assert results == [{"square": x * x} for x in range(8)]
    assert set(Path(log).read_text().split()) == set("01234567")
    assert len(list((tmp_path / "cells").iterdir())) == 8


def where(*, x: int) -> dict[str, int]:
    return {"x": x, "process": os.getpid(), "thread": threading.get_ident()}


def test_short_cells_run_in_a_thread_pool() -> None:
    cells = [{"x": x} for x in range(4)]
    for results in (
        run_cells(where, cells, n_jobs=2, threads=True),
        run_cells(where, cells, threads=True),  # as many as torch has
    ):
        assert [f["x"] for f in results] == [0, 1, 2, 3]
        assert {f["process"] for f in results} == {os.getpid()}
    apart = run_cells(where, cells, n_jobs=2)
    assert os.getpid() not in {f["process"] for f in apart}
    with joblib.parallel_config(backend="loky"):  # what is configured goes first
        assert os.getpid() not in {f["process"] for f in run_cells(where, cells, n_jobs=2, threads=True)}


def test_digest_ignores_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})
