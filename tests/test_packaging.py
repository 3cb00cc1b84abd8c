"""What is shipped: built twice alike, small, complete, and running where there is no repository."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT = 8e6  # bytes
# A name of the environment that would let the repository, or this machine's settings, in.
ENVIRONMENT = {
    k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ACOT_", "BOKEH_", "PANEL_"))
}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(folder: Path) -> list[Path]:
    """Build sdist and wheel from the files of the repository as they are."""
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel."""
    sdist, wheel = sorted(built(tmp_path_factory.mktemp("dist")), key=lambda path: path.suffix)
    return sdist, wheel


@pytest.fixture(scope="module")
def elsewhere(shipped: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a virtual environment with the wheel, the dependencies and no repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    paths = sysconfig.get_paths("venv", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    scripts = Path(paths["scripts"])
    python = scripts / Path(sys.executable).name
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    run(sys.executable, "-m", "pip", "--python", python, *install, shipped[1], cwd=folder)
    # A .pth file in a folder that comes by a .pth file is not read: the editable install stays out.
    Path(paths["purelib"], "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return scripts


def test_sdist_and_wheel_are_small_and_pass_the_checks_of_the_index(shipped, tmp_path):
    assert [path.name for path in shipped if path.stat().st_size > LIMIT] == []
    run(sys.executable, "-m", "twine", "check", "--strict", *shipped, cwd=tmp_path)
    check = Path(sys.executable).with_name("check-wheel-contents")
    run(check, "--config", ROOT / "pyproject.toml", shipped[1], cwd=tmp_path)


def test_a_second_build_gives_the_same_bytes(shipped, tmp_path):
    again = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built(tmp_path)}
    assert again == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shipped}


def test_the_pictures_and_links_of_readme_have_addresses_on_the_index(tmp_path, monkeypatch):
    """Built where a release is, README shows files of that very commit; each of them is in the repository."""
    monkeypatch.setitem(ENVIRONMENT, "GITHUB_REPOSITORY", "some/where")
    monkeypatch.setitem(ENVIRONMENT, "GITHUB_SHA", "0123abc")
    sdist, wheel = sorted(built(tmp_path), key=lambda path: path.suffix)
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = archive.read(name).decode()
    with tarfile.open(sdist) as packed:
        (name,) = (name for name in packed.getnames() if name.endswith("/PKG-INFO") and name.count("/") == 1)
        assert packed.extractfile(name).read().decode().partition("\n\n")[2] == told.partition("\n\n")[2]
    pictures = re.findall(r"!\[.*?\]\(https://raw\.githubusercontent\.com/some/where/0123abc/([^)]+)", told)
    links = re.findall(r"\]\(https://github\.com/some/where/blob/0123abc/([^)]+)\)", told)
    assert len(pictures) == (ROOT / "README.md").read_text(encoding="utf-8").count("![") > 3
    assert len(links) > 15
    assert [path for path in pictures + links if not (ROOT / path).exists()] == []
    assert re.findall(r"\]\((?!https?:)([^)]+)", told) == []


def test_every_file_of_the_packages_is_shipped(shipped):
    expected = set()
    for root, package in (
        (ROOT, "acot_core"),
        (ROOT / "apps", "acot_explorer"),
        (ROOT / "apps", "acot_notebooks"),
    ):
        files = (root / package).rglob("*")
        expected |= {
            f.relative_to(root).as_posix() for f in files if f.is_file() and "__pycache__" not in f.parts
        }
    inside = {name for name in zipfile.ZipFile(shipped[1]).namelist() if ".dist-info/" not in name}
    assert inside == expected
    with tarfile.open(shipped[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "tests/test_packaging.py"} <= names
    assert expected <= {name.removeprefix("apps/") for name in names}


def test_the_command_runs_in_an_empty_folder(elsewhere, tmp_path):
    acot = shutil.which("acot", path=str(elsewhere))
    assert acot
    assert run(acot, "--version", cwd=tmp_path).startswith("acot ")
    told = run(acot, "--help", cwd=tmp_path)
    from acot_core.__main__ import COMMANDS

    for command in COMMANDS:
        assert command in told
        assert "usage" in run(acot, command, "--help", cwd=tmp_path)
    where = run(
        elsewhere / Path(sys.executable).name,
        "-c",
        "import acot_core; print(acot_core.__file__)",
        cwd=tmp_path,
    )
    assert str(elsewhere.parent) in where
    assert str(ROOT) not in where


def test_the_explorer_answers_from_the_wheel(elsewhere, tmp_path):
    acot = shutil.which("acot", path=str(elsewhere))
    assert acot
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [acot, "explore", "--no-show", "--port", str(port)]
        server = subprocess.Popen(
            command, cwd=tmp_path, env=ENVIRONMENT, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            page = answer(f"http://127.0.0.1:{port}/explorer", server)
        finally:
            server.terminate()
            server.wait(30)
    assert "ACOT explorer" in page
    assert "Traceback" not in log.read_text()


def answer(address: str, server: subprocess.Popen[bytes], patience: float = 120) -> str:
    """The page, once the server is up."""
    until = time.monotonic() + patience
    while server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=60) as reply:
                return str(reply.read().decode())
        except OSError:
            assert time.monotonic() < until, "the explorer does not answer"
            time.sleep(0.2)
    raise AssertionError("the explorer ended")
