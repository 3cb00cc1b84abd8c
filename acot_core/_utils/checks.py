"""Checks of parameters: the message names the parameter, what was expected and what was given."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor


def check_int(name: str, value: Any, *, least: int, none: bool = False) -> None:
    """Refuse what is no integer (NumPy's are integers, a truth value is none) or is below ``least``."""
    if none and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


def check_number(name: str, value: Any, *, positive: bool = False) -> None:
    """Refuse what is no finite, non-negative number; with ``positive`` zero, too."""
    real = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not real or value < 0 or (positive and value == 0):
        kind = "positive" if positive else "non-negative"
        raise ValueError(f"{name}: expected a finite {kind} number, got {value!r}")


def check_lengths(name: str, value: Any, *, least: int) -> None:
    """Refuse what is no pair of integers, the first at least ``least`` and the second no smaller."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name}: expected two numbers of frames, got {value!r}")
    check_int(f"{name}[0]", value[0], least=least)
    check_int(f"{name}[1]", value[1], least=value[0])


def check_choice(name: str, value: Any, allowed: Collection[str]) -> None:
    """Refuse what is not one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: expected one of {tuple(allowed)}, got {value!r}")


def same_dtype(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors in the more precise of their types: torch multiplies none of different ones."""
    if first.dtype == second.dtype:
        return first, second
    common = torch.promote_types(first.dtype, second.dtype)
    return first.to(common), second.to(common)
