"""The sensitivity notebook in JupyterLab in a browser: a slider redraws the curve, the button gives a PDF."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from app_server import CHROMIUM, browser_test

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("jupyterlab")

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "65_sensitivity.ipynb"
PATIENCE = (
    int(os.environ.get("ACOT_PATIENCE", "120")) * 1000
)  # ms; a wait ends when what it waits for is there

pytestmark = [pytest.mark.timeout(900), *browser_test]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The notebook's first figure and its controls, without outputs; the rest would take long."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    controls = next(cell for cell in code if "explore(" in cell.source and cell is not code[0])
    notebook.cells = [code[0], controls]
    for cell in notebook.cells:
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / "sensitivity.ipynb")
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--ip=127.0.0.1",
        "--IdentityProvider.token=", "--LabApp.news_url=", f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / "config")}
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(1200):
            assert server.poll() is None
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_slider_redraws_and_button_exports(folder: Path, address: str) -> None:
    with sync_api.sync_playwright() as playwright:
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1400, "height": 1600})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/lab/tree/sensitivity.ipynb", wait_until="domcontentloaded")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.get_by_text("| Idle").wait_for()  # run before the kernel is there, and a dialog asks for one
        page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
        page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
        output = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
        image = output.locator("img").first
        image.wait_for()
        before = image.get_attribute("src")
        handle = output.locator("[role=slider]").first
        handle.focus()
        handle.press("ArrowRight")
        page.wait_for_function(
            "([image, before]) => image.src !== before", arg=[image.element_handle(), before]
        )
        output.get_by_role("button", name="Export").click()
        output.get_by_text("Saved").wait_for()
        browser.close()
    assert (folder / "sensitivity.pdf").read_bytes().startswith(b"%PDF")
