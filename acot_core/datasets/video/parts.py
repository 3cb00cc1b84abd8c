"""Encoded videos on the disk, one by one, until all are there: what a killed run leaves, the next one uses.

The features of a clip are appended to a raw file while it is encoded; a small JSON file that is written last
says that they are complete. At the end all are copied into one .npz, so that memory does not grow with the
length or number of the videos.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core._utils.files import atomic_write
from acot_core.datasets.video.clip_features import THUMBNAIL, ClipResult


class PartWriter:
    """Writes one clip's features; used as a context: what is not completed is removed."""

    def __init__(self, folder: Path, key: str, streams: Sequence[str]) -> None:
        self.folder, self.key = folder, key
        self._temporary = {s: folder / f"{key}.{s}.{os.getpid()}.part" for s in streams}

    def __enter__(self) -> PartWriter:
        with ExitStack() as stack:
            self._files = {s: stack.enter_context(p.open("wb")) for s, p in self._temporary.items()}
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for path in self._temporary.values():
            path.unlink(missing_ok=True)

    def write(self, stream: str, rows: NDArray[np.float16]) -> None:
        """Append rows (b, d)."""
        self._files[stream].write(np.ascontiguousarray(rows, dtype="<f2").tobytes())

    def complete(self, result: ClipResult) -> None:
        """The clip is done: its files get their names, its result is written last."""
        self._stack.close()
        for stream, path in self._temporary.items():
            path.replace(_raw(self.folder, self.key, stream))
        thumbnails = np.array(result.thumbnails, np.uint8)
        _raw(self.folder, self.key, "thumbnails").write_bytes(thumbnails.tobytes())
        content = asdict(result) | {"thumbnails": len(thumbnails)}
        atomic_write(self.folder / f"{self.key}.json", json.dumps(content).encode())


def read_result(folder: Path, key: str, streams: Sequence[str]) -> dict[str, Any] | None:
    """Read what `PartWriter.complete` stored of a clip; None where it is not all there."""
    try:
        result = json.loads((folder / f"{key}.json").read_bytes())
        sizes = {s: 2 * result["rows"][s] * result["widths"][s] for s in streams}
        sizes["thumbnails"] = result["thumbnails"] * 3 * THUMBNAIL[0] * THUMBNAIL[1]
        complete = all(_raw(folder, key, s).stat().st_size == size for s, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if complete else None


def _raw(folder: Path, key: str, stream: str) -> Path:
    return folder / f"{key}.{stream}"


def write_archive(
    out: Path,
    folder: Path,
    keys: Sequence[str],
    results: Sequence[dict[str, Any]],
    streams: Sequence[str],
    arrays: dict[str, NDArray[Any]],
) -> Path:
    """Copy the clips ``keys`` and further ``arrays`` into an .npz, all at once as readers see it.

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written; the previous file stays.
    """
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for stream in streams:
                width = results[0]["widths"][stream]
                rows = sum(result["rows"][stream] for result in results)
                files = [_raw(folder, key, stream) for key in keys]
                _member(archive, stream, np.dtype("<f2"), (rows, width), files)
            count = sum(result["thumbnails"] for result in results)
            if count:
                files = [_raw(folder, key, "thumbnails") for key in keys]
                shape = (count, THUMBNAIL[1], THUMBNAIL[0], 3)
                _member(archive, "thumbnails", np.dtype("u1"), shape, files)
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _member(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], files: Sequence[Path]
) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for file in _open_all(files):
            shutil.copyfileobj(file, member, 2**20)


def _open_all(files: Sequence[Path]) -> Iterator[Any]:
    for path in files:
        with path.open("rb") as file:
            yield file
