"""Copy the notebooks into docs/notebooks: links to source files lead to the API, code opens by a click."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LINK = re.compile(r"\[`(acot_core[\w.]*)(?:\(\))?`\]\(\.\./[^)]+\)")


def adapted(text: str) -> str:
    """A notebook's Markdown with links that hold on the site."""
    return LINK.sub(r"{py:obj}`\1`", text).replace("](../docs/", "](../")


def copy(app: Sphinx) -> None:
    """Write every notebook that changed; remove what is no longer there."""
    source, target = Path(app.srcdir).parent / "notebooks", Path(app.srcdir) / "notebooks"
    there = {path.name for path in source.glob("*.ipynb")}
    for path in target.glob("*.ipynb"):
        if path.name not in there:
            path.unlink()
    for name in there:
        notebook = json.loads((source / name).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = adapted("".join(cell["source"]))
            elif cell["cell_type"] == "code":
                cell["metadata"]["tags"] = [*cell["metadata"].get("tags", ()), "hide-input"]
        text = json.dumps(notebook, ensure_ascii=False, indent=1)
        file = target / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", copy, priority=100)
    return {"parallel_read_safe": True}
