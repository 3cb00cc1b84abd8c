"""Solvers against their baselines, in turn in one process: ``python -m benchmarks.solvers``.

Pooling at the paper's settings (one exact plan, 5 or 100 iterations of conjugate gradient) against a loop
with `ot.dist`, `ot.emd` and pymanopt, which is given analytic gradients in numpy and double precision; IPOT
against the plain batched iteration, Xie et al.'s loop in numpy and POT's batched proximal solver. Beside a
pooling's time stand its floor, operations over the measured rate of a large product or bytes over the
measured bandwidth of a large copy, whichever is more, and the shares of its stages on one thread. Ours and
baselines alternate, medians are reported (of speed-ups: of the ratios of neighbours in time), and values
stand beside times, as does the time to a value that equals the baseline's (relative 1e-4) or is lower. The
slow baseline is timed on every s-th sequence (``baseline_stride`` in the results). Then: growth with each
size, memory at the size of HMDB-51, and whether an eigensolver would pay. Results go to
``benchmarks/results/solvers.json``.
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
from time import perf_counter, process_time
from typing import Any

import numpy as np
import ot
import pymanopt
import torch
from torch import Tensor

from acot_core._utils.blocks import batch_bytes
from acot_core._utils.files import atomic_write
from acot_core._utils.threads import _pools, parallel_map, single_threaded
from acot_core.datasets import data_root
from acot_core.experiments.record import environment
from acot_core.gan import Adversary
from acot_core.pooling import ACOTPooling
from acot_core.riemannian import conjugate_gradient
from acot_core.sequences import PaddedSequences, chunks, normalize_frames, pad
from acot_core.subspace._reduced import ReducedObjective, frame_products
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective, barycentric_images
from acot_core.subspace.solve import working_bytes
from acot_core.transport import cost_matrix, emd, ipot
from benchmarks.machine import speed_of

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
        answer = alternate(batch, negatives, n_subspaces=k, n_iter=n_iter, ground_cost="sqeuclidean")
        return -answer.objective[:, -1].cpu().numpy(), answer.subspace

    values, subspaces = np.empty(len(X)), torch.empty(len(X), X[0].shape[1], k, device=device)
    sizes = [working_bytes(len(x), len(y), x.shape[1], k) for x, y in zip(X, Y, strict=True)]
    parts = chunks(sizes, batch_bytes(torch.device(device)))
    solved = parallel_map(solve, parts, None if device == "cpu" else 1)
    for at, (indices, U) in zip(parts, solved, strict=True):
        values[at], subspaces[torch.from_numpy(at).to(device)] = indices, U
    return values, subspaces


def baseline(x: np.ndarray, y: np.ndarray, k: int, n_iter: int, n_alternations: int = 1) -> float:
    """One sequence with POT and pymanopt: the value of the same objective."""
    _, vectors = np.linalg.eigh(x @ x.T)
    U = np.linalg.qr(x.T @ vectors[:, ::-1][:, :k])[0]
    value, projected = np.inf, x
    for _ in range(n_alternations):
        value, U = baseline_step(x, y, ot.emd([], [], ot.dist(projected, y)), U, n_iter)
        projected = x @ U @ U.T
    return value


def one_blas_thread() -> Any:
    """Limit BLAS to one thread: for the baseline's small matrices two take twice to four times as long."""
    return _pools().select(user_api="blas").limit(limits=1)


def baselines(pairs: list[tuple[np.ndarray, np.ndarray]], k: int, n_iter: int) -> np.ndarray:
    """Values (N,) of the baseline on N sequences and their negatives, one after the other."""
    with one_blas_thread():
        return np.array([baseline(x, y, k, n_iter) for x, y in pairs])


def baseline_step(
    x: np.ndarray, y: np.ndarray, plan: np.ndarray, start: Any, n_iter: int
) -> tuple[float, Any]:
    """The subspace for one plan, by pymanopt's conjugate gradient."""
    n, beta1, beta2, eta = len(x), 1.0, 10.0, 0.01
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

    manifold = pymanopt.manifolds.Grassmann(*start.shape)
    problem = pymanopt.Problem(
        manifold,
        pymanopt.function.numpy(manifold)(cost),
        euclidean_gradient=pymanopt.function.numpy(manifold)(gradient),
    )
    # pymanopt counts the starting point as an iteration.
    optimizer = pymanopt.optimizers.ConjugateGradient(
        beta_rule="FletcherReeves", max_iterations=n_iter + 1, verbosity=0
    )
    result = optimizer.run(problem, initial_point=start)
    return result.cost, result.point


