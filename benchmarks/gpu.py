"""Tests and timings on a GPU by one command: ``make gpu``, or ``python -m benchmarks.gpu``.

Runs every test marked "gpu", then sampling, pooling, IPOT and WGAN training on the GPU against two threads of
the CPU, and pooling also against a loop with pymanopt and POT. Beside each time stands the floor: operations
(as torch counts them) over the measured rate of a large product, or bytes that must be read at least over the
measured bandwidth of a large copy, whichever is more. Ends with a table and writes JSON. Without a GPU it
runs small sizes on the CPU, so that it is tested. Needs torch, numpy, scipy, scikit-learn, pandas, joblib and
safetensors; POT and pymanopt are installed from ``--wheels FOLDER`` where they are missing (on a machine with
a network: ``pip download POT pymanopt --no-deps -d FOLDER``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import seconds, speed_of

ROOT = Path(__file__).parents[1]
Row = dict[str, Any]


def install_baselines(wheels: Path | None) -> None:
    """POT and pymanopt from a folder of wheels, where they are missing."""
    missing = [name for name, module in (("POT", "ot"), ("pymanopt", "pymanopt")) if not find_spec(module)]
    if missing and wheels is None:
        raise SystemExit(f"{', '.join(missing)} missing: install them, or pass --wheels FOLDER")
    if missing:
        command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--find-links"]
        subprocess.run([*command, str(wheels), *missing], check=True)


def run_tests() -> str:
    """The last line of pytest on all GPU tests."""
    if not find_spec("pytest"):
        return "pytest is not installed"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(ended.stdout[-3000:])
    return (ended.stdout.strip().splitlines() or [ended.stderr[-200:]])[-1]


def operations(call: Callable[[], Any]) -> float:
    """Operations of all matrix products of a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def frames(n_sequences: int, d: int = 1024) -> list[Tensor]:
    """Unit-norm, non-negative sequences of 9 to 50 frames, as long as the I3D clips of HMDB-51."""
    rng = torch.Generator().manual_seed(0)
    lengths = [50, 48, 39, 19, 16, 44, 23, 9, 33, 31]
    made = [torch.randn(lengths[i % 10], d, generator=rng).relu() for i in range(n_sequences)]
    return [torch.nn.functional.normalize(x, dim=1) for x in made]


def floor(row: Row, speed: dict[str, float], kind: str, n_operations: float, n_bytes: float) -> Row:
    """The row with its floor, and how many times above it the time is."""
    least = max(n_operations / speed[kind], n_bytes / speed["bandwidth"])
    return row | {"floor": least, "above_floor": row["seconds"] / least}


def poolings(device: torch.device, speed: dict[str, float], small: bool) -> Iterator[Row]:
    """Sampling and pooling, against two threads of the CPU and a loop with pymanopt and POT."""
    settings = [(20, 1, 5)] if small else [*product((600, 6000), (1, 4, 8), (5, 100))]
    for n, k, n_iter in settings:
        yield from pooling(device, speed, frames(n, 64 if small else 1024), k, n_iter)


