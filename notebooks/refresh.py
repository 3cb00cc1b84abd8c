"""Run notebooks and store what they show: `python notebooks/refresh.py [name ...]`, all of them by default.

What is stored: code, text and figures, and a digest of the code that drew the figures. What is not: widgets,
their state, execution times. `tests/notebooks/test_notebooks.py` runs them by the same `execute` and holds
the digest against the code. README's gallery comes from the notebooks, too: the figures of `GALLERY`, in
`docs/images`.
`python notebooks/refresh.py --check [name ...]` runs them and stores nothing: it prints the seconds of each
and how many of its outputs are not those that are stored.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import inspect
import os
import re
import resource
import sys
from itertools import zip_longest
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat
from nbclient import NotebookClient

from acot_core._utils.files import atomic_write

FOLDER = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
IMAGES = FOLDER.parent / "docs" / "images"
# By the name that a notebook saves the figure under.
GALLERY = {
    "theorem1": "45_theorem_1",
    "table1": "60_classification",
    "figure2a": "65_sensitivity",
    "figure2d": "65_sensitivity",
    "figure4": "70_embedding",
    "figure5_sure": "31_fooling_rate",
    "plans": "80_does_transport_matter",
}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebooks() -> list[Path]:
    """The notebooks in their order."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    """A notebook as nbformat reads it."""
    return nbformat.read(path, as_version=4)


def execute(notebook: Any, timeout: int = 600) -> Any:
    """Run every cell in this folder, on one thread; the first error is raised."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
        store_widget_state=False,
    )
    return client.execute()


def digest(notebook: Any) -> str:
    """Of the code cells, and of the modules of `acot_core.figures` that they draw with."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    figures = importlib.import_module("acot_core.figures")
    drawn = sorted(set(re.findall(r"\bplot_\w+", code)))
    modules = {inspect.getmodule(getattr(figures, name)) for name in drawn} | {figures.style}
    sources = sorted(inspect.getsource(module) for module in modules if module is not None)
    return hashlib.sha256("\n".join([code, *sources]).encode()).hexdigest()[:16]


def clean(notebook: Any) -> Any:
    """Keep code, text and figures: each widget leaves the picture that it showed."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}, "code": digest(notebook)}
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02d}", {}
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)
        # Warnings hold paths of the machine; they are for whoever runs the notebook.
        kept = [o for o in cell.outputs if o.get("name") == "stdout" or o.get("data")]
        for output in kept:
            if "image/png" in output.get("data", {}):
                output.data.pop("text/plain", None)
                output.metadata = {}
        cell.outputs = kept
    return notebook


def contents(notebook: Any) -> list[str]:
    """What each output shows: a picture, or a text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.get("data", {}) | {"text": output.get("text", "")} for output in outputs]
    return [data.get("image/png", data.get("text/plain", data["text"])).strip() for data in shown]


def stored_figure(file: str) -> bytes:
    """The PNG that a notebook of `GALLERY` stores of the figure that it would save as ``file``.pdf."""
    for cell in read(FOLDER / f"{GALLERY[file]}.ipynb").cells:
        if cell.cell_type == "code" and cell.source.endswith(f'"{file}.pdf")'):
            (picture,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
            return base64.b64decode(picture)
    raise ValueError(f"{GALLERY[file]} shows no {file}.pdf")


def main(names: list[str]) -> None:
    """Run, clean and write the notebooks whose names hold one of ``names``, and the gallery."""
    keep = "--check" not in names
    names = [name for name in names if name != "--check"]
    for path in notebooks():
        if names and not any(name in path.name for name in names):
            continue
        start, used = perf_counter(), _processor()
        notebook = clean(execute(read(path)))
        old, new = (contents(n) for n in (read(path), notebook))
        differ = sum(a != b for a, b in zip_longest(old, new))
        if keep:
            nbformat.write(notebook, path)
            for file in (file for file, shown_in in GALLERY.items() if shown_in == path.stem):
                atomic_write(IMAGES / f"{file}.png", stored_figure(file))
        print(
            f"{path.name}: {perf_counter() - start:.0f} s, of the processor {_processor() - used:.0f} s, "
            f"{path.stat().st_size / 1024:.0f} KB, {differ} of {len(new)} outputs changed",
            flush=True,
        )


def _processor() -> float:
    """Seconds that finished kernels have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
