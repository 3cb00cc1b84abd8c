"""The house: which folder may import which, what stands at the root; no GUI toolkit and no pyplot."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "acot_core"
# From the ground up: a folder (or file) imports only what stands on an earlier line, or itself.
FLOORS = (
    {"_utils"},
    {"sequences"},
    {"datasets", "riemannian", "transport"},
    {"gan", "subspace", "classify"},
    {"pooling", "images"},
    {"baselines"},
    {"experiments"},
    {"figures"},
    {"__main__", "_commands"},
)
FLOOR = {name: level for level, names in enumerate(FLOORS, 1) for name in names}
FORBIDDEN = {"panel", "ipywidgets", "bokeh", "param", "acot_explorer", "acot_notebooks"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST) -> set[str]:
    """Full names of the modules that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_name(file: Path, root: Path = ROOT) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def folder_of(module: str) -> str | None:
    """The folder or file at the root of acot_core that a full name lies in."""
    parts = module.split(".")
    return parts[1] if parts[0] == "acot_core" and len(parts) > 1 and parts[1] in FLOOR else None


def violations(source: str, folder: str) -> list[str]:
    wrong = []
    for name in sorted(imports(ast.parse(source))):
        other = folder_of(name)
        if other is not None and other != folder and FLOOR[other] >= FLOOR[folder]:
            wrong.append(f"{folder} (floor {FLOOR[folder]}) imports {name} (floor {FLOOR[other]})")
        if name.split(".")[0] in FORBIDDEN or name.startswith("matplotlib.pyplot") or name == "pylab":
            wrong.append(f"{folder} imports {name}")
    return wrong


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_go_down(file: Path) -> None:
    folder = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if folder == "__init__":  # the front door, which loads what is asked for
        return
    assert folder in FLOOR, f"{folder}: a new folder needs a floor here"
    assert violations(file.read_text(), folder) == []


def test_there_are_at_most_nine_floors_and_twelve_public_entries() -> None:
    assert len(FLOORS) <= 9
    entries = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    public = {name for name in entries if not name.startswith("_")}
    assert public == {name for name in FLOOR if not name.startswith("_")}
    assert len(public) <= 12


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from acot_core.experiments.table1 import ablation", "pooling"),
        ("def f():\n    import acot_core.figures", "experiments"),
        ("from acot_core import figures", "experiments"),
        ("from acot_core.gan import Adversary", "subspace"),
        ("import panel as pn", "figures"),
        ("from matplotlib import pyplot", "figures"),
        ("import matplotlib.pyplot as plt", "figures"),
    ],
)
def test_a_violation_is_seen(source: str, module: str) -> None:
    assert violations(source, module)


# ------------------------------------------------------------------ circles, from the code's own imports


@cache
def graph(folder: str) -> Mapping[str, frozenset[str]]:
    """Which module imports which, below a folder of the repository; a package's __init__ is the package."""
    base = ROOT / folder
    names = {module_name(file, base.parent): file for file in base.rglob("*.py")}
    return {
        name: frozenset(
            target
            for target in imports(ast.parse(file.read_text()))
            if target in names
            and target != name
            # a module may import from a package that it lies in only through the package's siblings
            and not name.startswith(f"{target}.")
        )
        for name, file in names.items()
    }


def circle(edges: Mapping[str, frozenset[str]]) -> list[str]:
    """Some modules that import each other in a loop; empty where there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for target in sorted(edges.get(name, ())):
            if loop := visit(target, [*path, name]):
                return loop
        done.add(name)
        return []

    for start in sorted(edges):
        if loop := visit(start, []):
            return loop
    return []


@pytest.mark.parametrize("folder", ["acot_core", "apps/acot_explorer", "benchmarks"])
def test_no_modules_import_each_other_in_a_circle(folder: str) -> None:
    edges = graph(folder)
    assert len(edges) > 5
    assert circle(edges) == []


def test_a_circle_is_seen() -> None:
    edges = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"}), "d": frozenset()}
    assert set(circle(edges)) == {"a", "b", "c"}


def test_importing_the_package_loads_no_gui_and_no_pyplot() -> None:
    code = (
        "import sys, acot_core, acot_core.experiments, acot_core.figures\n"
        "bad = {'panel', 'ipywidgets', 'bokeh', 'matplotlib.pyplot', 'aeon', 'dask'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_function_shadows_its_module() -> None:
    """Under a module's own full name stands the module, whatever its package exports."""
    code = (
        "import importlib, pkgutil, sys, types, acot_core\n"
        "modules = pkgutil.walk_packages(acot_core.__path__, 'acot_core.')\n"
        "names = [m.name for m in modules if '__main__' not in m.name]\n"
        "for name in names: importlib.import_module(name)\n"
        "def reached(name):\n"
        "    value = acot_core\n"
        "    for part in name.split('.')[1:]: value = getattr(value, part)\n"
        "    return value\n"
        "sys.exit(', '.join(n for n in names if not isinstance(reached(n), types.ModuleType)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
