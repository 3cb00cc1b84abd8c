"""Accuracy over beta1 x beta2 (Eq. 10) for full ACOT, for GRP and for order alone: what tuning does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.scores import ScoreRecord
from acot_core.experiments._protocol.study import Entry, Study

_METHODS = ("acot", "grp", "order")


@dataclass(kw_only=True)
class LandscapeRecord(ScoreRecord):
    """Scores with columns ``beta1`` and ``beta2``; order alone has no beta1 and is shown for every one."""

    def grid(self, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """beta1 (P,), beta2 (Q,) and the mean accuracy in % (P, Q) of "acot", "grp" or "order"."""
        beta1, beta2 = (np.array(self.config[name], dtype=float) for name in ("beta1", "beta2"))
        rows = self.scores[self.scores["method"] == method]
        if rows.empty:
            raise ValueError(f"method: the record has no {method!r}")
        wide = 100 * rows.pivot_table(index="beta1", columns="beta2", values="accuracy", dropna=False)
        values = wide.to_numpy()
        return beta1, beta2, np.repeat(values, len(beta1), 0) if len(values) < len(beta1) else values


def landscape(
    dataset: str | SequenceDataset | Study = "planted",
    *,
    beta1: Sequence[float] = (0.1, 0.3, 1.0, 2.0, 3.0),
    beta2: Sequence[float] = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0),
    n_subspaces: int = 1,
    stream: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> LandscapeRecord:
    """Evaluate full ACOT, GRP and order alone at every pair of weights, with one classifier.

    Parameters
    ----------
    beta1, beta2 : sequences of float
        Ascending weights.
    n_subspaces : int
        k.
    stream : str, optional
        The first by default.
    fixed : mapping, optional
        Pooling parameters of ACOT that differ from the paper's.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`. ``classifier`` is one setting; by default a linear SVM with
        C = 10 on the mean of UU'X. 3 seeds by default.
    """
    for name, weights in (("beta1", beta1), ("beta2", beta2)):
        if len(weights) == 0 or list(weights) != sorted(set(weights)) or min(weights) < 0:
            raise ValueError(f"{name}: expected ascending non-negative weights, got {list(weights)}")
    given = {"seeds": 3, "classifier": {"kind": "linear", "C": 10.0}, **study}
    chosen = Study.of(dataset, **given).only(stream)
    entries, columns = [], []
    for name in _METHODS:
        for b1 in beta1 if name != "order" else (0.0,):
            for b2 in beta2:
                more = dict(fixed or {}) if name == "acot" else {}
                setting = {"n_subspaces": n_subspaces, "beta1": float(b1), "beta2": float(b2)}
                entries.append(Entry(name, {**more, **setting}))
                columns.append({"beta1": float(b1), "beta2": float(b2)})
    config = {"beta1": list(map(float, beta1)), "beta2": list(map(float, beta2)), "n_subspaces": n_subspaces}
    return LandscapeRecord.of(chosen, entries, callback, columns, **config)
