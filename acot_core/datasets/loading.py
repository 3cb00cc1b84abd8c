"""`load`: every data set by its name or path (Sec. 4, "Datasets"; App. B, "Datasets and Features")."""

from __future__ import annotations

import inspect
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from torch import Tensor

from acot_core.datasets.archives import MAX_BYTES
from acot_core.datasets.catalogue import DATASETS, data_root
from acot_core.datasets.encoders import encode
from acot_core.datasets.jhmdb import read_jhmdb
from acot_core.datasets.planted import planted, stratified_mask
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.datasets.signals import Signals
from acot_core.datasets.storage import read_archive_file, read_folder
from acot_core.datasets.time_series import read_time_series
from acot_core.progress import Callback
from acot_core.sequences import resolve_seed
from acot_core.threads import one_thread

__all__ = ["Encoder", "load"]

Encoder = Literal["auto", "none", "untrained", "trained"]
_ENCODERS = ("auto", "none", "untrained", "trained")
_KEPT = 8


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
    callback: Callback | None = None,
    **options: Any,
) -> SequenceDataset:
    """Load sequences of frame features by a data set's name or from a file.

    Parameters
    ----------
    name_or_path : str or path-like
        A name in `DATASETS`; or an .npz in the sequence file format; or a folder ``<class>/<clip>.npy``; or
        the official folders of JHMDB.
    encoder : {"auto", "none", "untrained", "trained"}
        How frames become features (see `acot_core.datasets.encode`). "none" takes the signals as features:
        they must be non-negative. "auto" is "none" where that is possible and "untrained" where not.
    n_features : int
        Features a frame gets from an encoder.
    window, stride : int, optional
        Rows in a frame's window and from one to the next, for an encoder; by default the data set's own.
    random_state : int, generator or None
        Seed of generated data, random encoders and random splits.
    split : str, optional
        Keep this split only. A fitted encoder looks at no clip that is tested on in any split that is kept:
        an "untrained" one takes its means and scales from the clips that train in all of them; a "trained"
        one belongs to one split, by default the first.
    streams : sequence of str, optional
        Keep these streams only, in this order.
    root : str or path-like, optional
        For "jhmdb-pose" and "hmdb-i3d": the file, or the folder it is in. Default: `data_root`.
    max_bytes : int
        Refuse files that hold more than this.
    device : str
        Where a "trained" encoder is trained.
    callback : callable, optional
        Gets `acot_core.progress.Progress` reports while an encoder is trained.
    **options
        Parameters of the generator, for "planted": see `acot_core.datasets.planted`.

    Returns
    -------
    SequenceDataset
        The last few are kept in memory, and the same object is given again for the same arguments. Data
        without splits of their own get one random stratified split, "random", with 70 % to train on.

    Raises
    ------
    ValueError
        An unknown name, option, stream or split; data that are not on this machine; a file that is damaged,
        unsafe or in no known format. The message names what and where.

    Examples
    --------
    >>> data = load("planted", n_sequences=24, n_splits=1)
    >>> data
    SequenceDataset('planted': 24 clips, 6 classes, streams features (d=64), splits 1)
    >>> train, test = data.split("1")
    >>> len(train), len(test)
    (12, 12)
    """
    name = os.fspath(name_or_path)
    if encoder not in _ENCODERS:
        raise ValueError(f"encoder: expected one of {list(_ENCODERS)}, got {encoder!r}")
    allowed = set(inspect.signature(planted).parameters) - {"random_state"} if name == "planted" else set()
    if unknown := sorted(set(options) - allowed):
        raise ValueError(f"{name}: unknown option {unknown[0]!r}; expected one of {sorted(allowed)}")
    seed = resolve_seed(random_state)
    path = _locate(name, root)
    info = DATASETS.get(name)
    window = window if window is not None else (info.window if info else 1)
    stride = stride if stride is not None else (info.stride if info else 1)
    settings = {"n_features": n_features, "window": window, "stride": stride, "random_state": seed}

    def make() -> SequenceDataset:
        with one_thread():  # the same features, to the bit, on any number of threads
            return read()

    def read() -> SequenceDataset:
        if name == "planted":
            generated = planted(random_state=seed, **options)
            if encoder in ("auto", "none") and split is None and streams is None:
                return generated
            signals = _as_signals(generated)
        else:
            signals = _read(name, path, max_bytes)
        return _build(signals, encoder, settings, split, streams, device, callback)

    if path is not None and not path.is_file():
        return make()  # a folder may change unnoticed
    state = (str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size) if path else ()
    return _remember(
        repr((name, state, encoder, settings, split, streams, max_bytes, sorted(options.items()))), make
    )


def _locate(name: str, root: str | os.PathLike[str] | None) -> Path | None:
    """Where the data are; None where they need no file."""
    info = DATASETS.get(name)
    if info is None:
        path = Path(name)
        try:
            found = path.exists()
        except (OSError, ValueError):  # a name that no file system takes
            found = False
        if not found:
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


def _read(name: str, path: Path | None, max_bytes: int) -> Signals:
    if path is None:
        return read_time_series(name)
    if name == "jhmdb-pose" or any((f / "joint_positions").is_dir() for f in (path, path / "JHMDB")):
        return read_jhmdb(path, max_bytes=max_bytes)
    if name == "hmdb-i3d":
        signals = read_archive_file(path, max_bytes=max_bytes, labelled=False)
        signals.name = name
        return signals
    return (
        read_folder(path, max_bytes=max_bytes)
        if path.is_dir()
        else read_archive_file(path, max_bytes=max_bytes)
    )


def _as_signals(dataset: SequenceDataset) -> Signals:
    splits = np.array([np.where(mask, 1, 2) for mask in dataset.splits.values()])
    return Signals(dataset.name, dataset.streams, dataset.labels, dataset.class_names, splits)


def _build(
    signals: Signals,
    encoder: Encoder,
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
        parts = {"random": np.where(stratified_mask(signals.labels, 0.7, rng), 1, 2)}
    if encoder == "trained" and split is None:
        split = next(iter(parts))
    if split is not None:
        if split not in parts:
            raise ValueError(f"split: expected one of {list(parts)}, got {split!r}")
        parts = {split: parts[split]}

    ready = all(_is_ready(x) for x in signals.streams.values())
    kind = ("none" if ready else "untrained") if encoder == "auto" else encoder
    encoded = signals.streams
    if kind == "untrained" or kind == "trained":
        seen = np.logical_and.reduce([row == 1 for row in parts.values()])
        if not seen.any():
            raise ValueError(
                "split: no clip trains in every split, so an encoder needs one of them: pass split=..."
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
        raw=signals.extra if kind == "none" else signals.streams | signals.extra,
        config={"encoder": kind, **settings},
    )


def _is_ready(sequences: list[Tensor]) -> bool:
    """Whether signals are features of the paper's kind as they are: non-negative, no zero frame."""
    return all(bool((x >= 0).all() and (x > 0).any(1).all()) for x in sequences)


_LOADED: OrderedDict[str, SequenceDataset] = OrderedDict()
_LOCK = Lock()


def _remember(key: str, make: Any) -> SequenceDataset:
    """``make()`` for a new key; the last few results are kept."""
    with _LOCK:
        if key in _LOADED:
            _LOADED.move_to_end(key)
            return _LOADED[key]
    dataset = make()  # not under the lock: it may take long, and may be cancelled
    with _LOCK:
        _LOADED[key] = dataset
        while len(_LOADED) > _KEPT:
            _LOADED.popitem(last=False)
    return dataset
