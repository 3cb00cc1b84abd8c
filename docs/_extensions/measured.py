"""The directive ``measured``: a table from a record in benchmarks/results, below the command that made it."""

from __future__ import annotations

import json
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from benchmarks import tables


class Measured(SphinxDirective):
    """``{measured} NAME`` shows benchmarks/results/NAME.json, or a summary, by `benchmarks.tables`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name in tables.SUMMARIES:
            self.env.note_reread()
            return self.parse_text_to_nodes(tables.SUMMARIES[name](), allow_section_headings=False)
        if name not in tables.SECTIONS:
            raise self.error(f"expected one of {sorted(tables.SECTIONS)}, got {name!r}")
        path = tables.RESULTS / f"{name}.json"
        self.env.note_dependency(str(path))
        result = json.loads(path.read_text())
        text = f"```bash\n{tables.command(name, result)}\n```\n\n{tables.SECTIONS[name](result)}\n"
        text = text.replace(" ± ", "\u00a0±\u00a0").replace(" % ", "\u00a0% ")  # on one line of a narrow cell
        return self.parse_text_to_nodes(text, allow_section_headings=False)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True}
