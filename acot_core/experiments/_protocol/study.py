"""A study: the data, seeds, splits, streams, folds and classifiers of an experiment (Sec. 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from acot_core.datasets import SequenceDataset
from acot_core.experiments._protocol.classifiers import KINDS, check_classifier
from acot_core.experiments._protocol.parts import Source
from acot_core.experiments.methods import method

_GIVEN_ANEW = ("cache", "n_jobs")  # of the machine, no part of what is studied


@dataclass(frozen=True)
class Study:
    """Data, seeds, splits and classifiers of an experiment: the arguments that all experiments share.

    Every experiment takes a study in place of a data set, or these fields as keywords, together with the
    options of `acot_core.datasets.load`: ``ablation("planted", seeds=2, n_sequences=48)``.

    Attributes
    ----------
    source : Source
        The data set.
    seeds : tuple of int, or how many
        Each seeds the encoder (or generated data), the folds, the adversary and the noise.
    splits : tuple of (str or None)
        Names of the splits; None is the first one.
    streams : tuple of str
        Streams to evaluate one by one; empty means all of the data set.
    fuse : bool
        Whether to evaluate the streams together, too.
    n_folds : int
        Inner folds of the training sequences, stratified by class; sequences of one group (see
        `acot_core.datasets.SequenceDataset`) are never on both sides.
    tune_seeds : int, optional
        How many of the seeds choose the parameters, together, by the mean over their inner folds: the first
        ones. All seeds then share that choice, which rests on training sequences alone as before, is steadier
        and cheaper. None lets each seed choose for itself.
    grid : mapping of sequences
        Values to search in place of those in the methods' grids: by name of the parameter, for every method
        that is tuned and searches it.
    candidates : int
        How many of each stream's best settings are tried when streams are fused by kernels.
    with_mean : bool
        Whether a share of each stream's weight may go to the kernel of its mean frames, for subspaces.
    fusion : {"kernel", "mean"}
        How streams are evaluated together: one SVM on a weighted sum of their kernels, or the mean of their
        decision values. See `acot_core.experiments._protocol.fusion`.
    classifiers : tuple of {"linear", "projection", "kernel"}
        Kinds of classifier to choose from; see `acot_core.experiments._protocol.classifiers`.
    classifier : mapping, optional
        One setting of the classifier, such as ``{"kind": "linear", "C": 10.0}``, in place of a choice: then
        nothing is searched and no inner folds are needed.
    adversary : mapping
        Parameters of the adversary that differ from the paper's (`acot_core.Adversary`'s defaults).
    cache : Path, optional
        Folder for features, adversaries and finished cells: a second run repeats nothing. Workers on other
        machines must see it, too.
    n_jobs : int, optional
        As in `joblib.Parallel`.

    Examples
    --------
    >>> study = Study.of("planted", seeds=2, n_sequences=24)
    >>> study.seeds, study.stream_names()
    ((0, 1), ('features',))
    """

    source: Source
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    splits: tuple[str | None, ...] = (None,)
    streams: tuple[str, ...] = ()
    fuse: bool = True
    n_folds: int = 3
    tune_seeds: int | None = None
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    candidates: int = 1
    with_mean: bool = False
    fusion: str = "kernel"
    classifiers: tuple[str, ...] = KINDS
    classifier: Mapping[str, Any] | None = None
    adversary: Mapping[str, Any] = field(default_factory=dict)
    cache: Path | None = None
    n_jobs: int | None = None

    @classmethod
    def of(cls, dataset: str | SequenceDataset | Study, **keywords: Any) -> Self:
        """A study from a data set and keywords: fields, and options of `acot_core.datasets.load`.

        Parameters
        ----------
        dataset : str, SequenceDataset or Study
            A name or path for `load`, data, or a study, of which the keywords then replace fields.

        Raises
        ------
        ValueError
            A field out of its range, or options for data that are not loaded by name.
        """
        names = {f.name for f in fields(cls)} - {"source"}
        given = {name: value for name, value in keywords.items() if name in names}
        options = {name: value for name, value in keywords.items() if name not in names}
        for name in ("seeds", "splits", "streams", "classifiers"):
            if name in given:
                given[name] = _tuple(name, given[name])
        if isinstance(dataset, Study):
            if options:
                raise ValueError(f"options: {sorted(options)} only apply to a data set given by name")
            return replace(dataset, **given)  # type: ignore[return-value]
        return cls(Source.of(dataset, options), **given)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cache", None if self.cache is None else Path(self.cache))
        put(self, "adversary", dict(self.adversary or {}))
        put(self, "grid", {name: list(values) for name, values in (self.grid or {}).items()})
        if empty := [name for name, values in self.grid.items() if not values]:
            raise ValueError(f"grid: expected values for {empty[0]}, got none")
        if not self.seeds:
            raise ValueError("seeds: expected at least one, got none")
        unknown = set(self.classifiers) - set(KINDS)
        if unknown or not self.classifiers:
            raise ValueError(f"classifiers: expected some of {KINDS}, got {self.classifiers!r}")
        if self.classifier is not None:
            check_classifier(self.classifier)
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
        """The streams to evaluate, checked, as the splits are, against the data."""
        dataset = self.source.get(self.seeds[0])
        for split in self.splits:
            if len(dataset.split(split)[1]) == 0:
                name = next(iter(dataset.splits)) if split is None else split
                raise ValueError(f"splits: {dataset.name} has no sequences to test on in the split {name!r}")
        available = tuple(dataset.streams)
        unknown = set(self.streams) - set(available)
        if unknown:
            raise ValueError(f"streams: expected some of {list(available)}, got {sorted(unknown)}")
        return self.streams or available

    def outer_seed(self, name: str, seed: int) -> int:
        """The seed of a method's test: the first where neither the method nor the data depend on one."""
        return seed if method(name).is_random or not self.source.is_fixed else self.seeds[0]

    def check_untuned(self) -> None:
        """Refuse a grid where nothing is tuned."""
        if self.grid:
            raise ValueError(f"grid: nothing is tuned here, got values for {sorted(self.grid)}")

    def only(self, stream: str | None = None) -> Study:
        """Restrict the study to one stream, the first one by default, where nothing is tuned."""
        self.check_untuned()
        study = replace(self, streams=(stream or self.stream_names()[0],), fuse=False)
        study.stream_names()
        return study

    def cell(
        self,
        name: str,
        setting: Mapping[str, Any],
        seed: int,
        split: str | None,
        stream: str,
        fold: int | None = None,
        adversary: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Plain values that name one `_protocol.cells.Fit`: a method's setting on a stream of a part."""
        adversarial = method(name).needs_adversary(setting)
        return {
            "dataset": self.source.key, "name": name, "setting": dict(setting), "seed": seed, "split": split,
            "stream": stream, "fold": fold, "n_folds": self.n_folds,
            "adversary": {**self.adversary, **(adversary or {})} if adversarial else {},
        }  # fmt: skip

    def runs(self, entries: Sequence[Entry]) -> list[Run]:
        """Every entry on every seed, split and stream.

        Raises
        ------
        ValueError
            A name in ``grid`` that none of the tuned methods searches.
        """
        searched = {name for entry in entries if entry.tune for name in method(entry.method).searched}
        if unknown := set(self.grid) - searched:
            raise ValueError(
                f"grid: expected parameters that the tuned methods search, {sorted(searched)}, "
                f"got {sorted(unknown)}"
            )
        return [
            Run(self, i, entry, seed, split, stream)
            for i, entry in enumerate(entries)
            for seed in self.seeds
            for split in self.splits
            for stream in self.stream_names()
        ]

    def config(self, **more: Any) -> dict[str, Any]:
        """The study as plain values, for a record's ``config``, with ``more``."""
        plain = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in (*_GIVEN_ANEW, "source")
        }
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
        classifier = dict(self.classifier) if self.classifier else None
        streams = list(self.stream_names())
        return {"dataset": self.source.key, **plain, "streams": streams, "classifier": classifier, **more}


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if name == "seeds" and isinstance(value, int):
        return tuple(range(value))
    if isinstance(value, str):
        return (value,)
    return tuple(value) if value else ((None,) if name == "splits" else ())


