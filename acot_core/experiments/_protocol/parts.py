"""Parts: which sequences one fit may see, and on which it is evaluated (Sec. 4, "cross-validation").

The outer part of a split trains on its training sequences and is evaluated on its test sequences. Its inner
parts cut the training sequences into folds, to choose parameters on; sequences of one group (cut from one
video, by one person) are never on both sides. In each part everything that is fitted (frame encoder,
adversary, pooling, classifier) is fitted on that part's own training sequences: an inner part never sees its
held-out sequences, and no part ever sees a label of a test sequence.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from torch import Tensor

from acot_core._utils.cache import cached
from acot_core._utils.files import atomic_write
from acot_core._utils.progress import Callback, Cancelled
from acot_core._utils.threads import single_threaded
from acot_core.datasets import DATASETS, SequenceDataset, encode, load
from acot_core.experiments._protocol.cached_negatives import CachedNegatives, content
from acot_core.experiments._protocol.reversals import with_reversals
from acot_core.experiments._protocol.sweep import digest
from acot_core.gan.adversary import Adversary


@dataclass(frozen=True)
class Source:
    """Source of sequences: a name for `acot_core.datasets.load` with its options, or a data set.

    A named data set is loaded with ``random_state=seed`` for every seed, so that random encoders and
    generated data differ from seed to seed; a data set in memory is the same for all. The option
    ``reversals=True`` makes every class and its time reversal a class (`_protocol.reversals`).
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
        """The data set for one seed; `load` caches the last few.

        Features that are to be trained are left to `load_part`, which trains them for each part: here the
        sequences come with untrained ones.
        """
        if isinstance(self.dataset, SequenceDataset):
            return self.dataset
        if seed and self.is_fixed:
            seed = 0
        options = dict(self.options)
        if options.get("encoder") == "trained":
            options["encoder"] = "untrained"
        if not options.pop("reversals", False):
            return load(str(self.dataset), random_state=seed, **options)
        return cached(
            _REVERSED,
            (*map(repr, self.key), seed),
            lambda: with_reversals(load(str(self.dataset), random_state=seed, **options), seed),
            _CAPACITY,
        )

    @property
    def is_fixed(self) -> bool:
        """Whether the sequences are the same for every seed: ready-made features with splits of their own."""
        if isinstance(self.dataset, SequenceDataset):
            return True
        info = DATASETS.get(self.dataset)
        if dict(self.options).get("reversals") or (info is not None and info.file is None):
            return False
        return self.encoder(0) == "none" and "random" not in self.get(0).splits

    def encoder(self, seed: int) -> str:
        """The kind of frame encoder; "none" where features came ready-made."""
        asked = dict(self.options).get("encoder", "auto")
        return asked if asked == "trained" else str(self.get(seed).config.get("encoder", "none"))


@dataclass(frozen=True)
class Part:
    """Sequences of every stream, which of them to fit on, and which to evaluate on.

    Attributes
    ----------
    streams, raw : dict of str to list of N Tensor
        Features encoded by a model of the training sequences alone, and the signals before encoding.
    labels : int array (N,)
    train, test : int arrays
        Positions of the sequences to fit on and to evaluate on; disjoint.
    groups : array (N,) or None
        Which sequences belong together.
    pooled, adversaries : caches
        Representations, which several classifiers and the fusion of streams share, and adversaries.
    """

    streams: dict[str, list[Tensor]]
    raw: dict[str, list[Tensor]]
    labels: np.ndarray
    train: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None
    pooled: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False, compare=False)
    adversaries: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False, compare=False)

    def take(self, stream: str, index: np.ndarray, *, raw: bool = False) -> list[Tensor]:
        """The sequences (or raw signals) of one stream at ``index``."""
        sequences = (self.raw if raw else self.streams)[stream]
        return [sequences[i] for i in index]

    def cross_fit(self, n_folds: int, seed: int) -> list[tuple[Part, np.ndarray]]:
        """The training sequences cut into folds: a part of each, and where in ``train`` its ``test`` lies."""
        groups = None if self.groups is None else self.groups[self.train]
        folds = fold_indices(self.labels[self.train], n_folds, seed, groups)
        return [
            (Part(self.streams, self.raw, self.labels, self.train[a], self.train[b], self.groups), b)
            for a, b in folds
        ]


_PARTS: OrderedDict[Any, Any] = OrderedDict()
_REVERSED: OrderedDict[Any, SequenceDataset] = OrderedDict()
_CAPACITY = 8  # five seeds and three folds


def forget(dataset: SequenceDataset) -> None:
    """Drop the cached parts of a data set that was passed as such."""
    key = repr(Source(dataset).key)
    for cached_key in [k for k in list(_PARTS) if k[0] == key]:
        _PARTS.pop(cached_key, None)


