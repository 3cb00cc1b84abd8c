"""The notebooks run, show what their code draws today, and are stored without widgets."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
from pathlib import Path
from typing import Any

import links
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))


def _refresh() -> Any:
    spec = importlib.util.spec_from_file_location("notebooks_refresh", FOLDER / "refresh.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


refresh = _refresh()
each = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


def sources(path: Path, kind: str) -> list[str]:
    return ["".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == kind]


def pictures(notebook: Any) -> int:
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_names_tell_order_and_purpose() -> None:
    assert PATHS, "no notebooks"
    assert PATHS[0].name == "00_start_here.ipynb"
    numbers = [int(re.fullmatch(r"(\d\d)_[a-z0-9_]+", path.stem)[1]) for path in PATHS]  # type: ignore[index]
    assert numbers == sorted(set(numbers))


@each
def test_each_leads_to_the_next(path: Path) -> None:
    text = "\n".join(sources(path, "markdown"))
    following = PATHS[PATHS.index(path) + 1 :][:1]
    assert all(f"({after.name})" in text for after in following)


@each
def test_parts_of_a_notebook(path: Path) -> None:
    text = sources(path, "markdown")
    assert text[0].startswith("# ")
    for part in ("**Question.**", "**Controls.**", "**What to notice.**", "**Try this.**"):
        assert part in "\n".join(text), part
    code = sources(path, "code")
    assert "show(" in code[0], "the first code cell draws the finished figure"
    assert "acot_core" in code[0]
    assert any(re.search(r"\.controls\[.*\]\.value = ", cell) for cell in code), "no cell moves a slider"


@each
def test_links_lead_somewhere(path: Path) -> None:
    linked = links.LINK.findall("\n".join(sources(path, "markdown")))
    assert linked
    for label, target in linked:
        links.check(label, FOLDER / target)


def test_every_equation_stands_beside_its_function() -> None:
    shown = set()
    for path in PATHS:
        for text in sources(path, "markdown"):
            numbers = {
                int(n) for group in re.findall(r"\\qquad\(([\d, ]+)\)", text) for n in group.split(",")
            }
            if numbers:
                assert any(label.startswith("acot_core.") for label, _ in links.LINK.findall(text)), text
            shown |= numbers
    assert shown == set(range(1, 18)), f"not shown: {sorted(set(range(1, 18)) - shown)}"


@each
def test_holds_no_logic_of_its_own(path: Path) -> None:
    for code in sources(path, "code"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.ClassDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 9, f"{length} lines: move them to acot_core\n{ast.unparse(node)}"


def faults(path: Path) -> list[str]:
    """What keeps a stored notebook from being committed."""
    notebook, text = refresh.read(path), path.read_text()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    drawn = [c for c in notebook.cells if any("image/png" in o.get("data", {}) for o in c.get("outputs", []))]
    shown = sum("show(" in cell.source or "explore(" in cell.source for cell in notebook.cells[1:])
    reasons = {
        "metadata": set(notebook.metadata) - {"kernelspec", "language_info", "code"},
        "metadata of a cell": [cell for cell in notebook.cells if cell.metadata],
        "widgets": "jupyter.widget" in text,
        "size": path.stat().st_size >= 450_000,
        "path of a machine": re.search(r"/home/|/work/|/root/", text),
        "error": [o for o in outputs if o.output_type == "error"],
        "figure without an export button": [c for c in drawn if not re.search(r"show\(|explore\(", c.source)],
        "opens without a figure": not any(
            "image/png" in o.get("data", {})
            for o in next(c for c in notebook.cells if c.cell_type == "code").outputs
        ),
        "figure missing": pictures(notebook) < min(shown, 3),
        "out of date": notebook.metadata.code != refresh.digest(notebook),
    }
    return [name for name, fault in reasons.items() if fault]


@each
def test_stored_clean_and_in_date(path: Path) -> None:
    assert faults(path) == [], f"run: python notebooks/refresh.py {path.stem}"


def _widget_state(notebook: Any) -> None:
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def _widget_view(notebook: Any) -> None:
    output = next(o for c in notebook.cells for o in c.get("outputs", []) if "data" in o)
    output.data[refresh.WIDGET] = {"model_id": "x"}


def _other_code(notebook: Any) -> None:
    cell = next(c for c in notebook.cells if c.cell_type == "code")
    cell.source += "\n# changed"


def _no_figure(notebook: Any) -> None:
    next(c for c in notebook.cells if c.cell_type == "code").outputs = []


def _error(notebook: Any) -> None:
    cell = next(c for c in notebook.cells if c.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (_widget_state, "widgets"),
        (_widget_view, "widgets"),
        (_other_code, "out of date"),
        (_no_figure, "opens without a figure"),
        (_error, "error"),
    ],
)
def test_a_fault_is_seen(tmp_path: Path, harm: Any, named: str) -> None:
    notebook = refresh.read(PATHS[0])
    harm(notebook)
    nbformat.write(notebook, tmp_path / PATHS[0].name)
    assert named in faults(tmp_path / PATHS[0].name)


def test_a_notebook_goes_out_of_date_with_its_figures_code(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook, other = refresh.read(PATHS[0]), refresh.read(FOLDER / "45_theorem_1.ipynb")
    before = refresh.digest(notebook), refresh.digest(other)
    source = inspect.getsource
    monkeypatch.setattr(
        inspect, "getsource", lambda m: source(m) + "#" * (m.__name__ == "acot_core.figures.descent")
    )
    assert refresh.digest(notebook) != before[0]  # it draws energies
    assert refresh.digest(other) == before[1]  # it does not


def test_a_failing_cell_fails() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        refresh.execute(notebook)


@each
def test_what_is_quoted_was_measured(path: Path) -> None:
    records = (json.loads(file.read_text()) for file in (ROOT / "benchmarks" / "results").glob("*.json"))
    measured = "".join(json.dumps(record, ensure_ascii=False) for record in records)
    quoted = re.findall(r"\d+\.\d ± \d+\.\d", "\n".join(sources(path, "markdown")))
    assert [number for number in quoted if number not in measured] == []


@pytest.mark.parametrize("file", refresh.GALLERY)
def test_the_gallery_is_what_the_notebooks_show(file: str) -> None:
    assert (refresh.IMAGES / f"{file}.png").read_bytes() == refresh.stored_figure(file)


@pytest.mark.notebook
@pytest.mark.timeout(600)
@each
def test_runs_from_top_to_bottom(path: Path) -> None:
    notebook = refresh.read(path)
    stored = pictures(notebook)
    fresh = refresh.clean(refresh.execute(notebook))
    assert pictures(fresh) == stored
    assert "cannot be shown" not in json.dumps(fresh)
