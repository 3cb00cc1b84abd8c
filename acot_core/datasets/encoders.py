"""Frame encoders: from raw signals to frame features (Sec. 4; App. B, "Datasets and Features").

The paper's frames are outputs of a convolutional network's ReLU layer, scaled to unit norm. A raw signal
becomes such a sequence in two steps: windows of consecutive rows, and a layer of ReLU units on each window.
The units are random ("untrained", the case of off-the-shelf features) or learned with a classifier on top
("trained", the case of the paper's fine-tuned networks). Either way only training sequences are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from acot_core._utils.checks import check_int, plain_parameters
from acot_core._utils.progress import Callback
from acot_core.datasets.frame_network import train_frame_network
from acot_core.datasets.signed import unit_features
from acot_core.sequences import as_matrix, check_labels, items_of, resolve_device, resolve_seed

Kind = Literal["untrained", "trained"]


def windows(signal: Tensor, window: int = 1, stride: int = 1) -> Tensor:
    """Windows of consecutive rows of a signal, each flattened to one row.

    Parameters
    ----------
    signal : Tensor (n, c)
    window : int
        Rows in a window. A signal with fewer rows is continued by its last one.
    stride : int
        Rows from the start of a window to the start of the next.

    Returns
    -------
    Tensor ((max(n, window) - window) // stride + 1, window * c)
    """
    if len(signal) < window:
        signal = torch.cat([signal, signal[-1:].expand(window - len(signal), -1)])
    return signal.unfold(0, window, stride).transpose(1, 2).flatten(1)  # (t, c, w) -> (t, w, c) -> (t, w c)


def check_signals(raw: Sequence[Any], name: str = "raw", dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Validate raw signals: N arrays (n_i, c) of finite real numbers, n_i >= 1, one c. CPU tensors.

    Raises
    ------
    ValueError
        Naming the signal, its shape and what was expected.
    """
    checked: list[Tensor] = []
    for i, signal in enumerate(items_of(raw, name)):
        tensor = as_matrix(signal, f"{name}[{i}]").to(dtype)
        shape = tuple(tensor.shape)
        if 0 in shape:
            raise ValueError(f"{name}[{i}]: expected real numbers of shape (n >= 1, c), got shape {shape}")
        if checked and shape[1] != checked[0].shape[1]:
            raise ValueError(f"{name}[{i}]: expected {checked[0].shape[1]} channels, got shape {shape}")
        if not torch.isfinite(tensor).all():
            t = int((~torch.isfinite(tensor)).any(1).nonzero()[0])
            raise ValueError(f"{name}[{i}] (shape {shape}): row {t} holds a NaN or an infinity")
        checked.append(tensor)
    return checked


@dataclass(repr=False, eq=False)
class FrameEncoder(TransformerMixin, BaseEstimator):
    """Turns raw signals into sequences of non-negative, unit-norm frame features.

    Parameters
    ----------
    kind : "untrained" or "trained"
        Random ReLU units, or those of a network that was fitted to tell the classes of single frames.
    n_features : int
        Number d of features of a frame.
    window, stride : int
        Rows of the signal in a window, and from one window to the next.
    random_state : int, generator or None
        Seed of the weights (and, when trained, of batches and dropout).
    device : str
        Where a "trained" encoder is trained: "cpu", "cuda" or "auto".

    Attributes
    ----------
    mean_, scale_ : Tensor (window * c,)
        Standardisation of the windows, from the sequences seen in fit.
    weight_, bias_ : Tensor (window * c, d), Tensor (d,)
        The layer whose ReLU is the feature.
    """

    kind: Kind = "untrained"
    _: KW_ONLY
    n_features: int = 256
    window: int = 1
    stride: int = 1
    random_state: int | np.random.RandomState | np.random.Generator | None = 0
    device: str = "cpu"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a list of them
        tags.transformer_tags.preserves_dtype = []  # float32, whatever comes in
        return tags

    def fit(self, X: Sequence[Any], y: Any = None, callback: Callback | None = None) -> Self:
        """Fit the encoder on raw signals X, N arrays (n_i, c); y (N,) are their classes ("trained" only)."""
        plain_parameters(self)
        for name in ("n_features", "window", "stride"):
            check_int(name, getattr(self, name), least=1)
        if self.kind not in ("untrained", "trained"):
            raise ValueError(f"kind: expected 'untrained' or 'trained', got {self.kind!r}")
        signals = check_signals(X, "X")
        seed = resolve_seed(self.random_state)
        rows = [windows(s, self.window, self.stride) for s in signals]
        frames = torch.cat(rows)
        self.n_features_in_ = signals[0].shape[1]
        self.mean_ = frames.mean(0)
        spread = frames.std(0, correction=0)
        # Each column by its own size: what another column's unit is must not matter.
        self.scale_ = torch.where(spread > 1e-6 * frames.abs().amax(0), spread, 1)
        rows = [(r - self.mean_) / self.scale_ for r in rows]
        if self.kind == "untrained":
            self.weight_, self.bias_ = _random_layer(frames.shape[1], self.n_features, seed)
            return self
        if y is None:
            raise ValueError("labels: expected the sequences' classes to train an encoder on, got None")
        labels = check_labels(y, len(signals))
        if len(np.unique(labels)) < 2:
            raise ValueError("labels: expected sequences of at least two classes to train an encoder on")
        self.weight_, self.bias_ = train_frame_network(
            rows, labels, self.n_features, seed=seed, device=resolve_device(self.device), callback=callback
        )
        return self

    def transform(self, X: Sequence[Any]) -> list[Tensor]:
        """Encode raw signals, N arrays (n_i, c), as N tensors (windows, d): non-negative, unit-norm rows."""
        check_is_fitted(self)
        signals = check_signals(X, "X")
        if signals[0].shape[1] != self.n_features_in_:
            raise ValueError(f"X: expected {self.n_features_in_} channels, got {signals[0].shape[1]}")
        rows = [windows(s, self.window, self.stride) for s in signals]
        frames = (torch.cat(rows) - self.mean_) / self.scale_
        frames = (frames @ self.weight_ + self.bias_).relu()  # (n, w c) @ (w c, d) -> (n, d)
        return list(unit_features(frames).split([len(r) for r in rows]))


def encode(
    raw: Sequence[Any],
    kind: Kind = "untrained",
    *,
    train: Any = None,
    labels: Any = None,
    n_features: int = 256,
    window: int = 1,
    stride: int = 1,
    random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    device: str = "cpu",
    callback: Callback | None = None,
) -> list[Tensor]:
    """Encode raw signals with a `FrameEncoder` that is fitted on the training sequences alone.

    Parameters
    ----------
    raw : sequence of N arrays (n_i, c)
    kind : "untrained" or "trained"
    train : bool array (N,), optional
        True where a sequence may be looked at in fitting; all by default.
    labels : array (N,), optional
        Classes; needed for "trained".
    n_features, window, stride, random_state, device
        As in `FrameEncoder`.
    callback : callable, optional
        Gets `acot_core._utils.progress.Progress` reports.

    Returns
    -------
    list of N Tensor (windows, n_features)
        Non-negative, rows of unit norm.

    Raises
    ------
    ValueError
        A signal, the mask or the labels do not fit.
    """
    signals = check_signals(raw)
    mask = np.ones(len(signals), bool) if train is None else np.asarray(train)
    if mask.shape != (len(signals),) or mask.dtype != bool or not mask.any():
        raise ValueError(
            f"train: expected a boolean array of shape ({len(signals)},) with at least one True, "
            f"got {mask.dtype} {mask.shape}"
        )
    encoder = FrameEncoder(
        kind, n_features=n_features, window=window, stride=stride, random_state=random_state, device=device
    )
    fitted = [s for s, seen in zip(signals, mask, strict=True) if seen]
    y = None if labels is None else check_labels(labels, len(signals))[mask]
    return encoder.fit(fitted, y, callback).transform(signals)


def _random_layer(n_in: int, n_out: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random ReLU units on standardised inputs: half of them fire on an average window."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n_in, n_out, generator=generator, dtype=torch.float32) / n_in**0.5
    return weight, 0.1 * torch.randn(n_out, generator=generator, dtype=torch.float32)
