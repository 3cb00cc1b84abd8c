"""Sets of sequences: validation, padding, chunks, devices and seeds (Sec. 3, "Problem Formulation").

A sequence X is a tensor (n, d) whose rows x_1, ..., x_n are frame features in temporal order: float32,
non-negative (they come out of a ReLU) and of unit l2 norm (Sec. 4, "Hyperparameters"; App. B, "Datasets and
Features"). Sequences differ in n and agree in d.
"""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core._utils.checks import real_tensor, takes_reals

__all__ = [
    "CheckedSequences",
    "Negatives",
    "PaddedSequences",
    "check_labels",
    "check_sequences",
    "chunks",
    "content_seed",
    "normalize_frames",
    "pad",
    "resolve_device",
    "resolve_seed",
]

_UNIT = 1e-6  # departure from unit norm that rounding in float32 explains
_WORKERS = 4  # batches are a multiple of this; a constant, for results must not depend on how many work
_FEW = 8  # what takes less than this part of the budget is one batch: calls would outweigh what is shared


@dataclass(frozen=True)
class PaddedSequences:
    """Sequences of different lengths as one tensor.

    Attributes
    ----------
    frames : Tensor (B, n, d)
        The frames; rows beyond a sequence's length are zero.
    mask : bool Tensor (B, n)
        True where a row is a frame of its sequence.

    Examples
    --------
    >>> import torch
    >>> batch = pad([torch.ones(2, 3), torch.ones(1, 3)])
    >>> batch.mask.tolist()
    [[True, True], [True, False]]
    >>> batch.weights.tolist()  # the uniform measure of each sequence; padding has no mass
    [[0.5, 0.5], [1.0, 0.0]]
    """

    frames: Tensor
    mask: Tensor

    @property
    def lengths(self) -> Tensor:
        """Number of frames of each sequence: int64 (B,)."""
        return self.mask.sum(-1)

    @property
    def weights(self) -> Tensor:
        """The uniform measure over each sequence's frames, zero on padding: (B, n), rows sum to one."""
        mask = self.mask.to(self.frames.dtype)
        return mask / mask.sum(-1, keepdim=True)

    def __len__(self) -> int:
        return len(self.frames)

    def to(self, device: torch.device | str) -> PaddedSequences:
        """The same sequences on another device."""
        return PaddedSequences(self.frames.to(device), self.mask.to(device))

    def unpad(self) -> list[Tensor]:
        """The sequences as a list of (n_i, d) tensors."""
        return [f[:n] for f, n in zip(self.frames, self.lengths.tolist(), strict=True)]


@dataclass(frozen=True)
class Negatives(PaddedSequences):
    """Negatives of B sequences: ``frames`` (B, m, d) and ``mask`` (B, m), and where each came from.

    Attributes
    ----------
    origin : int64 Tensor (B, m)
        The frame of its own sequence that a negative was made from; -1 where there is none (another
        sequence's frame, one's own array) and on padding.
    """

    origin: Tensor

    def to(self, device: torch.device | str) -> Negatives:
        """The same negatives on another device."""
        return Negatives(self.frames.to(device), self.mask.to(device), self.origin.to(device))


class CheckedSequences(list[Tensor]):
    """Validated sequences: `check_sequences` returns them, and takes them as they are."""

    def take(self, positions: Iterable[int]) -> CheckedSequences:
        """The sequences at some positions."""
        return CheckedSequences(self[i] for i in positions)


@takes_reals("frames", axes=1)
def normalize_frames(frames: Tensor) -> Tensor:
    """Rows scaled to unit l2 norm, without overflow or underflow; a zero row stays zero. (..., d)"""
    scale = frames.abs().amax(-1, keepdim=True)
    frames = frames / torch.where(scale > 0, scale, 1)
    norm = torch.linalg.vector_norm(frames, dim=-1, keepdim=True)
    return frames / torch.where(norm > 0, norm, 1)


