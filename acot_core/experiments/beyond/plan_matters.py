"""Does optimal transport matter? The same method with the learned plan, and with plans that ignore the cost.

Sec. 3.1 argues for the coupling of Eq. (2). Here the plan of Eq. (12) is the exact one, that of the proximal
solver (the paper's), the pairing of each frame with its own negative, the independent coupling, or a random
one; accuracy and objective show what that changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.classifiers import DEFAULT
from acot_core.experiments._protocol.evaluation import run_study_cells
from acot_core.experiments._protocol.parts import Source, load_part, share_adversary
from acot_core.experiments._protocol.scores import ScoreRecord, confidence
from acot_core.experiments._protocol.study import Entry, Study
from acot_core.experiments.methods import method
from acot_core.sequences import pad
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective
from acot_core.transport import cost_matrix, solve

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

    ``objectives`` has one row per plan and seed, means over the test sequences: ``cost`` <pi, C> of the plan,
    ``objective`` the negative of Eq. (13), to be maximised, at the subspace that the plan led to and under
    the exact plan for it (max-min, Eq. 11), and ``angle``, degrees between that subspace and that of the
    exact plan.
    """

    objectives: pd.DataFrame = field(default_factory=pd.DataFrame)

    def plan_summary(self) -> pd.DataFrame:
        """Mean and 95 % interval over seeds of accuracy (in %), cost, objective and angle."""
        rows = []
        for plan, group in self.scores.groupby("plan", sort=False):
            row: dict[str, Any] = {"plan": plan}
            of_plan = self.objectives[self.objectives["plan"] == plan]
            named = {"accuracy": 100 * group["accuracy"]} | {
                name: of_plan[name] for name in ("cost", "objective", "angle")
            }
            for name, values in named.items():
                interval = confidence(values.to_numpy(dtype=float))
                row |= {
                    name: interval["mean"],
                    f"{name}_low": interval["low"],
                    f"{name}_high": interval["high"],
                }
            rows.append(row)
        return pd.DataFrame(rows)


def plan_matters(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    plans: Sequence[str] = tuple(PLANS),
    stream: str | None = None,
    split: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> PlanRecord:
    """Full ACOT with each plan in place of the learned one.

    Parameters
    ----------
    plans : sequence of str
        Keys of `PLANS`.
    stream, split : str, optional
        The first by default.
    fixed : mapping, optional
        Pooling parameters that differ from the paper's.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`. ``classifier`` is one setting; by default Eq. (14) with C = 10
        and gamma relative to the median.
    """
    unknown = [name for name in plans if name not in PLANS]
    if unknown or not plans:
        raise ValueError(f"plans: expected some of {list(PLANS)}, got {list(plans)}")
    chosen = Study.of(dataset, **{"classifier": DEFAULT, **study}, splits=(split,)).only(stream)
    base = {"n_subspaces": 1, **(fixed or {})}
    entries = [Entry("acot", {**base, "transport": name}) for name in plans]
    columns = [{"plan": PLANS[name]} for name in plans]
    record = PlanRecord.of(chosen, entries, callback, columns, plans=list(plans), fixed=base)
    record.objectives = _objectives(chosen, list(plans), base, callback if record.complete else None)
    return record


def _objectives(
    study: Study, plans: list[str], base: dict[str, Any], callback: Callback | None
) -> pd.DataFrame:
    cells = [
        {
            "dataset": study.source.key,
            "seed": seed,
            "split": study.splits[0],
            "stream": study.streams[0],
            "setting": {**method("acot").defaults, **base},
            "adversary": dict(study.adversary),
            "plans": plans,
        }
        for seed in study.seeds
    ]
    results = run_study_cells(study, plan_cell, cells, callback, "plans")
    return pd.DataFrame(
        [
            {"plan": PLANS[name], "seed": cell["seed"], **values}
            for cell, result in zip(cells, results, strict=True)
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
    """Cost, objective and angle of each plan, means over the test sequences of one split."""
    part = load_part(source, seed, split, None, 3, cache)
    trained = share_adversary(part, stream, seed, adversary, cache)
    pooling = method("acot").pooling(setting, trained, seed)
    pooling.fit(part.take(stream, part.train))
    sequences = part.take(stream, part.test)
    batch, negatives = pad(sequences), pooling.sample_negatives(sequences)
    cost = cost_matrix(batch.frames, negatives.frames, pooling.ground_cost)
    weights = {"beta1": pooling.beta1, "beta2": pooling.beta2, "eta": pooling.eta}
    measured, exact = {}, None
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
        measured[name] = {
            "cost": float((result.transport.plan * cost).sum((1, 2)).mean()),
            "objective": float(-objective.value(U).mean()),
            "angle": float(np.degrees(np.arccos(np.sqrt(overlap.clamp(0, 1).numpy()))).mean()),
        }
    return {name: measured[name] for name in plans}
