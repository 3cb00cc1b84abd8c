"""The oldest versions that pyproject allows, as constraints for pip.

    python tests/helpers/lowest.py [NAME==VERSION]...

A pin given replaces the bound of that name: of torch, where only some builds are to be had.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
BOUND = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)")


def requirements() -> list[str]:
    """What pyproject asks for, of others: of the package itself and of each of its extras."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    rows = [row for group in groups for row in group if not row.startswith(project["name"])]
    return list(dict.fromkeys(rows))  # some serve two extras


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bounds() -> dict[str, str]:
    """Canonical name and lowest version; what has no bound (stubs, for mypy alone) is left out."""
    return {canonical(m[1]): m[2] for row in requirements() if (m := BOUND.fullmatch(row))}


def lowest(pins: list[str]) -> Iterator[str]:
    given = {canonical(pin.split("==")[0]) for pin in pins}
    yield from (f"{name}=={version}" for name, version in bounds().items() if name not in given)
    yield from pins


if __name__ == "__main__":
    print(*lowest(sys.argv[1:]), sep="\n")
