"""Does optimal transport matter? The same method with the learned plan, and with plans that ignore the cost.

Sec. 3.1 argues for the coupling of Eq. (2). Here the plan of Eq. (12) is the exact one, that of the proximal
solver (the paper's), the pairing of each frame with its own negative, the independent coupling, or a random
one; accuracy and objective show what that changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from acot_core.alternation import alternate
from acot_core.datasets import SequenceDataset
from acot_core.experiments.ablation import make_plan
from acot_core.experiments.methods import method
from acot_core.experiments.parts import Source, load_part, share_adversary
from acot_core.experiments.protocol import Entry, Plan
from acot_core.experiments.scores import ScoreRecord, collect, confidence, plan_config
from acot_core.experiments.sweep import run_cells
from acot_core.objective import ACOTObjective
from acot_core.progress import Callback
from acot_core.sequences import pad
from acot_core.transport import cost_matrix, solve

__all__ = ["PLANS", "PlanRecord", "plan_matters"]

PLANS: dict[str, str] = {
    "emd": "exact",
    "ipot": "proximal (paper)",
    "identity": "own frame",
    "uniform": "independent",
    "random": "random",
}
"""Couplings by their name in `acot_core.transport.solve`, and what figures call them."""


@dataclass(kw_only=True)
class PlanRecord(ScoreRecord):
    """Accuracy (``scores``, column ``plan``), and what each plan does to the objective.

    ``objectives`` has one row a plan and seed, means over the test clips: ``cost`` <pi, C> of the plan,
    ``objective`` the value of Eq. (10), to be maximised, at the subspace that the plan led to and under the
    exact plan for it (max-min, Eq. 11), and ``angle``, degrees between that subspace and the exact plan's.
    """

    objectives: pd.DataFrame = field(default_factory=pd.DataFrame)

    def plan_summary(self) -> pd.DataFrame:
        """Mean and 95 % interval over seeds of accuracy (in %), cost, objective and angle."""
        rows = []
        for plan, group in self.scores.groupby("plan", sort=False):
            row: dict[str, Any] = {"plan": plan}
            own = self.objectives[self.objectives["plan"] == plan]
            named = {"accuracy": 100 * group["accuracy"]} | {
                name: own[name] for name in ("cost", "objective", "angle")
            }
            for name, values in named.items():
                found = confidence(values.to_numpy(dtype=float))
                row |= {name: found["mean"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
            rows.append(row)
        return pd.DataFrame(rows)


def plan_matters(
    dataset: str | SequenceDataset = "jhmdb-pose",
    *,
    plans: Sequence[str] = tuple(PLANS),
    stream: str | None = None,
    seeds: int | Sequence[int] = 5,
    split: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    adversary: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
    cache: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> PlanRecord:
    """Full ACOT with each plan in place of the learned one.

    Parameters
    ----------
    plans : sequence of str
        Keys of `PLANS`.
    classifier : mapping, optional
        Its one setting; by default Eq. (14) with gamma = 1 and C = 10.
    dataset, stream, seeds, split, fixed, adversary, cache, n_jobs, callback, **options
        As in `acot_core.experiments.sensitivity`.
    """
    unknown = [name for name in plans if name not in PLANS]
    if unknown or not plans:
        raise ValueError(f"plans: expected some of {list(PLANS)}, got {list(plans)}")
    plan = make_plan(
        dataset, options, seeds=seeds, splits=(split,), adversary=adversary, cache=cache, n_jobs=n_jobs,
        classifier=dict(classifier or {"kind": "kernel", "C": 10.0, "gamma": 1.0}),
    )  # fmt: skip
    plan = plan.only(stream or plan.stream_names()[0])
    base = {"n_subspaces": 1, **(fixed or {})}
    entries = [Entry("acot", {**base, "transport": name}) for name in plans]
    columns = [{"plan": PLANS[name]} for name in plans]
    scores, complete, seconds = collect(plan, entries, callback, columns)
    objectives = _objectives(plan, list(plans), base, split, callback if complete else None)
    config = plan_config(plan, plans=list(plans), fixed=base, complete=complete)
    return PlanRecord(scores=scores, objectives=objectives, config=config, seconds=seconds)


def _objectives(
    plan: Plan, plans: list[str], base: dict[str, Any], split: str | None, callback: Callback | None
) -> pd.DataFrame:
    cells = [
        {
            "dataset": plan.source.key,
            "seed": seed,
            "split": split,
            "stream": plan.stream_names()[0],
            "setting": {**method("acot").defaults, **base},
            "adversary": dict(plan.adversary),
            "plans": plans,
        }
        for seed in plan.seeds
    ]
    found = run_cells(
        plan_cell,
        cells,
        shared={"source": plan.source, "cache": plan.cache},
        folder=None if plan.cache is None else plan.cache / "cells",
        n_jobs=plan.n_jobs,
        callback=callback,
        stage="plans",
    )
    return pd.DataFrame(
        [
            {"plan": PLANS[name], "seed": cell["seed"], **values}
            for cell, result in zip(cells, found, strict=True)
            if result is not None
            for name, values in result.items()
        ]
    )


def plan_cell(
    *,
    source: Source,
    cache: Any,
    dataset: Any,  # names the cell; `source` holds the data
    seed: int,
    split: str | None,
    stream: str,
    setting: dict[str, Any],
    adversary: dict[str, Any],
    plans: list[str],
) -> dict[str, Any]:
    """Cost, objective and angle of each plan, means over the test clips of one split."""
    part = load_part(source, seed, split, None, 3, cache)
    trained = share_adversary(part, stream, seed, adversary, cache)
    pooling = method("acot").pooling(setting, trained, seed)
    pooling.fit(part.take(stream, part.train))
    sequences = part.take(stream, part.test)
    batch, negatives = pad(sequences), pooling.sample_negatives(sequences)
    cost = cost_matrix(batch.frames, negatives.frames, pooling.ground_cost)
    weights = {"beta1": pooling.beta1, "beta2": pooling.beta2, "eta": pooling.eta}
    found, exact = {}, None
    for name in dict.fromkeys(["emd", *plans]):
        options = {"seed": list(range(len(sequences)))} if name == "random" else {}
        result = alternate(
            batch, negatives, n_subspaces=pooling.n_subspaces, **weights, transport=name,
            transport_options=options, ground_cost=pooling.ground_cost, surrogate=pooling.surrogate,
            n_iter=pooling.n_iter, n_alternations=pooling.n_alternations,
        )  # fmt: skip
        U = result.subspace
        exact = U if exact is None else exact
        projected = cost_matrix((batch.frames @ U) @ U.mT, negatives.frames, "sqeuclidean")
        best = solve(projected, batch.weights, negatives.weights, "emd").plan
        objective = ACOTObjective(
            batch.frames, mask=batch.mask, plan=best, negatives=negatives.frames, **weights
        )
        overlap = (exact.mT @ U).square().sum((1, 2)) / U.shape[2]
        found[name] = {
            "cost": float((result.plan.plan * cost).sum((1, 2)).mean()),
            "objective": float(-objective.value(U).mean()),
            "angle": float(np.degrees(np.arccos(np.sqrt(overlap.clamp(0, 1).numpy()))).mean()),
        }
    return {name: found[name] for name in plans}
