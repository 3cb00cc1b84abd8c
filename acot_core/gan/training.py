"""Training loop of the adversary, its frame table and its history (Sec. 3.2; App. B.2; Fig. 5).

z ~ N(X̄, σ² I): every frame refers to its sequence's mean X̄, or to itself where the pivot is the frame.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding

from acot_core._utils.progress import Callback, Clock
from acot_core.gan.frame_classifier import fooling_rate, misclassification_rate
from acot_core.gan.wgan import WGAN, Batch
from acot_core.sequences import check_labels, check_sequences

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
_PATIENCE = 0.02  # seconds between two reports of progress


@dataclass(frozen=True)
class FrameTable:
    """Frames of all sequences: ``frames`` (T, d), ``classes`` (T,), ``pivots`` (P, d), ``pivot_of`` (T,)."""

    frames: Tensor
    classes: Tensor
    pivots: Tensor
    pivot_of: Tensor
    fingerprint: str

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return self.frames.shape[1]

    @property
    def std(self) -> float:
        """Standard deviation of the features: root mean square over the d features."""
        return float(self.frames.double().var(0, correction=0).mean().sqrt())

    def to(self, device: torch.device) -> FrameTable:
        """Copy to another device."""
        names = ("frames", "classes", "pivots", "pivot_of")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def frame_table(
    sequences: Sequence[Any],
    labels: Any,
    *,
    pivot: str,
    classes: np.ndarray | None = None,
    n_features: int | None = None,
    name: str = "sequences",
) -> tuple[FrameTable, np.ndarray]:
    """Validate sequences (n_i, d) and labels (N,) and lay them out as one table on the CPU.

    Parameters
    ----------
    classes : (c,) array, optional
        The classes that may occur; None takes those of ``labels``, at least two.

    Returns
    -------
    FrameTable, (c,) array of the classes in order

    Raises
    ------
    ValueError
        Bad sequences or labels; a single class; d = 1; a label that is not among ``classes``.
    """
    checked = check_sequences(sequences, name=name, n_features=n_features)
    array = check_labels(labels, len(checked))
    if checked[0].shape[1] == 1:
        # In the words that scikit-learn's checks ask for.
        raise ValueError(f"{name}: d = 1, unit-norm frames of 1 feature(s) are all alike; expected d >= 2")
    if classes is None:
        classes = np.unique(array)
        if len(classes) < 2:
            only = classes.tolist()[0]
            raise ValueError(f"labels: only class {only!r} occurs; there must be more than one class")
    unknown = ~np.isin(array, classes)
    if unknown.any():
        i = int(np.flatnonzero(unknown)[0])
        raise ValueError(f"{name}: label {i} is {array[i].item()!r}, which is none of {classes.tolist()}")
    lengths = torch.tensor([len(s) for s in checked])
    frames = torch.cat(checked)
    of_sequence = torch.from_numpy(np.searchsorted(classes, array).astype(np.int64))
    targets = of_sequence.repeat_interleave(lengths)
    if pivot == "mean":
        pivots = torch.stack([s.mean(0) for s in checked])
        pivot_of = torch.arange(len(checked)).repeat_interleave(lengths)
    else:
        pivots, pivot_of = frames, torch.arange(len(frames))
    digest = hashlib.blake2b(digest_size=16)
    for tensor in (lengths, targets, frames):
        digest.update(tensor.contiguous().numpy().tobytes())
    digest.update(repr(classes.tolist()).encode())
    return FrameTable(frames, targets, pivots, pivot_of, digest.hexdigest()), classes


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
    """State of the training: networks and optimisers, the generator of batches, steps done, history.

    ``resumable`` is False where optimisers and generator were not saved with the networks.
    """

    wgan: WGAN
    rng: torch.Generator
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    resumable: bool = True


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
    start, reported = state.step, perf_counter()
    while True:
        due = state.step % eval_every == 0 or state.step == n_iter
        if due and not (state.history and state.history[-1]["iteration"] == state.step):
            state.history += [
                {"iteration": state.step, "split": split} | measure(state.wgan, batch)
                for split, batch in evaluations.items()
            ]
        if checkpoint is not None and state.step > start and state.step % checkpoint_every == 0:
            checkpoint()
        if due or perf_counter() - reported > _PATIENCE:
            clock.report(state.step, **_latest(state.history, len(evaluations)))
            reported = perf_counter()
        if state.step >= n_iter:
            return
        batch = _draw(table, targets, (n_critic + 1, batch_size), state.rng)
        state.wgan.iterate(batch)
        state.step += 1


def fixed_batch(table: FrameTable, targets: Tensor, seed: int, device: torch.device) -> Batch:
    """Batch (1, B, d) with the same frames and ε at every evaluation: a curve shows the networks' change."""
    cpu = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(table.frames), generator=cpu)[:_EVALUATED]
    normal = torch.randn(len(rows), table.n_features, generator=cpu, dtype=torch.float32)
    rows = rows.to(table.frames.device)
    parts = (table.frames[rows], table.pivots[table.pivot_of[rows]], targets[rows], normal)
    return Batch(*(tensor.to(device)[None] for tensor in parts))


def _draw(table: FrameTable, targets: Tensor, shape: tuple[int, int], rng: torch.Generator) -> Batch:
    """Draw all S batches of one iteration: frames with replacement, and their ε."""
    device = table.frames.device
    rows = torch.randint(len(table.frames), shape, generator=rng, device=device)
    normal = torch.randn((*shape, table.n_features), generator=rng, device=device, dtype=torch.float32)
    # embedding: gathers rows, several times faster on a CPU than an index
    return Batch(
        embedding(rows, table.frames), embedding(table.pivot_of[rows], table.pivots), targets[rows], normal
    )


@torch.no_grad()
def measure(wgan: WGAN, batch: Batch) -> dict[str, float]:
    """Evaluate one row of the history on a batch (1, B, d). Only here does training wait for the device.

    Raises ValueError where a value is not finite.

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
    row = dict(zip(HISTORY_COLUMNS[2:], torch.stack(values).tolist(), strict=True))
    if not all(map(math.isfinite, row.values())):
        raise ValueError(f"sigma, lambda1, lambda2 or learning_rate is too large: training diverged ({row})")
    return row


def _latest(history: list[dict[str, Any]], n_splits: int) -> dict[str, float]:
    """Last row of each split in one dict; names get the split as a prefix, except "train"."""
    values: dict[str, float] = {}
    for row in history[-n_splits:]:
        prefix = "" if row["split"] == "train" else f"{row['split']}_"
        values |= {prefix + name: row[name] for name in HISTORY_COLUMNS[2:]}
    return values
