"""Packages that an extra of this one brings: where one is missing, the message says which extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["from_extra"]


@contextmanager
def from_extra(extra: str, what: str) -> Iterator[None]:
    """Import within the block what an extra brings.

    Raises
    ------
    ImportError
        It is not installed; the message says for what it is needed, and what installs it.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise ImportError(
            f"{what} needs {package}: pip install 'acot-explorer[{extra}]'", name=error.name
        ) from error
