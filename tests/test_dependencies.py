"""What pyproject names is pinned in constraints.txt within its bound; the oldest versions are listed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
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


def installed_with(rows: list[str]) -> set[str]:
    """The distributions that pip installs for some requirements, theirs included."""
    found: set[str] = set()
    todo = [(Requirement(row), "") for row in rows]
    while todo:
        row, extra = todo.pop()
        name = canonicalize_name(row.name)
        if row.marker is not None and not row.marker.evaluate({"extra": extra}):
            continue
        for each in ("", *row.extras):
            if f"{name}[{each}]" not in found:
                found.add(f"{name}[{each}]")
                try:
                    todo += [(Requirement(needed), each) for needed in requires(name) or []]
                except PackageNotFoundError:  # of another platform
                    continue
    return {each.partition("[")[0] for each in found}


def test_the_explorer_needs_nothing_that_its_extra_does_not_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    there = installed_with([*project["dependencies"], *project["optional-dependencies"]["app"]])
    absent = [
        top
        for top, owners in packages_distributions().items()
        if not {*map(canonicalize_name, owners)} & {*there, "acot-explorer"}
    ]
    assert {"aeon", "av", "cv2", "statsmodels"} <= {*absent}
    program = f"""
import sys
class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {set(absent)}:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Absent)
import acot_explorer.app
from acot_explorer.steps import ALL_STEPS
from acot_core.experiments.figure3 import perturb_images
print(len(ALL_STEPS), perturb_images("shapes", rows=[0], n_draws=1).summary()["accepted"] >= 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["10", "True"], done.stderr


@pytest.mark.parametrize(
    ("extra", "package", "call"),
    [
        ("datasets", "aeon", "acot.baselines.DTWClassifier().fit([np.ones((12, 2))] * 4, [0, 0, 1, 1])"),
        (
            "datasets",
            "aeon",
            "acot.baselines.MiniRocketClassifier().fit([np.ones((12, 2))] * 4, [0, 0, 1, 1])",
        ),
        ("datasets", "pooch", "acot.datasets.load_images('cifar10', download=True)"),
        ("video", "av", "acot_core.datasets.video.probe(__import__('sys').executable)"),
        ("video", "cv2", "acot_core.datasets.video.FlowPictures()"),
        (
            "video",
            "onnxruntime",
            "acot_core.datasets.video.OnnxEncoder('pyproject.toml')(np.ones((1, 8, 8, 3), 'uint8'))",
        ),
        ("cluster", "distributed", "main(['experiments', 'retrieval', '--dask', '2'])"),
        ("statistics", "statsmodels", "main(['experiments', 'factorial'])"),
    ],
)
def test_what_an_extra_brings_is_named_where_it_is_missing(extra: str, package: str, call: str) -> None:
    program = f"""
import sys
sys.modules[{package!r}] = None
import numpy as np
import acot_core as acot, acot_core.datasets.video
from acot_core.__main__ import main
try:
    sys.exit({call})
except ImportError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT, timeout=300
    )
    assert done.returncode == (2 if call.startswith("main") else 1)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"needs {package}: pip install 'acot-explorer[{extra}]'" in done.stderr
