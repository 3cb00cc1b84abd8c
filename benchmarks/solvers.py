"""Solvers against their peers, side by side in one process: ``python -m benchmarks.solvers``.

Pooling at the paper's settings (one exact plan, 5 or 100 iterations of conjugate gradient) against a loop
with `ot.dist`, `ot.emd` and pymanopt, which is given analytic gradients in numpy and double precision;
IPOT against the plain batched iteration, Xie et al.'s loop in numpy and POT's batched proximal solver. Ours
and peers alternate, medians are reported (of speed-ups: of the ratios of neighbours in time), and values
stand beside times, as does the time to a value that equals the peer's (relative 1e-4) or is lower. The slow
peer is timed on every s-th sequence (``peer_stride`` in the results). Then: growth with each size, memory at
the size of HMDB-51, and whether an eigensolver would pay. Results go to ``benchmarks/results/solvers.json``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import ot
import pymanopt
import torch
from torch import Tensor

from acot_core.alternation import alternate
from acot_core.datasets import data_root
from acot_core.files import atomic_write
from acot_core.memory import batch_bytes
from acot_core.objective import ACOTObjective, barycentric_images
from acot_core.pooling import ACOTPooling
from acot_core.records import environment
from acot_core.reduced import ReducedObjective, frame_products
from acot_core.riemannian import conjugate_gradient
from acot_core.sequences import PaddedSequences, chunks, normalize_frames, pad
from acot_core.threads import one_thread, side_by_side
from acot_core.transport import cost_matrix, emd, ipot

HERE = Path(__file__).parent
SEED = 0


def clips(n_sequences: int, rng: np.random.Generator) -> list[Tensor]:
    """The HMDB I3D clips, repeated with multiplicative jitter."""
    file = np.load(data_root() / "hmdb_i3d" / "hmdb_i3d_10_clips.npz")
    parts = np.split(file["rgb"], np.cumsum(file["lengths"])[:-1])
    frames = (
        parts[i % 10] * (1 + 0.1 * rng.standard_normal(parts[i % 10].shape)) for i in range(n_sequences)
    )
    return [normalize_frames(torch.from_numpy(np.maximum(f, 0).astype(np.float32))) for f in frames]


def poses(rng: np.random.Generator, d: int = 256) -> list[Tensor]:
    """JHMDB's pose stream through random ReLU features."""
    file = np.load(data_root() / "jhmdb_pose" / "jhmdb_pose.npz")
    joints = file["poses"] - file["poses"].mean(1, keepdims=True)
    joints = joints / np.sqrt(np.square(joints).sum((1, 2), keepdims=True) / 15)
    i, j = np.triu_indices(15, 1)
    raw = np.concatenate(
        [joints.reshape(len(joints), -1), np.linalg.norm(joints[:, i] - joints[:, j], axis=2)], 1
    )
    raw = (raw - raw.mean(0)) / raw.std(0)
    hidden = np.maximum(raw @ rng.standard_normal((raw.shape[1], d)) / np.sqrt(raw.shape[1]), 0)
    parts = np.split(hidden.astype(np.float32), np.cumsum(file["lengths"])[:-1])
    return [normalize_frames(torch.from_numpy(p)) for p in parts]


def noise(sequences: list[Tensor], rng: np.random.Generator) -> list[Tensor]:
    """m = 2n random negatives a sequence."""
    out = []
    for x in sequences:
        y = x.repeat(2, 1) - x.max() * torch.from_numpy(rng.standard_normal((2 * len(x), x.shape[1])))
        out.append(normalize_frames(y.clamp_min(0)).float())
    return out


