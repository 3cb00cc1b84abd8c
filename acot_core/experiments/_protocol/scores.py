"""Scores over seeds and splits: the record that Tables 1-3 and Figure 2 are made from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import stats

from acot_core._utils.progress import Callback
from acot_core.experiments._protocol.edges import count_edges
from acot_core.experiments._protocol.evaluation import evaluate_entries
from acot_core.experiments._protocol.intervals import grouped_bootstrap
from acot_core.experiments._protocol.study import Entry, Score, Study
from acot_core.experiments.methods import method
from acot_core.experiments.record import Record


@dataclass(kw_only=True)
class ScoreRecord(Record):
    """Accuracies, one row per method, stream, split and seed.

    ``scores`` has the columns of `_protocol.study.Score`, a label for the method, and those
    that an experiment adds (encoder, parameter, value, ...).
    """

    tidy = "scores"
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(
        cls,
        study: Study,
        entries: Sequence[Entry],
        callback: Callback | None = None,
        columns: Sequence[dict[str, Any]] | None = None,
        **config: Any,
    ) -> Self:
        """Evaluate ``entries``; the record's ``config`` is the study's with ``config``. See `collect`."""
        scores, complete, seconds = collect(study, entries, callback, columns)
        return cls(scores=scores, config=study.config(**config, complete=complete), seconds=seconds)

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

    def differences_of(
        self, of: str = "acot", *, n_draws: int = 4000, level: float = 0.95, seed: int = 0
    ) -> pd.DataFrame:
        """Points by which ``of`` is ahead of every other method; intervals over test sequences and seeds.

        Test sequences are paired; groups of them and seeds are drawn with replacement. ``low`` and ``high``
        bound each difference by itself, ``low_all`` and ``high_all`` all of a stream together (Bonferroni).

        Parameters
        ----------
        of : str
            A method's name; evaluated once per stream, split and seed.
        n_draws, level, seed
            Of the bootstrap.

        Raises
        ------
        ValueError
            The record has no such method.
        """
        if not (self.scores["method"] == of).any():
            raise ValueError(f"of: the record has no {of!r}, but {sorted(set(self.scores['method']))}")
        keys = ["split", "seed"]
        rows = []
        for stream, table in self.scores.groupby("stream", sort=False):
            ours = table[table["method"] == of]
            others = [m for m in dict.fromkeys(table["method"]) if m != of]
            for other in others:
                both = ours.merge(table[table["method"] == other], on=keys, suffixes=("", "_other"))
                gains = [
                    (100 * (right - json.loads(theirs)[group][0]) / n, group, s, n)
                    for s, mine, theirs in zip(both["seed"], both["right"], both["right_other"], strict=True)
                    for group, (right, n) in json.loads(mine).items()
                ]
                gain, group, s, n = (np.array(column) for column in zip(*gains, strict=True))
                interval = grouped_bootstrap(
                    gain.repeat(n), group.repeat(n), s.repeat(n),
                    n_draws=n_draws, level=level, n_comparisons=len(others), seed=seed,
                )  # fmt: skip
                rows.append({"stream": stream, "against": method(other).label, **interval})
        return pd.DataFrame(rows)

    def choices(self) -> pd.DataFrame:
        """Choices of cross-validation: parameters and classifier of every method and stream, for how many.

        ``cv_accuracy`` is the mean accuracy in % on the folds of the training sequences, where needed.
        """
        by = ["label", "stream", "parameters", "classifier"]
        choices = self.scores.groupby(by, sort=False, dropna=False).agg(
            n=("seed", "size"), cv_accuracy=("cv_accuracy", "mean")
        )
        choices["cv_accuracy"] *= 100
        return choices.reset_index()

    def edges(self) -> pd.DataFrame:
        """Choices at an edge of their grid, and how often: there a wider grid might have done better."""
        return count_edges(self.scores, ["label", "stream"])

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
    study: Study,
    entries: Sequence[Entry],
    callback: Callback | None = None,
    columns: Sequence[dict[str, Any]] | None = None,
) -> tuple[pd.DataFrame, bool, float]:
    """Evaluate ``entries`` and lay the scores out as a table; each entry may bring columns of its own.

    Returns
    -------
    scores, complete, seconds
    """
    began = perf_counter()
    scores = evaluate_entries(study, entries, callback)
    rows = [
        {**dataclasses.asdict(s), "label": method(s.method).label, **(columns[s.entry] if columns else {})}
        for s in scores
    ]
    names = [f.name for f in dataclasses.fields(Score)] + ["label"]
    frame = pd.DataFrame(rows, columns=None if rows else names).drop(columns="entry")
    n_streams = len(study.stream_names())
    each = n_streams + (study.fuse and n_streams > 1)
    expected = len(entries) * len(study.seeds) * len(study.splits) * each
    return frame, len(scores) == expected, perf_counter() - began
