"""What a process keeps in memory between the cells of a sweep, so that cells that share it make it once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

__all__ = ["remember"]

Value = TypeVar("Value")

_LOCK = Lock()
_MAKING: dict[tuple[int, Any], Lock] = {}


def remember(
    memory: OrderedDict[Any, Value],
    key: Any,
    make: Callable[[], Value],
    kept: int,
    size: Callable[[Value], int] = lambda _: 1,
) -> Value:
    """``make()`` for a new key, else what it gave before; the results that were used last are kept.

    Threads may share the memory: one makes a result, the others that want it wait.

    Parameters
    ----------
    memory : OrderedDict
    key : hashable
    make : callable
    kept : int
        How many results stay, or how much where ``size`` measures them; at least the newest one.
    size : callable, optional
        Of one result.
    """
    with _LOCK:
        if key in memory:
            memory.move_to_end(key)
            return memory[key]
        turn = _MAKING.setdefault((id(memory), key), Lock())
    with turn:
        with _LOCK:
            if key in memory:  # by a thread that came first
                return memory[key]
        try:
            value = make()
        finally:
            with _LOCK:
                _MAKING.pop((id(memory), key), None)
        with _LOCK:
            memory[key] = value
            while len(memory) > 1 and sum(map(size, memory.values())) > kept:
                memory.popitem(last=False)
        return value
