"""`acot explore FILE`: the explorer opens on that file, or says what is wrong with it."""

from __future__ import annotations

import pytest
from acot_explorer.page import Explorer
from acot_explorer.store import uploads
from acot_explorer.upload import file_to_explore, template_file

from acot_core._commands import explore


@pytest.fixture
def named(tmp_path, monkeypatch):
    """The template as a file that was named on the command line."""
    path = tmp_path / "mine.npz"
    path.write_bytes(template_file())
    monkeypatch.setenv("ACOT_EXPLORE", str(path))
    file_to_explore.cache_clear()
    yield path
    file_to_explore.cache_clear()


def test_the_page_opens_on_the_named_file(named, monkeypatch):
    page = Explorer()
    monkeypatch.setattr("acot_explorer.app.Explorer", lambda: page)
    from acot_explorer.app import build

    build()
    opened = file_to_explore()
    assert opened is not None
    request, dataset, _ = opened
    assert page.settings.dataset == request.dataset
    assert page.step.name == "data"
    assert uploads().get(request) is dataset
    assert len(dataset) == 24
    assert "Own file: mine.npz" in page.settings.param["dataset"].names
    page.close()
    assert uploads().get(request) is None


def test_without_a_file_there_is_none(monkeypatch):
    monkeypatch.delenv("ACOT_EXPLORE", raising=False)
    file_to_explore.cache_clear()
    assert file_to_explore() is None


@pytest.mark.parametrize("name", ["missing.npz", "bad.npz"])
def test_what_cannot_be_read_is_said_before_anything_is_served(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.npz").write_bytes(b"nothing of the kind")
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: pytest.fail("served"))
    assert explore.main([str(tmp_path / name)]) == 2
    assert name in capsys.readouterr().err


def test_options_of_panel_go_on_to_it(monkeypatch):
    served = []
    monkeypatch.setattr("sys.argv", [])
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: served.extend(__import__("sys").argv))
    assert explore.main(["--port", "7", "--no-show", "--", "--prefix", "acot"]) == 0
    assert served[:2] == ["panel", "serve"]
    assert served[-2:] == ["--prefix", "acot"]
    assert served[served.index("--port") + 1] == "7"
    assert served[served.index("--address") + 1] == "127.0.0.1"
