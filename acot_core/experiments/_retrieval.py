"""Retrieval: how well representations compare sequences when no classifier is trained on them.

An SVM finds by itself what the labels say of a representation; a similarity cannot. Here every test sequence
is a query to the training sequences, ranked by the natural similarity of the representation: 1-NN accuracy,
mean average precision, precision at 10, and how well the test sequences cluster. Three questions: all classes
known, classes that nothing was trained on (``unseen``), few labelled sequences (``per_class``).

Every method is tuned for each measure by itself, over a grid of the same size, on folds of the training
sequences that share no group with the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.cells import Fit
from acot_core.experiments._protocol.edges import count_edges, edges_of_choice
from acot_core.experiments._protocol.evaluation import run_study_cells, train_adversaries
from acot_core.experiments._protocol.intervals import grouped_bootstrap
from acot_core.experiments._protocol.parts import Part, restrict_part
from acot_core.experiments._protocol.similarity import PER_QUERY, cluster_quality, rank_queries, similarity
from acot_core.experiments._protocol.study import Entry, Run, Study
from acot_core.experiments.methods import method
from acot_core.experiments.record import Record

MEASURES: dict[str, str] = {
    "nearest": "1-NN accuracy",
    "average_precision": "mean average precision",
    "precision_at_10": "precision at 10",
    "silhouette": "silhouette",
    "purity": "k-means purity",
}
"""What is measured, and what tables call it; in % but for the silhouette."""

RETRIEVED = (
    "average", "max", "pca", "grp", "krp", "rank", "dtw", "minirocket", "lda", "lda-frames", "nca",
    "probabilities", "probabilities-frames", "grp-lda", "grp-nca", "grp-probabilities", "acot-random", "acot",
)  # fmt: skip
"""The methods that are compared: unsupervised, of raw signals, supervised, these with order, and ACOT."""


@dataclass(kw_only=True)
class RetrievalRecord(Record):
    """Measures of each method, stream, split and seed, and of each query.

    Attributes
    ----------
    scores : DataFrame
        ``method``, ``label``, ``stream``, ``split``, ``seed``, ``measure``, ``value`` (a share), its mean
        over the folds ``cv_value``, the chosen ``parameters`` (JSON), ``edges`` (choices at a grid's edge).
    queries : DataFrame
        ``method``, ``stream``, ``split``, ``seed``, ``query`` (position in the data), ``group`` and its value
        of each measure in `PER_QUERY`.
    """

    tidy = "scores"
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    queries: pd.DataFrame = field(default_factory=pd.DataFrame)

    def summary(self) -> pd.DataFrame:
        """Mean of each measure in % over seeds and splits (the silhouette: times 100), methods down."""
        wide = self.scores.pivot_table(
            index=["stream", "label"], columns="measure", values="value", aggfunc="mean", sort=False
        )
        return (100 * wide[[m for m in MEASURES if m in wide]]).reset_index()

    def differences(
        self, of: str = "acot", *, n_draws: int = 4000, level: float = 0.95, seed: int = 0
    ) -> pd.DataFrame:
        """Points by which ``of`` is ahead of every other method, with intervals over groups and seeds.

        Queries are paired; seeds and groups of queries are drawn with replacement. ``low`` and ``high`` bound
        each difference by itself, ``low_all`` and ``high_all`` all of a measure and stream together
        (Bonferroni).

        Parameters
        ----------
        of : str
            A method's name.
        n_draws : int
            Draws of the bootstrap.
        level : float
            Of the intervals.
        seed : int
            Of the bootstrap.

        Raises
        ------
        ValueError
            The record has no such method.
        """
        if not (self.queries["method"] == of).any():
            raise ValueError(f"of: the record has no {of!r}, but {sorted(set(self.queries['method']))}")
        others = [m for m in dict.fromkeys(self.queries["method"]) if m != of]
        keys = ["split", "seed", "query"]
        rows = []
        for stream, of_stream in self.queries.groupby("stream", sort=False):
            ours = of_stream[of_stream["method"] == of]
            for other in others:
                theirs = of_stream[of_stream["method"] == other]
                both = ours.merge(theirs, on=keys, suffixes=("", "_other"))
                for measure in PER_QUERY:
                    gain = 100 * (both[measure] - both[f"{measure}_other"])
                    interval = grouped_bootstrap(
                        gain.to_numpy(), both["group"].to_numpy(), both["seed"].to_numpy(),
                        n_draws=n_draws, level=level, n_comparisons=len(others), seed=seed,
                    )  # fmt: skip
                    named = {"stream": stream, "measure": measure, "against": method(other).label}
                    rows.append({**named, "ordered": method(other).ordered, **interval})
        return pd.DataFrame(rows)

    def choices(self) -> pd.DataFrame:
        """Choices of the folds for each method, stream and measure, and for how many seeds."""
        by = ["label", "stream", "measure", "parameters"]
        return self.scores.groupby(by, sort=False).size().rename("n").reset_index()

    def edges(self) -> pd.DataFrame:
        """Choices at an edge of their grid, and how often: there a wider grid might have done better."""
        return count_edges(self.scores, ["label", "stream", "measure"])


def retrieval(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    methods: Sequence[str] = RETRIEVED,
    tune: bool = True,
    fixed: Mapping[str, Mapping[str, Any]] | None = None,
    per_class: int | None = None,
    unseen: int | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> RetrievalRecord:
    """Rank training sequences for every test sequence, by the similarity of each method's representations.

    Parameters
    ----------
    methods : sequence of str
        Names of `acot_core.experiments.methods.METHODS`.
    tune : bool
        Whether each method's parameters are chosen on folds, for each measure, or are its defaults.
    fixed : mapping of mappings, optional
        For some methods, parameters that are not searched.
    per_class : int, optional
        Only so many training sequences of each class are used, for fitting and as gallery. Not tuned.
    unseen : int, optional
        In how many parts the classes are cut. In turn, everything is fitted on the training sequences of the
        other parts, and queries and gallery are of the part that was left out. Not tuned.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`; ``fuse``, ``fusion`` and classifiers play no part.

    Raises
    ------
    ValueError
        Bad arguments; ``unseen`` with an encoder that is trained on all classes.

    Examples
    --------
    >>> record = retrieval("planted", methods=("average", "grp"), tune=False, seeds=1, n_sequences=48)
    >>> record.summary()["label"].tolist()
    ['Avg. Pool', 'GRP']
    """
    chosen = Study.of(dataset, **study)
    subsets = _subsets(chosen, per_class, unseen)
    tune = tune and subsets == [{}]
    entries = [Entry(name, (fixed or {}).get(name, {}), tune) for name in methods]
    began = perf_counter()
    runs = chosen.runs(entries)
    inner = [
        run.cell(fold, setting, subset={})
        for run in runs
        if run.seed in chosen.tuning_seeds and len(run.settings) > 1
        for fold in range(chosen.n_folds)
        for setting in run.settings
    ]
    measured: dict[str, list[dict[str, float]]] = {}
    rows: list[dict[str, Any]] = []
    queries: list[dict[str, Any]] = []
    some_outer = [run.cell(None, run.settings[0]) for run in runs] if subsets == [{}] else []
    complete = train_adversaries(chosen, inner + some_outer, callback)
    if complete:
        results = run_study_cells(chosen, retrieval_cell, inner, callback, "folds")
        complete = all(result is not None for result in results)
        for cell, result in zip(inner, results, strict=True):
            if result is not None:
                measured.setdefault(chosen.chooser(cell), []).append(result["measures"])
    if complete:
        choices = [_choose(run, measured) for run in runs]
        outer = [
            run.cell(None, setting, subset=subset)
            for run, of_run in zip(runs, choices, strict=True)
            for setting in _distinct(choice["setting"] for choice in of_run.values())
            for subset in subsets
        ]
        results = run_study_cells(chosen, retrieval_cell, outer, callback, "test")
        complete = all(result is not None for result in results)
        by_cell = {
            json.dumps(c, sort_keys=True): r for c, r in zip(outer, results, strict=True) if r is not None
        }
        for run, of_run in zip(runs, choices, strict=True):
            of_scores, of_queries = _rows(run, of_run, subsets, by_cell)
            rows += of_scores
            queries += of_queries
    config = chosen.config(
        methods=list(methods), tune=tune, fixed={k: dict(v) for k, v in (fixed or {}).items()},
        per_class=per_class, unseen=unseen, complete=complete,
    )  # fmt: skip
    return RetrievalRecord(
        scores=pd.DataFrame(rows),
        queries=pd.DataFrame(queries),
        config=config,
        seconds=perf_counter() - began,
    )


def _subsets(study: Study, per_class: int | None, unseen: int | None) -> list[dict[str, int]]:
    if per_class is not None and unseen is not None:
        raise ValueError("per_class, unseen: expected one of them, got both")
    if per_class is not None:
        if per_class < 1:
            raise ValueError(f"per_class: expected at least 1, got {per_class}")
        return [{"per_class": per_class}]
    if unseen is None:
        return [{}]
    n_classes = len(study.source.get(study.seeds[0]).class_names)
    if not 2 <= unseen <= n_classes // 2:
        raise ValueError(f"unseen: expected 2 to {n_classes // 2} parts of {n_classes} classes, got {unseen}")
    if study.source.encoder(study.seeds[0]) == "trained":
        raise ValueError("unseen: a trained encoder has seen all classes; expected another encoder")
    return [{"unseen": i, "n_parts": unseen} for i in range(unseen)]


def _choose(run: Run, measured: Mapping[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """For each measure the setting with the best mean over the folds; the first of equals."""
    tried = []
    for setting in run.settings:
        folds = measured.get(run.study.chooser(run.cell(0, setting, subset={})), [])
        means = {m: float(np.mean([f[m] for f in folds])) if folds else float("nan") for m in MEASURES}
        tried.append((setting, means))
    choices = {}
    for measure in MEASURES:
        values = [means[measure] for _, means in tried]
        best = int(np.nanargmax(values)) if not np.isnan(values).all() else 0
        setting, value = tried[best][0], values[best]
        edges = edges_of_choice(setting, value, [(s, means[measure]) for s, means in tried])
        choices[measure] = {"setting": setting, "cv_value": value, "edges": ", ".join(edges)}
    return choices


def _distinct(settings: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for text in dict.fromkeys(json.dumps(s, sort_keys=True) for s in settings)]


def _rows(
    run: Run,
    choices: Mapping[str, Mapping[str, Any]],
    subsets: Sequence[dict[str, int]],
    by_cell: Mapping[str, Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The scores of one run, and its queries' values: each measure under the setting chosen for it."""
    how = method(run.entry.method)
    of_run = {"method": how.name, "stream": run.stream, "split": run.split_name, "seed": run.seed}
    rows, per_query = [], {}
    for measure, choice in choices.items():
        cells = [run.cell(None, choice["setting"], subset=subset) for subset in subsets]
        results = [by_cell.get(json.dumps(cell, sort_keys=True)) for cell in cells]
        if any(result is None for result in results):
            return [], []
        parts = [result for result in results if result is not None]
        if measure in PER_QUERY:
            per_query[measure] = np.concatenate([p["queries"][measure] for p in parts])
            value = float(np.mean(per_query[measure]))
        else:
            value = float(np.mean([p["measures"][measure] for p in parts]))
        rows.append(
            {
                **of_run, "label": how.label, "measure": measure, "value": value,
                "cv_value": choice["cv_value"], "edges": choice["edges"],
                "parameters": json.dumps(choice["setting"], sort_keys=True),
            }
        )  # fmt: skip
    index = np.concatenate([p["queries"]["query"] for p in parts])
    groups = np.concatenate([p["queries"]["group"] for p in parts])
    queries = [
        {**of_run, "query": int(q), "group": g, **{m: float(v[i]) for m, v in per_query.items()}}
        for i, (q, g) in enumerate(zip(index, groups, strict=True))
    ]
    return rows, queries


def retrieval_cell(*, subset: dict[str, int], **names: Any) -> dict[str, Any]:
    """Pool one stream of one part with one setting, rank the gallery for every held-out sequence.

    Returns
    -------
    dict
        "measures": by name, means over the queries; for the outer part "queries": position, group and
        measures of each.
    """
    fit = Fit(**names)
    part, n_gallery = restrict_part(fit.part(), subset, fit.seed)
    compare = _comparison(fit, part, n_gallery)
    gallery, queries = _gallery_and_queries(part, n_gallery)
    ranked = rank_queries(compare(True), part.labels[queries], part.labels[gallery])
    measures = {measure: float(np.mean(values)) for measure, values in ranked.items()}
    clusters = {"silhouette": 0.0, "purity": 0.0}  # of no use in tuning DTW, for which they are slow
    if fit.fold is None or method(fit.name).kind != "signals":
        clusters = cluster_quality(compare(False), part.labels[queries], fit.seed)
    result: dict[str, Any] = {"measures": measures | clusters}
    if fit.fold is None:
        groups = queries if part.groups is None else part.groups[queries]
        result["queries"] = {"query": queries.tolist(), "group": [str(g) for g in groups]} | {
            measure: np.round(values, 6).tolist() for measure, values in ranked.items()
        }
    return result


def _gallery_and_queries(part: Part, n_gallery: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of both: the gallery is ``train``, or the first ``n_gallery`` held-out sequences."""
    if n_gallery == 0:
        return part.train, part.test
    return part.test[:n_gallery], part.test[n_gallery:]


def _comparison(fit: Fit, part: Part, n_gallery: int) -> Callable[[bool], np.ndarray]:
    """Similarities of the queries with the gallery, or (False) with themselves."""
    gallery, queries = _gallery_and_queries(part, n_gallery)
    if method(fit.name).kind == "signals":
        model = fit.signal_classifier(part)
        held, others = (part.take(fit.stream, index, raw=True) for index in (queries, gallery))
        return lambda with_gallery: model.similarity(held, others if with_gallery else held)
    pooled = fit.pool(part)
    first, second = (
        (pooled.fitted, pooled.held) if n_gallery == 0 else (pooled.held[:n_gallery], pooled.held[n_gallery:])
    )
    return lambda with_gallery: similarity(second, first if with_gallery else second)
