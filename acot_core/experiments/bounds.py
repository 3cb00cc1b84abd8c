"""Theorem 1 on one pair of sets, over the dimension k (Sec. 3.1.1, Eq. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch

from acot_core.records import Record
from acot_core.robust import robust_distances

__all__ = ["BoundStudy", "bound_study"]


@dataclass(kw_only=True)
class BoundStudy(Record):
    """``table``: one row a dimension ``k`` with ``projection`` (P_k^2), ``contrastive`` (C_k^2), ``subspace``
    (S_k^2) and ``upper_bound`` (S_k^2 and the variational term)."""

    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """One row a dimension."""
        return self.table

    def holds(self, tolerance: float = 1e-6) -> bool:
        """Whether P_k^2 <= C_k^2 <= S_k^2 + the variational term at every k, up to ``tolerance``."""
        t = self.table
        below = t["projection"] <= t["contrastive"] + tolerance
        return bool((below & (t["contrastive"] <= t["upper_bound"] + tolerance)).all())


def bound_study(
    frames: Any,
    negatives: Any,
    *,
    dimensions: Sequence[int],
    n_starts: int = 1,
    n_iter: int = 10,
    seed: int = 0,
) -> BoundStudy:
    """The four quantities of Theorem 1 at each k.

    Parameters
    ----------
    frames, negatives : array-like (n, d) and (m, d)
    dimensions : sequence of int
        The k, from 1 to d.
    n_starts, n_iter, seed
        As in `acot_core.robust.robust_distances`.
    """
    x, y = (torch.as_tensor(points).double()[None] for points in (frames, negatives))
    rows = []
    for k in dimensions:
        found = robust_distances(x, y, k, n_starts=n_starts, n_iter=n_iter, seed=seed)
        names = ("projection", "contrastive", "subspace", "upper_bound")
        rows.append({"k": k} | {name: float(getattr(found, name)) for name in names})
    return BoundStudy(
        table=pd.DataFrame(rows),
        config={"dimensions": list(dimensions), "n_starts": n_starts, "n_iter": n_iter, "seed": seed},
    )