def baseline_negatives(x: np.ndarray, adversary: Adversary | None, rng: np.random.Generator) -> np.ndarray:
    """m = 2n negatives of one sequence as a loop would draw them: random ones, or the generator's."""
    frames = x[np.concatenate([rng.permutation(len(x)) for _ in range(2)])]
    if adversary is None:
        y = np.maximum(frames - frames.max(1, keepdims=True) * rng.standard_normal(frames.shape), 0)
    else:
        z = x.mean(0) + adversary.sigma_ * rng.standard_normal(frames.shape)
        with torch.no_grad():
            y = np.maximum(frames - adversary.generator_(torch.from_numpy(z).float()).double().numpy(), 0)
    return y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)


def end_to_end(quick: bool) -> list[dict[str, Any]]:
    """`ACOTPooling.transform` as called, sampling its negatives, against the loop that samples, too.

    Both alternate; with several alternations the baseline's loop is run once per alternation from there.
    """
    rng = np.random.default_rng(SEED)
    X = clips(30 if quick else 300, rng)
    labels = np.arange(len(X)) % 5
    adversary = Adversary(n_iter=2, classifier_iter=5, device="cpu", random_state=0).fit(X, labels)
    results = []
    stride, repeats = (3, 1) if quick else (10, 7)
    speed = speed_of(torch.device("cpu"), quick)
    some = [x.double().numpy() for x in X if len(x) > 8][::stride]
    for kind, given in (("random", None), ("adversarial", adversary)):
        for alternations in (1, 3):
            for k in (1, 4, 8):
                model = ACOTPooling(
                    k, negatives=kind, adversary=given, n_negatives="2n", n_alternations=alternations,
                    tol=0.0, ground_cost="sqeuclidean", random_state=0, device="cpu",
                ).fit(X)  # fmt: skip

                def loop(given: Any = given, k: int = k, alternations: int = alternations) -> None:
                    with one_blas_thread():
                        for x in some:
                            baseline(x, baseline_negatives(x, given, rng), k, 5, alternations)

                times = np.array(
                    [[*both(lambda m=model: m.transform(X)), *both(loop)] for _ in range(repeats)]
                )
                times[:, 2:] *= sum(map(len, X)) / sum(map(len, some))
                seconds, processor, theirs, their_processor = np.median(times, 0)
                row = {
                    "negatives": kind, "k": k, "alternations": alternations, "n": len(X),
                    "seconds": seconds, "baseline_seconds": theirs,
                    "speedup": np.median(times[:, 2] / times[:, 0]), "repeats": repeats,
                    "processor_seconds": processor, "baseline_processor_seconds": their_processor,
                }  # fmt: skip
                if alternations == 1:
                    row |= {"floor": shortest(X, k, 5, speed), "shares": shares(X, model, k, 5)}
                    print(f"floor {row['floor']:.3f} s; {row['shares']}")
                results.append(row)
                print(
                    f"end to end, {kind}, k={k}, {alternations} alternation(s): {seconds:.2f} s, "
                    f"baseline {theirs:.2f} s, {row['speedup']:.1f} times; "
                    f"processor {processor:.2f} and {their_processor:.2f} s",
                    flush=True,
                )
    return results


