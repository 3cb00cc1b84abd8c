"""The training loop of the adversary and its history (App. B.2; Fig. 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding

from acot_core.adversary_data import FrameTable
from acot_core.cuda_graph import fastest_iteration
from acot_core.frame_classifier import fooling_rate, misclassification_rate
from acot_core.progress import Callback, Clock
from acot_core.wgan import WGAN, Batch

__all__ = [
    "HISTORY_COLUMNS",
    "TrainingState",
    "fixed_batch",
    "has_native_bfloat16",
    "measure",
    "train",
    "uses_bfloat16",
]

HISTORY_COLUMNS = (
    "iteration",
    "split",
    "fooling_rate",
    "misclassification_rate",
    "noise_norm",
    "wasserstein",
    "generator_loss",
)
_EVALUATED = 2048
_PATIENCE = 0.02  # seconds between two reports of progress, at most: a callback may have the training wait


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, lambda: False)() for name in probes)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether training multiplies in bfloat16: asked for, or "auto" where the hardware has it."""
    return precision == "bfloat16" or (precision == "auto" and has_native_bfloat16(device))


@dataclass
class TrainingState:
    """All that training changes: networks and optimisers, the generator of batches, steps done, history."""

    wgan: WGAN
    rng: torch.Generator
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def train(
    state: TrainingState,
    table: FrameTable,
    targets: Tensor,
    evaluations: dict[str, Batch],
    *,
    n_iter: int,
    n_critic: int,
    batch_size: int,
    eval_every: int,
    callback: Callback | None = None,
    checkpoint: Callable[[], object] | None = None,
    checkpoint_every: int = 100,
) -> None:
    """Iterate ``state`` up to step ``n_iter``, measuring every ``eval_every`` steps and at the end.

    Parameters
    ----------
    table : FrameTable
        Training frames, on the training device, where everything stays.
    targets : int64 Tensor (T,)
        The class l that Eq. (9) hides, of each frame.
    evaluations : dict of Batch
        By split, the batch of one row (1, B, ...) that the history is measured on.
    checkpoint : callable, optional
        Called every ``checkpoint_every`` steps.
    """
    clock = Clock("adversary", n_iter, callback, start=state.step)
    start, told, iterate = state.step, perf_counter(), None
    while True:
        due = state.step % eval_every == 0 or state.step == n_iter
        if due and not (state.history and state.history[-1]["iteration"] == state.step):
            state.history += [
                {"iteration": state.step, "split": split} | measure(state.wgan, batch)
                for split, batch in evaluations.items()
            ]
        if checkpoint is not None and state.step > start and state.step % checkpoint_every == 0:
            checkpoint()
        if due or perf_counter() - told > _PATIENCE:
            clock.report(state.step, **_latest(state.history, len(evaluations)))
            told = perf_counter()
        if state.step >= n_iter:
            return
        batch = _draw(table, targets, (n_critic + 1, batch_size), state.rng)
        iterate = iterate or fastest_iteration(state.wgan, batch)
        iterate(batch)
        state.step += 1


def fixed_batch(table: FrameTable, targets: Tensor, seed: int, device: torch.device) -> Batch:
    """The same frames and ε at every evaluation, so that a curve shows the networks' change: (1, B, d)."""
    cpu = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(table.frames), generator=cpu)[:_EVALUATED]
    normal = torch.randn(len(rows), table.n_features, generator=cpu)
    rows = rows.to(table.frames.device)
    parts = (table.frames[rows], table.pivots[table.pivot_of[rows]], targets[rows], normal)
    return Batch(*(part.to(device)[None] for part in parts))


def _draw(table: FrameTable, targets: Tensor, shape: tuple[int, int], rng: torch.Generator) -> Batch:
    """Frames with replacement, and their ε: all S batches of one iteration at once."""
    device = table.frames.device
    rows = torch.randint(len(table.frames), shape, generator=rng, device=device)
    normal = torch.randn((*shape, table.n_features), generator=rng, device=device)
    # embedding: gathers rows, several times faster on a CPU than an index
    return Batch(
        embedding(rows, table.frames), embedding(table.pivot_of[rows], table.pivots), targets[rows], normal
    )


@torch.no_grad()
def measure(wgan: WGAN, batch: Batch) -> dict[str, float]:
    """One row of the history, from a batch (1, B, d). The one place where training waits for the device.

    fooling_rate: share with argmin ζ(y) = argmax ζ(x); misclassification_rate: argmax ζ(y) != argmax ζ(x);
    noise_norm: mean ||x̂||; wasserstein: E h(x) - E h(y); generator_loss: of Eq. (8) or (9).
    """
    frames, classes = batch.frames[0], batch.classes[0]
    noise = wgan.noise(batch.pivots[0], batch.normal[0])
    negatives = wgan.negatives(frames, noise)
    values = (
        fooling_rate(wgan.classifier, frames, negatives),
        misclassification_rate(wgan.classifier, frames, negatives),
        torch.linalg.vector_norm(noise, dim=-1).mean(),
        wgan.wasserstein(frames, negatives),
        wgan.generator_loss(frames, noise, classes),
    )
    return dict(zip(HISTORY_COLUMNS[2:], torch.stack(values).tolist(), strict=True))


def _latest(history: list[dict[str, Any]], n_splits: int) -> dict[str, float]:
    """The last row of each split in one dict; names of other splits than "train" have the split before."""
    values: dict[str, float] = {}
    for row in history[-n_splits:]:
        prefix = "" if row["split"] == "train" else f"{row['split']}_"
        values |= {prefix + name: row[name] for name in HISTORY_COLUMNS[2:]}
    return values
