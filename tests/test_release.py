"""What is said of a release in several places is the same in all: versions, pins, Pythons, dates."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import acot_core

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_citation_and_of_the_newest_release_in_the_changelog():
    citation = read("CITATION.cff")
    heading = re.search(
        r"^## (\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M
    )
    assert heading
    assert acot_core.__version__ == citation["version"] == heading[1]
    assert str(citation["date-released"]) == heading[2]


def test_hooks_and_container_use_the_versions_of_constraints():
    texts = [
        (ROOT / name).read_text(encoding="utf-8")
        for name in (".pre-commit-config.yaml", "Dockerfile", "Makefile")
    ]
    named = [pin for text in texts for pin in re.findall(r"\b([\w-]+)==([\d.]+)", text)]
    assert len(named) >= 8
    assert {(name, version) for name, version in named if PINS.get(name) != version} == set()


def test_hooks_need_no_environment_of_ours():
    hooks = [hook for repo in read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {"ruff-check", "ruff-format", "nbstripout", "codespell"} <= {hook["id"] for hook in hooks}
    assert all(hook["language"] == "python" and hook["additional_dependencies"] for hook in hooks)


def test_ci_runs_every_python_that_is_promised_on_three_systems():
    matrix = read(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    promised = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert matrix["python"] == promised == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={promised[0]}"
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_more_rights_than_it_needs_and_names_files_that_are_there(workflow):
    text = read(str(workflow.relative_to(ROOT)))
    assert text["permissions"] == {"contents": "read"}
    for name, job in text["jobs"].items():
        assert job["timeout-minutes"] <= (350 if name == "deep" else 90)
        for command in (step["run"] for step in job["steps"] if "run" in step):
            files = re.findall(r"\b((?:tests|docs|benchmarks)/[\w/.]+\.py)", command)
            assert [file for file in files if not (ROOT / file).exists()] == []
            for target in re.findall(r"\bmake ([a-z-]+)", command):
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.M), target


def test_a_release_is_published_without_a_stored_token():
    publish = read(".github/workflows/release.yml")["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert not any("password" in step.get("with", {}) for step in publish["steps"])


def test_the_container_runs_as_a_user_without_rights_and_looks_after_its_health():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert any(re.fullmatch(r"USER [1-9]\d*", line) for line in last)
    assert any(line.startswith("HEALTHCHECK") for line in last)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    packages = ["pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "acot_core", "apps"]
    assert all(f"!{name}" in ignored for name in packages)


def test_the_dev_container_makes_the_environment_of_conda():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert "environment.yml" in container["onCreateCommand"]
    assert "-e .[dev]" in read("environment.yml")["dependencies"][-1]["pip"]
