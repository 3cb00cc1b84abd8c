"""CIFAR-10 in its publisher's binary layout: read from a folder, or downloaded (Sec. 4.3).

Layout: records of 3,073 bytes, a label and the 32 x 32 planes of red, green and blue, in files
data_batch_1.bin ... data_batch_5.bin and test_batch.bin (https://www.cs.toronto.edu/~kriz/cifar.html).
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core._utils.extras import from_extra
from acot_core._utils.progress import Callback, Clock

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_CHECKSUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"
"""As its publisher states it on the page above."""

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_RECORD = 1 + 3 * 32 * 32
_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST = "test_batch.bin"
_FOLDER = "cifar-10-batches-bin"
_ATTEMPTS, _CHUNK = 3, 2**18


def find_cifar10(root: Path) -> Path | None:
    """The folder at or below ``root`` that holds the .bin files, or None."""
    for folder in (root, root / "cifar10", root / _FOLDER, root / "cifar10" / _FOLDER):
        if (folder / _TEST).is_file() and any((folder / name).is_file() for name in _TRAIN):
            return folder
    return None


def read_cifar10(
    folder: str | os.PathLike[str],
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Read the binary files in ``folder``.

    Returns
    -------
    images : uint8 (N, 3, 32, 32)
    labels : int64 (N,)
    is_test : bool (N,)

    Raises
    ------
    ValueError
        A file is empty, does not end with a whole record, or holds a label that is none of 0 ... 9.
    """
    names = [name for name in _TRAIN if (Path(folder) / name).is_file()] + [_TEST]
    parts = [_read(Path(folder) / name) for name in names]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    is_test = np.repeat([name == _TEST for name in names], [len(arrays[0]) for arrays in parts])
    return images, labels, is_test


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    size = path.stat().st_size
    if size == 0 or size % _RECORD:
        raise ValueError(
            f"{path}: {size} bytes are not a whole number of CIFAR-10 records of {_RECORD} bytes; "
            "the file is truncated or is not in the binary layout"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        i = int(np.flatnonzero(labels > 9)[0])
        raise ValueError(
            f"{path}: record {i} has the label {labels[i]}, expected 0 ... 9; "
            "this is not CIFAR-10's binary layout"
        )
    return records[:, 1:].reshape(-1, 3, 32, 32), labels


def download_cifar10(
    folder: str | os.PathLike[str] | None = None,
    *,
    url: str = CIFAR10_URL,
    checksum: str = CIFAR10_CHECKSUM,
    callback: Callback | None = None,
) -> Path:
    """Download CIFAR-10 (170 MB) unless it is there already, and return the folder with its binary files.

    An interrupted download leaves a .part file, which the next call resumes. Only an archive with the
    publisher's checksum is unpacked, and the folder appears complete or not at all.

    Parameters
    ----------
    folder : path, optional
        Where to put it, default: the user's cache.
    url, checksum : str
        The archive and what it must hash to ("md5:...").
    callback : callable, optional
        Told of the bytes so far; may raise `Cancelled`.

    Raises
    ------
    ConnectionError
        The server cannot be reached, refuses, or three connections in a row broke without any progress.
    ValueError
        The archive's checksum is wrong: it is deleted.
    """
    with from_extra("datasets", "CIFAR-10"):
        import pooch

    target = Path(folder) if folder is not None else Path(pooch.os_cache("acot-explorer"))
    if (ready := find_cifar10(target)) is not None:
        return ready
    target.mkdir(parents=True, exist_ok=True)
    name = Path(url).name
    part = target / f"{name}.part"
    archive = pooch.retrieve(
        url,
        checksum,
        fname=name,
        path=target,
        downloader=_resuming_downloader(part, callback),
        progressbar=False,
    )
    unpacked = Path(tempfile.mkdtemp(dir=target, prefix=f".{_FOLDER}."))
    try:
        with tarfile.open(archive) as tar:
            for member in (*_TRAIN, _TEST):
                source = tar.extractfile(f"{_FOLDER}/{member}")
                if source is None:
                    raise KeyError(member)
                with source, (unpacked / member).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        read_cifar10(unpacked)
        unpacked.rename(target / _FOLDER)
    except (KeyError, tarfile.TarError, EOFError) as error:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise ValueError(f"{archive}: not CIFAR-10's binary archive ({error})") from error
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise
    Path(archive).unlink()
    return target / _FOLDER


def _resuming_downloader(part: Path, callback: Callback | None) -> Callable[[str, Any, Any], None]:
    """A downloader for pooch that collects the file in ``part`` and moves it to its place when complete."""

    def download(url: str, output_file: Any, pooch: Any) -> None:
        furthest, fruitless = 0, 0
        while not _fetch(url, part, callback):
            # A connection that got further is worth another; three in a row that did not are not.
            size = part.stat().st_size if part.exists() else 0
            fruitless = 0 if size > furthest else fruitless + 1
            furthest = max(size, furthest)
            if fruitless == _ATTEMPTS:
                raise ConnectionError(
                    f"{url}: the connection broke {fruitless} times without progress; {part} holds {size} "
                    "bytes, and the next call resumes there"
                )
        part.replace(output_file)

    return download


def _fetch(url: str, part: Path, callback: Callback | None) -> bool:
    """Append to ``part`` what the server has beyond it; True when the file is complete."""
    offset = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return _receive(response, part, offset, callback)
    except urllib.error.HTTPError as error:
        if error.code == 416 and offset:
            return True  # nothing lies beyond: complete, or of another file; the checksum tells
        raise ConnectionError(f"{url}: the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise ConnectionError(
            f"{url}: cannot be reached ({error.reason}); without a network, put the .bin files into a "
            "folder and pass it as root"
        ) from error
    except (HTTPException, OSError):
        return False


def _receive(response: HTTPResponse, part: Path, offset: int, callback: Callback | None) -> bool:
    if response.status != 206:  # the server starts from the beginning
        offset = 0
    length = response.headers.get("Content-Length")
    total = offset + int(length) if length is not None else 0
    clock = Clock("download", total, callback, start=offset)
    done = offset
    with part.open("ab" if offset else "wb") as file:
        while block := response.read(_CHUNK):
            file.write(block)
            done += len(block)
            clock.report(done)
    return not total or done == total
