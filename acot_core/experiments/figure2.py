"""Figure 2 (Sec. 4.1): accuracy against one parameter, any of them, with bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.classifiers import LINEAR
from acot_core.experiments._protocol.scores import ScoreRecord, collect
from acot_core.experiments._protocol.study import Entry, Study
from acot_core.experiments.parameters import PARAMETERS

FIGURE2: dict[str, tuple[float, ...]] = {name: p.swept for name, p in PARAMETERS.items()}
"""Values of Fig. 2 (a)-(d), and of the parameters that the paper does not plot."""

PANELS: dict[str, dict[str, float]] = {
    "n_subspaces": {"beta1": 0.1, "n_negatives": 50},
    "beta1": {"n_subspaces": 1, "n_negatives": 50},
    "n_negatives": {"n_subspaces": 1},
    "beta2": {"beta1": 0.1, "n_negatives": 50, "n_subspaces": 1},
}
"""What the paper keeps fixed in its panels: Fig. 2 (a) and (d) at beta1 = 0.1 (Sec. 4.1)."""

EQ14 = {"kind": "kernel", "C": 100.0, "gamma": 0.1}
"""The classifier of Fig. 2 and of `acot_core.experiments.classification`."""

_OF_ADVERSARY = ("sigma", "lambda1", "lambda2")


@dataclass(kw_only=True)
class SensitivityRecord(ScoreRecord):
    """Accuracy for each value of one parameter; column ``value`` of the scores (empty for the baselines)."""

    parameter: str = ""


def sensitivity(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    parameter: str = "n_subspaces",
    *,
    values: Sequence[float] | None = None,
    stream: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> SensitivityRecord:
    """Full ACOT against one of its parameters, with average pooling for reference.

    Parameters
    ----------
    parameter : str
        One of `FIGURE2`: of the pooling, or of the adversary, which is then trained for each value.
    values : sequence, optional
        `FIGURE2`'s by default.
    stream : str, optional
        The first by default.
    fixed : mapping, optional
        Other pooling parameters; by default the paper's for its panel (`PANELS`), k = 1 and 50 negatives.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`. ``classifier`` is one setting for the subspaces; by default
        Eq. (14) with gamma = 0.1 and C = 100, as in `acot_core.experiments.classification`: a kernel as
        narrow as gamma = 1 makes every subspace like itself alone from k = 5 on. Averages get a linear SVM.

    Raises
    ------
    ValueError
        The parameter has no such name.
    """
    if parameter not in FIGURE2:
        raise ValueError(f"parameter: expected one of {list(FIGURE2)}, got {parameter!r}")
    points = list(FIGURE2[parameter] if values is None else values)
    if not points:
        raise ValueError("values: expected at least one, got none")
    if PARAMETERS[parameter].integer:
        points = [int(v) for v in points]
    base = {"n_subspaces": 1, "n_negatives": 50, **PANELS.get(parameter, {}), **(fixed or {})}
    base.pop(parameter, None)
    chosen = Study.of(dataset, **{"classifier": EQ14, **study}).only(stream)
    entries = [
        Entry("acot", base, adversary={parameter: v})
        if parameter in _OF_ADVERSARY
        else Entry("acot", {**base, parameter: v})
        for v in points
    ]
    columns = [{"parameter": parameter, "value": v} for v in points]
    scores, complete, seconds = collect(chosen, entries, callback, columns)
    if not scores.empty:  # else it was stopped before there was anything to compare
        reference, finished, elapsed = collect(
            replace(chosen, classifier=LINEAR),
            [Entry("average")],
            callback if complete else None,
            [{"parameter": parameter, "value": float("nan")}],
        )
        scores = pd.concat([scores, reference], ignore_index=True)
        complete, seconds = complete and finished, seconds + elapsed
    return SensitivityRecord(
        parameter=parameter,
        scores=scores if "value" in scores else scores.assign(parameter=[], value=[]),
        config=chosen.config(parameter=parameter, values=points, fixed=base, complete=complete),
        seconds=seconds,
    )