def ours(
    X: list[Tensor], Y: list[Tensor], k: int, n_iter: int, device: str = "cpu"
) -> tuple[np.ndarray, Tensor]:
    """The call path of `ACOTPooling`: batches, padding, costs, plans, subspaces.

    Values of Eq. (10), (N,), and subspaces (N, d, k), on the device.
    """

    def solve(at: np.ndarray) -> tuple[np.ndarray, Tensor]:
        batch, negatives = pad([X[i] for i in at]).to(device), pad([Y[i] for i in at]).to(device)
        found = alternate(batch, negatives, n_subspaces=k, n_iter=n_iter, ground_cost="sqeuclidean")
        return -found.objective[:, -1].cpu().numpy(), found.subspace

    values, subspaces = np.empty(len(X)), torch.empty(len(X), X[0].shape[1], k, device=device)
    rows = [len(x) + len(y) for x, y in zip(X, Y, strict=True)]
    row_bytes = 4 * (2 * X[0].shape[1] + 16 * max(map(len, Y)))
    parts = chunks(rows, row_bytes, batch_bytes(torch.device(device)))
    solved = side_by_side(solve, parts, None if device == "cpu" else 1)
    for at, (part, U) in zip(parts, solved, strict=True):
        values[at], subspaces[torch.from_numpy(at).to(device)] = part, U
    return values, subspaces


def peer(x: np.ndarray, y: np.ndarray, k: int, n_iter: int) -> float:
    """One sequence with POT and pymanopt: the value of the same objective."""
    n, beta1, beta2, eta = len(x), 1.0, 10.0, 0.01
    plan = ot.emd([], [], ot.dist(x, y))
    T = n * plan @ y
    constant = (beta1 * np.square(x).sum()) / n - (plan.sum(0) * np.square(y).sum(1)).sum()

    def cost(U: Any) -> float:
        A, B = x @ U, T @ U
        energy = np.square(A).sum(1)
        hinge = np.maximum(energy[:-1] + eta - energy[1:], 0).sum() * beta2 / (n - 1)
        return constant + (2 * (A * B).sum() - (1 + beta1) * energy.sum()) / n + hinge

    def gradient(U: Any) -> Any:
        A, B = x @ U, T @ U
        energy = np.square(A).sum(1)
        active = (energy[:-1] + eta > energy[1:]) * beta2 / (n - 1)
        slope = np.full(n, -(1 + beta1) / n)
        slope[:-1] += active
        slope[1:] -= active
        return x.T @ (2 * slope[:, None] * A + 2 / n * B) + T.T @ (2 / n * A)

    manifold = pymanopt.manifolds.Grassmann(x.shape[1], k)
    problem = pymanopt.Problem(
        manifold,
        pymanopt.function.numpy(manifold)(cost),
        euclidean_gradient=pymanopt.function.numpy(manifold)(gradient),
    )
    _, vectors = np.linalg.eigh(x @ x.T)
    start = np.linalg.qr(x.T @ vectors[:, ::-1][:, :k])[0]
    # pymanopt counts the starting point as an iteration.
    optimizer = pymanopt.optimizers.ConjugateGradient(
        beta_rule="FletcherReeves", max_iterations=n_iter + 1, verbosity=0
    )
    return optimizer.run(problem, initial_point=start).cost


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = perf_counter()
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter() - began, result


def fewest_iterations(
    X: list[Tensor], Y: list[Tensor], some: list[int], k: int, value: float, most: int = 200
) -> int | None:
    """Iterations after which our mean value over some sequences is ``value`` (relative 1e-4) or lower."""
    batch, negatives = pad([X[i] for i in some]), pad([Y[i] for i in some])
    found = alternate(batch, negatives, n_subspaces=k, n_iter=most, ground_cost="sqeuclidean")
    reached = (found.descent.history["value"].mean(1) <= value + 1e-4 * abs(value)).nonzero()
    return int(reached[0, 0]) if len(reached) else None


