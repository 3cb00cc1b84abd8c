"""Reading arrays from files that nobody vouches for: nothing is unpickled, everything is measured first.

An .npy file states its type and shape before its data, and a zip archive states the size of its members.
Both statements are checked against each other, against what is really there and against a bound, before
any memory is taken; inflation goes on in small steps and stops at the stated size.
"""

from __future__ import annotations

import io
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
import torch
from torch import Tensor

MAX_BYTES = 4 * 2**30
_MAX_MEMBERS = 1000
_MAX_RATIO = 200  # float data rarely deflates beyond 20; a bomb reaches 1000
_SMALL = 2**26  # up to this size an archive may deflate as well as it likes
_STEP = 2**20
_MAX_HEADER = 10_000
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, UnicodeError,
    OSError, OverflowError,
)  # fmt: skip


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file to read; a pipe, a device or a folder would block or never end.

    Raises
    ------
    ValueError
        Missing, unreadable or no regular file.
    """
    try:
        # Not to wait for a writer, should it be a pipe.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise ValueError(f"{path}: expected a regular file")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "expected a regular file"
        raise ValueError(f"{path}: cannot be read ({reason})") from error
    return os.fdopen(handle, "rb")


def read_whole(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file of up to ``max_bytes``; a ValueError names one that is larger."""
    with open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"{path}: more than {max_bytes} bytes")
    return content


def to_float32(array: np.ndarray, where: str) -> Tensor:
    """Numbers as a float32 tensor; a ValueError where one is beyond that range (or not finite)."""
    with np.errstate(over="ignore"):
        tensor = torch.from_numpy(np.array(array, dtype=np.float32))
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{where}: holds numbers beyond the range of float32")
    return tensor


def read_array(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """The array in an .npy file of numbers or strings.

    Raises
    ------
    ValueError
        Not such a file, larger than ``max_bytes``, damaged, or one that holds pickled objects.
    """
    with open_regular(Path(path)) as file:
        return _read_npy(file, os.fstat(file.fileno()).st_size, max_bytes, str(path))


def read_arrays(
    path: str | os.PathLike[str], *, names: Collection[str] | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, np.ndarray]:
    """The arrays in an .npz archive, by name; only those in ``names``, if given.

    Raises
    ------
    ValueError
        Not such a file, larger than ``max_bytes`` when inflated, damaged, or holding pickled objects.
    """
    with open_archive(path, max_bytes, suffixes=(".npy",)) as (archive, members):
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if names is None or name in names:
                with archive.open(member) as data:
                    arrays[name] = _read_npy(data, member.file_size, max_bytes, f"{path}: {name}")
        return arrays


@contextmanager
def open_archive(
    path: str | os.PathLike[str], max_bytes: int, suffixes: tuple[str, ...]
) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """A zip archive and its members, after their number, names, suffixes and inflated size were checked.

    Raises
    ------
    ValueError
        Not a zip file, damaged (within the block, too), with other members or larger than ``max_bytes``.
    """
    with open_regular(Path(path)) as file:
        if file.read(1) == b"\x80":
            raise ValueError(f"{path}: is a pickle, which is never read; expected an archive of arrays")
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, max_bytes, str(path), suffixes)
                yield archive, members
        except (ValueError, *_DAMAGE) as error:
            if isinstance(error, ValueError) and str(path) in str(error):
                raise
            raise ValueError(
                f"{path}: not a readable {Path(path).suffix or 'zip'} archive ({error})"
            ) from error


def looks_like_a_bomb(total: int, packed: int) -> bool:
    """Whether an archive inflates more than data that were measured do; small ones may."""
    return total > max(_SMALL, _MAX_RATIO * packed)


def _check_members(
    members: list[zipfile.ZipInfo], max_bytes: int, where: str, suffixes: tuple[str, ...]
) -> None:
    if not members or len(members) > _MAX_MEMBERS:
        raise ValueError(f"{where}: expected 1 to {_MAX_MEMBERS} arrays, got {len(members)}")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise ValueError(f"{where}: {total} bytes when inflated, more than the {max_bytes} accepted")
    packed = sum(member.compress_size for member in members)
    if looks_like_a_bomb(total, packed):
        raise ValueError(f"{where}: would inflate from {packed} to {total} bytes, which no data does")
    seen: set[str] = set()
    for member in members:
        if set(member.filename) & set("/\\:\0") or member.filename.startswith("."):
            raise ValueError(f"{where}: member {member.filename[:80]!r} has a path for a name")
        if not member.filename.endswith(suffixes):
            raise ValueError(f"{where}: member {member.filename[:80]!r} is no array ({', '.join(suffixes)})")
        if member.filename in seen:
            raise ValueError(f"{where}: member {member.filename[:80]!r} is there twice")
        seen.add(member.filename)


def _read_npy(file: IO[bytes], size: int, max_bytes: int, where: str) -> np.ndarray:
    """One array of ``size`` bytes, header included. Formats 1.0 and 2.0; 3.0 exists for named fields only."""
    head = io.BytesIO(file.read(_MAX_HEADER))  # a header that states gigabytes gets no more than this
    dtype, shape, fortran = _read_header(head, where)
    count = math.prod(shape)
    there = size - head.tell()
    if count * dtype.itemsize != there:
        raise ValueError(
            f"{where}: states shape {shape} of {dtype}, {count * dtype.itemsize} bytes, but has {there}"
        )
    if size > max_bytes:
        raise ValueError(f"{where}: {size} bytes, more than the {max_bytes} accepted")
    if count == 0:
        return np.empty(shape, dtype)
    flat = np.empty(count, dtype)
    octets, done = flat.view(np.uint8), 0
    step = head.read()
    while step:
        if done + len(step) > len(octets):
            raise ValueError(f"{where}: has more data than its shape {shape} tells")
        octets[done : done + len(step)] = np.frombuffer(step, np.uint8)
        done += len(step)
        step = file.read(_STEP)  # to the very end, which makes zipfile compare the checksum
    if done < len(octets):
        raise ValueError(f"{where}: ends after {done} of {len(octets)} bytes")
    return flat.reshape(shape, order="F" if fortran else "C")


def _read_header(head: IO[bytes], where: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    """Type, shape and order of an .npy array, by numpy; ``head`` stands behind them afterwards."""
    if head.read(1) == b"\x80":
        raise ValueError(f"{where}: is a pickle, which is never read; expected arrays")
    head.seek(0)
    try:
        version = np.lib.format.read_magic(head)
    except ValueError as error:
        raise ValueError(f"{where}: not an .npy array") from error
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{where}: not an .npy array of format 1.0 or 2.0")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(head, max_header_size=_MAX_HEADER)  # type: ignore[call-arg]
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError, TokenError) as error:
        raise ValueError(f"{where}: its header cannot be understood") from error
    if dtype.hasobject:
        raise ValueError(f"{where}: holds pickled objects, which are never read; expected numbers")
    if dtype.kind not in "biufU" or not dtype.itemsize:
        raise ValueError(f"{where}: expected real numbers or strings, got dtype {dtype}")
    if len(shape) > 8 or not all(0 <= n < 2**48 for n in shape):
        raise ValueError(f"{where}: states the impossible shape {str(shape)[:80]}")
    return dtype, shape, fortran
