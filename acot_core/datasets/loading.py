"""`load`: every data set by its name or path (Sec. 4, "Datasets"; App. B, "Datasets and Features")."""

from __future__ import annotations

import inspect
import os
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from acot_core._utils.cache import cached
from acot_core._utils.progress import Callback
from acot_core._utils.threads import single_threaded
from acot_core.datasets._planted import planted, stratified_mask
from acot_core.datasets._stick_figures import stick_figure_signals
from acot_core.datasets.archives import MAX_BYTES
from acot_core.datasets.catalogue import DATASETS, data_root
from acot_core.datasets.encoders import encode
from acot_core.datasets.folders import TimeAxis, read_folder
from acot_core.datasets.jhmdb import as_pose_and_motion, read_jhmdb
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.datasets.signals import DataWarning, Signals
from acot_core.datasets.signed import Gamma, check_gamma, nonnegative
from acot_core.datasets.storage import read_archive_file
from acot_core.datasets.time_series import read_time_series
from acot_core.sequences import resolve_seed

Encoder = Literal["auto", "none", "untrained", "trained"]
_ENCODERS = ("auto", "none", "untrained", "trained")
_GENERATORS: dict[str, Any] = {"planted": planted, "stick-figures": stick_figure_signals}
_CAPACITY = 8


def load(
    name_or_path: str | os.PathLike[str],
    *,
    encoder: Encoder = "auto",
    n_features: int = 256,
    window: int | None = None,
    stride: int | None = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    split: str | None = None,
    streams: Sequence[str] | None = None,
    root: str | os.PathLike[str] | None = None,
    max_bytes: int = MAX_BYTES,
    device: str = "cpu",
    gamma: Gamma | None = None,
    time_axis: TimeAxis | None = None,
    callback: Callback | None = None,
    **options: Any,
) -> SequenceDataset:
    """Load sequences of frame features by a data set's name or from a file.

    Parameters
    ----------
    name_or_path : str or path-like
        A name in `DATASETS`; or an .npz in the sequence file format; or a folder of ``<class>/<clip>.npy``,
        .mat or ``<class>/<clip>/<frame>.npy``; or the official folders of JHMDB. Videos: first `acot encode`.
    encoder : {"auto", "none", "untrained", "trained"}
        How frames become features (see `acot_core.datasets.encode`). "none" takes what the file holds as
        features: they must be non-negative, or see ``gamma``. "auto" is "none" for features: where the file
        says what made them (`acot encode` does), and for non-negative data of more than one column without
        all-zero frames; else it is "untrained". Where that is a guess, a warning says what was decided.
    n_features : int
        Features per frame that an encoder makes.
    window, stride : int, optional
        Rows in a frame's window and from one to the next, for an encoder; by default the data set's own.
    random_state : int, generator or None
        Seed of generated data, random encoders and random splits.
    split : str, optional
        Keep this split only. A fitted encoder looks at no sequence that is tested on in any split left: an
        "untrained" one takes its means and scales from the sequences that train in all of them; a "trained"
        one belongs to one split, by default the first.
    streams : sequence of str, optional
        Keep these streams only, in this order.
    root : str or path-like, optional
        For "jhmdb-pose" and "hmdb-i3d": the file, or the folder it is in. Default: `data_root`.
    max_bytes : int
        Refuse files that hold more than this.
    device : str
        Where a "trained" encoder is trained.
    gamma : {None, "split", "relu"}
        For signed features of a network (CLIP, DINO): take them as features, split into positive and negative
        parts or cut at zero (see `acot_core.datasets.signed`). Streams without a negative entry stay as they
        are.
    time_axis : {0, 1}, optional
        Which axis of a folder's sequences is time; see `acot_core.datasets.folders`.
    callback : callable, optional
        Gets `acot_core._utils.progress.Progress` reports while an encoder is trained.
    **options
        Parameters of the generator, for "planted" and "stick-figures": see `acot_core.datasets._planted` and
        `acot_core.datasets._stick_figures`.

    Returns
    -------
    SequenceDataset
        The last few are cached, and the same object is given again for the same arguments. Data
        without splits of their own get one random stratified split, "random", with 70 % to train on. Where
        they have groups, none is divided (one group alone: no split).

    Raises
    ------
    ValueError
        An unknown name, option, stream or split; data that are not on this machine; a file that is damaged,
        unsafe or in no known format. The message names what and where.

    Examples
    --------
    >>> data = load("planted", n_sequences=24, n_splits=1)
    >>> data
    SequenceDataset('planted': 24 sequences, 6 classes, streams features (d=64), splits 1)
    >>> train, test = data.split("1")
    >>> len(train), len(test)
    (12, 12)
    """
    name = os.fspath(name_or_path)
    if encoder not in _ENCODERS:
        raise ValueError(f"encoder: expected one of {list(_ENCODERS)}, got {encoder!r}")
    check_gamma(gamma)
    if gamma is not None and encoder in ("untrained", "trained"):
        raise ValueError(f"gamma: belongs to features that are taken as they are, not to encoder={encoder!r}")
    generator = _GENERATORS.get(name)
    allowed = set(inspect.signature(generator).parameters) - {"random_state"} if generator else set()
    if unknown := sorted(set(options) - allowed):
        raise ValueError(f"{name}: unknown option {unknown[0]!r}; expected one of {sorted(allowed)}")
    seed = resolve_seed(random_state)
    path = _locate(name, root)
    info = DATASETS.get(name)
    window = window if window is not None else (info.window if info else 1)
    stride = stride if stride is not None else (info.stride if info else 1)
    settings = {"n_features": n_features, "window": window, "stride": stride, "random_state": seed}

    def make() -> SequenceDataset:
        with single_threaded():  # the same features, to the bit, on any number of threads
            return read()

    def read() -> SequenceDataset:
        if name == "planted":
            generated = planted(random_state=seed, **options)
            if encoder in ("auto", "none") and split is None and streams is None:
                return generated
            signals = _as_signals(generated)
        elif name == "stick-figures":
            signals = stick_figure_signals(random_state=seed, **options)
        else:
            signals = _read(name, path, max_bytes, time_axis)
        return _build(signals, encoder, gamma, settings, split, streams, device, callback)

    if path is not None and not path.is_file():
        return make()  # a folder may change unnoticed
    state = (str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size) if path else ()
    key = repr((name, state, encoder, gamma, settings, split, streams, max_bytes, sorted(options.items())))
    return cached(_LOADED, key, make, _CAPACITY)


