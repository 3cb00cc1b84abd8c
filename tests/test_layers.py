"""The layers of acot_core: imports go down only, and no GUI toolkit or pyplot gets in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "acot_core"
LAYERS = (
    "files memory progress parameters threads records sequences checkpoints datasets",
    "transport couplings entropic simplex grassmann",
    "riemannian objective alternation subspaces line_search reduced reference subspace_problem response_line "
    "robust",
    "adversary adversary_data adversary_training adversary_checks quality two_sample weights cuda_graph "
    "frame_classifier wgan rmsprop negatives pooling baselines "
    "classify images",
    "experiments",
    "figures",
)
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
FORBIDDEN = {"panel", "ipywidgets", "bokeh", "param", "acot_explorer"}
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


def unit(module: str) -> str | None:
    """The module or subpackage of acot_core that a full name lies in."""
    parts = module.split(".")
    return parts[1] if parts[0] == "acot_core" and len(parts) > 1 and parts[1] in LAYER else None


def violations(source: str, own: str) -> list[str]:
    found = []
    for name in sorted(imports(ast.parse(source))):
        other = unit(name)
        if other is not None and LAYER[other] > LAYER[own]:
            found.append(f"{own} (layer {LAYER[own]}) imports {name} (layer {LAYER[other]})")
        if name.split(".")[0] in FORBIDDEN or name.startswith("matplotlib.pyplot") or name == "pylab":
            found.append(f"{own} imports {name}")
    return found


def own_unit(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_go_down(file: Path) -> None:
    own = own_unit(file)
    if own == "__init__" or file.name == "__main__.py":  # the package's front, and the command line above all
        return
    assert own in LAYER, f"{own}: a new module needs a layer here"
    assert violations(file.read_text(), own) == []


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ("from acot_core.experiments.ablation import ablation", "pooling"),
        ("def f():\n    import acot_core.figures", "experiments"),
        ("from acot_core import figures", "experiments"),
        ("import panel as pn", "figures"),
        ("from matplotlib import pyplot", "figures"),
        ("import matplotlib.pyplot as plt", "figures"),
    ],
)
def test_a_violation_is_seen(source: str, own: str) -> None:
    assert violations(source, own)


def test_importing_the_package_loads_no_gui_and_no_pyplot() -> None:
    code = (
        "import sys, acot_core, acot_core.experiments, acot_core.figures\n"
        "bad = {'panel', 'ipywidgets', 'bokeh', 'matplotlib.pyplot', 'aeon', 'dask'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