def pooling(quick: bool) -> list[dict[str, Any]]:
    """On the CPU: both workloads, every k and number of iterations."""
    rng = np.random.default_rng(SEED)
    size = 60 if quick else 600
    workloads = {"hmdb-i3d": clips(size, rng), "jhmdb-pose": poses(rng)[: size if quick else None]}
    results = []
    for name, X in workloads.items():
        Y = noise(X, rng)
        for k in (1, 4, 8):
            # Both need k frames: the peer has no completion of a basis.
            at = [i for i in range(len(X)) if len(X[i]) > k]
            for n_iter in (5, 100):
                stride, repeats = (10, 7) if n_iter == 5 else (30, 3)
                if quick:
                    stride, repeats = 3, 1
                some = at[::stride]
                pairs = [(X[i].double().numpy(), Y[i].double().numpy()) for i in some]
                chosen, others = [X[i] for i in at], [Y[i] for i in at]
                run = partial(ours, chosen, others, k)
                reference = np.array([peer(x, y, k, n_iter) for x, y in pairs])
                value = float(run(n_iter)[0][[at.index(i) for i in some]].mean())
                enough = fewest_iterations(chosen, others, [at.index(i) for i in some], k, reference.mean())
                times = np.array([
                    [
                        timed(partial(run, n_iter))[0],
                        timed(lambda p=pairs, k=k, i=n_iter: [peer(x, y, k, i) for x, y in p])[0],
                        float("nan") if enough is None else timed(partial(run, enough))[0],
                    ]
                    for _ in range(repeats)
                ])  # fmt: skip
                times[:, 1] *= len(at) / len(some)
                seconds, theirs, until = np.median(times, 0)
                row = {
                    "workload": name, "n": len(at), "k": k, "n_iter": n_iter,
                    "seconds": seconds, "peer_seconds": theirs,
                    "frames_per_second": sum(map(len, chosen)) / seconds,
                    "speedup": np.median(times[:, 1] / times[:, 0]),
                    "value": value, "peer_value": float(reference.mean()),
                    "iterations_to_peer_value": enough,
                    "peer_stride": len(at) // len(some), "repeats": repeats,
                }  # fmt: skip
                if enough is not None:
                    row["seconds_to_peer_value"] = until
                    row["speedup_to_peer_value"] = np.median(times[:, 1] / times[:, 2])
                results.append(row)
                print(
                    f"{name} k={k} iterations={n_iter}: {row['seconds']:.2f} s, "
                    f"peer {row['peer_seconds']:.2f} s, {row['speedup']:.1f} times; "
                    f"value {row['value']:.5f}, peer {row['peer_value']:.5f}; its value after {enough} "
                    f"iterations, {row.get('speedup_to_peer_value', 0):.1f} times",
                    flush=True,
                )
    return results


