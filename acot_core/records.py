"""Records: what an experiment found, with all that is needed to repeat it, as one file."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import io
import json
import os
import platform
import zipfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from acot_core.files import atomic_write

__all__ = ["Record", "environment", "read_archive"]

_MAX_BYTES = 2**30
_EPOCH = (1980, 1, 1, 0, 0, 0)


def environment() -> dict[str, str]:
    """Versions and hardware that a measured number depends on."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "python": platform.python_version(),
        **_versions(),
        "platform": platform.platform(),
        "device": device,
        "cpus": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
    }


@cache
def _versions() -> dict[str, str]:
    """Read once: it takes 10 ms, and every record asks."""
    packages = ("numpy", "scipy", "scikit-learn", "torch", "POT", "pymanopt")
    return {name: importlib.metadata.version(name) for name in packages}


def read_archive(path: str | os.PathLike[str], max_bytes: int = _MAX_BYTES) -> dict[str, bytes]:
    """The members of a zip file, after their number, names and inflated size were checked.

    Raises
    ------
    ValueError
        Not a zip file, damaged, or larger than ``max_bytes`` when inflated.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > 1000 or total > max_bytes:
                raise ValueError(f"{path}: {len(members)} members of {total} bytes, more than is accepted")
            return {member.filename: _read_member(archive, member) for member in members}
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise ValueError(f"{path}: not a readable zip archive ({error})") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes; a member that inflates to more than it states is not inflated further."""
    with archive.open(member) as file:
        data = file.read(member.file_size + 1)
    if len(data) != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} is not of the stated size")
    return data


@dataclass(kw_only=True)
class Record:
    """Base of every record: a plain dataclass of numbers, strings, arrays and one tidy table.

    Fields that are arrays or tables are stored as such, all others as JSON. ``config`` holds the arguments
    of the call (seeds included), ``environment`` versions and hardware, ``seconds`` the time it took.
    """

    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=environment)
    seconds: float = 0.0

    def to_frame(self) -> pd.DataFrame:
        """The record's numbers as a tidy table: one observation a row."""
        raise NotImplementedError(f"{type(self).__name__} has no table")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the record to ``path`` (a zip of record.json and one .npy an array), atomically."""
        plain: dict[str, Any] = {"record": type(self).__name__, "tables": []}
        arrays: dict[str, np.ndarray] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                arrays[item.name] = value
            elif isinstance(value, pd.DataFrame):
                plain["tables"].append(item.name)
                plain[item.name] = {c: value[c].tolist() for c in value.columns}
            else:
                plain[item.name] = value
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            text = json.dumps(plain, indent=1, default=_plain)
            archive.writestr(zipfile.ZipInfo("record.json", _EPOCH), text, zipfile.ZIP_DEFLATED)
            for name, array in arrays.items():
                member = io.BytesIO()
                np.save(member, array, allow_pickle=False)
                archive.writestr(
                    zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue(), zipfile.ZIP_DEFLATED
                )
        return atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a record that `save` wrote.

        Raises
        ------
        ValueError
            The file is no record, is damaged, or holds another kind of record.
        """
        members = read_archive(path)
        try:
            plain = json.loads(members["record.json"])
            kind, tables = plain.pop("record"), plain.pop("tables")
            arrays = {
                Path(name).stem: np.load(io.BytesIO(data), allow_pickle=False)
                for name, data in members.items()
                if name.endswith(".npy")
            }
            values = {name: pd.DataFrame(plain.pop(name)) for name in tables} | plain | arrays
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path}: not a saved record ({error})") from error
        names = {item.name for item in dataclasses.fields(cls)}
        if kind != cls.__name__ or set(values) != names:
            raise ValueError(f"{path}: holds a {kind}, expected a {cls.__name__} with {sorted(names)}")
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record cannot hold a {type(value).__name__}")
