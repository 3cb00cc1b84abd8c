"""Table 1 (Sec. 4.1): what each module of the method adds, for each stream and for both fused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.scores import ScoreRecord
from acot_core.experiments._protocol.study import Entry, Study
from acot_core.experiments.methods import TABLE1


@dataclass(kw_only=True)
class AblationRecord(ScoreRecord):
    """Table 1 over seeds and splits: `table`, `summary`, and the paired differences of every row."""

    def differences(self) -> pd.DataFrame:
        """Points of accuracy over average pooling and over GRP, paired, with 95 % intervals."""
        baselines = [b for b in ("average", "grp") if (self.scores["method"] == b).any()]
        return pd.concat([self.paired(b).assign(baseline=b) for b in baselines], ignore_index=True)


def ablation(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    n_subspaces: int | None = 1,
    tune: bool = False,
    fixed: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> AblationRecord:
    """The six rows of Table 1, the full model with random negatives, and GRP.

    Parameters
    ----------
    dataset : str, SequenceDataset or Study
        A name or path for `acot_core.datasets.load`, data, or a study.
    n_subspaces : int or None
        k of every subspace method; None leaves it to the grid (with ``tune``) or to 1.
    tune : bool
        Whether each method's weights are chosen by cross-validation on the training sequences, or are the
        paper's (then only the classifier is chosen).
    fixed : mapping, optional
        Pooling parameters of the ACOT rows that differ from the paper's.
    callback : callable, optional
        Gets `Progress`; raising `Cancelled` stops, and what is complete is returned.
    **study
        Fields of `Study` (seeds, splits, streams, classifier, adversary, cache, n_jobs, ...) and options of
        `load` (encoder, n_features, ...).
    """
    chosen = Study.of(dataset, **study)
    k = {} if n_subspaces is None else {"n_subspaces": n_subspaces}
    parameters: dict[str, Mapping[str, Any]] = {"average": {}, "grp": k}
    of_acot = {**k, **(fixed or {})}
    entries = [Entry(name, parameters.get(name, of_acot), tune) for name in (*TABLE1, "acot-random", "grp")]
    given = dict(fixed or {})
    return AblationRecord.of(chosen, entries, callback, n_subspaces=n_subspaces, tune=tune, fixed=given)
