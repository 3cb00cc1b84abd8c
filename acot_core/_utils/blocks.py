"""Block sizes: a CPU's second-level cache, large on a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def block_bytes(device: torch.device) -> int:
    """Bytes of the operands that one product should run over."""
    return 2**21 if device.type == "cpu" else 2**30


def batch_bytes(device: torch.device) -> int:
    """Bytes that a batch of sequences may take, all temporaries counted."""
    return 2**28 if device.type == "cpu" else 2**32


def blocks(*tensors: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Rows of tensors (B, n_i, d) below one another in double precision, (b, n_1 + n_2 + ..., d).

    A few sequences at a time, in memory that stays in the cache and is used again for the next.
    """
    first, n_rows = tensors[0], sum(each.shape[1] for each in tensors)
    n_sequences, d = len(first), first.shape[2]
    block = max(1, min(n_sequences, block_bytes(first.device) // (n_rows * d * 8)))
    memory = first.new_empty(block, n_rows, d, dtype=torch.float64)
    for i in range(0, n_sequences, block):
        span = slice(i, min(i + block, n_sequences))
        rows, at = memory[: span.stop - i], 0
        for each in tensors:
            rows[:, at : at + each.shape[1]] = each[span]
            at += each.shape[1]
        yield span, rows
