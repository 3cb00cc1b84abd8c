"""Records: the numbers of an experiment with all that is needed to repeat it, as one file."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import io
import json
import os
import platform
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch

from acot_core._utils.files import atomic_write
from acot_core.datasets.archives import open_archive

__all__ = ["Record", "TableRecord", "environment", "read_archive"]

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
    with open_archive(path, max_bytes, suffixes=(".json", ".npy")) as (archive, members):
        contents = {}
        for member in members:
            with archive.open(member) as file:  # one that inflates to more than it states goes no further
                contents[member.filename] = file.read(member.file_size + 1)
            if len(contents[member.filename]) != member.file_size:
                raise zipfile.BadZipFile(f"{member.filename} is not of the stated size")
        return contents


@dataclass(kw_only=True)
class Record:
    """Base of every record: a plain dataclass of numbers, strings, arrays and one tidy table.

    Fields that are arrays or tables are stored as such, all others as JSON. ``config`` holds the arguments
    of the call (seeds included), ``environment`` versions and hardware, ``seconds`` the time it took.
    """

    tidy: ClassVar[str] = ""
    """The field that `to_frame` gives."""

    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=environment)
    seconds: float = 0.0

    def to_frame(self) -> pd.DataFrame:
        """The record's numbers as a tidy table: one observation per row."""
        if not self.tidy:
            raise NotImplementedError(f"{type(self).__name__} has no table")
        return getattr(self, self.tidy)

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for was evaluated (a cancelled study leaves part of it)."""
        return bool(self.config.get("complete", True))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the record to ``path`` (a zip of record.json and one .npy per array), atomically."""
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


@dataclass(kw_only=True)
class TableRecord(Record):
    """A record of one table, whose columns its maker states, and a few numbers taken from it.

    Attributes
    ----------
    table : DataFrame
    numbers : dict of str to float
        Such as the "slope" of `acot_core.experiments.gradient_check`.
    """

    tidy = "table"
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    numbers: dict[str, float] = field(default_factory=dict)


def arguments(given: dict[str, Any], *data: str) -> dict[str, Any]:
    """Arguments of a call, from its ``locals()``, for a record's ``config``; ``data`` are left out."""
    return {name: value for name, value in given.items() if name not in data}


def grid_table(axes: Sequence[str], **values: np.ndarray) -> pd.DataFrame:
    """Arrays of one shape as a long table: a row per entry, with its index along each of the named axes."""
    indices = np.indices(next(iter(values.values())).shape)
    columns = {name: index.ravel() for name, index in zip(axes, indices, strict=True)}
    return pd.DataFrame(columns | {name: array.ravel() for name, array in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record cannot hold a {type(value).__name__}")
