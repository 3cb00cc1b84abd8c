"""Names of the package that texts mention: what they are, and which file they are written in."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import acot_core.experiments  # noqa: F401  some of what it imports draws a random number, once

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[`?([^\]`]*)`?\]\(([^)\s]+)\)")


def resolve(name: str) -> Any:
    """The module, class, function or attribute of that full name; an attribute goes before a module."""
    first, *parts = name.removesuffix("()").split(".")
    value, path = importlib.import_module(first), first
    for name in parts:
        path = f"{path}.{name}"
        value = getattr(value, name) if hasattr(value, name) else importlib.import_module(path)
    return value


def written_in(name: str) -> Path:
    """The file that the name is written in: for data, that of the module it is an attribute of."""
    value = resolve(name)
    if not (inspect.ismodule(value) or inspect.isclass(value) or callable(value)):
        value = resolve(name.rpartition(".")[0])
    source = inspect.getsourcefile(inspect.unwrap(value) if callable(value) else value)
    assert source is not None
    return Path(source).resolve()


def check(label: str, target: Path) -> None:
    """A link leads to a file, and one that is called by a name of the package to where that is written."""
    assert target.exists(), target
    if label.startswith("acot_core."):
        assert written_in(label) == target.resolve(), f"{label} is written in {written_in(label)}"
