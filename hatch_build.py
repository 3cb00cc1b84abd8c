"""README for the package index, which has no files of the repository: pictures and links by their addresses.

GitHub's runners name the repository and the commit; a build elsewhere leaves README as it is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def absolute(text: str, repository: str, commit: str) -> str:
    """Markdown whose relative pictures and links are addresses at one commit of a repository on GitHub."""

    def address(link: re.Match[str]) -> str:
        picture, words, path = link.groups()
        raw = f"https://raw.githubusercontent.com/{repository}/{commit}"
        base = raw if picture else f"https://github.com/{repository}/blob/{commit}"
        return f"{picture}{words}({base}/{path})"

    return re.sub(r"(!?)(\[[^]]*\])\((?![a-z]+:|#)([^)]+)\)", address, text)


class Readme(MetadataHookInterface):
    """The project's ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        named = [os.environ.get(name, "") for name in ("GITHUB_REPOSITORY", "GITHUB_SHA")]
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, *named) if all(named) else text,
        }
