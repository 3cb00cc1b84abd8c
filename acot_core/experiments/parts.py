"""Parts: what one fit may see, and what it is judged on (Sec. 4: splits, "three-fold cross-validation").

The outer part of a split trains on its training clips and is judged on its test clips. Its inner parts cut
the training clips into folds, to choose parameters on. In each part everything that is fitted (frame encoder,
adversary, pooling, classifier) is fitted on that part's own training clips: an inner part never sees the
clips it is judged on, and no part ever sees a label of a test clip.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from acot_core.adversary import Adversary
from acot_core.datasets import SequenceDataset, encode, load
from acot_core.experiments.kept_negatives import KeptNegatives, content
from acot_core.experiments.memory import remember
from acot_core.experiments.sweep import digest
from acot_core.files import atomic_write
from acot_core.progress import Callback, Cancelled
from acot_core.threads import one_thread

__all__ = [
    "Part",
    "Source",
    "fold_indices",
    "forget",
    "keep_adversary",
    "load_part",
    "share_adversary",
]


@dataclass(frozen=True)
class Source:
    """Where sequences come from: a name for `acot_core.datasets.load` with its options, or a data set.

    A named data set is loaded with ``random_state=seed`` for every seed, so that random encoders and
    generated data differ from seed to seed; a data set in memory is the same for all.
    """

    dataset: str | SequenceDataset
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, dataset: str | SequenceDataset, options: dict[str, Any] | None = None) -> Source:
        """A source from what a user passes."""
        if isinstance(dataset, SequenceDataset):
            if options:
                raise ValueError(f"options: {sorted(options)} only apply to a data set given by name")
            return cls(dataset)
        return cls(dataset, tuple(sorted((options or {}).items())))

    @property
    def key(self) -> list[Any]:
        """Plain values that identify the source."""
        if isinstance(self.dataset, SequenceDataset):
            return [self.dataset.fingerprint(), []]
        return [self.dataset, [[name, value] for name, value in self.options]]

    def get(self, seed: int) -> SequenceDataset:
        """The data set for one seed; the last few stay in memory.

        Features that are to be trained are left to `load_part`, which trains them for each part: here the
        clips come with untrained ones.
        """
        if isinstance(self.dataset, SequenceDataset):
            return self.dataset
        options = dict(self.options)
        if options.get("encoder") == "trained":
            options["encoder"] = "untrained"
        return remember(
            _DATASETS,
            (*map(repr, self.key), seed),
            lambda: load(str(self.dataset), random_state=seed, **options),
            _KEPT,
        )

    def encoder(self, seed: int) -> str:
        """The kind of frame encoder; "none" where features came ready-made."""
        asked = dict(self.options).get("encoder", "auto")
        return asked if asked == "trained" else str(self.get(seed).config.get("encoder", "none"))


@dataclass(frozen=True)
class Part:
    """Sequences of every stream, which of them to fit on, and which to be judged on.

    Attributes
    ----------
    streams, raw : dict of str to list of N Tensor
        Features encoded by a model of the training clips alone, and the signals before encoding.
    labels : int array (N,)
    train, test : int arrays
        Positions of the clips to fit on and to judge on; disjoint.
    pooled, adversaries : mappings
        The representations that were made last, by what made them: several classifiers, and the fusion of
        streams, judge the same ones. The adversaries that were read last.
    """

    streams: dict[str, list[Tensor]]
    raw: dict[str, list[Tensor]]
    labels: np.ndarray
    train: np.ndarray
    test: np.ndarray
    pooled: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False, compare=False)
    adversaries: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False, compare=False)

    def take(self, stream: str, index: np.ndarray, *, raw: bool = False) -> list[Tensor]:
        """The sequences (or raw signals) of one stream at ``index``."""
        sequences = (self.raw if raw else self.streams)[stream]
        return [sequences[i] for i in index]


_DATASETS: OrderedDict[Any, Any] = OrderedDict()
_PARTS: OrderedDict[Any, Any] = OrderedDict()
_KEPT = 8  # five seeds and three folds


def forget(dataset: SequenceDataset) -> None:
    """Drop what is kept in memory of a data set that was passed as such."""
    key = repr(Source(dataset).key)
    for known in [k for k in list(_PARTS) if k[0] == key]:
        _PARTS.pop(known, None)


def fold_indices(labels: np.ndarray, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stratified folds of N clips: (positions to fit on, positions to judge on) for each.

    Raises
    ------
    ValueError
        A class has fewer clips than there are folds.
    """
    counts = np.unique(labels, return_counts=True)
    if n_folds < 2 or counts[1].min() < n_folds:
        raise ValueError(
            f"n_folds: {n_folds} folds need at least two, and as many training clips of each class; class "
            f"{counts[0][counts[1].argmin()]} has {counts[1].min()}"
        )
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(labels)), labels))


