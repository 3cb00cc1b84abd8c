"""The C library's memory: glibc keeps what was freed, and a server of many visitors would seem to grow."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["return_memory", "share_arenas"]

_ARENA_MAX = -8  # of glibc's mallopt: M_ARENA_MAX


def share_arenas(most: int = 2) -> None:
    """Let all threads that are still to come take memory from a few pools, not from one a thread."""
    _call("mallopt", _ARENA_MAX, most)


def return_memory() -> None:
    """Give the system what is free."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """A function of glibc's; nothing where the C library is another."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        getattr(ctypes.CDLL(None), name)(*arguments)