def _locate(name: str, root: str | os.PathLike[str] | None) -> Path | None:
    """Where the data are; None where they need no file."""
    info = DATASETS.get(name)
    if info is None:
        path = Path(name)
        try:
            exists = path.exists()
        except (OSError, ValueError):  # a name that no file system takes
            exists = False
        if not exists:
            raise ValueError(
                f"{name[:200]!r}: neither a data set ({', '.join(DATASETS)}) nor an existing file or folder"
            )
        return path
    if info.file is None:
        return None
    folder = Path(root) if root is not None else data_root()
    if folder is None or not folder.exists():
        where = "not on this machine" if folder is None else f"root {str(folder)!r} does not exist"
        raise ValueError(f"{name}: {where}; pass root=... or set ACOT_DATA to the folder with {info.file}")
    return next((f for f in (folder / info.file, folder / Path(info.file).name) if f.is_file()), folder)


def _read(name: str, path: Path | None, max_bytes: int, time_axis: TimeAxis | None) -> Signals:
    if path is None:
        return read_time_series(name)
    if name == "jhmdb-pose" or any((f / "joint_positions").is_dir() for f in (path, path / "JHMDB")):
        return read_jhmdb(path, max_bytes=max_bytes)
    if name in DATASETS:
        signals = read_archive_file(path, max_bytes=max_bytes, labelled=name != "hmdb-i3d")
        signals.name = name
        return as_pose_and_motion(signals, path) if name == "msr-action3d" else signals
    if path.suffix in (".npy", ".mat", ".csv") and not path.is_dir():
        raise ValueError(f"{path}: expected an .npz archive, or a folder of <class>/<sequence>.npy or .mat")
    return (
        read_folder(path, time_axis=time_axis, max_bytes=max_bytes)
        if path.is_dir()
        else read_archive_file(path, max_bytes=max_bytes)
    )


def _as_signals(dataset: SequenceDataset) -> Signals:
    splits = np.array([np.where(mask, 1, 2) for mask in dataset.splits.values()])
    return Signals(
        dataset.name, dataset.streams, dataset.labels, dataset.class_names, splits, groups=dataset.groups,
        shown=dataset.shown,
    )  # fmt: skip


