"""Sequences with thumbnails, as a data set that was encoded from videos has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acot_core.datasets import SequenceDataset, Shown, Thumbnails, load

__all__ = ["filmed"]


def filmed() -> SequenceDataset:
    """Planted sequences with three thumbnails each, of frames 0, 4 and the last; their colours tell them."""
    dataset = load("planted", n_sequences=12)
    pictures = np.zeros((3, 6, 8, 3), np.uint8)
    pictures[[0, 1, 2], :, :, [0, 1, 2]] = 250
    films = [Thumbnails(pictures, np.array([0, 4, len(x) - 1])) for x in dataset.streams["features"]]
    return replace(dataset, shown=Shown(thumbnails=films))