def check_sequences(
    sequences: Sequence[Any], *, name: str = "sequences", min_length: int = 1, n_features: int | None = None
) -> CheckedSequences:
    """Validate a set of sequences and return it as float32 CPU tensors with unit-norm rows.

    Parameters
    ----------
    sequences : sequence of N array-likes (n_i, d)
        Anything with a length and items (list, array (N, n, d), pandas Series, torch Dataset). Numbers of any
        real type; non-negative. Rows need not be normalised: they are scaled to unit norm.
    name : str
        What the sequences are called in messages.
    min_length : int
        The least number of frames of a sequence.
    n_features : int, optional
        The dimension d that was seen in fit.

    Returns
    -------
    CheckedSequences
        A list of N tensors (n_i, d).

    Raises
    ------
    ValueError
        No sequence at all; a sequence that is not a 2-D array of real numbers, is too short, differs in d,
        has a NaN, an infinity, a negative entry or an all-zero frame. The message names the sequence.

    Examples
    --------
    >>> check_sequences([[[5, 0], [0, 2]]])[0].tolist()  # one sequence of two frames: of unit norm now
    [[1.0, 0.0], [0.0, 1.0]]
    >>> try:
    ...     check_sequences([[[3, -4]]])
    ... except ValueError as error:
    ...     print(str(error).partition(";")[0])
    sequences[0] (shape (1, 2)): frame 0 has a negative entry
    """
    is_checked = isinstance(sequences, CheckedSequences)
    checked = CheckedSequences()
    shapes: list[tuple[int, ...]] = []
    for i, sequence in enumerate(items_of(sequences, name)):
        frames = sequence if is_checked else as_matrix(sequence, f"{name}[{i}]")
        shapes.append(tuple(frames.shape))
        n, d = frames.shape
        if n < min_length:
            raise ValueError(
                f"{name}[{i}]: expected at least {min_length} frame(s), got {n} (shape {(n, d)})"
            )
        expected = n_features if n_features is not None else (checked[0].shape[1] if checked else d)
        if d != expected or d == 0:
            hint = ""
            if n_features is None and len({rows for rows, _ in shapes}) == 1 and i:
                hint = "; if time is the second axis, as in aeon, pass the transposed arrays"
            raise ValueError(
                f"{name}[{i}]: expected {max(expected, 1)} features per frame, got shape {(n, d)}{hint}"
            )
        if is_checked or _is_ready(frames):
            checked.append(frames)
            continue
        if not torch.isfinite(frames).all():
            t = int((~torch.isfinite(frames)).any(1).nonzero()[0])
            raise ValueError(f"{name}[{i}] (shape {(n, d)}): frame {t} holds a NaN or an infinity")
        if (frames < 0).any():
            t = int((frames < 0).any(1).nonzero()[0])
            raise ValueError(
                f"{name}[{i}] (shape {(n, d)}): frame {t} has a negative entry; features are expected to be "
                "non-negative, as after a ReLU (acot_core.datasets.encode makes such features of signals, "
                "acot_core.datasets.nonnegative of a network's signed features)"
            )
        if (frames == 0).all(1).any():
            t = int((frames == 0).all(1).nonzero()[0])
            raise ValueError(
                f"{name}[{i}] (shape {(n, d)}): frame {t} is all zero and cannot be scaled to unit norm"
            )
        checked.append(normalize_frames(frames.double()).to(torch.float32))
    return checked


def items_of(sequences: Any, name: str) -> list[Any]:
    """The items of anything that has a length; no string, mapping, table or generator."""
    expected = f"{name}: expected a list of arrays (n_i, d), one per sequence, got {type(sequences).__name__}"
    table = hasattr(sequences, "columns")  # of pandas or polars, whose items are columns
    if table or isinstance(sequences, str | bytes | Mapping) or not hasattr(sequences, "__len__"):
        raise ValueError(expected)
    try:
        iterable = hasattr(sequences, "__iter__")
        items = list(sequences) if iterable else [sequences[i] for i in range(len(sequences))]
    except TypeError as error:  # an array without axes, a padded batch
        raise ValueError(expected) from error
    if not items:
        raise ValueError(f"{name}: expected at least one sequence of shape (n_i, d), got none")
    return items


def _is_ready(frames: Tensor) -> bool:
    """Whether frames stay as they are, to the bit (seeds depend on them): non-negative, of unit norm already.

    A norm near one leaves no room for a NaN, an infinity or a zero frame.
    """
    if frames.dtype != torch.float32 or not (frames.amin() >= 0):
        return False
    norm = torch.linalg.vector_norm(frames, dim=1, dtype=torch.float64)
    return bool(((norm - 1).abs() < _UNIT).all())


def as_matrix(sequence: Any, name: str) -> Tensor:
    """One sequence as a floating tensor (n, d) on the CPU; only shape and type are checked."""
    frames = real_tensor(sequence, name).detach().cpu()
    if frames.ndim != 2:
        raise ValueError(f"{name}: expected a real 2-D array (n, d), got shape {tuple(frames.shape)}")
    return frames if frames.dtype in (torch.float32, torch.float64) else frames.double()


def check_labels(labels: Any, n_sequences: int, *, n_classes: int = 1) -> np.ndarray:
    """Validate class labels: one for each sequence, (N,), without missing values, of ``n_classes`` or more.

    Numbers, truth values, strings, categories and tensors will do.

    Raises
    ------
    ValueError
        Wrong shape or length, a missing or masked value, numbers that are not whole (a regression's), values
        that cannot be compared with one another, or too few classes.
    """
    if np.ma.is_masked(labels):
        raise ValueError(f"labels[{int(np.flatnonzero(np.ma.getmaskarray(labels))[0])}] is masked")
    try:
        array = np.asarray(labels.tolist() if isinstance(labels, Tensor) else labels)
        if array.dtype.kind == "U" and not hasattr(labels, "dtype"):  # NumPy makes text of a list's mixture
            array = np.asarray(labels, dtype=object)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"labels: expected shape ({n_sequences},), one per sequence, got nested lists"
        ) from error
    if array.ndim != 1 or len(array) != n_sequences:
        raise ValueError(f"labels: expected shape ({n_sequences},), one per sequence, got {array.shape}")
    if array.dtype.kind == "O":
        missing = np.flatnonzero(pd.isna(array))
        if len(missing):
            raise ValueError(f"labels[{missing[0]}] is missing")
        kinds = {
            str if isinstance(each, str) else Real if isinstance(each, Real | np.bool_) else type(each)
            for each in array
        }
        if len(kinds) > 1 or not kinds <= {str, Real}:
            names = sorted(kind.__name__ for kind in kinds)
            raise ValueError(f"labels: expected numbers or strings, got {' and '.join(names)}")
        array = np.array(array.tolist()) if kinds == {Real} or not hasattr(labels, "dtype") else array
    if array.dtype.kind in "cmMSV":
        raise ValueError(f"labels: expected numbers or strings, got {array.dtype}")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError(f"labels[{int(np.flatnonzero(~np.isfinite(array))[0])}] is not a number")
        if (fractions := np.flatnonzero(array != np.round(array))).size:
            i = int(fractions[0])
            raise ValueError(f"labels: expected classes, got continuous numbers (labels[{i}] = {array[i]})")
    if len(classes := np.unique(array)) < n_classes:
        raise ValueError(
            f"labels: expected {n_classes} classes or more, got {len(classes)} "
            f"class{'es' * (len(classes) != 1)}: {classes.tolist()}"
        )
    return array


