"""What is to be judged, and how: data, seeds, splits, streams, folds, classifiers (Sec. 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from acot_core.experiments.parts import Source

__all__ = ["CLASSIFIERS", "Entry", "Plan", "Score"]

CLASSIFIERS: dict[str, list[dict[str, Any]]] = {
    "linear": [{"kind": "linear", "C": C} for C in (1.0, 3.0, 10.0, 30.0, 100.0)],
    "kernel": [
        {"kind": "kernel", "C": C, "gamma": g} for g in (0.03, 0.1, 0.3, 1.0, 3.0) for C in (1.0, 10.0, 100.0)
    ],
    "signals": [{"kind": "signals"}],
}
"""Settings of the classifiers of Sec. 3.6: a linear SVM on a vector, the SVM of Eq. (14) on a subspace."""


@dataclass(frozen=True)
class Plan:
    """What to judge: the arguments that `judge` and every experiment share.

    Attributes
    ----------
    source : Source
    seeds : tuple of int
        Each seeds the encoder (or generated data), the folds, the adversary and the noise.
    splits : tuple of (str or None)
        Names of the splits; None is the first one.
    streams : tuple of str
        Streams to judge one by one; empty means all of the data set.
    fuse : bool
        Whether to judge the streams together, too.
    n_folds : int
        Inner folds.
    tune_seeds : int, optional
        How many of the seeds choose the parameters, together, by the mean over their inner folds: the first
        ones. All seeds then share that choice, which rests on training clips alone as before, is steadier and
        cheaper. None lets each seed choose for itself.
    candidates : int
        How many of each stream's best settings are tried when streams are fused by kernels.
    with_mean : bool
        Whether a share of each stream's weight may go to the kernel of its mean frames, for subspaces.
    fusion : {"kernel", "mean"}
        How streams are judged together: one SVM on a weighted sum of their kernels, or the mean of their
        decision values. See `acot_core.experiments.fusion`.
    classifiers : tuple of str
        Kinds of classifier to choose from: "linear", "kernel".
    adversary : mapping
        Parameters of the adversary, `acot_core.Adversary`'s defaults else.
    classifier : mapping, optional
        One setting of the classifier, such as ``{"kind": "linear", "C": 10.0}``, in place of a choice.
    cache : Path, optional
        Folder for features, adversaries and finished cells. Workers on other machines must see it, too.
    n_jobs : int, optional
        As in `joblib.Parallel`.
    """

    source: Source
    seeds: tuple[int, ...] = (0,)
    splits: tuple[str | None, ...] = (None,)
    streams: tuple[str, ...] = ()
    fuse: bool = True
    n_folds: int = 3
    tune_seeds: int | None = None
    candidates: int = 1
    with_mean: bool = False
    fusion: str = "kernel"
    classifiers: tuple[str, ...] = ("linear", "kernel")
    adversary: Mapping[str, Any] = field(default_factory=dict)
    classifier: Mapping[str, Any] | None = None
    cache: Path | None = None
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ValueError("seeds: expected at least one, got none")
        unknown = set(self.classifiers) - {"linear", "kernel"}
        if unknown or not self.classifiers:
            raise ValueError(f"classifiers: expected 'linear' and/or 'kernel', got {self.classifiers!r}")
        if self.tune_seeds is not None and not 1 <= self.tune_seeds <= len(self.seeds):
            raise ValueError(f"tune_seeds: expected 1 to {len(self.seeds)} seeds, got {self.tune_seeds!r}")
        if self.candidates < 1:
            raise ValueError(f"candidates: expected at least 1, got {self.candidates!r}")
        if self.with_mean and self.fusion != "kernel":
            raise ValueError("with_mean: means are added to kernels; expected fusion='kernel'")
        if self.fusion not in ("kernel", "mean"):
            raise ValueError(f"fusion: expected 'kernel' or 'mean', got {self.fusion!r}")

    @property
    def tuning_seeds(self) -> tuple[int, ...]:
        """The seeds whose inner folds are computed."""
        return self.seeds[: self.tune_seeds]

    def chooser(self, cell: Mapping[str, Any]) -> str:
        """A name for all cells whose mean decides one choice: folds, and seeds that choose together."""
        shared = {"fold"} if self.tune_seeds is None else {"fold", "seed"}
        return json.dumps({k: v for k, v in cell.items() if k not in shared}, sort_keys=True)

    def stream_names(self) -> tuple[str, ...]:
        """The streams to judge, checked against the data."""
        known = tuple(self.source.get(self.seeds[0]).streams)
        unknown = set(self.streams) - set(known)
        if unknown:
            raise ValueError(f"streams: expected some of {list(known)}, got {sorted(unknown)}")
        return self.streams or known

    def only(self, stream: str) -> Plan:
        """The same plan for one stream."""
        plan = replace(self, streams=(stream,), fuse=False)
        plan.stream_names()
        return plan


@dataclass(frozen=True)
class Entry:
    """One method to judge.

    Attributes
    ----------
    method : str
        A name of `acot_core.experiments.methods.METHODS`.
    fixed : mapping
        Parameters of the pooling that differ from the method's defaults; they are not searched.
    tune : bool
        Whether the method's grid is searched, or the classifier's alone.
    adversary : mapping
        Parameters of the adversary that differ from the plan's.
    """

    method: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    tune: bool = False
    adversary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """How one method did on the test clips of one split, for one seed and stream (or "fused").

    ``entry`` is its position in the list that `judge` was given; ``parameters`` is JSON.
    """

    entry: int
    method: str
    stream: str
    split: str
    seed: int
    accuracy: float
    cv_accuracy: float
    parameters: str
    classifier: str
    n_test: int