def both(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock and of the processors."""
    before = process_time()
    return timed(call)[0], process_time() - before


def shortest(X: list[Tensor], k: int, n_iter: int, speed: dict[str, float]) -> float:
    """Seconds that pooling with m = 2n takes at least: products in double precision, or frames read once."""
    n, d = np.array([len(x) for x in X], float), X[0].shape[1]
    inner = (3 * n) ** 2 * d  # half of a product of [X; Y] with itself, for it is symmetric
    descent = n_iter * 4 * (2 * n) ** 2 * k  # two products with a Gram matrix per iteration
    lift = 2 * 3 * n * d * k
    return max((inner + descent + lift).sum() / speed["float64"], 4 * 3 * n.sum() * d / speed["bandwidth"])


def stages(
    batch: PaddedSequences, negatives: PaddedSequences, k: int, n_iter: int = 5
) -> dict[str, tuple[float, Any]]:
    """Seconds and result of each stage of pooling with exact plans, once."""
    X, Y = batch.frames, negatives.frames
    taken, products = timed(lambda: frame_products(X, Y))
    cost = products.x_norms[:, :, None] + products.p_norms[:, None, :] - 2 * products.xp
    plan = timed(lambda: emd(cost, batch.weights.double(), negatives.weights.double()).plan)
    objective = ACOTObjective(X, mask=batch.mask, plan=plan[1], negatives=Y)
    more, small = timed(lambda: ReducedObjective(objective, k, products.of_images(plan[1])))
    descent = timed(lambda: conjugate_gradient(small, small.start, n_iter=n_iter))
    lift = timed(lambda: small.lift(objective, descent[1].point))
    return {"inner products": (taken + more, products), "plan": plan, "descent": descent, "lift": lift}


@single_threaded()
def shares(
    X: list[Tensor], Y: list[Tensor] | ACOTPooling, k: int, n_iter: int, repeats: int = 3
) -> dict[str, float]:
    """Share of each stage of pooling, of sampling too where negatives are sampled, on one thread."""
    total: dict[str, float] = {}
    for at in chunks([len(x) for x in X], sum(map(len, X))):
        part = [X[i] for i in at]
        for _ in range(repeats):
            if isinstance(Y, ACOTPooling):
                seconds, negatives = timed(lambda p=part: Y.sample_negatives(p))
                total["sampling"] = total.get("sampling", 0) + seconds
            else:
                negatives = pad([Y[i] for i in at])
            for name, (seconds, _) in stages(pad(part), negatives, k, n_iter).items():
                total[name] = total.get(name, 0) + seconds
    return {name: round(seconds / sum(total.values()), 3) for name, seconds in total.items()}


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
    answer = alternate(batch, negatives, n_subspaces=k, n_iter=most, ground_cost="sqeuclidean")
    reached = (answer.descent.history["value"].mean(1) <= value + 1e-4 * abs(value)).nonzero()
    return int(reached[0, 0]) if len(reached) else None


def pooling(quick: bool) -> list[dict[str, Any]]:
    """Time pooling on the CPU: both workloads, every k and number of iterations."""
    rng = np.random.default_rng(SEED)
    size = 60 if quick else 600
    workloads = {"hmdb-i3d": clips(size, rng), "jhmdb-pose": poses(rng)[: size if quick else None]}
    speed = speed_of(torch.device("cpu"), quick)
    results = []
    for name, X in workloads.items():
        Y = noise(X, rng)
        for k in (1, 4, 8):
            # Both need k frames: the baseline has no completion of a basis.
            at = [i for i in range(len(X)) if len(X[i]) > k]
            for n_iter in (5, 100):
                stride, repeats = (10, 7) if n_iter == 5 else (30, 3)
                if quick:
                    stride, repeats = 3, 1
                some = at[::stride]
                pairs = [(X[i].double().numpy(), Y[i].double().numpy()) for i in some]
                chosen, others = [X[i] for i in at], [Y[i] for i in at]
                run = partial(ours, chosen, others, k)
                reference = baselines(pairs, k, n_iter)
                value = float(run(n_iter)[0][[at.index(i) for i in some]].mean())
                enough = fewest_iterations(chosen, others, [at.index(i) for i in some], k, reference.mean())
                times = np.array([
                    [
                        timed(partial(run, n_iter))[0],
                        timed(partial(baselines, pairs, k, n_iter))[0],
                        float("nan") if enough is None else timed(partial(run, enough))[0],
                    ]
                    for _ in range(repeats)
                ])  # fmt: skip
                times[:, 1] *= len(at) / len(some)
                seconds, theirs, until = np.median(times, 0)
                row = {
                    "workload": name, "n": len(at), "k": k, "n_iter": n_iter,
                    "seconds": seconds, "baseline_seconds": theirs,
                    "frames_per_second": sum(map(len, chosen)) / seconds,
                    "speedup": np.median(times[:, 1] / times[:, 0]),
                    "value": value, "baseline_value": float(reference.mean()),
                    "iterations_to_baseline_value": enough,
                    "baseline_stride": len(at) // len(some), "repeats": repeats,
                    "floor": shortest(chosen, k, n_iter, speed), "shares": shares(chosen, others, k, n_iter),
                }  # fmt: skip
                if enough is not None:
                    row["seconds_to_baseline_value"] = until
                    row["speedup_to_baseline_value"] = np.median(times[:, 1] / times[:, 2])
                results.append(row)
                print(
                    f"{name} k={k} iterations={n_iter}: {row['seconds']:.2f} s, "
                    f"baseline {row['baseline_seconds']:.2f} s, {row['speedup']:.1f} times; "
                    f"value {row['value']:.5f}, baseline {row['baseline_value']:.5f}; its after {enough} "
                    f"iterations, {row.get('speedup_to_baseline_value', 0):.1f} times; "
                    f"floor {row['floor']:.3f} s, {row['shares']}",
                    flush=True,
                )
    return results


def gpu(quick: bool) -> list[dict[str, Any]]:
    """600 and 6,000 sequences on the GPU, beside the baseline's loop on the CPU of the same machine.

    The larger sets are the smaller ones ten times over, as far as the baseline's time goes, too.
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
    """The baseline on some sequences; ours on all of them, and on ten times as many.

    Frames and negatives lie in the GPU's memory, as the baseline's in the CPU's; ``seconds_from_host``
    includes padding and copying them. Plans are IPOT's ("auto" on a GPU); our subspaces are valued
    as the baseline is, by Eq. (13) with the exact plan.
    """
    x, y = pad([X[i] for i in some]), pad([Y[i] for i in some])
    pairs = [(X[i].double().numpy(), Y[i].double().numpy()) for i in some]
    theirs = [timed(partial(baselines, pairs, k, n_iter)) for _ in range(4)]
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
            "n": len(host[0]), "k": k, "n_iter": n_iter,
            "baseline_seconds": seconds * len(host[0]) / len(some),
            "baseline_value": goal, "iterations_to_baseline_value": enough,
        }  # fmt: skip
        for label, iterations in (("", n_iter), ("_to_baseline_value", enough)):
            if iterations is None:
                continue
            runs = [timed(partial(ours, there[0], there[1], k, iterations, "cuda")) for _ in range(4)]
            row["seconds" + label] = statistics.median(run[0] for run in runs[1:])
            row["speedup" + label] = row["baseline_seconds"] / row["seconds" + label]
            row["value" + label] = float(exact.value(runs[0][1][1][some].cpu().double()).mean())
        row["seconds_from_host"] = timed(partial(ours, host[0], host[1], k, n_iter, "cuda"))[0]
        yield row


