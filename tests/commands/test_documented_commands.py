"""Every command that README and the guides name runs: here, in another test, or (with the reason) by hand."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pages
import pytest
from PIL import Image

from acot_core.__main__ import main as acot

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs/start.md", *sorted((ROOT / "docs/guides").glob("*.md"))]
NAMED = {command for page in PAGES for command in pages.commands(page.read_text(encoding="utf-8"))}

BRIEF = "--adversary n_iter=2 --adversary classifier_iter=5 --adversary hidden=8 --quiet"
QUICK = f"{BRIEF} --jobs 1"
ONE = f"--seeds 1 --cache cache {QUICK}"
SWEEP = f"--dataset mine.npz {ONE}"
FEW = f"--method acot --method average {SWEEP}"
RUN = {
    "acot --help": "",
    "acot encode videos --out mine.npz": "--quiet",
    "acot evaluate mine.npz": f"--no-tune --k 1 --folds 2 --cache cache {QUICK}",
    "acot pool mine.npz --out subspaces.npz": "--negatives random --quiet",
    "acot experiments compare --tune": f"--tune-seeds 1 --folds 2 {FEW}",
    "acot experiments conditions": f"--condition 'as generated' --method average {ONE}",
    "acot experiments embedding": f"--dataset mine.npz --cache cache {BRIEF}",
    "acot experiments evaluate": f"--folds 2 {SWEEP}",
    "acot experiments factorial": SWEEP,
    "acot experiments landscape": SWEEP,
    "acot experiments plans": SWEEP,
    "acot experiments retrieval --per-class 5": FEW,
    "acot experiments retrieval --reversals": FEW,
    "acot experiments retrieval --tune": f"--tune-seeds 1 --folds 2 {FEW}",
    "acot experiments retrieval --tune --grid beta1=0,1 --grid beta2=0,10": f"--tune-seeds 1 --folds 2 {FEW}",
    "acot experiments retrieval --unseen 3": FEW,
    "acot experiments sensitivity --parameter beta1 --stream pose": f"--stream features {SWEEP}",
    "acot experiments table1 --dask 2": f"{SWEEP} --classifier linear",
    "acot experiments table1 --dataset planted": f"{SWEEP} --classifier linear",
}
"""Run below, with these options, which make it small; of an option given twice the last counts."""

ELSEWHERE = {
    "acot explore": "test_packaging.py::test_the_explorer_answers_from_the_wheel",
    "acot explore mine.npz": "apps/test_own_file.py::test_the_page_opens_on_the_named_file",
    "acot explore --no-show -- --prefix acot --allow-websocket-origin acot.example.org --use-xheaders "
    "--basic-auth PASSWORD --cookie-secret SECRET": "apps/test_serving.py::exposed",
    "panel serve": "apps/test_serving.py::exposed",
    "python -m benchmarks.gpu": "test_gpu.py::test_the_command_runs_on_the_cpu",
    "make gpu": "test_gpu.py::test_the_command_runs_on_the_cpu",
}
"""Run by another test or fixture."""

_INSTALLS = "installs packages from an index; tests/test_packaging.py installs the wheel without one"
_ENGINE = "needs Docker's engine; hadolint and tests/test_release.py read the file"
_HOURS = "takes hours; its record is in benchmarks/results"
BY_HAND = {
    "pip install 'acot-explorer[app]'": _INSTALLS,
    "pip install 'acot-explorer[app,video]'": _INSTALLS,
    "make explore": "installs packages; python -m benchmarks.newcomer runs it on a clean clone",
    "make lab": "opens JupyterLab; tests/notebooks runs every notebook",
    "make docs": "CI's docs job; .ci/run builds the site before the tests read it",
    "make test": "these tests",
    "make bench": _HOURS,
    "python -m benchmarks.fooling": _HOURS,
    "acot experiments retrieval --dataset jhmdb-pose --stream pose --tune --tune-seeds 1 --folds 2 --seeds 5 "
    "--adversary learning_rate=0.001 --adversary n_iter=500": _HOURS,
    "docker build -t acot-explorer .": _ENGINE,
    "docker run --rm -p 127.0.0.1:5006:5006 acot-explorer": _ENGINE,
    "conda env create -f environment.yml && conda activate acot": "needs conda's channels",
}
"""Not run by a test, and why."""


def test_every_command_is_run_or_says_why_not():
    assert sorted([*RUN, *ELSEWHERE, *BY_HAND]) == sorted(NAMED)
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), place


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What a reader has: a file of features and four small videos."""
    rng = np.random.default_rng(0)
    sequences = [rng.random((rng.integers(8, 16), 12), dtype=np.float32) for _ in range(72)]
    np.savez(
        tmp_path / "mine.npz",
        features=np.concatenate(sequences),
        lengths=[len(sequence) for sequence in sequences],
        labels=np.arange(72) % 6,
        class_names=list("abcdef"),
    )
    for i in range(4):
        place = tmp_path / "videos" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        frames = [Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)) for _ in range(4)]
        frames[0].save(place / f"{i}.gif", save_all=True, append_images=frames[1:], duration=100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", RUN)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_command_runs(command, folder, capsys):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    _, *words = shlex.split(f"{command} {RUN[command]}")
    if command == "acot --help":
        with pytest.raises(SystemExit, match="0"):
            acot(words)
    else:
        assert acot(words) == 0
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "cache"}
    written = {name for name in after if after[name] != before.get(name)}
    if "--out" in words:
        assert written == {words[words.index("--out") + 1]}
    else:
        assert written == set()
        assert len(capsys.readouterr().out.splitlines()) > 4
