"""README says what was measured, and names only what is there."""

import json
import re
import shlex
from pathlib import Path

import pages
import pytest

from benchmarks import tables

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 120


def test_the_measured_tables_are_those_of_the_results():
    assert tables.filled(README) == README, "run python -m benchmarks.tables"


def test_every_measured_table_names_its_command():
    markers = list(re.finditer(r"<!-- (?!end )(\w+) -->", README))
    assert markers
    for marker in markers:
        name = marker[1]
        expected = tables.command(name, json.loads((tables.RESULTS / f"{name}.json").read_text()))
        before = README[: marker.start()].rpartition("\n\n")[0].rpartition("\n\n")[2]
        told = [shlex.split(c) for c in re.findall(r"`([^`]+)`", " ".join(before.split()))]
        matching = [command for command in told if sorted(command) == sorted(shlex.split(expected))]
        assert matching, f"expected {expected}"


def test_no_figure_stands_outside_a_measured_table():
    """A measured number of README is in a table that names its command."""
    text = re.sub(r"<!-- (\w+) -->.*?<!-- end -->|```.*?```", "", README, flags=re.S)
    assert re.findall(r"\d+(?:\.\d+)? ?(?:%|ms\b|s\b|x\b|times\b|points\b)|± ?\d", text) == []


def test_every_link_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if ":" not in link]
    assert len(links) > 15
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(pages.examples(README)) == 2
    pages.run(README)


@pytest.mark.parametrize("command", pages.commands(README))
def test_every_command_that_it_names_is_one(command):
    pages.check(command)
