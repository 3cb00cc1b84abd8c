"""Figure 4: t-SNE panels and their quality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_studies import FAST, TINY

from acot_core.experiments import embedding
from acot_core.experiments.figure4 import neighbour_purity


def test_embedding(tmp_path: Path) -> None:
    record = embedding("planted", adversary=FAST, cache=tmp_path, frames_per_class=6, perplexity=5, **TINY)
    assert list(record.quality["panel"]) == ["frames", "average", "cot-random", "acot"]
    frames = record.points[record.points["panel"] == "frames"]
    assert (frames["kind"] == "negative").sum() == (frames["kind"] == "frame").sum()


def test_neighbour_purity_by_hand() -> None:
    points = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 0.15])
    distance = abs(points[:, None] - points)
    assert neighbour_purity(distance, np.array([0, 0, 0, 1, 1, 1]), 1) == pytest.approx(3 / 6)