def pooling(
    device: torch.device, speed: dict[str, float], X: list[Tensor], k: int, n_iter: int
) -> Iterator[Row]:
    """One setting; the CPU is left out at 6,000 sequences, and the loop is timed on about 20 sequences."""
    import numpy as np

    from acot_core._utils.threads import single_threaded
    from acot_core.pooling import ACOTPooling
    from benchmarks.solvers import baseline, baseline_negatives, one_blas_thread

    here, there = (
        ACOTPooling(k, negatives="random", n_negatives="2n", n_iter=n_iter, random_state=0, device=where).fit(
            X
        )
        for where in (str(device), "cpu")
    )
    some = [x.double().numpy() for x in X if len(x) > k][:: max(1, len(X) // 20)]
    rng = np.random.default_rng(0)

    def loop() -> None:
        with one_blas_thread():
            for x in some:
                baseline(x, baseline_negatives(x, None, rng), k, n_iter)

    row = {
        "task": "pooling", "size": f"{len(X)} sequences, k={k}, {n_iter} iterations",
        "seconds": seconds(lambda: here.transform(X), 3),
        "cpu": seconds(lambda: there.transform(X), 1) if len(X) <= 600 else float("nan"),
        "loop": seconds(loop, 1) * sum(map(len, X)) / sum(map(len, some)),
    }  # fmt: skip
    n_bytes = 4.0 * 3 * sum(map(len, X)) * X[0].shape[1]  # frames and twice as many negatives
    with single_threaded():  # in this thread, where operations are counted
        counted = operations(lambda: here.transform(X))
    yield floor(row, speed, "float64", counted, n_bytes)
    if (k, n_iter) == (1, 5):
        row = {
            "task": "sampling", "size": f"{len(X)} sequences",
            "seconds": seconds(lambda: here.sample_negatives(X), 3),
            "cpu": seconds(lambda: there.sample_negatives(X), 1),
        }  # fmt: skip
        yield floor(row, speed, "float32", 0.0, n_bytes)


def transports(device: torch.device, speed: dict[str, float], small: bool) -> Iterator[Row]:
    """IPOT, 1,000 iterations on 40 x 80 costs."""
    from acot_core.transport import cost_matrix, ipot

    n_iter = 20 if small else 1000
    for n in (8,) if small else (64, 256, 1024, 4096):
        generator = torch.Generator().manual_seed(0)
        X, Y = (torch.rand(n, rows, 16, generator=generator) for rows in (40, 80))
        here = cost_matrix(X, Y).to(device)
        call = {where: lambda c=cost: ipot(c, beta=0.1, n_iter=n_iter, tol=0.0) for where, cost in
                (("here", here), ("cpu", here.cpu()))}  # fmt: skip
        row = {
            "task": "IPOT", "size": f"{n} problems", "seconds": seconds(call["here"], 3),
            "cpu": seconds(call["cpu"], 1),
        }  # fmt: skip
        # Each iteration reads kernel and plan, writes the plan, and reads it twice for its two sums.
        yield floor(row, speed, "float32", 0.0, 5.0 * here.nbytes * n_iter)


def trainings(device: torch.device, speed: dict[str, float], small: bool) -> Iterator[Row]:
    """One iteration of the WGAN: five critic steps and one of the generator."""
    from acot_core.gan.training import has_native_bfloat16
    from benchmarks.adversary import make_data, our_loop

    sizes = [(64, 32)] if small else [*product((256, 1024, 4096), (256, 2048, 8192))]
    for (d, size), mixed in product(sizes, (False, True)):
        if mixed and not has_native_bfloat16(device):
            continue
        here = our_loop(make_data(d, device), d, size, mixed=mixed)
        there = our_loop(make_data(d, torch.device("cpu")), d, size)
        row = {
            "task": "WGAN", "size": f"d={d}, batch {size}, {'bfloat16' if mixed else 'float32'}",
            "seconds": seconds(here, 20), "cpu": seconds(there, 1),
        }  # fmt: skip
        # Weights, squares, gradients are read, the first two written: critic 5 times 2 d², generator 3 d².
        n_bytes = 4.0 * 5 * (5 * 2 + 3) * d**2
        yield floor(row, speed, "bfloat16" if mixed else "float32", operations(here), n_bytes)


def table(rows: list[Row]) -> str:
    """Task, size, time, speed-ups and distance from the floor, one line per row."""
    lines = [f"{'':10} {'':34} {'ms':>10} {'x CPU':>7} {'x loop':>7} {'x floor':>8}"]
    for row in rows:
        ratios = [row.get(name, float("nan")) / row["seconds"] for name in ("cpu", "loop")]
        times = " ".join(f"{ratio:7.1f}" for ratio in ratios)
        lines.append(f"{row['task']:10} {row['size']:34} {1e3 * row['seconds']:10.2f} {times}")
        lines[-1] += f" {row['above_floor']:8.1f}"
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Test, measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="small sizes, as on a CPU")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--wheels", type=Path, help="folder with wheels of POT and pymanopt")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "gpu.json")
    options = parser.parse_args(arguments)
    install_baselines(options.wheels)
    from acot_core.experiments.record import environment

    device = torch.device(options.device)
    small = options.small or device.type == "cpu"
    torch.set_num_threads(2)
    record: Row = {"benchmark": "gpu", "environment": environment(), "device": str(device), "small": small}
    record["tests"] = "not run" if options.no_tests else run_tests()
    record["speed"] = speed_of(device, small)
    record["results"] = []
    for part in (transports, trainings, poolings):
        for row in part(device, record["speed"], small):
            record["results"].append(row)
            print(row, flush=True)
            options.output.write_text(json.dumps(record, indent=1) + "\n")  # what is measured stays
    print(f"\n{record['environment']['device']}; tests: {record['tests']}\n{table(record['results'])}")


if __name__ == "__main__":
    main()