def gpu(quick: bool) -> list[dict[str, Any]]:
    """600 and 6,000 sequences on the GPU, beside the peer's loop on the CPU of the same machine.

    The larger sets are the smaller ones ten times over, as far as the peer's time goes, too.
    """
    rng = np.random.default_rng(SEED)
    workloads = {"hmdb-i3d": clips(60 if quick else 600, rng), "jhmdb-pose": poses(rng)}
    results = []
    for name, X in workloads.items():
        Y = noise(X, rng)
        long = [i for i in range(len(X)) if len(X[i]) > 8]
        for k in (1, 4, 8):
            for n_iter in (5, 100):
                some = list(range(len(long)))[:: len(long) // (20 if n_iter == 100 else 40)]
                for row in gpu_rows([X[i] for i in long], [Y[i] for i in long], some, k, n_iter):
                    results.append({"workload": name, **row})
                    print("GPU", {key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()})
    return results


def gpu_rows(
    X: list[Tensor], Y: list[Tensor], some: list[int], k: int, n_iter: int
) -> Iterator[dict[str, Any]]:
    """The peer on some sequences; ours on all of them, and on ten times as many.

    Frames and negatives lie in the GPU's memory, as the peer's in the CPU's; ``seconds_from_host`` includes
    padding and copying them. Plans are IPOT's ("auto" on a GPU); our subspaces are valued as the peer's are,
    by Eq. (13) with the exact plan.
    """
    x, y = pad([X[i] for i in some]), pad([Y[i] for i in some])
    pairs = [(X[i].double().numpy(), Y[i].double().numpy()) for i in some]
    theirs = [timed(lambda: np.array([peer(*pair, k, n_iter) for pair in pairs])) for _ in range(4)]
    seconds = statistics.median(run[0] for run in theirs[1:])  # the first warms up
    goal = float(theirs[0][1].mean())
    cost = cost_matrix(x.frames.double(), y.frames.double(), "sqeuclidean")
    plan = emd(cost, x.weights.double(), y.weights.double()).plan
    exact = ACOTObjective(x.frames.double(), mask=x.mask, plan=plan, negatives=y.frames.double())
    enough = fewest_iterations(X, Y, some, k, goal)
    for times in (1, 10):
        host = X * times, Y * times
        there = [[z.to("cuda", copy=True) for z in each] for each in host]
        row: dict[str, Any] = {
            "n": len(host[0]), "k": k, "n_iter": n_iter, "peer_seconds": seconds * len(host[0]) / len(some),
            "peer_value": goal, "iterations_to_peer_value": enough,
        }  # fmt: skip
        for label, iterations in (("", n_iter), ("_to_peer_value", enough)):
            if iterations is None:
                continue
            runs = [timed(partial(ours, *there, k, iterations, "cuda")) for _ in range(4)]
            row["seconds" + label] = statistics.median(run[0] for run in runs[1:])
            row["speedup" + label] = row["peer_seconds"] / row["seconds" + label]
            row["value" + label] = float(exact.value(runs[0][1][1][some].cpu().double()).mean())
        row["seconds_from_host"] = timed(partial(ours, *host, k, n_iter, "cuda"))[0]
        yield row


def random_problem(N: int, n: int, m: int, d: int) -> tuple[PaddedSequences, PaddedSequences]:
    """N sequences of n frames that wander, and m negatives each."""
    generator = torch.Generator().manual_seed(SEED)
    walk = torch.randn(N, n, d, generator=generator).cumsum(1) / n**0.5
    X = normalize_frames((1 + 0.3 * walk).clamp_min(0))
    Y = X[:, torch.arange(m) % n] - 0.05 * torch.randn(N, m, d, generator=generator)
    whole = [torch.ones(N, rows, dtype=torch.bool) for rows in (n, m)]
    return PaddedSequences(X, whole[0]), PaddedSequences(normalize_frames(Y.clamp_min(0)), whole[1])


@one_thread()
def growth(quick: bool) -> list[dict[str, Any]]:
    """Seconds of each part as one size grows and the others stay: one batch on one thread, 5 iterations."""
    usual = {"N": 64, "n": 40, "m": 80, "d": 1024, "k": 4}
    grown = {
        "N": (32, 64, 128, 256), "n": (20, 40, 80, 160), "m": (40, 80, 160, 320),
        "d": (256, 1024, 4096), "k": (1, 4, 8, 16),
    }  # fmt: skip
    results = []
    for name, sizes in grown.items():
        for size in sizes:
            at = usual | {name: size}
            batch, negatives = random_problem(at["N"], at["n"], at["m"], at["d"])
            times: dict[str, list[float]] = {"inner products": [], "plan": [], "descent": []}
            for _ in range(1 if quick else 7):
                taken, products = timed(lambda b=batch, o=negatives: frame_products(b.frames, o.frames))
                cost = products.xx.diagonal(dim1=1, dim2=2)[:, :, None] + products.pp[:, None, :]
                seconds, plan = timed(lambda c=cost - 2 * products.xp: emd(c).plan)
                times["plan"].append(seconds)
                seconds, objective = timed(
                    lambda b=batch, p=plan, o=negatives: ACOTObjective(b.frames, plan=p, negatives=o.frames)
                )
                taken += seconds
                seconds, small = timed(
                    lambda o=objective, k=at["k"], p=products: ReducedObjective(o, k, p.xx)
                )
                taken += seconds
                seconds, found = timed(lambda o=small: conjugate_gradient(o, o.start, n_iter=5))
                times["descent"].append(seconds)
                taken += timed(lambda o=objective, r=small, f=found: r.lift(o, f.point))[0]
                times["inner products"].append(taken)
            row = {"grown": name, **at, **{part: statistics.median(t) for part, t in times.items()}}
            results.append(row)
            parts = ", ".join(f"{part} {1e3 * row[part]:.0f} ms" for part in times)
            print(f"growth {name} = {size}: {parts}", flush=True)
    return results


def memory(n_sequences: int = 6766, n: int = 47, d: int = 1024) -> dict[str, Any]:
    """Memory of pooling as many sequences as HMDB-51 has, beyond the data, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_measure_memory, (n_sequences, n, d))
    print(f"memory: {found}", flush=True)
    return found


def _measure_memory(n_sequences: int, n: int, d: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(SEED)
    X = [normalize_frames(torch.rand(n, d, generator=generator)) for _ in range(n_sequences)]
    model = ACOTPooling(4, negatives="random", n_negatives="2n", random_state=0)
    model.fit(X[:2]).transform(X[:2])  # loads what the first call loads
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, _ = timed(lambda: model.fit(X).transform(X))
    beyond = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "sequences": n_sequences, "frames": n_sequences * n, "d": d, "seconds": seconds,
        "data_gb": n_sequences * n * d * 4 / 1e9, "beyond_data_gb": beyond * 1024 / 1e9,
    }  # fmt: skip


def eigen(quick: bool) -> dict[str, Any]:
    """Would eigenvectors do it sooner? With the hinge's activity fixed, the optimum is an eigenproblem.

    All of Eq. (13) but the hinge is linear in P = UU', so that with fixed shares of active pairs the minimum
    is spanned by the lowest eigenvectors of one matrix in the span of frames and images. Shares are then
    updated from its energies, damped, and so on; the best value counts.
    """
    n_problems, n, k, beta1, beta2, eta = 16 if quick else 64, 35, 4, 1.0, 10.0, 0.01
    batch, negatives = random_problem(n_problems, n, 2 * n, 256)
    found = alternate(batch, negatives, n_subspaces=k, n_iter=100, ground_cost="sqeuclidean")
    X = batch.frames.double()
    T = barycentric_images(found.plan.plan.double(), negatives.frames.double())
    objective = ACOTObjective(X, plan=found.plan.plan.double(), negatives=negatives.frames.double())
    began = perf_counter()
    basis = torch.linalg.qr(torch.cat([X, T], 1).mT).Q  # (d, 2n)
    A, B = X @ basis, T @ basis
    smooth = (-(1 + beta1) * A.mT @ A + A.mT @ B + B.mT @ A) / n
    share = torch.full((n_problems, n - 1), 0.5, dtype=torch.float64)
    best = torch.full((n_problems,), torch.inf, dtype=torch.float64)
    for _ in range(30):
        slope = torch.nn.functional.pad(share, (0, 1)) - torch.nn.functional.pad(share, (1, 0))
        M = smooth + beta2 / (n - 1) * (A.mT * slope[:, None, :]) @ A
        V = torch.linalg.eigh(M).eigenvectors[:, :, :k]
        energy = (A @ V).square().sum(2)
        share = 0.7 * share + 0.3 * (energy[:, :-1] + eta > energy[:, 1:]).double()
        best = torch.minimum(best, objective.value(basis @ V))
    seconds = perf_counter() - began
    cg = {n_iter: timed(lambda i=n_iter: alternate(
        batch, negatives, n_subspaces=k, n_iter=i, ground_cost="sqeuclidean", transport="identity"
    ))[0] for n_iter in (5, 100)}  # fmt: skip
    history = found.descent.history["value"].mean(1)
    result = {
        "problems": n_problems, "k": k, "eigen_iterations": 30, "eigen_seconds": seconds,
        "eigen_value": float(best.mean()),
        "cg_value_5": float(history[5]), "cg_value_100": float(history[-1]),
        "cg_seconds_5": cg[5], "cg_seconds_100": cg[100],
    }  # fmt: skip
    print(f"eigen: {result}", flush=True)
    return result


def plain_ipot(cost: Tensor, beta: float, n_iter: int) -> Tensor:
    """The batched iteration as it is written, all anew in every iteration."""
    n, m = cost.shape[1:]
    K, P, v = torch.exp(-cost / beta), torch.ones_like(cost), torch.full_like(cost[:, :1].mT, 1 / m)
    for _ in range(n_iter):
        Q = K * P
        u = (1 / n) / (Q @ v)
        v = (1 / m) / (Q.mT @ u)
        P = u * Q * v.mT
    return P


def numpy_ipot(cost: np.ndarray, beta: float, n_iter: int) -> np.ndarray:
    """Xie et al.: one problem."""
    n, m = cost.shape
    K, P, v = np.exp(-cost / beta), np.ones_like(cost), np.full(m, 1 / m)
    for _ in range(n_iter):
        Q = K * P
        u = 1 / (n * (Q @ v))
        v = 1 / (m * (Q.T @ u))
        P = u[:, None] * Q * v
    return P


def transport(quick: bool, devices: list[str]) -> list[dict[str, Any]]:
    """IPOT: the same plan after 1,000 iterations, and the time to a gap of 1e-3."""
    generator = torch.Generator().manual_seed(SEED)
    size, n_iter, repeats = (30, 100, 1) if quick else (300, 1000, 3)
    X, Y = (torch.rand(size, rows, 16, generator=generator) for rows in (40, 80))
    results = []
    for device in devices:
        cost = cost_matrix(X, Y).to(device)
        exact = np.array([ot.emd2([], [], c) for c in cost.cpu().double().numpy()])
        some = cost[:10].cpu().double().numpy()
        calls: dict[str, Callable[[], Any]] = {
            "plain": lambda c=cost: plain_ipot(c, 0.1, n_iter),
            "ours, same iterations": lambda c=cost: ipot(c, beta=0.1, n_iter=n_iter, tol=0.0).plan,
            "ours, to a gap of 1e-3": lambda c=cost: ipot(c).plan,
            "numpy, one at a time": lambda s=some: np.stack([numpy_ipot(c, 0.1, n_iter) for c in s]),
            "POT solve_batch, proximal": lambda c=cost: (
                ot.solve_batch(c, reg=0.1, max_iter=n_iter, method="proximal").plan
            ),
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        plans = {}
        for _ in range(repeats):
            for name, call in calls.items():
                try:
                    seconds, plans[name] = timed(call)
                except Exception as error:  # a peer that fails is reported, not hidden
                    print(f"{name}: {type(error).__name__}: {error}")
                    continue
                times[name].append(seconds * (len(cost) / len(some) if name.startswith("numpy") else 1))
        reference = plans["plain"].cpu()
        for name, plan in plans.items():
            plan = torch.as_tensor(plan).cpu()
            own = cost[: len(plan)].cpu()
            gap = np.abs((plan * own).sum((1, 2)).numpy() / exact[: len(plan)] - 1)
            difference = float((plan - reference[: len(plan)]).abs().max())
            row = {
                "solver": name, "device": device, "problems": size, "seconds": statistics.median(times[name]),
                "relative_gap": float(gap.max()), "difference_to_plain": difference,
                "speedup_over_plain": statistics.median(times["plain"]) / statistics.median(times[name]),
            }  # fmt: skip
            results.append(row)
            print(
                f"IPOT {device} {name}: {row['seconds']:.2f} s, gap {row['relative_gap']:.1e}, "
                f"{row['speedup_over_plain']:.1f} times plain",
                flush=True,
            )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the sequences, once")
    parser.add_argument(
        "--only", nargs="+", choices=("transport", "pooling", "gpu", "growth", "memory", "eigen")
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "solvers.json")
    arguments = parser.parse_args()
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=HERE
    ).stdout.strip()
    parts: dict[str, Callable[[], Any]] = {
        "transport": lambda: transport(arguments.quick, devices),
        "pooling": lambda: pooling(arguments.quick),
        "gpu": lambda: gpu(arguments.quick),
        "growth": lambda: growth(arguments.quick),
        "memory": lambda: memory(200 if arguments.quick else 6766),
        "eigen": lambda: eigen(arguments.quick),
    }
    results: dict[str, Any] = {"commits": {}}
    if arguments.only and arguments.output.exists():  # the other parts stay
        results = json.loads(arguments.output.read_text())
    results |= {"environment": environment(), "seed": SEED, "quick": arguments.quick}
    if "cuda" not in devices:
        if "gpu" in (arguments.only or ()):
            parser.error("--only gpu: no CUDA device here")
        del parts["gpu"]
    for name in arguments.only or parts:
        results[name] = parts[name]()
        results["commits"][name] = commit
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(arguments.output, (json.dumps(results, indent=1) + "\n").encode())
    print(f"written to {arguments.output.name}")


if __name__ == "__main__":
    main()
