"""`load`: every data set by its name or path (Sec. 4, "Datasets")."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from acot_core.datasets.archives import MAX_BYTES
from acot_core.datasets.encoders import encode
from acot_core.datasets.jhmdb import read_jhmdb
from acot_core.datasets.planted import planted
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.datasets.storage import read_archive_file, read_folder
from acot_core.progress import Callback
from acot_core.sequences import resolve_seed

__all__ = ["DATASETS", "DatasetInfo", "Encoder", "data_root", "load"]

Encoder = Literal["auto", "none", "untrained", "trained"]


@dataclass(frozen=True)
class DatasetInfo:
    """What a named data set is: a title, a sentence, where it comes from, and its usual windows."""

    name: str
    title: str
    description: str
    source: str
    window: int = 1
    stride: int = 1


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            "planted",
            "Planted (generated)",
            "Sequences that meet the paper's assumptions; pairs of classes are each other's time reversal.",
            "generated, acot_core.datasets.planted",
        ),
        DatasetInfo(
            "jhmdb-pose",
            "JHMDB poses",
            "Real human actions, annotated 2-D joints, as two streams: pose and motion.",
            "Jhuang et al. (2013), Towards understanding action recognition; the user's own copy",
        ),
    )
}


def data_root() -> Path | None:
    """The folder of data files: ``$ACOT_DATA``, else ``../shared/data`` beside the repository, else None."""
    given = os.environ.get("ACOT_DATA")
    root = Path(given) if given else Path(__file__).resolve().parents[2].parent / "shared" / "data"
    return root if root.is_dir() else None


def load(
    name_or_path: str | os.PathLike[str],
    *,
    encoder: Encoder = "auto",
    n_features: int = 256,
    window: int | None = None,
    stride: int | None = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    split: str | None = None,
    streams: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
    max_bytes: int = MAX_BYTES,
    device: str = "cpu",
    callback: Callback | None = None,
    **options: Any,
) -> SequenceDataset:
    seed = resolve_seed(random_state)
    name = os.fspath(name_or_path)
    if name == "planted":
        return planted(random_state=seed, **options)
    if name == "jhmdb-pose":
        found = root or data_root()
        if found is None:
            raise ValueError("jhmdb-pose: not found; pass root=... or set ACOT_DATA")
        signals = read_jhmdb(found, max_bytes=max_bytes)
    elif Path(name).is_dir():
        signals = read_folder(name, max_bytes=max_bytes)
    else:
        signals = read_archive_file(name, max_bytes=max_bytes)
    train = {str(s + 1): row == 1 for s, row in enumerate(signals.splits)}
    used = {str(s + 1): row != 0 for s, row in enumerate(signals.splits)}
    seen = np.logical_and.reduce(list(train.values()))
    return SequenceDataset(
        name=signals.name,
        streams={
            s: encode(x, "untrained", train=seen, n_features=n_features, random_state=seed)
            for s, x in signals.streams.items()
        },
        raw=signals.streams | signals.extra,
        labels=signals.labels,
        class_names=signals.class_names,
        splits=train,
        used=used,
        config={"encoder": "untrained", "n_features": n_features, "random_state": seed},
    )