def load_part(
    source: Source, seed: int, split: str | None, fold: int | None, n_folds: int, cache: Path | None
) -> Part:
    """The outer part of a split (``fold`` None) or one of its inner parts."""
    key = (repr(source.key), seed, split, fold, n_folds)
    return remember(_PARTS, key, lambda: _make_part(source, seed, split, fold, n_folds, cache), _KEPT)


def _make_part(
    source: Source, seed: int, split: str | None, fold: int | None, n_folds: int, cache: Path | None
) -> Part:
    dataset = source.get(seed)
    train, test = dataset.split(split)
    if fold is not None:
        inside, outside = fold_indices(dataset.labels[train], n_folds, seed)[fold]
        train, test = train[inside], train[outside]
    raw = {stream: dataset.raw[stream] for stream in dataset.streams}
    streams = _encoded(dataset, source.encoder(seed), train, cache)
    return Part(streams, raw, dataset.labels, train, test)


def _encoded(
    dataset: SequenceDataset, kind: str, train: np.ndarray, cache: Path | None
) -> dict[str, list[Tensor]]:
    """The streams, encoded by a model fitted on ``train``; features that came ready-made stay as they are."""
    names = ("n_features", "window", "stride", "random_state")
    options = {name: dataset.config[name] for name in names if name in dataset.config}
    if kind not in ("untrained", "trained"):
        return dataset.streams
    mask = np.zeros(len(dataset), bool)
    mask[train] = True
    streams = {}
    for stream in dataset.streams:
        name = digest(dataset.fingerprint(), stream, kind, options, train.tolist())
        file = None if cache is None or kind == "untrained" else cache / "features" / f"{name}.npz"
        if file is not None and file.is_file():
            streams[stream] = _read_features(file)
            continue
        with one_thread():
            streams[stream] = encode(
                dataset.raw[stream],
                "trained" if kind == "trained" else "untrained",
                train=mask,
                labels=dataset.labels,
                **options,
            )
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_features(file, streams[stream])
    return streams


def _write_features(file: Path, sequences: list[Tensor]) -> None:
    buffer = io.BytesIO()
    lengths = np.array([len(s) for s in sequences])
    np.savez(buffer, features=torch.cat(sequences).numpy(), lengths=lengths)
    atomic_write(file, buffer.getvalue())


def _read_features(file: Path) -> list[Tensor]:
    with np.load(file, allow_pickle=False) as data:
        features, lengths = torch.from_numpy(data["features"]), data["lengths"].tolist()
    return [part.clone() for part in features.split(lengths)]


def keep_adversary(
    part: Part, stream: str, seed: int, parameters: dict[str, Any], cache: Path | None
) -> Adversary:
    """`share_adversary`'s, which stays in memory with the negatives that it draws.

    Where nothing is cached it is trained here and now; it is kept all the same.
    """
    return remember(
        part.adversaries,
        digest(stream, seed, parameters),
        lambda: KeptNegatives.of(share_adversary(part, stream, seed, parameters, cache)),
        kept=4,
    )


def share_adversary(
    part: Part,
    stream: str,
    seed: int,
    parameters: dict[str, Any],
    cache: Path | None,
    callback: Callback | None = None,
) -> Adversary:
    """The adversary of a part's stream: read from the cache, or trained and put there for all others.

    Its file is named by what it was trained on (frames, labels) and by its parameters. A callback that raises
    `Cancelled` stops the training, and so this function; the next call goes on from where it was.
    """
    train = part.take(stream, part.train)
    labels = part.labels[part.train]
    adversary = Adversary(**{"device": "cpu", "random_state": seed, **parameters})
    file = None
    if cache is not None:
        name = digest(content(train), labels.tolist(), adversary.get_params())
        file = cache / "adversaries" / f"{name}.safetensors"
        if file.is_file():
            try:
                return Adversary.load(file, device="cpu")
            except ValueError:
                pass  # damaged, or of another version of the package: train it again
    half = None if file is None else file.with_suffix(".half.safetensors")
    resume = half if half is not None and half.is_file() else None
    with one_thread():
        try:
            adversary.fit(train, labels, callback, resume=resume)
        except ValueError:
            if resume is None:
                raise
            adversary.fit(train, labels, callback)  # the half was damaged, or of another version
    if file is not None and half is not None and adversary.is_fitted:
        file.parent.mkdir(parents=True, exist_ok=True)
        adversary.save(half if adversary.cancelled_ else file)
        if not adversary.cancelled_:
            half.unlink(missing_ok=True)
    if adversary.cancelled_:
        raise Cancelled
    return adversary