@dataclass(frozen=True)
class Entry:
    """One method to evaluate.

    Attributes
    ----------
    method : str
        A name of `acot_core.experiments.methods.METHODS`.
    fixed : mapping
        Parameters of the pooling that differ from the method's defaults; they are not searched.
    tune : bool
        Whether the method's grid is searched, or the classifier's alone.
    adversary : mapping
        Parameters of the adversary that differ from the study's.
    """

    method: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    tune: bool = False
    adversary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One entry on one stream of one split, for one seed; ``position`` is the entry's in their list."""

    study: Study
    position: int
    entry: Entry
    seed: int
    split: str | None
    stream: str

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The settings of the pooling to choose from."""
        return method(self.entry.method).settings(
            self.entry.fixed, tune=self.entry.tune, grid=self.study.grid
        )

    @property
    def split_name(self) -> str:
        """The split's name; that of the first where none was named."""
        return self.split or next(iter(self.study.source.get(self.study.seeds[0]).splits))

    def cell(self, fold: int | None, setting: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """The fit of one setting on a fold, or (None) on all training sequences."""
        name, adversary = self.entry.method, self.entry.adversary
        seed = self.seed if fold is not None else self.study.outer_seed(name, self.seed)
        return self.study.cell(name, setting, seed, self.split, self.stream, fold, adversary) | more


@dataclass(frozen=True)
class Score:
    """The accuracy of one method on the test sequences of one split, for one seed and stream (or "fused").

    ``entry`` is its position in the list of entries; ``parameters`` is JSON; ``edges`` names what was chosen
    at an edge of its grid; ``right`` is JSON: for each group of test sequences how many were right, of how
    many.
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
    edges: str
    n_test: int
    right: str = "{}"
