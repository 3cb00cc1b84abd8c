"""`acot experiments`: options, recorded commands, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from acot_core import __main__
from acot_core.__main__ import main as acot
from acot_core._commands import _options
from acot_core._commands.experiments import _OPTIONS, COMMANDS, _command, _fixed, main, parser
from acot_core._utils.progress import Progress
from acot_core.datasets import load, save_dataset
from acot_core.experiments import AblationRecord
from acot_core.pooling import ACOTPooling


def test_a_recorded_command_names_no_path_of_the_machine() -> None:
    given = "table1 --cache /home/me --seeds 2 --jobs 2 --out=/tmp/x.json --quiet --tune --record /tmp/x.zip"
    assert _command(given.split()) == "table1 --seeds 2 --tune"


def test_progress_outside_a_terminal_is_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(25))
    monkeypatch.setattr(_options, "monotonic", lambda: next(seconds))
    show = _options.progress()
    for step in range(25):
        show(Progress("adversary", step, 25, step, 75.0 - step))
    assert capsys.readouterr().err == (
        "adversary: 0/25, 1 min 15 s left\nadversary: 10/25, 1 min 5 s left\nadversary: 20/25, 55 s left\n"
    )


def test_a_warning_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(__main__, "main", lambda: 0)
    with pytest.raises(SystemExit, match="0"):
        __main__.run()
    assert (
        warnings.formatwarning("taken for features", UserWarning, "loading.py", 1)
        == "acot: taken for features\n"
    )
    assert "loading.py:1" in warnings.formatwarning("old", FutureWarning, "loading.py", 1)


def test_cross_fit_is_of_the_methods_with_an_adversary() -> None:
    options = parser().parse_args(["compare", "--k", "2", "--cross-fit", "3"])
    assert _fixed(options, ["average", "grp", "acot-random", "acot"]) == {
        "average": {}, "grp": {"n_subspaces": 2}, "acot-random": {"n_subspaces": 2},
        "acot": {"n_subspaces": 2, "cross_fit": 3},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("embedding --seeds 3", "unrecognized arguments: --seeds 3"),
        ("conditions --with-mean", "unrecognized arguments: --with-mean"),
        ("table1 --condition=weak", "unrecognized arguments: --condition=weak"),
        ("evaluate --k 2", "unrecognized arguments: --k 2"),
        ("plans --split 1 --split 2", "plans takes one --split"),
        ("sensitivity --k 3", "--k is what varies"),
    ],
)
def test_options_that_a_command_would_ignore_are_refused(
    given: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(given.split())
    assert why in capsys.readouterr().err
    assert set(" ".join(options for _, options, _ in COMMANDS.values()).split()) == set(_OPTIONS)


SMALL = [
    "--dataset",
    "planted",
    "--seeds",
    "1",
    "--classifier",
    "linear",
    "--adversary",
    "n_iter=2",
    "--adversary",
    "classifier_iter=5",
]


def test_table1_writes_tables_record_and_figure(tmp_path: Path) -> None:
    outputs = [
        part
        for name, file in (("--out", "t.json"), ("--record", "t.zip"), ("--figure", "t.png"))
        for part in (name, str(tmp_path / file))
    ]
    arguments = ["table1", *SMALL, "--adversary", "hidden=8", "--jobs", "1", "--cache", str(tmp_path / "c")]
    assert acot(["experiments", *arguments, "--quiet", *outputs]) == 0
    result = json.loads((tmp_path / "t.json").read_text())
    assert result["command"].startswith("acot experiments table1 --dataset planted")
    assert str(tmp_path) not in result["command"]
    assert result["config"]["adversary"] == {"n_iter": 2, "classifier_iter": 5, "hidden": 8}
    assert len(AblationRecord.load(tmp_path / "t.zip").scores) == 8
    assert (tmp_path / "t.png").stat().st_size > 1000


@pytest.mark.parametrize("option", ["--out", "--record", "--figure"])
def test_a_file_that_cannot_be_written_is_refused_before_the_sweep(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("acot_core.experiments.ablation", lambda *_, **__: pytest.fail("the sweep began"))
    bad = str(tmp_path / "none" / "x.png")
    assert acot(["experiments", "table1", "--dataset", "planted", option, bad]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"acot experiments: {option}:")


def test_bad_data_end_in_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert acot(["experiments", "table1", "--dataset", "no-such-data", "--quiet"]) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert "no-such-data" in error


def test_a_cell_that_fails_is_named_and_ends_in_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["table1", *SMALL, "--k", "1000", "--quiet", "--cache", str(tmp_path)]
    assert acot(["experiments", *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("acot experiments: n_subspaces: 1000 exceeds the 64 features; in the cell {")


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"conditions"}))
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_split_without_a_test_is_refused_before_the_sweep(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Splits in the common 0/1 code: 1 means train here, and 0 unused."""
    rng = np.random.default_rng(0)
    splits = (np.arange(12) >= 8).astype(int)[None]
    file = tmp_path / "mine.npz"
    np.savez(file, features=rng.random((48, 6)), lengths=[4] * 12, labels=np.arange(12) % 2, splits=splits)
    assert acot(["experiments", command, "--dataset", str(file), "--quiet", "--cache", str(tmp_path)]) == 2
    assert "no sequences to test on in the split '1'" in capsys.readouterr().err


