"""Speed of this checkout against another one: ``python -m benchmarks.against ../other-checkout``.

A process of each checkout runs every row of the solvers' and the adversary's benchmarks in turn, A B A B ...,
on one thread. What is compared is processor time, which other work on the machine disturbs less than wall
time. Printed are the medians and the median of the ratios of neighbours in time; results go to
``benchmarks/results/against.json``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def from_first(*modules: str) -> Any:
    """The first of these modules that the checkout has: names changed from 0.1.0 to 0.2.0."""
    for name in modules:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(f"none of {modules}")


def rows() -> dict[str, Callable[[], object]]:
    """The work of each row, on made-up data of the benchmarks' sizes."""
    import torch

    torch.set_num_threads(1)
    sequences = importlib.import_module("acot_core.sequences")
    alternation = from_first("acot_core.subspace.alternation", "acot_core.alternation")
    transport = importlib.import_module("acot_core.transport")
    cpu = torch.Generator().manual_seed(0)

    def frames(n: int, d: int) -> torch.Tensor:
        return sequences.normalize_frames(torch.randn(n, d, generator=cpu).clamp_min(0))

    work: dict[str, Callable[[], object]] = {}
    for name, lengths, d in (("I3D", range(20, 45), 1024), ("poses", range(15, 41), 256)):
        X = sequences.pad([frames(n, d) for n in lengths])
        Y = sequences.pad([frames(2 * n, d) for n in lengths])
        for k in (1, 4, 8):
            for n_iter in (5, 100):
                work[f"pooling {name}, k = {k}, {n_iter} iterations"] = partial(
                    alternation.alternate, X, Y, n_subspaces=k, n_iter=n_iter, ground_cost="sqeuclidean"
                )
    cost = torch.rand(64, 40, 80, generator=cpu)
    work["IPOT, 64 problems of 40 x 80"] = partial(transport.ipot, cost)
    work["exact plans, 64 problems of 40 x 80"] = partial(transport.emd, cost)
    benchmark = importlib.import_module("benchmarks.adversary")
    for d in (256, 1024):
        loop = benchmark.our_loop(benchmark.make_data(d, torch.device("cpu")), d, 64, mixed=False)
        work[f"WGAN, d = {d}, batch 64"] = lambda loop=loop, d=d: [loop() for _ in range(2560 // d)]
    return work


def serve() -> None:
    """Run the row that a line of standard input names; answer with its processor and wall seconds."""
    work = rows()
    print(json.dumps(list(work)), flush=True)
    for line in sys.stdin:
        run, before, wall = work[line.strip()], time.process_time(), time.perf_counter()
        run()
        print(json.dumps([time.process_time() - before, time.perf_counter() - wall]), flush=True)


class Checkout:
    """A process that runs rows of one checkout."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join([str(folder), str(folder / "apps")])
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--serve"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.rows: list[str] = self._answer()

    def run(self, row: str) -> list[float]:
        """Processor and wall seconds of one row."""
        assert self.process.stdin is not None
        self.process.stdin.write(row + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.process.args!r} ended")
        return json.loads(line)


def main() -> None:
    """Compare two checkouts and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?", help="folder of the other checkout")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "against.json")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if options.other is None:
        parser.error("the folder of the other checkout is missing")
    here, there = Checkout(ROOT), Checkout(options.other.resolve())
    results = []
    for row in (name for name in here.rows if options.only in name):
        pairs = [(here.run(row), there.run(row)) for _ in range(options.repeats + 1)][1:]
        cpu = np.array([(a[0], b[0]) for a, b in pairs])
        ratio = float(np.median(cpu[:, 0] / cpu[:, 1]))
        results.append(
            {
                "row": row,
                "cpu_ms": round(1e3 * float(np.median(cpu[:, 0])), 2),
                "other_cpu_ms": round(1e3 * float(np.median(cpu[:, 1])), 2),
                "ratio": round(ratio, 3),
                "ratio_of_fastest": round(float(cpu[:, 0].min() / cpu[:, 1].min()), 3),
            }
        )
        print(results[-1], flush=True)
    commit = ["git", "-C", str(options.other), "rev-parse", "--short", "HEAD"]
    other = subprocess.run(commit, capture_output=True, text=True, check=False).stdout.strip()
    record = {"benchmark": "against", "other": other, "repeats": options.repeats, "results": results}
    options.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
