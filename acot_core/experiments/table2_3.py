"""Tables 2 and 3 (Sec. 4.2): the full model and other poolings, all tuned by the same cross-validation.

`evaluate` is the short form: average pooling, order-constrained PCA and full ACOT, by encoder, k, classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.classifiers import KINDS
from acot_core.experiments._protocol.scores import ScoreRecord, collect
from acot_core.experiments._protocol.study import Entry, Study
from acot_core.experiments.methods import method
from acot_core.experiments.paper_numbers import TABLE2_PAPER, TABLE3_PAPER

COMPARED = (
    "average", "max", "rank", "pca", "grp", "krp", "discriminative", "cot-random", "acot-random", "acot",
    "minirocket", "dtw",
)  # fmt: skip
"""The rows of our Tables 2 and 3."""


@dataclass(kw_only=True)
class ComparisonRecord(ScoreRecord):
    """Accuracy of many methods over seeds and splits; `with_paper` puts the paper's rows beside them."""

    def with_paper(self, table: int = 2) -> pd.DataFrame:
        """Our table, and under it the paper's Table 2 or 3, which is from other data and features.

        Raises
        ------
        ValueError
            The table is neither 2 nor 3.
        """
        if table not in (2, 3):
            raise ValueError(f"table: expected 2 or 3, got {table!r}")
        paper = TABLE2_PAPER if table == 2 else TABLE3_PAPER
        data = "JHMDB, 3 splits" if table == 2 else "HMDB, split 1"
        column = f"paper, Table {table} ({data})"
        ours = self.table()
        ours[column] = ""
        theirs = pd.DataFrame(
            {c: [f"{v:.1f}" if c == column else "" for v in paper.values()] for c in ours.columns},
            index=pd.Index([f"[paper] {name}" for name in paper], name=ours.index.name),
        )
        return pd.concat([ours, theirs])


def comparison(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    methods: Sequence[str] = COMPARED,
    tune: bool = True,
    fixed: Mapping[str, Mapping[str, Any]] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> ComparisonRecord:
    """Compare many methods, each tuned over its own grid by cross-validation on the training sequences.

    Parameters
    ----------
    methods : sequence of str
        Names of `acot_core.experiments.methods.METHODS`.
    fixed : mapping of mappings, optional
        For some methods, parameters that are not searched.
    dataset, tune, callback, **study
        As in `acot_core.experiments.ablation`.

    Examples
    --------
    >>> record = comparison(
    ...     "planted", n_sequences=24, methods=("average", "grp"), tune=False, seeds=1, n_folds=2
    ... )
    >>> sorted(set(record.scores["method"]))
    ['average', 'grp']
    """
    chosen = Study.of(dataset, **study)
    given = {name: dict(values) for name, values in (fixed or {}).items()}
    for name in given:
        method(name)
    entries = [Entry(name, given.get(name, {}), tune) for name in methods]
    return ComparisonRecord.of(chosen, entries, callback, methods=list(methods), tune=tune, fixed=given)


def evaluate(
    dataset: str = "jhmdb-pose",
    *,
    encoders: Sequence[str] = ("untrained", "trained"),
    subspaces: Sequence[int] = (1, 4),
    classifiers: Sequence[str] = KINDS,
    tune: bool = False,
    callback: Callback | None = None,
    **study: Any,
) -> ComparisonRecord:
    """Average pooling, order-constrained PCA (GRP) and full ACOT, by encoder, k and kind of classifier.

    Parameters
    ----------
    encoders : sequence of str
        Frame encoders, for data that are encoded ("auto" for ready-made features).
    subspaces : sequence of int
        Values of k.
    classifiers : sequence of {"linear", "projection", "kernel"}
        Each is evaluated by itself; its settings are chosen by cross-validation.
    dataset, tune, callback, **study
        As in `acot_core.experiments.ablation`.
    """
    frames, seconds, complete, config = [], 0.0, True, {}
    for encoder in encoders:
        for kind in classifiers:
            chosen = Study.of(dataset, **study, encoder=encoder, classifiers=(kind,))
            grid: list[tuple[str, dict[str, Any]]] = [("average", {})] + [
                (name, {"n_subspaces": k}) for k in subspaces for name in ("grp", "acot")
            ]
            entries = [Entry(name, fixed, tune) for name, fixed in grid]
            columns = [{"encoder": encoder, "k": fixed.get("n_subspaces"), "kind": kind} for _, fixed in grid]
            scores, finished, elapsed = collect(chosen, entries, callback, columns)
            frames.append(scores)
            seconds, complete, config = seconds + elapsed, complete and finished, chosen.config(tune=tune)
            if not finished:
                break
    config |= {"encoders": list(encoders), "subspaces": list(subspaces), "classifiers": list(classifiers)}
    return ComparisonRecord(
        scores=pd.concat(frames, ignore_index=True), config=config | {"complete": complete}, seconds=seconds
    )