def fold_indices(
    labels: np.ndarray, n_folds: int, seed: int, groups: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stratified folds of N sequences, no group on both sides: (positions to fit on, held-out ones) each.

    Parameters
    ----------
    labels : array (N,)
    n_folds, seed : int
    groups : array (N,), optional

    Raises
    ------
    ValueError
        A class has fewer sequences, or comes from fewer groups, than there are folds.
    """
    sources = np.arange(len(labels)) if groups is None else groups
    classes = np.unique(labels)
    counts = np.array([len(np.unique(sources[labels == c])) for c in classes])
    if n_folds < 2 or counts.min() < n_folds:
        what = "training sequences" if groups is None else "groups of training sequences"
        raise ValueError(
            f"n_folds: {n_folds} folds need at least two, and as many {what} per class; class "
            f"{classes[counts.argmin()]} has {counts.min()}"
        )
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = splitter(n_folds, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(labels)), labels, groups))


def load_part(
    source: Source, seed: int, split: str | None, fold: int | None, n_folds: int, cache: Path | None
) -> Part:
    """The outer part of a split (``fold`` None) or one of its inner parts."""
    key = (repr(source.key), seed, split, fold, n_folds)
    return cached(_PARTS, key, lambda: _make_part(source, seed, split, fold, n_folds, cache), _CAPACITY)


def restrict_part(part: Part, subset: Mapping[str, int], seed: int) -> tuple[Part, int]:
    """Part of a part: few sequences per class, or classes apart from those that are fitted on.

    Parameters
    ----------
    part : Part
    subset : mapping
        Empty; or ``per_class``, how many training sequences per class stay; or ``unseen`` i of ``n_parts``:
        fit on the classes of all parts but the i-th, evaluate on those of the i-th.
    seed : int
        Of the choice.

    Returns
    -------
    part : Part
        For ``unseen``, ``test`` holds the gallery (training sequences of the unseen classes), then queries.
    n_gallery : int
        How many of ``test`` are the gallery; 0 where ``train`` is.
    """
    if not subset:
        return part, 0
    rng = np.random.default_rng(seed)
    labels = part.labels[part.train]

    def of(train: np.ndarray, test: np.ndarray) -> Part:
        return Part(part.streams, part.raw, part.labels, train, test, part.groups)

    if "per_class" in subset:
        chosen = [rng.permutation(part.train[labels == c])[: subset["per_class"]] for c in np.unique(labels)]
        return of(np.sort(np.concatenate(chosen)), part.test), 0
    classes = rng.permutation(np.unique(labels))
    apart = classes[subset["unseen"] :: subset["n_parts"]]
    is_apart = np.isin(labels, apart)
    gallery = part.train[is_apart]
    queries = part.test[np.isin(part.labels[part.test], apart)]
    return of(part.train[~is_apart], np.concatenate([gallery, queries])), len(gallery)


def _make_part(
    source: Source, seed: int, split: str | None, fold: int | None, n_folds: int, cache: Path | None
) -> Part:
    dataset = source.get(seed)
    train, test = dataset.split(split)
    groups = getattr(dataset, "groups", None)
    if fold is not None:
        sources = None if groups is None else groups[train]
        inside, outside = fold_indices(dataset.labels[train], n_folds, seed, sources)[fold]
        train, test = train[inside], train[outside]
    raw = {stream: dataset.raw[stream] for stream in dataset.streams}
    streams = _encoded(dataset, source.encoder(seed), train, cache)
    return Part(streams, raw, dataset.labels, train, test, groups)


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
        with single_threaded():
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
    return [frames.clone() for frames in features.split(lengths)]


def cached_adversary(
    part: Part, stream: str, seed: int, parameters: dict[str, Any], cache: Path | None
) -> Adversary:
    """`share_adversary`'s, in memory, with the negatives that it draws."""
    return cached(
        part.adversaries,
        digest(stream, seed, parameters),
        lambda: CachedNegatives.of(share_adversary(part, stream, seed, parameters, cache)),
        capacity=4,
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
    with single_threaded():
        try:
            adversary.fit(train, labels, callback=callback, resume=resume)
        except ValueError:
            if resume is None:
                raise
            adversary.fit(train, labels, callback=callback)  # the half was damaged, or of another version
    if file is not None and half is not None and adversary.is_fitted:
        file.parent.mkdir(parents=True, exist_ok=True)
        adversary.save(half if adversary.cancelled_ else file)
        if not adversary.cancelled_:
            half.unlink(missing_ok=True)
    if adversary.cancelled_:
        raise Cancelled
    return adversary
