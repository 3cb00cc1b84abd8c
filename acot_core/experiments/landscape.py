"""Accuracy over beta1 x beta2 (Eq. 10) for full ACOT, for GRP and for order alone: what tuning does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acot_core.datasets import SequenceDataset
from acot_core.experiments.ablation import make_plan
from acot_core.experiments.protocol import Entry
from acot_core.experiments.scores import ScoreRecord, collect, plan_config
from acot_core.progress import Callback

__all__ = ["LandscapeRecord", "landscape"]

_METHODS = ("acot", "grp", "order")


@dataclass(kw_only=True)
class LandscapeRecord(ScoreRecord):
    """Scores with columns ``beta1`` and ``beta2``; order alone has no beta1 and is shown for every one."""

    def grid(self, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """beta1 (P,), beta2 (Q,) and the mean accuracy in % (P, Q) of "acot", "grp" or "order"."""
        beta1, beta2 = (np.array(self.config[name], dtype=float) for name in ("beta1", "beta2"))
        part = self.scores[self.scores["method"] == method]
        if part.empty:
            raise ValueError(f"method: the record has no {method!r}")
        wide = 100 * part.pivot_table(index="beta1", columns="beta2", values="accuracy", dropna=False)
        values = wide.to_numpy()
        return beta1, beta2, np.repeat(values, len(beta1), 0) if len(values) < len(beta1) else values


def landscape(
    dataset: str | SequenceDataset = "planted",
    *,
    beta1: Sequence[float] = (0.1, 0.3, 1.0, 2.0, 3.0),
    beta2: Sequence[float] = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0),
    n_subspaces: int = 1,
    stream: str | None = None,
    seeds: int | Sequence[int] = 3,
    split: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    adversary: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> LandscapeRecord:
    """Judge full ACOT, GRP and order alone at every pair of weights, with one classifier.

    Parameters
    ----------
    beta1, beta2 : sequences of float
        Ascending weights.
    n_subspaces : int
        k.
    classifier : mapping, optional
        Its one setting; by default a linear SVM with C = 10 on the mean of UU'X.
    dataset, stream, seeds, split, fixed, adversary, cache, n_jobs, callback, **options
        As in `acot_core.experiments.sensitivity`.
    """
    for name, given in (("beta1", beta1), ("beta2", beta2)):
        if len(given) == 0 or list(given) != sorted(set(given)) or min(given) < 0:
            raise ValueError(f"{name}: expected ascending non-negative weights, got {list(given)}")
    plan = make_plan(
        dataset, options, seeds=seeds, splits=(split,),
        classifier=dict(classifier or {"kind": "linear", "C": 10.0}), adversary=adversary, cache=cache,
        n_jobs=n_jobs,
    )  # fmt: skip
    plan = plan.only(stream or plan.stream_names()[0])
    entries, columns = [], []
    for name in _METHODS:
        for b1 in beta1 if name != "order" else (0.0,):
            for b2 in beta2:
                more = dict(fixed or {}) if name == "acot" else {}
                weights = {"n_subspaces": n_subspaces, "beta1": float(b1), "beta2": float(b2)}
                entries.append(Entry(name, {**more, **weights}))
                columns.append({"beta1": float(b1), "beta2": float(b2)})
    scores, complete, seconds = collect(plan, entries, callback, columns)
    config = plan_config(
        plan, beta1=[float(b) for b in beta1], beta2=[float(b) for b in beta2], n_subspaces=n_subspaces,
        complete=complete,
    )  # fmt: skip
    return LandscapeRecord(scores=scores, config=config, seconds=seconds)