def test_an_interrupt_ends_in_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("acot_core.experiments.ablation", interrupt)
    assert acot(["experiments", "table1", "--dataset", "planted"]) == 130
    assert "interrupted" in capsys.readouterr().err


FAILING = """
import sys, time
from pathlib import Path
import torch
from acot_core.experiments._protocol.sweep import run_cells

def work(*, x):
    if x == 0:
        time.sleep({wait})
        raise RuntimeError("cell 0 failed")
    for _ in range(400):
        torch.rand(300, 300) @ torch.rand(300, 300)
    return {{"x": x}}

run_cells(work, [{{"x": x}} for x in range(20)], n_jobs=2, threads=True)
"""


def test_a_failing_sweep_in_threads_ends_in_1_not_in_an_abort() -> None:
    """While other threads were in native code, the interpreter's end brought the process down: exit 134."""
    done = subprocess.run(
        [sys.executable, "-c", FAILING.format(wait=0.2)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: cell 0 failed" in done.stderr
    assert "terminate" not in done.stderr


def test_an_interrupted_sweep_ends_at_once_in_130(tmp_path: Path) -> None:
    script = tmp_path / "sweep.py"
    script.write_text(  # Ctrl-C counts, even where the tests themselves run in the background
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import acot_core.__main__ as m\n"
        "import acot_core._commands.experiments as e\n"
        + FAILING.format(wait=60).replace(
            "run_cells(work,", "def main(_):\n    print('on', flush=True)\n    run_cells(work,"
        )
        + "\ne.main = main\nimport sys\nsys.argv = ['acot', 'experiments', 'x']\nm.run()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"terminate" not in error


def test_pool_writes_the_subspaces_of_acot_pooling(tmp_path: Path) -> None:
    data = load("planted", n_sequences=24, random_state=0)
    save_dataset(tmp_path / "mine.npz", data)
    out = tmp_path / "subspaces.npz"
    arguments = [
        str(tmp_path / "mine.npz"),
        "--out",
        str(out),
        "--k",
        "2",
        "--negatives",
        "random",
        "--quiet",
    ]
    assert acot(["pool", *arguments]) == 0
    sequences = data.streams["features"]
    expected = ACOTPooling(2, negatives="random", n_negatives="2n", random_state=0).fit_transform(sequences)
    with np.load(out) as saved:
        np.testing.assert_allclose(saved["features"], expected, atol=1e-6)
        np.testing.assert_array_equal(saved["labels"], data.labels)
    assert acot(["pool", *arguments[:3], "--stream", "rgb"]) == 2


def test_evaluate_compares_the_methods_that_matter_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_dataset(tmp_path / "mine.npz", load("planted", n_sequences=24, random_state=0))
    options = (
        "--no-tune --k 1 --folds 2 --adversary n_iter=2 --adversary hidden=8 --adversary classifier_iter=5"
    )
    arguments = [str(tmp_path / "mine.npz"), *options.split(), "--jobs", "1", "--cache", str(tmp_path / "c")]
    assert acot(["evaluate", *arguments, "--quiet"]) == 0
    printed = capsys.readouterr().out
    for label in ("Avg. Pool", "GRP", "ACOT + PCA + order"):
        assert label in printed
