"""README says what was measured, and names only what is there."""

import importlib.util
import json
import re
import shlex
import subprocess
from pathlib import Path

import links
import pytest

from acot_core.experiments.__main__ import _parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_measured_tables_are_those_of_the_results():
    spec = importlib.util.spec_from_file_location("readme", ROOT / "benchmarks/readme.py")
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    assert readme.filled(README) == README, "run python -m benchmarks.readme"


def test_every_measured_table_names_its_command():
    unnamed = []
    for marker in re.finditer(r"<!-- (\w+) -->", README):
        file = ROOT / f"benchmarks/results/{marker[1]}.json"
        if not file.exists() or "command" not in (result := json.loads(file.read_text())):
            continue
        before = README[: marker.start()]
        text = " ".join(before[before.rindex("\n**") :].split())
        _, *options = result["command"].split(" --")
        unnamed += [(marker[1], option) for option in options if f"--{option}" not in text]
    assert not unnamed


def test_every_link_of_readme_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 5
    for link in links:
        assert (ROOT / link).exists(), link


def table() -> list[list[str]]:
    """The rows from the paper to the code: what, functions, notebook."""
    part = README.partition("## From the paper to the code")[2].partition("\n## ")[0]
    rows = [row.strip("| ").split(" | ") for row in part.splitlines() if row.startswith("| ")]
    return rows[1:]


@pytest.mark.parametrize("row", table(), ids=lambda row: row[0])
def test_an_entry_of_the_table_resolves(row):
    _, functions, notebooks = row
    named = links.LINK.findall(functions)
    assert named
    for label, target in named:
        assert label.startswith("acot_core."), label
        links.check(label, ROOT / target)
    shown = links.LINK.findall(notebooks)
    assert shown
    for _, target in shown:
        text = (ROOT / target).read_text()
        assert any(label.rpartition(".")[2] in text for label, _ in named), f"{target} shows none of {named}"


def test_the_table_is_complete():
    told = " ".join(what for what, _, _ in table())
    sections = ["3", "3.1", "3.1.1", "3.2", "3.3", "3.4", "3.5", "3.6", "4", "4.1", "4.2", "4.3"]
    wanted = [rf"Sec\. {re.escape(n)}\b(?!\.\d)" for n in sections] + [
        r"App\. A",
        r"App\. B\.1",
        r"App\. B\.2",
    ]
    wanted += [rf"Eq\. \({n}\)" for n in range(1, 18)] + [rf"Figure {n}" for n in range(1, 6)]
    wanted += [rf"Table {n}" for n in (1, 2, 3)] + ["Theorem 1"]
    assert [w for w in wanted if not re.search(w, told)] == []
    notebooks = " ".join(shown for _, _, shown in table())
    assert [p.name for p in (ROOT / "notebooks").glob("*.ipynb") if f"{p.name})" not in notebooks] == []


def test_every_make_target_of_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make (\w+)", README)) - {"nothing"}:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_file_and_name_in_contributing_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    files = re.findall(r"`((?:acot_core|apps|benchmarks|notebooks|tests)/[\w./]+)`", text)
    assert len(files) > 10
    assert [file for file in files if not (ROOT / file).exists()] == []
    for name in re.findall(r"`(acot_core\.[\w.]+)`", text):
        links.resolve(name)
    sources = "\n".join(path.read_text() for path in (ROOT / "acot_core").rglob("*.py"))
    for name in (
        "read_time_series",
        "MaxPooling",
        "random_coupling",
        "check_problem",
        "closed_form",
        "plot_confusion",
    ):
        assert name in text
        assert re.search(rf"^(class|def) {name}\b", sources, re.M), name


def test_the_api_documentation_has_a_page_for_each_module():
    plan = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (call,) = (line for line in plan.splitlines() if "/pdoc " in line)
    files = [p for p in (ROOT / "acot_core").rglob("*.py") if p.name != "__main__.py"]
    modules = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in files}
    assert modules <= set(call.split())


def test_every_command_that_is_quoted_is_one():
    cells = [c for p in (ROOT / "notebooks").glob("*.ipynb") for c in json.loads(p.read_text())["cells"]]
    texts = [README, (ROOT / "CONTRIBUTING.md").read_text(), *("".join(cell["source"]) for cell in cells)]
    commands = re.findall(r"`python\s+-m\s+acot_core\.experiments\s+([^`]+)`", "\n".join(texts))
    assert len(commands) >= 9
    for command in commands:
        _parser().parse_args(shlex.split(command))