def random_problem(N: int, n: int, m: int, d: int) -> tuple[PaddedSequences, PaddedSequences]:
    """N sequences of n frames that wander, and m negatives each."""
    generator = torch.Generator().manual_seed(SEED)
    walk = torch.randn(N, n, d, generator=generator).cumsum(1) / n**0.5
    X = normalize_frames((1 + 0.3 * walk).clamp_min(0))
    Y = X[:, torch.arange(m) % n] - 0.05 * torch.randn(N, m, d, generator=generator)
    masks = [torch.ones(N, rows, dtype=torch.bool) for rows in (n, m)]
    return PaddedSequences(X, masks[0]), PaddedSequences(normalize_frames(Y.clamp_min(0)), masks[1])


@single_threaded()
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
            runs = [stages(batch, negatives, at["k"]) for _ in range(1 if quick else 7)]
            times = {part: [run[part][0] for run in runs] for part in runs[0]}
            row = {"grown": name, **at, **{part: statistics.median(t) for part, t in times.items()}}
            results.append(row)
            parts = ", ".join(f"{part} {1e3 * row[part]:.0f} ms" for part in times)
            print(f"growth {name} = {size}: {parts}", flush=True)
    return results


def memory(n_sequences: int = 6766, n: int = 47, d: int = 1024) -> dict[str, Any]:
    """Memory of pooling as many sequences as HMDB-51 has, beyond the data, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured = pool.apply(_measure_memory, (n_sequences, n, d))
    print(f"memory: {measured}", flush=True)
    return measured


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
    answer = alternate(batch, negatives, n_subspaces=k, n_iter=100, ground_cost="sqeuclidean")
    X = batch.frames.double()
    T = barycentric_images(answer.transport.plan.double(), negatives.frames.double())
    objective = ACOTObjective(X, plan=answer.transport.plan.double(), negatives=negatives.frames.double())
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
    history = answer.descent.history["value"].mean(1)
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
                except Exception as error:  # a baseline that fails is reported, not hidden
                    print(f"{name}: {type(error).__name__}: {error}")
                    continue
                times[name].append(seconds * (len(cost) / len(some) if name.startswith("numpy") else 1))
        reference = plans["plain"].cpu()
        for name, plan in plans.items():
            plan = torch.as_tensor(plan).cpu()
            costs = cost[: len(plan)].cpu()
            gap = np.abs((plan * costs).sum((1, 2)).numpy() / exact[: len(plan)] - 1)
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
        "--only",
        nargs="+",
        choices=("transport", "pooling", "end_to_end", "gpu", "growth", "memory", "eigen"),
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
        "end_to_end": lambda: end_to_end(arguments.quick),
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
