"""Check the built site offline: every link, picture and anchor is there, and nothing comes from elsewhere.

python docs/check.py docs/_build/html
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("link", "href"), *((tag, "src") for tag in ("iframe", "img", "script", "source", "video"))}
NOT_LOADED = {"canonical", "index", "next", "prev", "search"}  # links of the head that no browser fetches


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif (tag, name) in LOADED and value and dict(attrs).get("rel") not in NOT_LOADED:
                self.loads.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)


@cache
def page(path: Path) -> Page:
    """The parsed page."""
    return Page(path)


def problems(root: Path) -> list[str]:
    """What is wrong in any page below ``root``, one line each."""
    wrong = []
    for path in sorted(root.rglob("*.html")):
        if {"_static", "_modules"} & set(path.parts):  # the way back from sources: one name of two
            continue
        where = path.relative_to(root)
        wrong += [f"{where} loads {url} from elsewhere" for url in page(path).loads if urlsplit(url).netloc]
        for url in {*page(path).links, *page(path).loads}:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                wrong.append(f"{where} links to {url}, which is not there")
            elif target.suffix == ".html" and unquote(parts.fragment) not in page(target).anchors:
                wrong.append(f"{where} links to {url}, which has no such anchor")
    return wrong


if __name__ == "__main__":
    faults = problems(Path(sys.argv[1]))
    print("\n".join(faults) or f"every link of {sys.argv[1]} leads somewhere")
    sys.exit(bool(faults))
