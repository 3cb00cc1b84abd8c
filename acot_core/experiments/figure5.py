"""Figure 5 (App. B.2): fooling rate and accuracy against training, and how good the negatives become.

(a), (b): fooling rate against the generator's iterations, for σ = 0.005, 0.01, 0.1 and each stream.
(c): accuracy of ACOT on the split's test sequences with the generator of that iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch

from acot_core._utils.progress import Callback, Progress
from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.classifiers import DEFAULT, classify
from acot_core.experiments._protocol.evaluation import run_study_cells
from acot_core.experiments._protocol.parts import Part, Source, load_part
from acot_core.experiments._protocol.study import Study
from acot_core.experiments.record import Record
from acot_core.gan.adversary import Adversary
from acot_core.gan.quality import measure_quality
from acot_core.pooling import ACOTPooling

PAPER: dict[str, Any] = {}
"""The paper's weights (λ1 = 0.1, λ2 = 1), pivot, rate and clipping: `Adversary`'s defaults."""

FASTER: dict[str, Any] = {
    "learning_rate": 5e-4,
    "classifier_iter": 10_000,
    "classifier_learning_rate": 0.03,
    "n_iter": 600,
}
"""The paper's weights, pivot and clipping, with a larger rate and a classifier that is trained until it knows
its training frames: its larger logits make the same λ1 count for more against λ2, and it calls all frames of
a sequence the same, without which no noise that knows the sequence alone can fool it on all of them
(`acot_core.gan.quality.knowable_rate`)."""

SURE: dict[str, Any] = FASTER | {"lambda1": 10.0, "lambda2": 0.01, "learning_rate": 1e-3, "n_iter": 400}
"""`FASTER`, with weights that ask for fooling first: reaches 99 % where the classifier can tell the training
frames (trained features of poses). At this rate the curve is not steady: it goes up and down below 100 %."""

RELATIVE_SIGMAS = (0.6, 1.2, 12.0)
"""The paper's σ in standard deviations of its features: 0.005, 0.01 and 0.1 over 0.008 (Fig. 5)."""

STRONG: dict[str, Any] = {
    "pivot": "frame",
    "lambda1": 10.0,
    "lambda2": 0.1,
    "learning_rate": 1e-3,
}
"""Noise conditioned on the frame, and a larger λ1 and rate: for streams whose frames the classifier does not
call the same throughout a sequence, such as motion."""

CLOSE: dict[str, Any] = {
    "pivot": "frame",
    "lambda1": 1.0,
    "lambda2": 0.1,
    "learning_rate": 1e-3,
    "clip": 0.06,
}
"""A steeper critic than the paper's clipping at 0.01 allows, which hardly pulls at all.

It brings the negatives nearer to the data. On JHMDB poses at d = 256, after 400 iterations: 83 % fooled,
closer to the data than random noise of equal norm by all four measures of `acot_core.gan.quality`, in 5 of 5
seeds (`python -m benchmarks.fooling --only close`). At d = 64 not by the classifier test (0.98 against 0.91),
and at the paper's weights by none."""


@dataclass(kw_only=True)
class FoolingRecord(Record):
    """Training curves of adversaries, accuracy along them, and the quality of what they end with.

    Attributes
    ----------
    curves : DataFrame
        The adversaries' history (see `acot_core.Adversary.history_`), with columns stream, sigma, seed.
    accuracies : DataFrame
        stream, sigma, seed, iteration, accuracy; empty where no accuracy was asked for.
    quality : DataFrame
        stream, sigma, seed, and the fields of `acot_core.gan.quality.Quality`, on the training sequences.
    """

    tidy = "curves"
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    accuracies: pd.DataFrame = field(default_factory=pd.DataFrame)
    quality: pd.DataFrame = field(default_factory=pd.DataFrame)

    def final(self, split: str = "train") -> pd.DataFrame:
        """Mean and standard deviation over seeds of the last fooling rate, for each stream and σ."""
        curves = self.curves[self.curves["split"] == split]
        last = curves[curves["iteration"] == curves["iteration"].max()]
        return last.groupby(["stream", "sigma"])["fooling_rate"].agg(["mean", "std", "count"]).reset_index()