def pad(sequences: Sequence[Tensor]) -> PaddedSequences:
    """Put N tensors (n_i, d) into one (N, max n_i, d), zero-padded at the end."""
    sequences = [
        real_tensor(each, f"sequences[{i}]") for i, each in enumerate(items_of(sequences, "sequences"))
    ]
    frames = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    lengths = torch.tensor([len(s) for s in sequences], device=frames.device)
    return PaddedSequences(frames, torch.arange(frames.shape[1], device=frames.device) < lengths[:, None])


def chunks(sizes: Sequence[int], budget: int) -> list[np.ndarray]:
    """Split sequences into batches of similar size that together need at most ``budget`` bytes at a time.

    Where there is enough to share, each gets its part of the budget, for `_WORKERS` may work in parallel.
    Their number is a multiple of `_WORKERS` and their sizes are as equal as can be, so that workers that
    share them are done at about the same time.

    Parameters
    ----------
    sizes : N ints
        Bytes that each sequence needs, all temporaries counted; a batch needs its largest, as often as it has
        sequences.
    budget : int
        Bytes that may be needed at a time; a single sequence may exceed its share.

    Returns
    -------
    list of int arrays
        Positions of the sequences in each batch, smallest sequences first; every position exactly once.
    """
    order = np.argsort(np.asarray(sizes), kind="stable")
    rows = np.asarray(sizes)[order].tolist()

    def split(most: int) -> list[np.ndarray]:
        parts, start = [], 0
        for stop in range(1, len(rows) + 1):
            # Sorted by size, so the next sequence is the largest and sets the padding of the batch.
            if stop == len(rows) or (stop + 1 - start) * rows[stop] > most:
                parts.append(order[start:stop])
                start = stop
        return parts

    parts = split(budget // _FEW)
    if len(parts) > 1:
        share = budget // _WORKERS
        number = _WORKERS * -(-len(split(share)) // _WORKERS)
        parts = split(bisect_left(range(share), True, key=lambda size: len(split(size)) <= number))
    return parts


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The torch device to run on; "auto" is the GPU where there is one.

    Raises
    ------
    ValueError
        The device is unknown or not present on this machine.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device: expected 'auto', 'cpu' or 'cuda', got {device!r}") from error
    if resolved.type not in ("cpu", "cuda"):  # others lack double precision, or memory
        raise ValueError(f"device: expected 'auto', 'cpu' or 'cuda', got {device!r}")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device: {device!r} is not there; torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return resolved


def resolve_seed(random_state: int | np.random.RandomState | np.random.Generator | None) -> int:
    """One integer seed from what scikit-learn's users pass as ``random_state``; None draws a fresh one."""
    if isinstance(random_state, bool) or not isinstance(
        random_state, int | np.integer | np.random.RandomState | np.random.Generator | None
    ):
        raise ValueError(f"random_state: expected an int, a numpy generator or None, got {random_state!r}")
    if isinstance(random_state, int | np.integer):
        if not 0 <= random_state < 2**63:
            raise ValueError(f"random_state: expected 0 <= seed < 2**63, got {random_state!r}")
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    generator = np.random.default_rng() if random_state is None else random_state
    return int(generator.integers(2**31 - 1))


def content_seed(frames: Tensor, seed: int) -> int:
    """A seed for one sequence, from ``seed`` and the sequence's own numbers (n, d), and nothing else.

    The noise drawn for a sequence therefore does not depend on which other sequences share its batch, on
    their order or on the number of batches: pooling one sequence alone gives what pooling all gives.
    """
    digest = hashlib.blake2b(digest_size=8, key=str(seed).encode()[:64])
    # A checksum of the numbers: a cryptographic digest of them all takes as long as drawing the noise.
    check = zlib.crc32(frames.detach().cpu().contiguous().numpy().data)
    digest.update(repr((tuple(frames.shape), check)).encode())
    return int.from_bytes(digest.digest(), "little") >> 1
