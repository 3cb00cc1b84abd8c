"""Records, atomic files, progress and the parameter table."""

import errno
import inspect
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from acot_core import ACOTPooling, Adversary, Cancelled
from acot_core._utils.files import atomic_write
from acot_core._utils.progress import Clock
from acot_core.experiments.parameters import PARAMETERS
from acot_core.experiments.record import Record, read_archive


@dataclass(kw_only=True)
class Curve(Record):
    """A record for these tests."""

    name: str
    values: np.ndarray
    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        return self.table


def curve() -> Curve:
    table = pd.DataFrame({"seed": [0, 1], "accuracy": [0.5, 0.75], "method": ["a", "b"]})
    return Curve(config={"seeds": [0, 1]}, seconds=1.5, name="c", values=np.eye(3), table=table)


def test_a_record_comes_back_as_it_was(tmp_path):
    record = curve()
    back = Curve.load(record.save(tmp_path / "curve.zip"))
    np.testing.assert_array_equal(back.values, record.values)
    pd.testing.assert_frame_equal(back.to_frame(), record.table)
    assert (back.config, back.environment, back.seconds) == (record.config, record.environment, 1.5)
    assert "torch" in back.environment
    assert record.save(tmp_path / "a.zip").read_bytes() == record.save(tmp_path / "b.zip").read_bytes()


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip",
        archive({}),
        archive({"record.json": b"{"}),
        archive({"record.json": b'{"record": "Other", "tables": []}'}),
        archive({"record.json": b'{"record": "Curve", "tables": [], "name": "c"}', "values.npy": pickled()}),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, data):
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.zip"):
        Curve.load(path)


def test_a_truncated_record_is_refused_at_every_length(tmp_path):
    content = curve().save(tmp_path / "whole.zip").read_bytes()
    path = tmp_path / "part.zip"
    for stop in range(0, len(content) - 1, 97):
        path.write_bytes(content[:stop])
        with pytest.raises(ValueError, match=r"part\.zip"):
            Curve.load(path)


def test_an_archive_that_inflates_too_much_is_not_read(tmp_path):
    path = tmp_path / "bomb.zip"
    path.write_bytes(archive({"a": bytes(10_000_000)}))
    assert path.stat().st_size < 20_000
    with pytest.raises(ValueError, match="10000000 bytes"):
        read_archive(path, max_bytes=1_000_000)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = atomic_write(tmp_path / "x", b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_write_replaces(tmp_path):
    path = atomic_write(tmp_path / "x", b"old")
    assert Path(atomic_write(path, b"new")).read_bytes() == b"new"


def test_clock_estimates_what_is_left_and_lets_cancel_through():
    reports = []
    clock = Clock("sweep", 10, reports.append)
    clock.report(0)
    clock.report(5, accuracy=0.5)
    assert reports[0].remaining is None
    assert reports[1].remaining == pytest.approx(reports[1].elapsed, rel=1e-6)
    assert reports[1].values == {"accuracy": 0.5}

    def stop(_):
        raise Cancelled

    with pytest.raises(Cancelled):
        Clock("sweep", 10, stop).report(1)


def test_parameters_agree_with_the_estimators():
    defaults = {
        name: p.default
        for cls in (Adversary, ACOTPooling)
        for name, p in inspect.signature(cls).parameters.items()
    }
    for name, parameter in PARAMETERS.items():
        assert parameter.default == defaults[name], name
        assert parameter.low <= parameter.default <= parameter.high
        if parameter.scale == "discrete":
            assert parameter.default in parameter.choices
            assert (parameter.choices[0], parameter.choices[-1]) == (parameter.low, parameter.high)
