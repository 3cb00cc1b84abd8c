"""The notebooks run, show what their code draws today, and are stored without widgets."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
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
    text = "\n".join(sources(path, "markdown"))
    links = re.findall(r"\[`?([^\]`]*)`?\]\(([^)\s]+)\)", text)
    assert links
    for label, target in links:
        assert (FOLDER / target).is_file(), target
        if label.startswith("acot_core."):
            resolve(label)


@each
def test_stored_clean(path: Path) -> None:
    notebook = refresh.read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "code"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.metadata for cell in notebook.cells)
    assert "jupyter.widget" not in path.read_text()
    assert path.stat().st_size < 400_000
    assert not re.search(r"/home/|/work/|/root/", path.read_text())
    errors = [o for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == "error"]
    assert not errors


@each
def test_figures_are_in_date(path: Path) -> None:
    notebook = refresh.read(path)
    shown = sum("show(" in cell.source or "explore(" in cell.source for cell in notebook.cells[1:])
    assert pictures(notebook) >= min(shown, 3)
    assert notebook.metadata.code == refresh.digest(notebook), f"run: python notebooks/refresh.py {path.stem}"


@pytest.mark.notebook
@pytest.mark.timeout(600)
@each
def test_runs_from_top_to_bottom(path: Path) -> None:
    notebook = refresh.read(path)
    stored = pictures(notebook)
    fresh = refresh.clean(refresh.execute(notebook))
    assert pictures(fresh) == stored
    assert "cannot be shown" not in json.dumps(fresh)


def resolve(name: str) -> Any:
    """The module, function, class or attribute of that full name."""
    parts = name.removesuffix("()").split(".")
    for cut in range(len(parts), 0, -1):
        if importlib.util.find_spec(parts[0]) is None:
            break
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def test_paper_map_resolves() -> None:
    text = (ROOT / "docs" / "paper_map.md").read_text()
    rows = [row for row in text.splitlines() if row.startswith("| ") and "---" not in row][1:]
    assert len(rows) >= 30
    for row in rows:
        names = re.findall(r"`(acot_core[\w.]*)`", row)
        assert names, row
        for name in names:
            resolve(name)
        for target in re.findall(r"\]\(([^)]+)\)", row):
            assert (ROOT / "docs" / target).is_file(), target
    for number in range(1, 15):
        assert re.search(rf"Eq\. \({number}\)", text), f"no row for Eq. ({number})"
    for item in [f"Figure {n}" for n in range(1, 6)] + [f"Table {n}" for n in (1, 2, 3)] + ["Theorem 1"]:
        assert item in text, item
    for path in PATHS:
        assert f"{path.name})" in text, f"{path.name} is in no row"
