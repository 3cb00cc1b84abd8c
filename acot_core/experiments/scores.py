"""Scores over seeds and splits: the record that Tables 1-3 and Figure 2 are made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from acot_core.experiments.methods import method
from acot_core.experiments.protocol import Entry, Plan, Score, judge
from acot_core.progress import Callback
from acot_core.records import Record

__all__ = ["ScoreRecord", "collect", "confidence", "plan_config"]


@dataclass(kw_only=True)
class ScoreRecord(Record):
    """Accuracies, one row for each method, stream, split and seed.

    ``scores`` has the columns of `acot_core.experiments.protocol.Score`, a label for the method, and those
    that an experiment adds (encoder, parameter, value, ...).
    """

    scores: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """The scores: one row an accuracy on one test part."""
        return self.scores

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for was judged (a cancelled sweep leaves part of it)."""
        return bool(self.config.get("complete", True))

    def summary(self, by: Sequence[str] = ("label", "stream")) -> pd.DataFrame:
        """Mean accuracy in %, standard deviation, number, 95 % interval of the mean, over seeds and splits.

        Parameters
        ----------
        by : column names
            What makes a group, in the order of the first appearance.
        """
        rows = []
        for key, group in self.scores.groupby(list(by), sort=False, dropna=False):
            values = 100 * group["accuracy"].to_numpy(dtype=float)
            rows.append(dict(zip(by, key, strict=True)) | confidence(values))
        return pd.DataFrame(rows)

    def paired(self, baseline: str, by: Sequence[str] = ("label", "stream")) -> pd.DataFrame:
        """Difference to ``baseline`` (a method's name) on the same seed and split, in points of accuracy.

        Pairing takes out what seeds and splits share; encoders and conditions are never mixed. A group
        without a partner in the baseline is left out.
        """
        shared = ("stream", "split", "seed", "encoder", "condition")
        pair = [c for c in shared if c in self.scores.columns]
        base = self.scores[self.scores["method"] == baseline].drop_duplicates(pair)
        both = self.scores.merge(base[[*pair, "accuracy"]], on=pair, suffixes=("", "_baseline"))
        rows = []
        for key, group in both.groupby(list(by), sort=False, dropna=False):
            difference = 100 * (group["accuracy"] - group["accuracy_baseline"]).to_numpy(dtype=float)
            rows.append(dict(zip(by, key, strict=True)) | confidence(difference))
        return pd.DataFrame(rows)

    def choices(self) -> pd.DataFrame:
        """What cross-validation chose: parameters and classifier of every method and stream, for how many.

        ``cv_accuracy`` is the mean accuracy in % on the folds of the training clips, where one was needed.
        """
        by = ["label", "stream", "parameters", "classifier"]
        found = self.scores.groupby(by, sort=False, dropna=False).agg(
            n=("seed", "size"), cv_accuracy=("cv_accuracy", "mean")
        )
        found["cv_accuracy"] *= 100
        return found.reset_index()

    def table(self, rows: str = "label", columns: Sequence[str] = ("stream",)) -> pd.DataFrame:
        """The summary as text, "mean ± standard deviation", methods down and streams across."""
        summary = self.summary((rows, *columns))
        summary["text"] = [f"{m:.1f} ± {s:.1f}" for m, s in zip(summary["mean"], summary["std"], strict=True)]
        wide = summary.set_index([rows, *columns])["text"].unstack(list(columns))
        return wide.reindex(summary[rows].drop_duplicates())


def confidence(values: np.ndarray, level: float = 0.95) -> dict[str, float]:
    """Mean, standard deviation, number, Student's t interval of the mean; NaN where one value is too few."""
    n = len(values)
    spread = float(np.std(values, ddof=1)) if n > 1 else float("nan")
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * spread / np.sqrt(n) if n > 1 else float("nan")
    mean = float(np.mean(values))
    return {"mean": mean, "std": spread, "n": n, "low": mean - half, "high": mean + half}


def collect(
    plan: Plan,
    entries: Sequence[Entry],
    callback: Callback | None = None,
    columns: Sequence[dict[str, Any]] | None = None,
) -> tuple[pd.DataFrame, bool, float]:
    """Judge ``entries`` and lay the scores out as a table; each entry may bring columns of its own.

    Returns
    -------
    scores, complete, seconds
    """
    began = perf_counter()
    scores = judge(plan, entries, callback)
    rows = [
        {**dataclasses.asdict(s), "label": method(s.method).label, **(columns[s.entry] if columns else {})}
        for s in scores
    ]
    names = [f.name for f in dataclasses.fields(Score)] + ["label"]
    frame = pd.DataFrame(rows, columns=None if rows else names).drop(columns="entry")
    n_streams = len(plan.stream_names())
    each = n_streams + (plan.fuse and n_streams > 1)
    expected = len(entries) * len(plan.seeds) * len(plan.splits) * each
    return frame, len(scores) == expected, perf_counter() - began


def plan_config(plan: Plan, **more: Any) -> dict[str, Any]:
    """The arguments of a run as plain values, for a record's ``config``."""
    return {
        "dataset": plan.source.key,
        "seeds": list(plan.seeds),
        "splits": list(plan.splits),
        "streams": list(plan.stream_names()),
        "fuse": plan.fuse,
        "fusion": plan.fusion,
        "n_folds": plan.n_folds,
        "tune_seeds": plan.tune_seeds,
        "candidates": plan.candidates,
        "with_mean": plan.with_mean,
        "classifiers": list(plan.classifiers),
        "classifier": dict(plan.classifier) if plan.classifier else None,
        "adversary": dict(plan.adversary),
        **more,
    }
