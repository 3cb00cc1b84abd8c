"""Theorem 1 on one pair of sets, over the dimension k (Sec. 3.1.1, Eq. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from acot_core.experiments.record import TableRecord
from acot_core.subspace.theorem1 import robust_distances


def bound_study(
    frames: Any,
    negatives: Any,
    *,
    dimensions: Sequence[int],
    n_starts: int = 1,
    n_iter: int = 10,
    seed: int = 0,
) -> TableRecord:
    """The quantities of Theorem 1 at each k.

    Columns: dimension ``k``, ``projection`` (P_k^2), ``contrastive`` (C_k^2), ``subspace`` (S_k^2 from above,
    by Frank-Wolfe), ``subspace_bound`` (S_k^2 from below, by the duality gap) and ``upper_bound`` (S_k^2 and
    the variational term).

    Parameters
    ----------
    frames, negatives : array-like (n, d) and (m, d)
    dimensions : sequence of int
        The k, from 1 to d.
    n_starts, n_iter, seed
        As in `acot_core.subspace.theorem1.robust_distances`.
    """
    x, y = (torch.as_tensor(points).double()[None] for points in (frames, negatives))
    rows = []
    for k in dimensions:
        distances = robust_distances(x, y, k, n_starts=n_starts, n_iter=n_iter, seed=seed)
        names = ("projection", "contrastive", "subspace", "subspace_bound", "upper_bound")
        rows.append({"k": k} | {name: float(getattr(distances, name)) for name in names})
    return TableRecord(
        table=pd.DataFrame(rows),
        config={"dimensions": list(dimensions), "n_starts": n_starts, "n_iter": n_iter, "seed": seed},
    )


def bounds_hold(record: TableRecord, tolerance: float = 1e-6) -> bool:
    """Whether P_k^2 <= C_k^2 <= S_k^2 + the variational term at every k, up to ``tolerance``."""
    t = record.table
    below = t["projection"] <= t["contrastive"] + tolerance
    return bool((below & (t["contrastive"] <= t["upper_bound"] + tolerance)).all())
