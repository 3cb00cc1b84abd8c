"""The C library's memory: glibc keeps what was freed, and a server of many visitors would seem to grow."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_little", "return_memory"]

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # names of glibc's mallopt


def keep_little() -> None:
    """Few pools of memory for all threads that are still to come, and large blocks outside of them.

    Unasked, glibc makes a pool for each thread, and puts ever larger blocks into them, between which holes
    are left.
    """
    _call("mallopt", _ARENA_MAX, 2)
    _call("mallopt", _MMAP_THRESHOLD, 2**18)


def return_memory() -> None:
    """Give the system what is free."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """A function of glibc's; nothing where the C library is another."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        getattr(ctypes.CDLL(None), name)(*arguments)
