"""Generator iterations per second: `acot_core.gan.wgan` against a plain PyTorch loop of the same algorithm.

    python benchmarks/adversary.py [--threads 2] [--repeats 15] [--output benchmarks/results/adversary.json]
    python benchmarks/adversary.py --compiled ...    # and ours with its networks through torch.compile

Both make the same five critic steps and one generator step per iteration, alternate in one process, and are
compared by the median of paired ratios. The plain loop is what one writes first: a pass for frames and one
for negatives, fakes of each critic step on their own and detached, torch's RMSprop, gradients for whatever
has parameters, losses read at every step. Wall time and the process's CPU time are both given: on a machine
that others use too, the latter is the steadier for one thread. "autograd" is ours with ``fast=False``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding, normalize, relu

from acot_core.experiments.record import environment
from acot_core.gan.frame_classifier import linear
from acot_core.gan.training import has_native_bfloat16
from acot_core.gan.wgan import MLP, WGAN, Batch

SIGMA, LAMBDA1, LAMBDA2, CLIP, RATE, N_CRITIC, C = 0.01, 0.1, 1.0, 0.01, 1e-4, 5, 14


def make_data(d: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """8000 unit-norm frames, their sequences' means, classes."""
    cpu = torch.Generator().manual_seed(0)
    frames = normalize(relu(torch.randn(8000, d, generator=cpu)), dim=1)
    pivots = frames.view(-1, 40, d).mean(1).repeat_interleave(40, 0)
    return frames.to(device), pivots.to(device), torch.randint(C, (8000,), generator=cpu).to(device)


def plain_loop(data: tuple[Tensor, Tensor, Tensor], d: int, size: int) -> Callable[[], None]:
    """One iteration as one writes it first."""
    frames, pivots, classes = data
    device = frames.device

    def network(n_out: int) -> nn.Sequential:
        layers = (nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d), nn.ReLU(), nn.Linear(d, n_out))
        return nn.Sequential(*layers).to(device)

    g, h, zeta = network(d), network(1), nn.Linear(d, C).to(device)
    of_g, of_h = (torch.optim.RMSprop(net.parameters(), lr=RATE) for net in (g, h))

    def draw() -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.randint(len(frames), (size,), device=device)
        return frames[rows], pivots[rows] + SIGMA * torch.randn(size, d, device=device), classes[rows]

    def iterate() -> None:
        for _ in range(N_CRITIC):
            x, z, _ = draw()
            y = normalize(relu(x - g(z)), dim=1).detach()
            of_h.zero_grad()
            loss = h(y).mean() - h(x).mean()
            loss.backward()
            of_h.step()
            for weight in h.parameters():
                weight.data.clamp_(-CLIP, CLIP)
            loss.item()
        x, z, label = draw()
        of_g.zero_grad()
        noise = g(z)
        y = normalize(relu(x - noise), dim=1)
        loss = -h(y).mean() + LAMBDA1 * cross_entropy(-zeta(y), label)
        loss = loss + LAMBDA2 * noise.square().sum(1).mean()
        loss.backward()
        of_g.step()
        loss.item()

    return iterate


def our_loop(
    data: tuple[Tensor, Tensor, Tensor], d: int, size: int, compiled: bool = False, **options: bool
) -> Callable[[], None]:
    """One iteration of `WGAN`, with the draws that `acot_core.gan.training` makes."""
    frames, pivots, classes = data
    device = frames.device
    cpu, rng = torch.Generator().manual_seed(0), torch.Generator(device).manual_seed(0)
    zeta = linear(d, C, cpu, device).requires_grad_(False)
    wgan = WGAN(
        MLP(d, d, d, cpu, device), MLP(d, d, 1, cpu, device), zeta, sigma=SIGMA, lambda1=LAMBDA1,
        lambda2=LAMBDA2, clip=CLIP, learning_rate=RATE, **options,
    )  # fmt: skip
    if compiled:
        wgan.generator, wgan.critic = torch.compile(wgan.generator), torch.compile(wgan.critic)  # type: ignore[assignment]

    def draw() -> Batch:
        rows = torch.randint(len(frames), (N_CRITIC + 1, size), generator=rng, device=device)
        normal = torch.randn((N_CRITIC + 1, size, d), generator=rng, device=device)
        return Batch(embedding(rows, frames), embedding(rows, pivots), classes[rows], normal)

    return lambda: wgan.iterate(draw())


def compare(
    d: int, size: int, device: torch.device, repeats: int, compiled: bool = False
) -> dict[str, object]:
    """Medians over ``repeats`` alternating runs of each loop."""
    data = make_data(d, device)
    loops = {
        "plain": plain_loop(data, d, size),
        "autograd": our_loop(data, d, size, fast=False),
        "float32": our_loop(data, d, size),
    }
    if has_native_bfloat16(device):
        loops["bfloat16"] = our_loop(data, d, size, mixed=True)
    for name in list(loops)[2:] if compiled else ():
        loops[f"{name}, compiled"] = our_loop(data, d, size, compiled=True, mixed=name == "bfloat16")
    wall = {name: [] for name in loops}  # type: dict[str, list[float]]
    used = {name: [] for name in loops}  # type: dict[str, list[float]]
    each = max(1, 2560 // d)
    for repeat in range(repeats + 1):
        for name, loop in loops.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            for _ in range(each):
                loop()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if repeat:  # the first warms up
                wall[name].append((time.perf_counter() - start) / each)
                used[name].append((time.process_time() - cpu_start) / each)
    result: dict[str, object] = {"d": d, "batch_size": size, "device": str(device)}
    for name in loops:
        ratios = {
            kind: np.array(t["plain"]) / np.array(t[name]) for kind, t in (("wall", wall), ("cpu", used))
        }
        result[name] = {
            "wall_ms": round(1e3 * float(np.median(wall[name])), 2),
            "fastest_ms": round(1e3 * min(wall[name]), 2),
            "cpu_ms": round(1e3 * float(np.median(used[name])), 2),
            **{f"speedup_{kind}": round(float(np.median(r)), 2) for kind, r in ratios.items()},
        }
    return result


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of torch, CPU")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--compiled", action="store_true", help="torch.compile as well")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "adversary.json")
    options = parser.parse_args()
    results: list[dict[str, object]] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        for d in (256, 1024):
            results.append(
                {"threads": threads} | compare(d, 64, torch.device("cpu"), options.repeats, options.compiled)
            )
            print(results[-1], flush=True)
            write(options.output, results)
    if torch.cuda.is_available():
        for device in ("cpu", "cuda"):
            results.append(compare(1024, 256, torch.device(device), options.repeats, options.compiled))
            print(results[-1], flush=True)
            write(options.output, results)


def write(path: Path, results: list[dict[str, object]]) -> None:
    """Write what was measured so far, with hardware and versions."""
    record = {"benchmark": "adversary", "environment": environment(), "results": results}
    path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
