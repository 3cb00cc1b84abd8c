"""Arrays in MATLAB files: version 5 (scipy) and 7.3, HDF5 (h5py); sizes are checked before reading."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, whosmat

from acot_core.datasets.archives import read_whole

_NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def read_matlab(
    path: Path, variable: str | None = None, *, max_bytes: int = 2**30, max_inflated: int | None = None
) -> np.ndarray:
    """Read one numeric array of two or more axes.

    Parameters
    ----------
    path : Path
    variable : str, optional
        Its name; by default the only array there is, or ``features`` among several.
    max_bytes : int
        Refuse a file larger than this.
    max_inflated : int, optional
        Refuse arrays larger than this; by default as large as files may be.

    Returns
    -------
    array
        With MATLAB's order of axes, in both versions.

    Raises
    ------
    ValueError
        Not a MATLAB file, damaged, too large, or without such an array; names the file.
    ImportError
        The file is of version 7.3 and h5py is not installed.
    """
    content = read_whole(path, max_bytes)
    max_inflated = max_bytes if max_inflated is None else max_inflated
    if content[:8] == b"\x89HDF\r\n\x1a\n" or content[512:520] == b"\x89HDF\r\n\x1a\n":
        return _read_hdf5(path, content, variable, max_inflated)
    try:
        # Sizes first: compressed data may inflate to a thousand times their size, and scipy inflates all.
        _check_inflation(content, max_inflated)
        shapes = {name: shape for name, shape, kind in whosmat(_stream(content)) if kind in _NUMBERS}
        name = _choose(path, shapes, variable, max_inflated)
        return np.asarray(loadmat(_stream(content), variable_names=[name])[name])
    except Exception as error:  # scipy raises nearly anything on a damaged file
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: no readable MATLAB file ({error})") from error


def _read_hdf5(path: Path, content: bytes, variable: str | None, max_bytes: int) -> np.ndarray:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{path}: MATLAB 7.3 files need h5py: pip install h5py") from error
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            numeric = {k: v for k, v in file.items() if isinstance(v, h5py.Dataset) and v.dtype.kind in "iuf"}
            name = _choose(path, {k: v.shape for k, v in numeric.items()}, variable, max_bytes)
            return np.asarray(numeric[name]).T  # MATLAB stores columns first
    except Exception as error:  # h5py raises nearly anything on a damaged file
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: no readable MATLAB 7.3 file ({error})") from error


def _choose(path: Path, shapes: dict[str, Any], variable: str | None, max_bytes: int) -> str:
    arrays = {
        name: tuple(shape) for name, shape in shapes.items() if len(shape) >= 2 and math.prod(shape) > 1
    }
    name = variable or ("features" if "features" in arrays else next(iter(arrays), ""))
    if name not in arrays or (variable is None and name != "features" and len(arrays) > 1):
        raise ValueError(
            f"{path}: expected one array of numbers, or {variable or 'features'!r}, got {arrays}"
        )
    if 8 * math.prod(arrays[name]) > max_bytes:
        raise ValueError(f"{path}: {name} of shape {arrays[name]} is larger than {max_bytes} bytes")
    return name


def _check_inflation(content: bytes, max_bytes: int) -> None:
    """Refuse a file whose compressed elements inflate to more than ``max_bytes``."""
    place = 128  # after the header come elements: type, size, data
    while place + 8 <= len(content):
        kind, size = struct.unpack("<II", content[place : place + 8])
        if kind == 15:
            inflate, left = zlib.decompressobj(), max_bytes
            data = content[place + 8 : place + 8 + size]
            while data and left > 0:
                left -= len(inflate.decompress(data, 2**20))
                data = inflate.unconsumed_tail
            if data:
                raise ValueError(f"inflates to more than {max_bytes} bytes")
        place += 8 + size


def _stream(content: bytes) -> Any:
    return io.BytesIO(content)  # which scipy reads, though its type hints do not say so
