"""Faults: `kill -9` in the midst of training, sweep and save; full disks and folders that cannot be written.

What was reported as saved before the fault is there after it, whole; and the same work, run again, completes
with the same result (`fault_driver`, in a process of its own, whose forks are the victims).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from acot_core._utils.files import atomic_write

DRIVER = Path(__file__).parent / "helpers" / "fault_driver.py"
KILLS = 20


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork and the signals of POSIX")
    command = [sys.executable, str(DRIVER), "--kills", str(KILLS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout)


def test_kill_nine_loses_nothing_that_was_reported_as_saved(report: dict[str, Any]) -> None:
    kills = report["kills"]
    assert len(kills) == KILLS  # those that came before the work had ended
    assert {kill["work"] for kill in kills} == {"training", "sweep", "save"}
    # The moments were spread over the work: some found something saved.
    assert sum(kill["told"] > 0 for kill in kills) >= KILLS // 4


@pytest.mark.parametrize("fault", ["full disk", "read-only folder"])
@pytest.mark.parametrize("what", ["data set", "record", "adversary"])
def test_faults_of_the_disk_are_told_and_leave_the_previous_file(
    report: dict[str, Any], fault: str, what: str
) -> None:
    words = {"full disk": "File too large", "read-only folder": "Permission denied"}[fault]
    assert words in report["faults"][fault][what]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        atomic_write(tmp_path / "absent" / "file", b"")
