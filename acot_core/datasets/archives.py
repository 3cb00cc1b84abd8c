"""Reading arrays from files that nobody vouches for: nothing is unpickled, everything is measured first.

An .npy file states its type and shape before its data, and a zip archive states the size of its members.
Both statements are checked against each other, against what is really there and against a bound, before
any memory is taken; inflation goes on in small steps and stops at the stated size.
"""

from __future__ import annotations

import ast
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

__all__ = ["MAX_BYTES", "open_regular", "read_array", "read_arrays"]

MAX_BYTES = 4 * 2**30
_MAX_MEMBERS = 1000
_MAX_RATIO = 200  # float data rarely deflates beyond 20; a bomb reaches 1000
_SMALL = 2**26  # up to this size an archive may deflate as well as it likes
_STEP = 2**20
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
    with open_regular(Path(path)) as file:
        if file.read(1) == b"\x80":
            raise ValueError(f"{path}: is a pickle, which is never read; expected an .npz archive of arrays")
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, max_bytes, str(path))
                arrays = {}
                for member in members:
                    name = member.filename.removesuffix(".npy")
                    if names is None or name in names:
                        with archive.open(member) as data:
                            arrays[name] = _read_npy(data, member.file_size, max_bytes, f"{path}: {name}")
                return arrays
        except ValueError as error:
            if str(path) in str(error):
                raise
            raise ValueError(f"{path}: not a readable .npz archive ({error})") from error
        except _DAMAGE as error:
            raise ValueError(f"{path}: not a readable .npz archive ({error})") from error


def _check_members(members: list[zipfile.ZipInfo], max_bytes: int, where: str) -> None:
    if not members or len(members) > _MAX_MEMBERS:
        raise ValueError(f"{where}: expected 1 to {_MAX_MEMBERS} arrays, got {len(members)}")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise ValueError(f"{where}: {total} bytes when inflated, more than the {max_bytes} accepted")
    packed = sum(member.compress_size for member in members)
    if total > max(_SMALL, _MAX_RATIO * packed):
        raise ValueError(f"{where}: would inflate from {packed} to {total} bytes, which no data does")
    seen: set[str] = set()
    for member in members:
        if set(member.filename) & set("/\\:\0") or member.filename.startswith("."):
            raise ValueError(f"{where}: member {member.filename[:80]!r} has a path for a name")
        if not member.filename.endswith(".npy"):
            raise ValueError(f"{where}: member {member.filename[:80]!r} is no array (.npy)")
        if member.filename in seen:
            raise ValueError(f"{where}: member {member.filename[:80]!r} is there twice")
        seen.add(member.filename)


def _read_npy(file: IO[bytes], size: int, max_bytes: int, where: str) -> np.ndarray:
    """One array of ``size`` bytes, header included. Formats 1.0 and 2.0; 3.0 exists for named fields only."""
    start = file.read(8)
    if start[:1] == b"\x80":
        raise ValueError(f"{where}: is a pickle, which is never read; expected arrays")
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6:] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError(f"{where}: not an .npy array")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > 10_000:
        raise ValueError(f"{where}: its header of {length} bytes is too long")
    dtype, shape, fortran = _parse_header(file.read(length), where)
    count = math.prod(shape)
    if 8 + width + length + count * dtype.itemsize != size:
        raise ValueError(
            f"{where}: states shape {shape} of {dtype}, {count * dtype.itemsize} bytes, but has "
            f"{size - 8 - width - length}"
        )
    if size > max_bytes:
        raise ValueError(f"{where}: {size} bytes, more than the {max_bytes} accepted")
    if count == 0:
        return np.empty(shape, dtype)
    flat = np.empty(count, dtype)
    octets, done = flat.view(np.uint8), 0
    while done < len(octets):
        step = file.read(min(_STEP, len(octets) - done))
        if not step:
            raise ValueError(f"{where}: ends after {done} of {len(octets)} bytes")
        octets[done : done + len(step)] = np.frombuffer(step, np.uint8)
        done += len(step)
    if file.read(1):  # also makes zipfile compare the checksum
        raise ValueError(f"{where}: has more data than its shape {shape} tells")
    return flat.reshape(shape, order="F" if fortran else "C")


def _parse_header(text: bytes, where: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    try:
        header = ast.literal_eval(text.decode("latin-1").strip())
        descr, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
        dtype = np.dtype(descr)
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise ValueError(f"{where}: its header cannot be understood") from error
    if dtype.hasobject:
        raise ValueError(f"{where}: holds pickled objects, which are never read; expected numbers")
    if dtype.kind not in "biufU" or not dtype.itemsize:
        raise ValueError(f"{where}: expected real numbers or strings, got dtype {dtype}")
    whole = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**48 for n in shape)
    if not whole or len(shape) > 4 or not isinstance(fortran, bool):
        raise ValueError(f"{where}: states the impossible shape {str(shape)[:80]}")
    return dtype, shape, fortran
