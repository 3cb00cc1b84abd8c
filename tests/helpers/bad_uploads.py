"""Files that the explorer's upload must refuse, by kind; small ones, made when they are asked for."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from acot_explorer.upload import template_file

__all__ = ["BAD", "good"]


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def good(**changes: Any) -> bytes:
    """The template with some arrays changed."""
    with np.load(io.BytesIO(template_file())) as file:
        return npz(**{**dict(file), **changes})


def bomb() -> bytes:
    """A gigabyte of zeros, packed into one megabyte."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        header = io.BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (2**28, 1)}
        np.lib.format.write_array_header_1_0(header, shape)
        with file.open("features.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(64):
                member.write(bytes(2**24))
    return buffer.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, features=np.array([{"a": 1}], dtype=object), lengths=[1], labels=[0])
    return buffer.getvalue()


def with_nan() -> bytes:
    features = np.load(io.BytesIO(template_file()))["features"].copy()
    features[3, 2] = np.nan
    return good(features=features)


def negative() -> bytes:
    features = np.load(io.BytesIO(template_file()))["features"].copy()
    features[5, 1] = -1
    return good(features=features)


BAD: dict[str, Callable[[], bytes]] = {
    "a pickle": lambda: pickle.dumps({"features": 1}),
    "pickled arrays": pickled,
    "a zip bomb": bomb,
    "a NaN": with_nan,
    "lengths that do not add up": lambda: good(lengths=np.full(24, 99)),
    "labels too short": lambda: good(labels=np.zeros(3, int)),
    "features of three dimensions": lambda: good(features=np.ones((10, 3, 2))),
    "complex features": lambda: good(features=np.ones((10, 3), complex)),
    "text": lambda: b"features,lengths,labels\n1,2,3\n",
    "nothing": lambda: b"",
    "a truncated file": lambda: template_file()[:700],
    "no features": lambda: npz(lengths=[2], labels=[0]),
    "a zip of something else": lambda: zipped("readme.txt", b"hello"),
}


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()
