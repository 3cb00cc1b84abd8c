"""Work that is killed (`kill -9`), or finds its disk full or its folder read-only; run by `test_faults`.

    python tests/helpers/fault_driver.py [--kills 20] [--seed 0]

Everything is imported once; each victim is a fork, which tells through a pipe what it was told was saved.
Prints what was found as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from acot_core import Adversary
from acot_core._utils.progress import Progress
from acot_core.datasets import SequenceDataset, load, planted, save_dataset
from acot_core.experiments._protocol.sweep import run_cells
from acot_core.experiments.record import Record

Tell = Callable[[int], None]
DATA = planted(random_state=0)
CLIPS = DATA.streams["features"]
STEPS, EVERY, CELLS = 60, 4, 24


class Telling(Adversary):
    """Tells how many iterations each checkpoint holds, once `save` has returned."""

    def save(self, path: Any, *, resumable: bool = True) -> Path:
        written = super().save(path, resumable=resumable)
        if self.tell is not None:
            self.tell(self.n_iter_)
        return written

    tell: Tell | None = None


def train(folder: Path, tell: Tell | None = None, *, resume: bool = False) -> Telling:
    """Train with a checkpoint every few steps, from the last one if asked to."""
    adversary = Telling(n_iter=STEPS, classifier_iter=20, eval_every=7, device="cpu", random_state=1)
    adversary.tell = tell
    path = folder / "adversary.safetensors"
    again = path if resume and path.exists() else None
    return adversary.fit(CLIPS, DATA.labels, checkpoint=path, checkpoint_every=EVERY, resume=again)


def cell(number: int, log: str) -> dict[str, Any]:
    """A cell of a sweep: some arithmetic; its number goes to a log."""
    with Path(log).open("a") as file:
        file.write(f"{number}\n")
    generator = torch.Generator().manual_seed(number)
    matrix = torch.rand(60, 60, generator=generator, dtype=torch.float64)
    for _ in range(40):
        matrix = matrix @ matrix / matrix.square().sum().sqrt()
    return {"number": number, "value": float(matrix.sum())}


def sweep(folder: Path, tell: Tell | None = None) -> list[dict[str, Any] | None]:
    """Run all cells; tells how many are done."""

    def callback(progress: Progress) -> None:
        if tell is not None:
            tell(progress.step)

    shared = {"log": str(folder / "log")}
    cells = [{"number": i} for i in range(CELLS)]
    return run_cells(cell, cells, shared=shared, folder=folder / "cells", callback=callback)


def dataset(version: int) -> SequenceDataset:
    """A data set of 2,000 frames, all of which say which version it is."""
    frames = torch.zeros(1000, 8)
    frames[:, version % 8] = 1
    labels = np.array([0, 1])
    return SequenceDataset(f"v{version}", {"features": [frames, frames]}, labels, ["a", "b"], {})


def save(folder: Path, tell: Tell | None = None) -> None:
    """Write a data set and a record over and over."""
    for version in range(1, 40):
        save_dataset(folder / "data.npz", dataset(version))
        Record(config={"version": version}).save(folder / "record.zip")
        if tell is not None:
            tell(version)


def check_training(folder: Path, told: int) -> None:
    path = folder / "adversary.safetensors"
    if told:
        assert Adversary.load(path).n_iter_ >= told
    elif path.exists():
        Adversary.load(path)
    again = train(folder, resume=True)
    uninterrupted = WHOLE["training"]
    for (name, tensor), (_, expected) in zip(
        again.generator_.state_dict().items(), uninterrupted.generator_.state_dict().items(), strict=True
    ):
        assert torch.equal(tensor, expected), name
    assert again.history_.equals(uninterrupted.history_)


def check_sweep(folder: Path, told: int) -> None:
    stored = [json.loads(file.read_text()) for file in (folder / "cells").glob("*.json")]
    assert len(stored) >= told
    log = folder / "log"
    log.unlink(missing_ok=True)
    assert sweep(folder) == WHOLE["sweep"]
    computed = log.read_text().split() if log.exists() else []
    assert len(computed) == CELLS - len(stored)  # what was stored is not computed again


def check_save(folder: Path, told: int) -> None:
    data, record = folder / "data.npz", folder / "record.zip"
    versions = []
    if data.exists() or told:
        features = load(data).streams["features"][0]
        kinds = features.argmax(1).unique()
        assert len(kinds) == 1  # of one version, whole
        assert int(kinds) in (told % 8, (told + 1) % 8)
    if record.exists() or told:
        versions.append(Record.load(record).config["version"])
        assert told <= versions[0] <= told + 1
    save(folder)
    assert Record.load(record).config["version"] == 39


WORK: dict[str, tuple[Callable[..., Any], Callable[[Path, int], None]]] = {
    "training": (train, check_training),
    "sweep": (sweep, check_sweep),
    "save": (save, check_save),
}
WHOLE: dict[str, Any] = {}


def fork(function: Callable[[], None]) -> int:
    """Run a function in a child that ends with it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return child


