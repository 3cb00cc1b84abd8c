"""What pyproject names is pinned in constraints.txt within its bound; the oldest versions are listed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lowest
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in LINES if not line.startswith("#"))
}


@pytest.mark.parametrize("row", lowest.requirements())
def test_what_pyproject_names_is_pinned_within_its_bounds(row: str) -> None:
    requirement = Requirement(row)
    pin = PINS.get(canonicalize_name(requirement.name))
    assert pin, f"{requirement.name} is not in constraints.txt"
    assert requirement.specifier.contains(pin), (
        f"constraints.txt pins {requirement.name} at {pin}, pyproject wants {row}"
    )


def test_every_constraint_is_one_version() -> None:
    assert all(PINS.values())
    assert len(PINS) > 100
    assert not any("@" in name or " " in name for name in PINS)


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    command = [sys.executable, lowest.__file__, "Torch==2.13.0"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    oldest = dict(line.split("==") for line in listed)
    assert oldest.pop("Torch") == "2.13.0"
    assert "torch" not in oldest
    for row in lowest.requirements():
        requirement = Requirement(row)
        if requirement.specifier and requirement.name != "torch":
            version = oldest.pop(canonicalize_name(requirement.name))
            assert requirement.specifier.contains(version)
            assert str(requirement.specifier) == f">={version}", "a bound of another form is not understood"
    assert not oldest
