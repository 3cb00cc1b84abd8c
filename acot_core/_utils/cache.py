"""A thread-safe LRU cache of what is expensive to make, by number of values or by their size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

Value = TypeVar("Value")

_LOCK = Lock()
_IN_PROGRESS: dict[tuple[int, Any], Lock] = {}


def cached(
    cache: OrderedDict[Any, Value],
    key: Any,
    make: Callable[[], Value],
    capacity: int,
    size: Callable[[Value], int] = lambda _: 1,
) -> Value:
    """Value of ``key`` in ``cache``, made by ``make()`` where missing; the least recently used go first.

    Of several threads that need the same missing value one makes it and the others wait.

    Parameters
    ----------
    cache : OrderedDict
    key : hashable
    make : callable
        What it raises is passed on, and nothing is stored.
    capacity : int
        How many values stay, or how much where ``size`` measures them; at least the newest one.
    size : callable, optional
        Of one value.
    """
    with _LOCK:
        if key in cache:
            cache.move_to_end(key)
            return cache[key]
        turn = _IN_PROGRESS.setdefault((id(cache), key), Lock())
    with turn:
        with _LOCK:
            if key in cache:  # by a thread that came first
                return cache[key]
        try:
            value = make()
        finally:
            with _LOCK:
                _IN_PROGRESS.pop((id(cache), key), None)
        with _LOCK:
            cache[key] = value
            while len(cache) > 1 and sum(map(size, cache.values())) > capacity:
                cache.popitem(last=False)
        return value