def fooling_curves(
    dataset: str | SequenceDataset | Study = "jhmdb-pose",
    *,
    sigmas: Sequence[float] = (0.005, 0.01, 0.1),
    relative: bool = False,
    split: str | None = None,
    accuracy_at: Sequence[int] = (20, 100, 200, 500, 1000),
    fixed: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    **study: Any,
) -> FoolingRecord:
    """Figure 5 on any data set: one adversary for each stream, σ and seed.

    Parameters
    ----------
    sigmas : sequence of float
        The paper's three by default.
    relative : bool
        Whether sigmas are in standard deviations of the features. The paper's features have about 0.008 (Fig.
        5), so that its three are 0.6, 1.2 and 12: `RELATIVE_SIGMAS`.
    split : str, optional
        The first by default. Adversaries are trained on its training sequences and evaluated on both parts.
    accuracy_at : sequence of int
        Iterations at which ACOT is evaluated by a Grassmann kernel SVM: positive multiples of ``eval_every``.
        Those beyond ``n_iter`` are left out; an empty one leaves panel (c) out, which takes most of the time.
    fixed : mapping, optional
        Parameters of the pooling that differ from its defaults.
    dataset, callback, **study
        As in `acot_core.experiments.ablation`; ``adversary`` may be a preset such as `STRONG`.

    Raises
    ------
    ValueError
        An unknown stream; no σ or seed; an accuracy asked for where the history is not evaluated.
    """
    began = perf_counter()
    if not sigmas:
        raise ValueError("sigmas: expected at least one, got none")
    chosen = Study.of(dataset, **study, splits=(split,))
    chosen.check_untuned()
    parameters = dict(chosen.adversary)
    iterations = _check_points(accuracy_at, Adversary(**parameters))
    cells = [
        {
            "dataset": chosen.source.key, "stream": stream, "sigma": float(sigma), "seed": seed,
            "split": split, "adversary": parameters, "fixed": dict(fixed or {}), "accuracy_at": iterations,
            "relative": relative,
        }
        for seed in chosen.seeds for stream in chosen.stream_names() for sigma in sigmas
    ]  # fmt: skip
    results = run_study_cells(chosen, fooling_cell, cells, callback, "fooling")
    tables: dict[str, list[dict[str, Any]]] = {"curves": [], "accuracies": [], "quality": []}
    for cell, result in zip(cells, results, strict=True):
        for name, rows in tables.items():
            rows += [
                {"stream": cell["stream"], "sigma": cell["sigma"], "seed": cell["seed"], **row}
                for row in (result or {}).get(name, [])
            ]
    config = chosen.config(
        sigmas=list(map(float, sigmas)), relative=relative, accuracy_at=iterations, fixed=dict(fixed or {}),
        complete=all(result is not None for result in results),
    )  # fmt: skip
    return FoolingRecord(
        curves=pd.DataFrame(tables["curves"]),
        accuracies=pd.DataFrame(tables["accuracies"]),
        quality=pd.DataFrame(tables["quality"]),
        config=config,
        seconds=perf_counter() - began,
    )


def fooling_record(adversaries: Mapping[float, Adversary], stream: str = "") -> FoolingRecord:
    """The curves of adversaries that were trained already, by their σ, in the form of `fooling_curves`."""
    curves = [
        adversary.history_.assign(stream=stream, sigma=float(sigma), seed=0)
        for sigma, adversary in adversaries.items()
    ]
    return FoolingRecord(
        curves=pd.concat(curves, ignore_index=True),
        config={"sigmas": list(map(float, adversaries)), "streams": [stream], "seeds": [0]},
    )


def _check_points(points: Sequence[int], adversary: Adversary) -> list[int]:
    for point in points:
        if point <= 0 or point % adversary.eval_every:
            raise ValueError(
                f"accuracy_at: expected multiples of eval_every = {adversary.eval_every} above 0, got {point}"
            )
    return [int(point) for point in points if point <= adversary.n_iter]


def fooling_cell(
    dataset: Any,
    stream: str,
    sigma: float,
    seed: int,
    split: str | None,
    adversary: dict[str, Any],
    fixed: dict[str, Any],
    accuracy_at: list[int],
    relative: bool,
    source: Source,
    cache: Path | None,
) -> dict[str, Any]:
    """One adversary: its curve, the accuracies on the way, the quality at its end."""
    part = load_part(source, seed, split, None, 3, cache)
    train, test = part.take(stream, part.train), part.take(stream, part.test)
    labels = part.labels
    spread = float(torch.cat(train).std(0).mean()) if relative else 1.0
    model = Adversary(**{"device": "cpu", **adversary, "sigma": sigma * spread, "random_state": seed})
    accuracies: list[dict[str, float]] = []

    def evaluate(progress: Progress) -> None:
        if progress.stage == "adversary" and progress.step in accuracy_at:
            accuracies.append(
                {"iteration": progress.step, "accuracy": _accuracy(model, part, stream, fixed, seed)}
            )

    held_out = (test, labels[part.test]) if len(test) else None
    model.fit(train, labels[part.train], callback=evaluate, held_out=held_out)
    quality = asdict(measure_quality(model, train, random_state=seed))
    return {
        "curves": model.history_.to_dict("records"),
        "accuracies": accuracies,
        "quality": [{k: v if np.isfinite(v) else None for k, v in quality.items()}],
    }


def _accuracy(adversary: Adversary, part: Part, stream: str, fixed: dict[str, Any], seed: int) -> float:
    """Share of the test sequences that Eq. (14)'s classifier gets right, with the adversary as it is now."""
    pooling = ACOTPooling(**{"adversary": adversary, "device": "cpu", "random_state": seed, **fixed})
    train, test = part.take(stream, part.train), part.take(stream, part.test)
    labels = part.labels[part.train]
    pooled = pooling.fit(train, labels).transform(train)
    decision = classify(DEFAULT, pooled, pooling.transform(test), labels)
    return float((np.unique(labels)[decision.argmax(1)] == part.labels[part.test]).mean())
