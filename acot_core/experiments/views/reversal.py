"""Two classes that are each other's reversal, in three dimensions: what tells them apart (Sec. 3.4, Fig. 4).

Averages and principal directions have the same law in both; what differs is the order of the frames, and with
it U.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from acot_core.experiments.record import Record, arguments
from acot_core.experiments.views.disk import directions
from acot_core.experiments.views.octant_data import adversarial_negatives, octant_sequence
from acot_core.riemannian.grassmann import principal_subspace, projection_kernel
from acot_core.sequences import pad
from acot_core.subspace.alternation import alternate
from acot_core.transport import GroundCost


@dataclass(kw_only=True)
class OctantClasses(Record):
    """N sequences of two classes as points of the disk, three ways.

    ``labels`` (N,): 0 where the cue grows, 1 where it fades. ``average``, ``pca``, ``acot`` (N, 3): the unit
    mean frame, and what stands for the principal subspace and for U. ``accuracies``: share of the sequences
    whose nearest other one is of their class, by name.
    """

    labels: np.ndarray
    average: np.ndarray
    pca: np.ndarray
    acot: np.ndarray
    accuracies: dict[str, float]

    def to_frame(self) -> pd.DataFrame:
        """One row per sequence and representation."""
        parts = []
        for name in ("average", "pca", "acot"):
            table = pd.DataFrame(getattr(self, name), columns=["x", "y", "z"])
            table.insert(0, "representation", name)
            table.insert(0, "label", self.labels)
            parts.append(table)
        return pd.concat(parts, ignore_index=True)


def octant_classes(
    generator: nn.Module,
    *,
    n_sequences: int = 60,
    n_negatives: int = 40,
    sigma: float = 0.01,
    n_subspaces: int = 1,
    beta1: float = 1.0,
    beta2: float = 10.0,
    eta: float = 0.01,
    method: str = "emd",
    ground_cost: GroundCost = "euclidean",
    n_iter: int = 25,
    random_state: int = 0,
) -> OctantClasses:
    """Pool sequences whose cue grows and the reversals of others, with negatives of one adversary's g.

    Every sequence is drawn by a seed of its own; half of them are reversed.
    """
    config, start = arguments(locals(), "generator"), perf_counter()
    labels = torch.arange(n_sequences) % 2
    frames = [
        octant_sequence("reversed" if label else "growing", random_state=10_000 + random_state * 1000 + i)
        for i, label in enumerate(labels.tolist())
    ]
    negatives = [
        adversarial_negatives(generator, X, n_negatives, sigma=sigma, random_state=random_state)[0]
        for X in frames
    ]
    batch = pad(frames)
    pooled = alternate(
        batch, pad(negatives), n_subspaces=n_subspaces, beta1=beta1, beta2=beta2, eta=eta, transport=method,
        ground_cost=ground_cost, n_iter=n_iter,
    )  # fmt: skip
    average = torch.nn.functional.normalize(batch.frames.mean(1), dim=1).double()
    principal = principal_subspace(batch.frames, batch.mask, n_subspaces).double()
    subspaces = {"average": average[:, :, None], "pca": principal, "acot": pooled.subspace.double()}
    return OctantClasses(
        labels=labels.numpy(),
        average=average.numpy(),
        pca=directions(principal).numpy(),
        acot=directions(subspaces["acot"]).numpy(),
        accuracies={name: _nearest_is_alike(U, labels) for name, U in subspaces.items()},
        config=config,
        seconds=perf_counter() - start,
    )


def _nearest_is_alike(U: Tensor, labels: Tensor) -> float:
    """Share of subspaces (N, 3, k) whose nearest other one, by the kernel of Eq. (14), has their label."""
    similarity = projection_kernel(U, U).fill_diagonal_(-torch.inf)
    return float((labels[similarity.argmax(1)] == labels).double().mean())
