"""What hypothesis draws for `test_properties`: ragged sets of frames of every kind, type and container.

A draw is a few small integers and names, from which numpy makes the numbers: cheap to make, and a failure
shrinks to a short set of few features.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "BUDGET",
    "DEVICES",
    "RaggedSet",
    "cases",
    "problems",
    "quiet",
    "ragged_sets",
    "seeds",
    "subspaces",
]

DEEP = os.environ.get("ACOT_HYPOTHESIS") == "deep"
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
BUDGET: list[int] = []  # cases of every test, as of the quick profile
seeds = st.integers(0, 2**32 - 1)


def cases(number: int) -> Callable[[Any], Any]:
    """So many cases, the same in every run; with ACOT_HYPOTHESIS=deep 20 times as many, or 5,000."""
    BUDGET.append(number)
    return settings(
        max_examples=max(20 * number, 5000) if DEEP else number,
        derandomize=not DEEP,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def quiet(most: int = 2) -> Iterator[None]:
    """No warning but `ConvergenceWarning`, and of these few: one a batch and half-step."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    other = [w for w in caught if not issubclass(w.category, ConvergenceWarning)]
    assert not other, other[0]
    assert len(caught) <= most, f"{len(caught)} warnings"


KINDS = ("uniform", "sparse", "one-hot", "constant", "duplicates", "nearly equal", "ramp", "wide range")
DTYPES = ("float16", "float32", "float64", "longdouble", "uint8", "int64", "bool")
EXPONENTS = {"float16": 3, "float32": 30, "float64": 250, "longdouble": 250}


def _frames(kind: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    base = rng.random((1, d)) + 1e-3
    if kind == "uniform":
        return rng.random((n, d)) + 1e-3
    if kind == "sparse":
        return np.maximum(rng.standard_normal((n, d)), 0)
    if kind == "one-hot":
        return np.eye(d)[rng.integers(0, d, n)]
    if kind == "constant":
        return np.repeat(base, n, 0)
    if kind == "duplicates":
        return (rng.random((2, d)) + 1e-3)[rng.integers(0, 2, n)]
    if kind == "nearly equal":
        return base + 1e-7 * rng.random((n, d))
    if kind == "ramp":
        return base + np.linspace(0, 1, n)[:, None] * rng.random((1, d))
    return 10.0 ** rng.uniform(-20, 20, (n, d))


def _cast(frames: np.ndarray, dtype: str, exponent: int) -> np.ndarray:
    if dtype in EXPONENTS:
        limit = EXPONENTS[dtype]
        with np.errstate(all="ignore"):
            scaled = frames / (frames.max() or 1) * 10.0 ** (exponent * limit // 250)
            array = scaled.astype(dtype)
    else:
        array = np.clip(np.round(9 * frames), 0, 200).astype(dtype)
    array[(array == 0).all(1), 0] = 1
    return array


def _torch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float64) if array.dtype == np.longdouble else array)


CONTAINERS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda a: a,
    "read-only": lambda a: _frozen(a),
    "column-major": np.asfortranarray,
    "every other row": lambda a: np.repeat(a, 2, 0)[::2],
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "list of lists": lambda a: a.tolist(),
    "tuples": lambda a: tuple(map(tuple, a.tolist())),
    "foreign byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "table": lambda a: pd.DataFrame(a.astype(np.float64)),
    "tensor": _torch,
    "transposed tensor": lambda a: _torch(np.ascontiguousarray(a.T)).T,
    "tensor with gradient": lambda a: _torch(a).double().requires_grad_(),
}


def _frozen(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class RaggedSet:
    """A set of sequences as a user might bring it, and what each should become."""

    sequences: list[Any]
    unit: list[np.ndarray]  # float64 (n_i, d), rows of unit norm
    kind: str
    n_features: int

    @property
    def lengths(self) -> list[int]:
        return [len(frames) for frames in self.unit]


@st.composite
def ragged_sets(
    draw: Any,
    *,
    max_sequences: int = 4,
    max_length: int = 200,
    max_features: int = 300,
    min_features: int = 1,
    max_entries: int = 20_000,
    kinds: tuple[str, ...] = KINDS,
    plain: bool = False,
) -> RaggedSet:
    """N sequences (n_i, d): N <= 4, n_i <= 200, d <= 300, ``max_entries`` numbers per sequence at most."""
    d = draw(st.integers(min_features, 12) | st.integers(min_features, max_features))
    longest = max(1, min(max_length, max_entries // d))
    lengths = draw(
        st.lists(
            st.integers(1, min(8, longest)) | st.integers(1, longest), min_size=1, max_size=max_sequences
        )
    )
    kind = draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(seeds))
    arrays, sequences = [], []
    for n in lengths:
        dtype = "float32" if plain else draw(st.sampled_from(DTYPES))
        exponent = 0 if plain else draw(st.sampled_from((-250, -30, -3, 0, 3, 30, 250)))
        array = _cast(_frames(kind, n, d, rng), dtype, exponent)
        wrap = CONTAINERS["array" if plain else draw(st.sampled_from(list(CONTAINERS)))]
        arrays.append(array)
        sequences.append(wrap(array))
    return RaggedSet(sequences, [_unit(array) for array in arrays], kind, d)


def _unit(array: np.ndarray) -> np.ndarray:
    exact = array.astype(np.longdouble)
    exact = exact / exact.max(1, keepdims=True)
    return (exact / np.sqrt((exact**2).sum(1, keepdims=True))).astype(np.float64)


@st.composite
def problems(
    draw: Any, *, largest: int = 40
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """Batches of transport problems: costs (B, n, m) of many kinds and scales, some masses zero."""
    B, n, m = (draw(st.integers(1, top)) for top in (4, largest, largest))
    rng = np.random.default_rng(draw(seeds))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    kind = draw(st.sampled_from(["random", "points", "equal", "ties", "wide"]))
    cost = rng.random((B, n, m))
    if kind == "points":
        x, y = rng.random((B, n, 1, 3)), rng.random((B, 1, m, 3))
        cost = np.sqrt(((x - y) ** 2).sum(3))
    elif kind == "equal":
        cost = np.full((B, n, m), rng.random())
    elif kind == "ties":
        cost = rng.integers(0, 3, (B, n, m)).astype(float)
    elif kind == "wide":
        cost = 10.0 ** rng.uniform(-4, 2, (B, n, m))
    cost = cost * draw(st.sampled_from([1e-6, 1e-2, 1.0, 1e3]))
    masses: list[torch.Tensor | None] = []
    for size in (n, m):
        how = draw(st.sampled_from(["none", "uneven", "padded"]))
        mass = rng.random((B, size)) + 0.05
        if how == "padded":  # at the end, each problem its own
            kept = rng.integers(1, size + 1, (B, 1))
            mass = (np.arange(size) < kept).astype(float)
        masses.append(
            None if how == "none" else torch.from_numpy(mass / mass.sum(1, keepdims=True)).to(dtype)
        )
    return torch.from_numpy(cost).to(dtype), masses[0], masses[1]


@st.composite
def subspaces(
    draw: Any, *, n: int | None = None, max_features: int = 40, min_features: int = 1
) -> torch.Tensor:
    """Orthonormal bases (B, d, k), k up to d, in float32 or float64."""
    B = n or draw(st.integers(1, 4))
    d = draw(st.integers(min_features, 8) | st.integers(min_features, max_features))
    k = draw(st.integers(1, d))
    generator = torch.Generator().manual_seed(draw(seeds))
    A = torch.randn(B, d, k, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(A)[0].to(draw(st.sampled_from([torch.float32, torch.float64])))
