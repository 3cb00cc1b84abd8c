"""Rates of this machine: the median time of a call, and how fast it multiplies and copies."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Median time of a call, after one that warms up, the device's queue emptied."""
    times = []
    for _ in range(repeats + 1):
        began = perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(perf_counter() - began)
    return statistics.median(times[1:])


def speed_of(device: torch.device, small: bool) -> dict[str, float]:
    """Operations per second of a large product, by type, and bytes per second of a large copy."""
    n = 8192 if device.type == "cuda" else 256 if small else 1024
    rates = {}
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        a = torch.rand(n, n, device=device).to(dtype)
        rates[str(dtype).removeprefix("torch.")] = 2 * n**3 / seconds(lambda a=a: a @ a, 3)
    copied = torch.empty(2**28 if device.type == "cuda" else 2**22 if small else 2**25, device=device)
    target = torch.empty_like(copied)
    return rates | {"bandwidth": 8 * len(copied) / seconds(lambda: target.copy_(copied), 3)}
