"""Figure 4 (Sec. 4.3): t-SNE of frames with their negatives, and of the representations of sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.parts import Part, load_part, share_adversary
from acot_core.experiments._protocol.study import Study
from acot_core.experiments.methods import method
from acot_core.experiments.record import Record
from acot_core.riemannian.grassmann import projection_kernel

PANELS: dict[str, str] = {
    "frames": "Adv. samples",
    "average": "Average pooling",
    "cot-random": "Random contrastive",
    "acot": "Adv. contrastive",
}
"""The panels (a)-(d) of Fig. 4: frames with their negatives, then three representations of sequences."""


@dataclass(kw_only=True)
class EmbeddingRecord(Record):
    """Points of Fig. 4 and how well they separate the classes.

    ``points`` has one row per point: panel, x, y, label, class_name and kind ("frame", "negative" or
    "sequence"). ``quality`` has one row per panel: ``silhouette`` and ``purity``, both measured between the
    representations themselves, not in the plane, and the number of points.
    """

    tidy = "points"
    points: pd.DataFrame = field(default_factory=pd.DataFrame)
    quality: pd.DataFrame = field(default_factory=pd.DataFrame)


def embedding(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    stream: str | None = None,
    seed: int = 0,
    split: str | None = None,
    sequences: Literal["test", "all"] = "test",
    n_classes: int = 5,
    frames_per_class: int = 40,
    n_neighbors: int = 5,
    perplexity: float = 30.0,
    fixed: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> EmbeddingRecord:
    """Embed frames and negatives of a few classes, and the representations of all sequences, in the plane.

    Parameters
    ----------
    stream, seed, split
        One of each; the first stream and split by default.
    sequences : {"test", "all"}
        Test sequences (the fair choice: the adversary saw the labels of the others), or all, as in the paper.
    n_classes, frames_per_class : int
        Of panel (a); as many negatives as frames are shown.
    n_neighbors : int
        Of the neighbour purity.
    perplexity : float
        Of t-SNE; lowered where a panel has too few points for it.
    fixed : mapping, optional
        Pooling parameters that differ from the paper's, for both contrastive panels.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`. `Cancelled` is passed on when it comes while the adversary is
        trained: there is nothing to show yet.
    """
    if sequences not in ("test", "all"):
        raise ValueError(f"sequences: expected 'test' or 'all', got {sequences!r}")
    began = perf_counter()
    chosen = Study.of(dataset, **{**study, "seeds": (seed,), "splits": (split,)}).only(stream)
    source, (stream,) = chosen.source, chosen.streams
    names = source.get(seed).class_names
    part = load_part(source, seed, split, None, chosen.n_folds, chosen.cache)
    shown = part.test if sequences == "test" else np.sort(np.concatenate([part.train, part.test]))
    trained = share_adversary(part, stream, seed, dict(chosen.adversary), chosen.cache, callback)
    clock = Clock("embedding", len(PANELS), callback)
    points, quality = [], []
    complete = True
    for step, panel in enumerate(PANELS, 1):
        if panel == "frames":
            distance, labels, kinds = _frames(part, stream, shown, trained, n_classes, frames_per_class, seed)
            counted = kinds == "frame"
        else:
            distance = _representations(panel, part, stream, shown, trained, dict(fixed or {}), seed)
            labels, kinds = part.labels[shown], np.full(len(shown), "sequence")
            counted = np.ones(len(shown), bool)
        plane = _plane(distance, perplexity, seed)
        points.append(
            pd.DataFrame(
                {
                    "panel": panel,
                    "x": plane[:, 0],
                    "y": plane[:, 1],
                    "label": labels,
                    "class_name": [names[c] for c in labels],
                    "kind": kinds,
                }
            )
        )
        inner = distance[np.ix_(counted, counted)]
        quality.append(
            {
                "panel": panel,
                "silhouette": float(silhouette_score(inner, labels[counted], metric="precomputed")),
                "purity": neighbour_purity(inner, labels[counted], n_neighbors),
                "n_points": int(counted.sum()),
            }
        )
        try:
            clock.report(step)
        except Cancelled:
            complete = step == len(PANELS)
            break
    config = chosen.config(
        sequences=sequences,
        n_neighbors=n_neighbors,
        perplexity=perplexity,
        fixed=dict(fixed or {}),
        complete=complete,
    )
    return EmbeddingRecord(
        points=pd.concat(points, ignore_index=True),
        quality=pd.DataFrame(quality),
        config=config,
        seconds=perf_counter() - began,
    )


def neighbour_purity(distance: NDArray, labels: NDArray, n_neighbors: int = 5) -> float:
    """Mean share of a point's nearest neighbours (itself left out) that have its label.

    Parameters
    ----------
    distance : array (N, N)
    labels : array (N,)
    n_neighbors : int
        At most N - 1 are taken.
    """
    if n_neighbors < 1 or len(labels) < 2:
        raise ValueError(f"expected at least one neighbour and two points, got {n_neighbors}, {len(labels)}")
    k = min(n_neighbors, len(labels) - 1)
    # Called without points, kneighbors leaves each point out of its own neighbours.
    near = (
        NearestNeighbors(n_neighbors=k, metric="precomputed").fit(distance).kneighbors(return_distance=False)
    )
    return float((labels[near] == labels[:, None]).mean())


def _frames(
    part: Part, stream: str, shown: NDArray, trained: Any, n_classes: int, per_class: int, seed: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Frames of a few classes, spread over their sequences, and as many negatives of theirs."""
    rng = np.random.default_rng(seed)
    rows, labels, kinds = [], [], []
    for label in np.unique(part.labels[shown])[:n_classes]:
        sequences = part.take(stream, shown[part.labels[shown] == label])
        negatives = trained.sample(sequences, "1n", seed).unpad()
        for kind, group in (("frame", sequences), ("negative", negatives)):
            frames = torch.cat(group)
            chosen = rng.permutation(len(frames))[:per_class]
            rows.append(frames[chosen])
            labels += [label] * len(chosen)
            kinds += [kind] * len(chosen)
    points = torch.cat(rows).double()
    return torch.cdist(points, points).fill_diagonal_(0).numpy(), np.array(labels), np.array(kinds)


def _representations(
    name: str, part: Part, stream: str, shown: NDArray, trained: Any, fixed: dict[str, Any], seed: int
) -> NDArray:
    """Distances between the representations of the sequences shown: (N, N)."""
    how = method(name)
    setting = how.settings({} if name == "average" else fixed, tune=False)[0]
    pooling = how.pooling(setting, trained if how.needs_adversary(setting) else None, seed)
    pooling.fit(part.take(stream, part.train), part.labels[part.train])
    R = torch.from_numpy(pooling.transform(part.take(stream, shown)))
    if R.ndim == 2:
        return torch.cdist(R.double(), R.double()).fill_diagonal_(0).numpy()
    # The chordal distance ||UU' - VV'||_F, whose inner product is the kernel's of Eq. (14).
    square = 2 * (R.shape[2] - projection_kernel(R.double(), R.double()))
    return square.clamp_min(0).fill_diagonal_(0).sqrt().numpy()


def _plane(distance: NDArray, perplexity: float, seed: int) -> NDArray:
    limit = max(1.0, (len(distance) - 1) / 3)
    model = TSNE(metric="precomputed", init="random", perplexity=min(perplexity, limit), random_state=seed)
    return model.fit_transform(distance)
