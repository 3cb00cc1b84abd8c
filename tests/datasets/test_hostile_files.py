"""Hostile and broken files (listed by kind in `hostile_files.py`) are refused with a reason, cheaply.

All kinds are loaded in one child process whose memory may grow by 200 MB and no more.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generated import cases
from hostile_files import CASES, good, npz
from hypothesis import given
from hypothesis import strategies as st

from acot_core.datasets import load

_MEGABYTES, _SECONDS = 200, 2

_CHILD = """
import json, re, resource, sys, time
from pathlib import Path
from acot_core.datasets import load

def memory(what):
    return int(re.search(rf"^{what}:\\s+(\\d+)", Path("/proc/self/status").read_text(), re.M)[1]) * 1024

todo = json.loads(sys.stdin.read())
try:
    load(todo.pop("warm up"))  # imports all that is imported on demand
except ValueError:
    pass
limit = memory("VmSize") + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
found = {}
for name, path in todo.items():
    began = time.process_time()
    try:
        kind, text = "nothing", repr(load(path))
    except BaseException as error:
        kind, text = type(error).__name__, str(error)
    found[name] = [kind, text, time.process_time() - began]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str, float, Path]]:
    root = tmp_path_factory.mktemp("hostile")
    paths = {}
    for name, (maker, _) in CASES.items():
        (root / name).mkdir()
        paths[name] = str(maker(root / name))
    (root / "warm").mkdir()
    todo = {"warm up": str(npz(root / "warm"))} | paths
    if sys.platform != "linux":
        pytest.skip("the memory of the child process is bounded through Linux's limits")
    child = subprocess.run(
        [sys.executable, "-c", _CHILD], input=json.dumps(todo), capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return {name: (*result, root / name) for name, result in json.loads(child.stdout).items()}


def test_there_are_fifty_kinds() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("name", CASES)
def test_refused_with_a_reason(name: str, refused: dict[str, tuple[str, str, float, Path]]) -> None:
    kind, text, seconds, folder = refused[name]
    assert kind == "ValueError", text
    assert re.search(CASES[name][1], text), text
    assert str(folder).split("/")[-1] in text, "the message names no file"
    assert seconds < _SECONDS  # of the processor
    assert not (folder / "EXECUTED").exists()


def test_the_makers_start_from_good_files(tmp_path: Path) -> None:
    dataset = load(npz(tmp_path))
    assert [len(x) for x in dataset.streams["features"]] == [4, 2, 3]


@given(st.data())
@cases(200)
def test_damaged_bytes_give_data_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any few bytes of an archive overwritten, or its end cut off: read in full, or refused by name."""
    folder = tmp_path_factory.mktemp("damaged")
    path = npz(folder)
    content = bytearray(path.read_bytes())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[place] = value
    path.write_bytes(bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))]))
    try:
        dataset = load(path)
    except ValueError as error:
        reason = str(error)
    else:
        reason = str(path)
        assert len(dataset) == len(good()["labels"])
        assert all(np.isfinite(x.numpy()).all() for x in dataset.streams["features"])
    assert str(path) in reason
