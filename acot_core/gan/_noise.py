"""Counter-based random numbers, keyed by content and seed: the same on every device and in every batch.

A generator with a state gives what it gives in the order in which it is asked. Here the j-th number of a
sequence is a hash of j and the sequence's key, and nothing else (as in Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC 2011), so that all numbers of a batch are drawn at once. The hash multiplies
and shifts 32-bit integers; a normal number is the sum of two entries of a table of normal quantiles, one for
each half of a hash, over √2. Both are exact arithmetic: CPU and GPU agree to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from acot_core.sequences import content_seed

_PERMUTATION = 0x3C6EF372  # tells the numbers that order frames from those of their noise


def content_keys(sequences: Sequence[Tensor], seed: int) -> Tensor:
    """Key of each of B sequences (n_i, d), from the seed and its own numbers: int32 (B, 2)."""
    seeds = np.array([content_seed(s, seed) for s in sequences], dtype=np.uint64)
    return torch.from_numpy(seeds.view(np.int32).reshape(-1, 2).copy())


def normal(keys: Tensor, m: int, d: int) -> Tensor:
    """Numbers from N(0, 1), float32 (B, m, d), for keys int32 (B, 2), on the keys' device.

    Row j of a sequence is the same whatever m.
    """
    low, high = _halves(_hash(keys, m * d))
    table = _quantiles(keys.device)
    drawn = torch.index_select(table, 0, low.view(-1))
    return drawn.add_(torch.index_select(table, 0, high.view(-1))).view(len(keys), m, d)


def permutations(keys: Tensor, lengths: Tensor) -> Tensor:
    """Random order of 0 ... n_i - 1 for each key (B, 2), lengths (B,): int64 (B, max n), padding last."""
    n = int(lengths.max())
    ranks = _hash(keys ^ _PERMUTATION, n).long()
    ranks[torch.arange(n, device=keys.device) >= lengths[:, None]] = 2**40
    return ranks.argsort(dim=1, stable=True)


def _hash(keys: Tensor, n: int) -> Tensor:
    """Hashes of 0 ... n - 1 under each key (B, 2): int32 (B, n).

    Three rounds of multiply and xor-shift with the constants of C. Wellons' triple32; the halves of the key
    are added in turn, so that no two keys give shifted copies of one stream.
    """
    first, second = keys[:, :1], keys[:, 1:]
    x = torch.arange(n, dtype=torch.int32, device=keys.device) + first
    for bits, factor, key in ((17, 0xED5AD4BB, second), (11, 0xAC4C1B51, first), (15, 0x31848BAB, second)):
        x = _shifted(x, bits).mul_(factor - 2**32 * (factor >= 2**31)).add_(key)
    return x


def _shifted(x: Tensor, bits: int) -> Tensor:
    """x ^ (x >> bits) in place; an arithmetic shift mixes as well as a logical one."""
    return x.bitwise_xor_(torch.bitwise_right_shift(x, bits))


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """The lower (mixed once more) and the upper 16 bits of each number; x is overwritten."""
    high = torch.bitwise_right_shift(x, 16).bitwise_and_(0xFFFF)
    return x.bitwise_xor_(high).bitwise_and_(0xFFFF), high


@cache
def _quantiles(device: torch.device) -> Tensor:
    """2^16 normal quantiles over √2, scaled to a variance of 1/2: float32 (65536,)."""
    table = ndtri((np.arange(2**16) + 0.5) / 2**16)
    return torch.from_numpy((table / (table.std() * np.sqrt(2))).astype(np.float32)).to(device)
