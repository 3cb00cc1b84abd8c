"""Classifiers that a user would try first on raw signals, from aeon (extra ``datasets``).

They see the signals before any frame encoder: N arrays (n_i, c).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from acot_core._utils.checks import check_number
from acot_core._utils.extras import from_extra
from acot_core.datasets.encoders import check_signals
from acot_core.sequences import check_labels


@contextmanager
def _process_left_alone() -> Iterator[None]:
    """Put back what aeon changes in the process: numpy's global generator and, by numba, torch's threads."""
    generator, n_threads = np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(generator)  # noqa: NPY002
        torch.set_num_threads(n_threads)


def resample(signals: Sequence[Any], length: int) -> np.ndarray:
    """Bring N signals (n_i, c) to one length by linear interpolation: float32 (N, c, length)."""
    grid = np.linspace(0, 1, length)
    resampled = []
    for signal in check_signals(signals, "X"):
        array = signal.numpy()
        time = np.linspace(0, 1, len(array)) if len(array) > 1 else np.zeros(1)
        resampled.append(np.stack([np.interp(grid, time, channel) for channel in array.T]))
    return np.stack(resampled).astype(np.float32)


class _SignalClassifier(ClassifierMixin, BaseEstimator):
    """Base of the classifiers of N signals (n_i, c) that are a model of aeon's after `_prepared`."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a list of them
        return tags

    def fit(self, X: Sequence[Any], y: Any) -> Self:
        """Fit on N signals (n_i, c) with labels (N,)."""
        signals = check_signals(X, "X", torch.float64)
        labels = check_labels(y, len(signals), n_classes=2)
        self.n_channels_ = signals[0].shape[1]
        self.model_ = self._model(signals)
        with _process_left_alone():
            self.model_.fit(self._prepared(signals), labels)
        self.classes_ = np.unique(labels)
        return self

    def predict(self, X: Sequence[Any]) -> np.ndarray:
        """Labels of N signals (n_i, c): (N,)."""
        signals = self._checked(X)
        with _process_left_alone():
            return self.model_.predict(self._prepared(signals))

    def _checked(self, X: Sequence[Any]) -> list[Tensor]:
        """Signals of as many channels as in fit."""
        check_is_fitted(self, "model_")
        signals = check_signals(X, "X", torch.float64)
        if (got := signals[0].shape[1]) != self.n_channels_:
            raise ValueError(f"X[0]: expected {self.n_channels_} channels, as in fit, got {got}")
        return signals

    @abstractmethod
    def _model(self, signals: list[Tensor]) -> Any:
        """The model that is fitted, once what the signals tell of it is known."""

    @abstractmethod
    def _prepared(self, signals: list[Tensor]) -> Any:
        """The signals as the model takes them."""


@dataclass(repr=False, eq=False)
class MiniRocketClassifier(_SignalClassifier):
    """Random convolutions, share of positive values, ridge classifier; on signals brought to one length.

    Dempster, Schmidt & Webb (2021), "MiniRocket: a very fast (almost) deterministic transform for time series
    classification", KDD; aeon's implementation. Signals are resampled to the median training length.

    Parameters
    ----------
    n_kernels : int
    random_state : int
    """

    n_kernels: int = 10_000
    _: KW_ONLY
    random_state: int = 0

    def similarity(self, X: Sequence[Any], Y: Sequence[Any]) -> np.ndarray:
        """Cosines of the standardised features of N signals X with those of M signals Y: (N, M)."""
        sets = [self._checked(X), self._checked(Y)]
        with _process_left_alone():
            A, B = (normalize(self.model_[:-1].transform(self._prepared(signals))) for signals in sets)
        return A @ B.T

    def decision_function(self, X: Sequence[Any]) -> np.ndarray:
        """Scores of N signals: (N, n_classes)."""
        signals = self._checked(X)
        with _process_left_alone():
            scores = self.model_.decision_function(self._prepared(signals))
        return scores if scores.ndim == 2 else np.stack([-scores, scores], 1)

    def _model(self, signals: list[Tensor]) -> Any:
        with from_extra("datasets", "MiniRocket"):
            from aeon.transformations.collection.convolution_based import MiniRocket

        # MiniRocket's kernels need nine samples.
        self.length_ = max(9, int(np.median([len(signal) for signal in signals])))
        return make_pipeline(
            MiniRocket(n_kernels=self.n_kernels, random_state=self.random_state),
            StandardScaler(),
            RidgeClassifierCV(alphas=np.logspace(-3, 4, 8)),
        )

    def _prepared(self, signals: list[Tensor]) -> np.ndarray:
        return resample(signals, self.length_)


@dataclass(repr=False, eq=False)
class DTWClassifier(_SignalClassifier):
    """The nearest neighbour under dynamic time warping of standardised signals.

    Sakoe & Chiba (1978), "Dynamic programming algorithm optimization for spoken word recognition"; as a
    baseline: Bagnall et al. (2017), "The great time series classification bake off". aeon's implementation.

    Parameters
    ----------
    window : float
        Half-width of the Sakoe-Chiba band, as a share of the length.
    """

    window: float = 0.2

    def decision_function(self, X: Sequence[Any]) -> np.ndarray:
        """One for the neighbour's class, zero for the others: (N, n_classes)."""
        return (self.predict(X)[:, None] == self.classes_).astype(float)

    def similarity(self, X: Sequence[Any], Y: Sequence[Any]) -> np.ndarray:
        """Minus the distances of N signals X to M signals Y: (N, M)."""
        with from_extra("datasets", "dynamic time warping"):
            from aeon.distances import pairwise_distance

        A, B = self._prepared(self._checked(X)), self._prepared(self._checked(Y))
        with _process_left_alone():
            return -pairwise_distance(A, B, method="dtw", window=self.window)

    def _model(self, signals: list[Tensor]) -> Any:
        with from_extra("datasets", "dynamic time warping"):
            from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

        check_number("window", self.window, positive=True)
        if self.window > 1:
            raise ValueError(f"window: expected a share between 0 and 1, got {self.window!r}")
        rows = torch.cat(signals).numpy()
        spread = rows.std(0)
        self.mean_, self.scale_ = rows.mean(0), np.where(spread > 0, spread, 1)
        return KNeighborsTimeSeriesClassifier(
            distance="dtw", distance_params={"window": self.window}, n_neighbors=1
        )

    def _prepared(self, signals: list[Tensor]) -> list[np.ndarray]:
        return [np.ascontiguousarray(((signal.numpy() - self.mean_) / self.scale_).T) for signal in signals]