def _build(
    signals: Signals,
    encoder: Encoder,
    gamma: Gamma | None,
    settings: dict[str, Any],
    split: str | None,
    streams: Sequence[str] | None,
    device: str,
    callback: Callback | None,
) -> SequenceDataset:
    """Choose streams and splits, and encode the frames."""
    if streams is not None:
        missing = [s for s in streams if s not in signals.streams]
        if missing or not streams or isinstance(streams, str):
            raise ValueError(f"streams: expected some of {list(signals.streams)}, got {streams!r}")
        signals.streams = {s: signals.streams[s] for s in streams}
    parts = {str(s + 1): row for s, row in enumerate(signals.splits)}
    if not parts:
        rng = np.random.default_rng(settings["random_state"])
        mask = stratified_mask(signals.labels, 0.7, rng, signals.groups)
        # One group of sequences cannot be divided: such data have no split.
        parts = {"random": np.where(mask, 1, 2)} if signals.groups is None or not mask.all() else {}
    if encoder == "trained" and split is None:
        split = next(iter(parts), None)
    if split is not None:
        if split not in parts:
            raise ValueError(f"split: expected one of {list(parts)}, got {split!r}")
        parts = {split: parts[split]}

    if gamma is not None:
        signals.streams = {
            s: [nonnegative(x.flatten(1), gamma) for x in xs] if any((x < 0).any() for x in xs) else xs
            for s, xs in signals.streams.items()
        }
        encoder = "none"
    kind = _decide(signals) if encoder == "auto" else encoder
    _flatten(signals)
    encoded = signals.streams
    if kind == "untrained" or kind == "trained":
        everything = np.ones(len(signals.labels), bool)
        seen = np.logical_and.reduce([everything, *(row == 1 for row in parts.values())])
        if not seen.any():
            raise ValueError(
                "split: no sequence trains in every split, so an encoder needs one of them: pass split=..."
            )
        encoded = {
            stream: encode(
                x, kind, train=seen, labels=signals.labels, device=device, callback=callback, **settings
            )
            for stream, x in signals.streams.items()
        }
    return SequenceDataset(
        name=signals.name,
        streams=encoded,
        labels=signals.labels,
        class_names=signals.class_names,
        splits={s: row == 1 for s, row in parts.items()},
        used={s: row != 0 for s, row in parts.items()},
        groups=signals.groups,
        raw=signals.extra if kind == "none" else signals.streams | signals.extra,
        config={"encoder": kind, **settings} | ({"made_by": signals.made_by} if signals.made_by else {}),
        shown=signals.shown if kind == "none" else signals.shown.strided(settings["stride"]),
    )


def _flatten(signals: Signals) -> None:
    """Rows of streams whose frames are arrays; frames (J, 2) or (J, 3) become joints, for showing."""
    for stream, sequences in signals.streams.items():
        if sequences[0].ndim == 3 and sequences[0].shape[2] in (2, 3):
            signals.extra.setdefault("joints", [x.flatten(1) for x in sequences])
        signals.streams[stream] = [x.flatten(1) for x in sequences]


def _decide(signals: Signals) -> Literal["none", "untrained"]:
    """Whether what was read are features or signals; a guess is told."""
    if signals.made_by:
        return "none"
    reason, unit = None, True
    for stream, sequences in signals.streams.items():
        if sequences[0][0].numel() == 1:
            reason = reason or f"{stream} has one column"
        for i, x in enumerate(sequences):
            rows = x.flatten(1)
            bad = (rows < 0).any(1) | ~(rows > 0).any(1)
            if reason is None and bad.any():
                t = int(bad.nonzero()[0])
                what = "has a negative entry" if (rows[t] < 0).any() else "is all zero"
                called = f" ({signals.shown.names[i]})" if signals.shown.names else ""
                reason = f"{stream}[{i}]{called}: frame {t} {what}"
            unit = unit and bool(((torch.linalg.vector_norm(rows, dim=1) - 1).abs() < 1e-3).all())
    if signals.name in DATASETS or (reason is None and unit):
        return "none" if reason is None else "untrained"
    if reason is None:
        decided = (
            "non-negative, so taken for features and scaled to unit norm; encoder='untrained' encodes them"
        )
    else:
        decided = (
            f"{reason}, so taken for signals and encoded by random ReLU units (encoder='untrained'); "
            "for features of a network pass encoder='none', and gamma='split' if they are signed"
        )
    warnings.warn(f"{signals.name}: {decided}", DataWarning, stacklevel=2)
    return "none" if reason is None else "untrained"


_LOADED: OrderedDict[str, SequenceDataset] = OrderedDict()
