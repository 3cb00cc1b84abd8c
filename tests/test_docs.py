"""The documentation site: what it names is there, what it shows runs, and nothing public is left out."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import links
import pages
import pytest

import acot_core
from benchmarks import tables

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = DOCS / "_build/html"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
TEXTS = {str(p.relative_to(DOCS)): p.read_text(encoding="utf-8") for p in PAGES}
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGES = sorted(acot_core._SUBMODULES)
ROLE = re.compile(r"\{py:obj\}`([\w.]+)`")


def markdown(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def paper_map() -> list[list[str]]:
    """The rows from the paper to the code: what, functions, notebook."""
    rows = [
        row.strip("| ").split(" | ") for row in TEXTS["paper_map.md"].splitlines() if row.startswith("| ")
    ]
    return rows[1:]


@pytest.mark.parametrize("row", paper_map(), ids=lambda row: row[0])
def test_an_entry_of_the_paper_map_resolves(row):
    _, functions, notebooks = row
    named = ROLE.findall(functions)
    assert named
    for name in named:
        links.resolve(name)
    shown = re.findall(r"\]\(notebooks/([^)]+)\)", notebooks)
    assert shown
    for file in shown:
        text = (ROOT / "notebooks" / file).read_text(encoding="utf-8")
        assert any(name.rpartition(".")[2] in text for name in named), f"{file} shows none of {named}"


def test_the_paper_map_is_complete():
    told = " ".join(what for what, _, _ in paper_map())
    sections = ["3", "3.1", "3.1.1", "3.2", "3.3", "3.4", "3.5", "3.6", "4", "4.1", "4.2", "4.3"]
    patterns = [rf"Sec\. {re.escape(n)}\b(?!\.\d)" for n in sections]
    patterns += [r"App\. A", r"App\. B\.1", r"App\. B\.2", "Theorem 1"]
    patterns += [rf"Eq\. \({n}\)" for n in range(1, 18)] + [rf"Figure {n}" for n in range(1, 6)]
    patterns += [rf"Table {n}" for n in (1, 2, 3)]
    assert [w for w in patterns if not re.search(w, told)] == []
    assert [p.name for p in NOTEBOOKS if f"{p.name})" not in TEXTS["paper_map.md"]] == []


def test_every_record_of_a_page_has_a_table_and_a_command():
    shown = re.findall(r"^```\{measured\} (\w+)", "\n".join(TEXTS.values()), re.M)
    assert len(shown) > 10
    for name in set(shown) - set(tables.SUMMARIES):
        assert name in tables.SECTIONS
        result = json.loads((tables.RESULTS / f"{name}.json").read_text())
        pages.check(tables.command(name, result))


def test_a_page_measures_nothing_by_hand():
    """Guides state no accuracy and no time: these stand in results, which come from records."""
    for name, text in TEXTS.items():
        if name.startswith("guides/"):
            assert re.findall(r"\d+(?:\.\d+)? ?(?:%|ms\b)|± ?\d", text) == [], name


@pytest.mark.parametrize("name", TEXTS)
def test_no_line_of_a_page_is_a_comment_by_mistake(name):
    """MyST leaves out a line that begins with a per cent sign."""
    assert re.findall(r"^ *%.*$", TEXTS[name], re.M) == []


def test_every_extra_is_named():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    told = set(re.findall(r"`(\w+)`", TEXTS["start.md"].partition("## Which extras")[2]))
    assert set(extras) <= told


def test_every_number_of_the_limits_has_its_command():
    items = re.split(r"^- ", TEXTS["limits.md"], flags=re.M)[1:]
    measured = [item for item in items if re.search(r"\d ?(?:%|dB|MB)|\de-\d", item)]
    assert len(measured) >= 6
    shown = re.compile(r"`(?:acot|make|python) [^`]+`|\(results/|\(a test holds it\)")
    assert [item for item in measured if not shown.search(item)] == []


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if pages.examples(text)])
def test_the_examples_of_a_page_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pages.run(TEXTS[name], before=README)


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = sorted({c for text in [*TEXTS.values(), CONTRIBUTING] for c in pages.commands(text)})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_a_page_is_one(command):
    pages.check(command)


def test_every_command_of_a_notebook_is_one():
    commands = [c for path in NOTEBOOKS for c in pages.commands(markdown(path))]
    assert len(commands) >= 3
    for command in commands:
        pages.check(command)


def test_commands_that_are_none_are_noticed():
    for command in (
        "make nothing-of-it",
        "acot explain",
        "acot experiments table1 --sedes 3",
        "python -m nowhere.at",
    ):
        with pytest.raises((AssertionError, ModuleNotFoundError, argparse.ArgumentError)):
            pages.check(command)


def documented(package: str) -> list[str]:
    return re.findall(r"automodule:: ([\w.]+)", TEXTS[f"api/{package}.md"])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_package_has_a_page_with_its_public_names(package):
    module = importlib.import_module(f"acot_core.{package}")
    assert module.__name__ in documented(package)
    assert f"({package}.md)" in TEXTS["api/index.md"]
    assert module.__all__
    for name in documented(package):
        assert isinstance(importlib.import_module(name), ModuleType)
        assert "._" not in name, "private"


def test_every_file_and_name_in_contributing_is_there():
    text = CONTRIBUTING + TEXTS["decisions.md"]
    files = re.findall(r"`((?:acot_core|apps|benchmarks|docs|notebooks|tests)/[\w./]+)`", text)
    assert len(files) > 10
    assert [file for file in files if not (ROOT / file).exists()] == []
    for name in re.findall(r"`(acot_core\.[\w.]+)`", text):
        links.resolve(name)
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "acot_core").rglob("*.py"))
    for name in (
        "read_time_series",
        "MaxPooling",
        "random_coupling",
        "Problem",
        "TransportResult",
        "plot_confusion",
    ):
        assert name in text
        assert re.search(rf"^(class|def) {name}\b", sources, re.M), name


def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", DOCS / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_check_of_links_sees_what_is_broken(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><a href="https://x.org">4</a>'
        '<script src="https://cdn.org/x.js"></script><img src="gone.png">'
    )
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1><a href="#here">up</a>')
    wrong = "\n".join(checker().problems(tmp_path))
    for part in ("b.html#gone", "c.html", "cdn.org", "gone.png"):
        assert part in wrong
    assert len(wrong.splitlines()) == 4


site = pytest.mark.skipif(
    not SITE.exists() and not os.environ.get("CI"), reason="the site is not built: make docs"
)


@site
def test_the_built_site_is_whole_and_holds_every_page_and_figure():
    assert checker().problems(SITE) == []
    for path in PAGES:
        assert (SITE / path.relative_to(DOCS)).with_suffix(".html").exists(), path
    for path in NOTEBOOKS:
        figures = path.read_text(encoding="utf-8").count('"image/png"')
        built = (SITE / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert len(re.findall(r'<img [^>]*src="\.\./_images/', built)) >= figures > 0, path
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        n_code = sum(cell["cell_type"] == "code" for cell in cells)
        # Code opens by a click.
        assert built.count('<details class="admonition hide above-input">') == n_code, path


LONG = (
    "api/",
    "results/",
    "_modules",
    "genindex",
    "py-modindex",
    "search",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("no chromium")
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


@site
@pytest.mark.browser
def test_pages_are_short_fit_a_telephone_and_need_nothing_from_elsewhere(browser):
    asked: list[str] = []
    for width, screens in ((1280, 4), (390, None)):
        page = browser.new_page(viewport={"width": width, "height": 720})
        page.on("request", lambda request: asked.append(request.url))
        for path in SITE.rglob("*.html"):
            name = str(path.relative_to(SITE))
            if "_static" in name or name.startswith(("_modules", "genindex", "py-modindex")):
                continue
            page.goto(path.as_uri(), wait_until="load")
            size = page.evaluate("document.documentElement.scrollWidth")
            assert size <= width, f"{name} is {size} px wide at {width}"
            if screens and not name.startswith(LONG):
                height = page.locator("article").bounding_box()["height"] / 720
                assert height <= screens, f"{name}: {height:.2f} screens"
        page.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@site
@pytest.mark.browser
def test_the_search_works_from_the_file_system(browser):
    page = browser.new_page()
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=grassmannian")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() > 3
    page.goto((SITE / "index.html").as_uri())
    page.wait_for_selector("mjx-container svg")
    page.close()


def without_example() -> set[str]:
    """Public functions and classes that neither a docstring nor an API page shows in use."""
    shown = "\n".join(
        code for name, text in TEXTS.items() for code in pages.examples(text) if name.startswith("api/")
    )
    missing = set()
    for package in PACKAGES:
        for module in map(importlib.import_module, documented(package)):
            for name in module.__all__:
                value = getattr(module, name)
                if not callable(value) or ">>>" in (value.__doc__ or ""):
                    continue
                if not re.search(rf"\b{name}\b", shown):
                    missing.add(f"{module.__name__.removeprefix('acot_core.')}.{name}")
    return missing


def test_every_public_name_has_an_example():
    assert without_example() == set()
