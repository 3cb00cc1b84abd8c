"""Trained networks on disk: tensors as safetensors, all else as JSON in its header; nothing is unpickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from acot_core._utils.files import atomic_write

_VERSION = 1


def write_checkpoint(
    path: str | os.PathLike[str], kind: str, tensors: dict[str, Tensor], metadata: dict[str, Any]
) -> Path:
    """Write ``tensors`` and ``metadata`` (JSON's types only) to ``path``, atomically."""
    header = {"format": kind, "version": str(_VERSION), "metadata": json.dumps(metadata, default=_plain)}
    data = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return atomic_write(path, safetensors.torch.save(data, metadata=header))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint's header cannot hold a {type(value).__name__}")


def read_checkpoint(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_checkpoint` wrote, as CPU tensors and plain values.

    Raises
    ------
    ValueError
        The file is truncated, no safetensors file, of another kind or of a later version.
    FileNotFoundError
        There is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: truncated, or no safetensors file ({error})") from error
    if header.get("format") != kind:
        raise ValueError(f"{path}: holds {header.get('format', 'something else')!r}, expected {kind!r}")
    if header.get("version") != str(_VERSION):
        raise ValueError(f"{path}: has version {header.get('version')}, this package reads {_VERSION}")
    try:
        metadata = json.loads(header["metadata"])
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: its header is damaged ({error})") from error
    bad = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if not isinstance(metadata, dict) or bad:
        raise ValueError(f"{path}: damaged ({bad or 'no metadata'})")
    return tensors, metadata
