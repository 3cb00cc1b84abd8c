"""Copy the notebooks into docs/notebooks: links to source files lead to the API, code opens by a click.

A figure of a column's width and a table take half of the page; the next one, or the text, stands beside it.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

LINK = re.compile(r"\[`(acot_core[\w.]*)(?:\(\))?`\]\(\.\./[^)]+\)")

COLUMN = 500
"""Pixels of a figure of a column's width, at most."""


def adapted(text: str) -> str:
    """A notebook's Markdown with links that hold on the site."""
    text = LINK.sub(r"{py:obj}`\1`", text).replace("](../docs/", "](../")
    # What one can move belongs to the figure below, not beside the one above.
    return re.sub(r"^\*\*Controls", r"{.clear}\n\g<0>", text, flags=re.M)


def half(cell: dict[str, Any]) -> bool:
    """Whether a cell shows a table or a figure of a column's width, and nothing wider."""
    shown = [output.get("data", {}) for output in cell["outputs"]]
    widths = [png_width(data["image/png"]) for data in shown if "image/png" in data]
    return max(widths, default=0) <= COLUMN and (bool(widths) or any("text/html" in data for data in shown))


def png_width(picture: str) -> int:
    """Pixels, from the header of a PNG in base 64."""
    return int.from_bytes(base64.b64decode(picture[:32])[16:20], "big")


def copy(app: Sphinx) -> None:
    """Write every notebook that changed; remove what is no longer there."""
    source, target = Path(app.srcdir).parent / "notebooks", Path(app.srcdir) / "notebooks"
    there = {path.name for path in source.glob("*.ipynb")}
    for path in target.glob("*.ipynb"):
        if path.name not in there:
            path.unlink()
    for name in there:
        notebook = json.loads((source / name).read_text(encoding="utf-8"))
        side = "none"
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"], side = adapted("".join(cell["source"])), "none"
            elif cell["cell_type"] == "code":
                side = "none" if not half(cell) else "right" if side == "left" else "left"
                cell["metadata"]["tags"] = ["hide-input", side]
        text = json.dumps(notebook, ensure_ascii=False, indent=1)
        file = target / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", copy, priority=100)
    return {"parallel_read_safe": True}
