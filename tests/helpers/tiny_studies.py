"""Small data sets and fast settings that the tests of experiments share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from acot_core.datasets import SequenceDataset, load
from acot_core.sequences import normalize_frames

TINY = {"n_sequences": 32, "n_pairs": 2, "dimension": 24, "length_range": (8, 14), "n_splits": 2}
FAST = {"n_iter": 5, "classifier_iter": 20, "hidden": 8}
LINEAR = {"kind": "linear", "C": 10.0}


def tiny(**more: Any) -> SequenceDataset:
    return load("planted", random_state=0, **{**TINY, **more})


def two_streams() -> SequenceDataset:
    """Four classes, two bits: one stream knows the first bit, the other the second."""
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 4
    streams = {}
    for name, bit in (("a", labels // 2), ("b", labels % 2)):
        centres = np.stack([np.ones(12), np.ones(12)]) + 2 * np.eye(2, 12)
        noise = 0.4 * rng.random((64, 6, 12))
        streams[name] = list(torch.from_numpy((centres[bit][:, None] + noise).astype(np.float32)))
    streams = {name: [normalize_frames(s) for s in sequences] for name, sequences in streams.items()}
    return SequenceDataset("bits", streams, labels, list("abcd"), {"1": np.arange(64) < 32})
