"""Factorial study of Eq. (10): negatives x plan x order x beta1, crossed, with an analysis of variance.

Tables that add one module after the other (Table 1) cannot say whether a gain is the module's or its
combination's. Here every combination is pooled once per seed, and 1-NN accuracy, mean average precision and
the accuracy of an SVM are explained by the factors and their pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from acot_core._utils.extras import from_extra
from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.cells import Fit
from acot_core.experiments._protocol.classifiers import check_classifier, classify
from acot_core.experiments._protocol.evaluation import run_study_cells, train_adversaries
from acot_core.experiments._protocol.similarity import rank_queries, similarity
from acot_core.experiments._protocol.study import Study
from acot_core.experiments.methods import method
from acot_core.experiments.record import Record

NEGATIVES: dict[str, str] = {
    "adversarial": "adversarial (Eq. 9)",
    "random": "random (Sec. 4.1)",
    "others": "frames of other sequences",
    "self": "the sequence's own frames",
    "none": "no contrast (GRP)",
}
"""Levels of the first factor; "none" leaves the contrast out, so that it has no plan."""

PLANS: dict[str, str] = {"emd": "exact", "identity": "own frame", "uniform": "independent"}
FACTORS = ("negatives", "plan", "order", "beta1")
RESPONSES: dict[str, str] = {
    "nearest": "1-NN accuracy",
    "average_precision": "mean average precision",
    "accuracy": "SVM accuracy",
}
_SVM = {"kind": "projection", "C": 10.0}


@dataclass(kw_only=True)
class FactorialRecord(Record):
    """Responses in every combination of factors.

    Attributes
    ----------
    scores : DataFrame
        ``negatives``, ``plan``, ``order`` (beta2), ``beta1``, ``seed``, and a share in each of `RESPONSES`.
    """

    tidy = "scores"
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)

    def levels(self) -> pd.DataFrame:
        """Mean of each response in % at each level of each factor, over all combinations with that level."""
        rows = []
        for factor in FACTORS:
            for level, group in self.scores.groupby(factor, sort=False):
                means = {name: 100 * group[name].mean() for name in RESPONSES}
                rows.append({"factor": factor, "level": str(level), **means, "n": len(group)})
        return pd.DataFrame(rows)

    def anova(self, response: str) -> pd.DataFrame:
        """Analysis of variance of one response: which factor, or pair of factors, explains how much.

        Type II, with seeds as blocks, over the negatives that go with every plan. Needs statsmodels (extra
        ``statistics``).

        Parameters
        ----------
        response : str
            A name of `RESPONSES`.

        Returns
        -------
        DataFrame
            One row per term: ``share`` of the sum of squares in %, degrees of freedom ``df``, ``F``, ``p``.

        Raises
        ------
        ValueError
            No such response, or too few seeds and levels to estimate an error.
        ImportError
            statsmodels is not installed.
        """
        with from_extra("statistics", "the analysis of variance"):
            from statsmodels.formula.api import ols
            from statsmodels.stats.anova import anova_lm

        if response not in RESPONSES:
            raise ValueError(f"response: expected one of {list(RESPONSES)}, got {response!r}")
        n_plans = self.scores.groupby("negatives")["plan"].nunique()
        crossed = n_plans.index[(n_plans == n_plans.max()) & (n_plans.index != "none")]
        table = self.scores[self.scores["negatives"].isin(crossed)].rename(columns={"plan": "coupling"})
        names = {"plan": "coupling"}
        varied = [names.get(f, f) for f in FACTORS if table[names.get(f, f)].nunique() > 1]
        factors = " + ".join(f"C({f})" for f in varied)
        blocks = " + C(seed)" if table["seed"].nunique() > 1 else ""
        model = ols(f"{response} ~ ({factors}) ** 2{blocks}", data=table).fit()
        if not varied or model.df_resid < 1:
            raise ValueError("scores: too few seeds and levels to estimate an error")
        squares = anova_lm(model, typ=2)
        terms = [str(t).replace("C(", "").replace(")", "").replace(":", " x ") for t in squares.index]
        return pd.DataFrame(
            {
                "term": [term.replace("coupling", "plan") for term in terms],
                "share": 100 * (squares["sum_sq"] / squares["sum_sq"].sum()).to_numpy(),
                "df": squares["df"].astype(int).to_numpy(),
                "F": squares["F"].to_numpy(),
                "p": squares["PR(>F)"].to_numpy(),
            }
        )

    def contrast(self, response: str = "average_precision") -> pd.DataFrame:
        """Points that each kind of negatives gains over no contrast, by order and beta1; means over plans."""
        keys = ["order", "beta1"]
        wide = 100 * self.scores.pivot_table(index=keys, columns="negatives", values=response)
        if "none" not in wide:
            raise ValueError("scores: expected negatives='none' among the levels")
        return wide.drop(columns="none").sub(wide["none"], axis=0).reset_index()


def factorial(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    negatives: Sequence[str] = tuple(NEGATIVES),
    plans: Sequence[str] = tuple(PLANS),
    beta2: Sequence[float] = (0.0, 15.0),
    beta1: Sequence[float] = (0.5, 1.0, 2.0),
    n_subspaces: int = 4,
    stream: str | None = None,
    split: str | None = None,
    classifier: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> FactorialRecord:
    """Evaluate every combination of negatives, plan, order weight and distortion weight, untuned.

    Parameters
    ----------
    negatives, plans : sequences of str
        Keys of `NEGATIVES`, and plans of `acot_core.transport.solve`.
    beta2, beta1 : sequences of float
        Levels of order (0 is off) and of distortion.
    n_subspaces : int
        k.
    stream, split : str, optional
        The first by default.
    classifier : mapping, optional
        Setting of the SVM; by default the projection kernel with C = 10.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`.

    Raises
    ------
    ValueError
        An unknown level, or none.
    """
    if unknown := [n for n in negatives if n not in NEGATIVES]:
        raise ValueError(f"negatives: expected some of {list(NEGATIVES)}, got {unknown[0]!r}")
    if not (negatives and plans and beta1 and beta2):
        raise ValueError("negatives, plans, beta1, beta2: expected at least one level of each")
    began = perf_counter()
    svm = dict(classifier or _SVM)
    check_classifier(svm)
    chosen = Study.of(dataset, **study, splits=(split,)).only(stream)
    combinations = [
        {"negatives": y, "plan": p, "order": float(b2), "beta1": float(b1)}
        for y, b2, b1 in product(negatives, beta2, beta1)
        for p in (plans if y != "none" else ("none",))
        if (y, p) != ("others", "identity")  # they have no frame of their own
    ]
    cells = [
        _cell(chosen, combination, seed, n_subspaces, svm)
        for seed in chosen.seeds
        for combination in combinations
    ]
    complete = train_adversaries(chosen, cells, callback)
    results = run_study_cells(chosen, factorial_cell, cells, callback, "combinations") if complete else []
    complete = complete and all(result is not None for result in results)
    rows = [
        {**combination, "seed": seed, **result}
        for (seed, combination), result in zip(product(chosen.seeds, combinations), results, strict=False)
        if result is not None
    ]
    config = chosen.config(
        negatives=list(negatives), plans=list(plans), beta2=list(beta2), beta1=list(beta1),
        n_subspaces=n_subspaces, classifier=svm, complete=complete,
    )  # fmt: skip
    return FactorialRecord(scores=pd.DataFrame(rows), config=config, seconds=perf_counter() - began)


def _cell(
    study: Study, combination: Mapping[str, Any], seed: int, n_subspaces: int, svm: dict[str, Any]
) -> dict[str, Any]:
    weights = {"n_subspaces": n_subspaces, "beta1": combination["beta1"], "beta2": combination["order"]}
    name, more = "grp", {}
    if combination["negatives"] != "none":
        name, more = "acot", {"negatives": combination["negatives"], "transport": combination["plan"]}
    (setting,) = method(name).settings({**weights, **more}, tune=False)
    return study.cell(name, setting, seed, study.splits[0], study.streams[0]) | {"classifier": svm}


def factorial_cell(*, classifier: dict[str, Any], **names: Any) -> dict[str, float]:
    """Responses to one combination on the test sequences."""
    fit = Fit(**names)
    part = fit.part()
    labels, truth = part.labels[part.train], part.labels[part.test]
    pooled = fit.pool(part)
    ranked = rank_queries(similarity(pooled.held, pooled.fitted), truth, labels)
    decision = classify(classifier, pooled.fitted, pooled.held, labels, pooled.means)
    return {
        "nearest": float(np.mean(ranked["nearest"])),
        "average_precision": float(np.nanmean(ranked["average_precision"])),
        "accuracy": float((np.unique(labels)[decision.argmax(1)] == truth).mean()),
    }
