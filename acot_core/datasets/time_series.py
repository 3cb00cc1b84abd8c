"""Real time series that ship inside the `aeon` package: nothing is downloaded.

BasicMotions (Clements, 2018): accelerometer and gyroscope of a smart watch, four activities. JapaneseVowels
(Kudo et al., 1999): cepstra of two vowels spoken by nine people, of different lengths. Both with the split
of their publishers.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from acot_core.datasets.signals import Signals

_FILES = {"basic-motions": "BasicMotions", "japanese-vowels": "JapaneseVowels"}


def read_time_series(name: str) -> Signals:
    """Read one of aeon's own problems as signals (n_i, c).

    Raises
    ------
    ValueError
        aeon is not installed, or came without its data.
    """
    try:
        from aeon import datasets
        from aeon.datasets import load_from_ts_file
    except ImportError as error:
        raise ValueError(f"{name}: needs aeon: pip install 'acot-explorer[datasets]'") from error
    folder = Path(datasets.__file__).parent / "data" / _FILES[name]
    signals, classes, parts = [], [], []
    for part, suffix in ((1, "TRAIN"), (2, "TEST")):
        file = folder / f"{_FILES[name]}_{suffix}.ts"
        if not file.is_file():
            raise ValueError(f"{name}: this aeon came without {file.name}")
        series, labels = load_from_ts_file(str(file))
        signals += [torch.from_numpy(np.array(x.T, dtype=np.float32)) for x in series]  # (c, n) -> (n, c)
        classes += [str(label).lower() for label in labels]
        parts += [part] * len(labels)
    names, positions = np.unique(classes, return_inverse=True)
    readable = [re.sub(r"^(?=\d+$)", "speaker ", str(label)) for label in names]
    return Signals(
        name, {"signal": signals}, positions.astype(np.int64), readable, np.array([parts], np.int8)
    )