def kill(work: Callable[..., Any], folder: Path, seconds: float) -> tuple[int, bool]:
    """What a victim told before it was killed after so many seconds, and whether it had ended by then."""
    reader, writer = os.pipe()
    child = fork(lambda: work(folder, lambda number: os.write(writer, b"%d\n" % number)))
    os.close(writer)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        told = [int(line) for line in file.read().splitlines()]
    return max(told, default=0), not os.WIFSIGNALED(status)


def kills(root: Path, number: int, seed: int) -> list[dict[str, Any]]:
    """Kill each kind of work in turn, ``number`` times in all, at random moments of its course."""
    lasts = {}
    for name, (work, _) in WORK.items():
        (root / f"whole-{name}").mkdir()
        began = time.perf_counter()
        WHOLE[name] = work(root / f"whole-{name}")
        lasts[name] = time.perf_counter() - began
    rng = np.random.default_rng(seed)
    reports: list[dict[str, Any]] = []
    for i in count():
        if len(reports) == number:
            break
        name = list(WORK)[len(reports) % len(WORK)]
        work, check = WORK[name]
        folder = root / f"{i}-{name}"
        folder.mkdir()
        moment = float(rng.uniform(0, lasts[name]))
        told, ended = kill(work, folder, moment)
        check(folder, told)
        if ended:  # too late to kill it: measured on a busier machine than now
            lasts[name] = moment
        else:
            reports.append({"work": name, "seconds": moment, "told": told})
    return reports


def faults(root: Path) -> dict[str, dict[str, str]]:
    """What each way of saving says on a full disk and in a read-only folder; it must leave the old file."""

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # no file may grow beyond

    def read_only() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)  # root may write anywhere

    trained = train(root)
    saves: dict[str, Callable[[Path], Any]] = {
        "data set": lambda folder: save_dataset(folder / "file", dataset(3)),
        "record": lambda folder: Record(config={"noise": np.random.default_rng(0).random(900).tolist()}).save(
            folder / "file"
        ),
        "adversary": lambda folder: trained.save(folder / "file"),
    }
    reports: dict[str, dict[str, str]] = {}
    for fault, bring in {"full disk": full, "read-only folder": read_only}.items():
        reports[fault] = {}
        for name, write in saves.items():
            folder = root / fault.replace(" ", "-") / name.replace(" ", "-")
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"the previous file")
            reader, writer = os.pipe()

            def attempt(
                bring: Any = bring, write: Any = write, folder: Path = folder, writer: int = writer
            ) -> None:
                bring()
                try:
                    write(folder)
                except OSError as error:
                    os.write(writer, f"{type(error).__name__}: {error.strerror}".encode())

            if fault == "read-only folder":
                folder.chmod(0o555)
            os.waitpid(fork(attempt), 0)
            os.close(writer)
            with os.fdopen(reader) as file:
                reports[fault][name] = file.read()
            folder.chmod(0o755)
            assert [f.name for f in folder.iterdir()] == ["file"], "a part of a file was left"
            assert (folder / "file").read_bytes() == b"the previous file"
    return reports


def main() -> None:
    """Kill, break, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    root = Path(tempfile.mkdtemp(prefix="acot-faults-"))
    root.chmod(0o755)  # a user without rights must come as far as the folders that are read-only
    try:
        report = {"kills": kills(root, arguments.kills, arguments.seed), "faults": faults(root)}
    finally:
        shutil.rmtree(root)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
