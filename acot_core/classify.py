"""Classifying sequences by their representations (Sec. 3.6, Eq. 14) and fusing streams (Sec. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from acot_core.grassmann import projection_kernel
from acot_core.sequences import check_labels
from acot_core.threads import one_thread

__all__ = ["GrassmannSVC", "StreamFusion", "grassmann_kernel", "zip_streams"]

_TOLERANCE = 1e-3  # departure from U'U = I that rounding in float32 explains, with room


def grassmann_kernel(U: np.ndarray, V: np.ndarray, gamma: float = 1.0) -> np.ndarray:
    """The kernel of Eq. (14), exp(γ (||U_i'V_j||_F^2 - k)), for all pairs of two sets of subspaces.

    Eq. (14) has no "- k". The constant factor exp(-γ k) makes the diagonal one, keeps large γ from
    overflowing and gives the same SVM as Eq. (14) with C scaled by it.

    Parameters
    ----------
    U : array (N, d, k)
    V : array (M, d, k)
        Orthonormal bases.
    gamma : float
        Bandwidth γ > 0.

    Returns
    -------
    float64 array (N, M)
    """
    with one_thread():
        overlap = projection_kernel(torch.as_tensor(U).double(), torch.as_tensor(V).double()).numpy()
    return np.exp(gamma * (overlap - U.shape[2]))


class GrassmannSVC(ClassifierMixin, BaseEstimator):
    """Support vector classifier of subspaces by the kernel of Eq. (14).

    Parameters
    ----------
    gamma : float, default 1
        Bandwidth γ.
    C : float, default 10
        The SVM's penalty.

    Attributes
    ----------
    classes_ : array (c,)
    bases_ : array (N, d, k)
        The training subspaces.
    svc_ : sklearn.svm.SVC

    Examples
    --------
    >>> import numpy as np
    >>> U = np.eye(3)[[0, 0, 1, 1], :, None]  # four lines in space: (4, 3, 1)
    >>> GrassmannSVC().fit(U, ["x", "x", "y", "y"]).predict(-U).tolist()  # u and -u span the same line
    ['x', 'x', 'y', 'y']
    """

    def __init__(self, gamma: float = 1.0, C: float = 10.0) -> None:
        self.gamma = gamma
        self.C = C

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Fit on subspaces X (N, d, k) with labels y (N,).

        Raises
        ------
        ValueError
            X is not a set of orthonormal bases, or y does not match it.
        """
        for name in ("gamma", "C"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)!r}")
        bases = _check_bases(X)
        labels = check_labels(y, len(bases))
        self.svc_ = SVC(C=self.C, kernel="precomputed", random_state=0).fit(
            grassmann_kernel(bases, bases, self.gamma), labels
        )
        self.bases_, self.classes_ = bases, self.svc_.classes_
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores: (N, c), or (N,) for two classes."""
        return self.svc_.decision_function(self._kernel(X))

    def predict(self, X: Any) -> np.ndarray:
        """Classes of subspaces X (N, d, k)."""
        return self.svc_.predict(self._kernel(X))

    def _kernel(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "svc_")
        bases = _check_bases(X)
        if bases.shape[1:] != self.bases_.shape[1:]:
            raise ValueError(
                f"X: expected subspaces of shape {self.bases_.shape[1:]}, as in fit, got {bases.shape[1:]}"
            )
        return grassmann_kernel(bases, self.bases_, self.gamma)


def _check_bases(X: Any) -> np.ndarray:
    bases = np.asarray(X)
    if bases.ndim != 3 or 0 in bases.shape or bases.dtype.kind not in "fiu":
        raise ValueError(
            f"X: expected orthonormal bases (N, d, k), got shape {bases.shape} {bases.dtype}; "
            'ACOTPooling makes them with output="subspace"'
        )
    bases = bases.astype(np.float32, copy=False)
    gram = np.einsum("ndk,ndl->nkl", bases, bases)
    error = np.abs(gram - np.eye(bases.shape[2])).max((1, 2))
    if not (error < _TOLERANCE).all():
        i = int(np.flatnonzero(~(error < _TOLERANCE))[0])
        raise ValueError(f"X[{i}]: expected orthonormal columns, but U'U differs from I by {error[i]:.2g}")
    return bases


def zip_streams(streams: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Turn streams, each a list of N sequences, into N clips, each a dict of its sequences.

    Raises
    ------
    ValueError
        No stream, or streams that differ in N.

    Examples
    --------
    >>> zip_streams({"rgb": ["a", "b"], "flow": ["c", "d"]})
    [{'rgb': 'a', 'flow': 'c'}, {'rgb': 'b', 'flow': 'd'}]
    """
    sizes = {name: len(sequences) for name, sequences in streams.items()}
    if not sizes or len(set(sizes.values())) > 1:
        raise ValueError(f"streams: expected the same number of sequences in each, got {sizes}")
    return [dict(zip(streams, clip, strict=True)) for clip in zip(*streams.values(), strict=True)]


class StreamFusion(ClassifierMixin, BaseEstimator):
    """Late fusion: one pipeline a stream, their decision scores averaged (two-stream recognition, Sec. 4).

    Parameters
    ----------
    pipelines : dict of stream name -> classifier
        Each classifies a list of sequences and has a ``decision_function``.
    weights : dict of stream name -> float, optional
        Weights of the streams' scores; equal by default.

    Attributes
    ----------
    pipelines_ : dict of fitted classifiers
    classes_ : array (c,)

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from acot_core.baselines import AveragePooling
    >>> rgb, flow = [[[1, 0]], [[0, 1]]] * 3, [[[1, 0, 0]], [[0, 0, 1]]] * 3  # six clips of one frame
    >>> clips = zip_streams({"rgb": rgb, "flow": flow})
    >>> fusion = StreamFusion({s: make_pipeline(AveragePooling(), LinearSVC()) for s in ("rgb", "flow")})
    >>> fusion.fit(clips, [0, 1] * 3).predict(clips[:2]).tolist()
    [0, 1]
    """

    def __init__(self, pipelines: Mapping[str, Any], weights: Mapping[str, float] | None = None) -> None:
        self.pipelines = pipelines
        self.weights = weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        return tags

    def fit(self, X: Sequence[Mapping[str, Any]], y: Any) -> Self:
        """Fit each stream's pipeline on its part of the clips X: N dicts, stream name -> (n_i, d)."""
        if not self.pipelines:
            raise ValueError("pipelines: expected at least one stream")
        if self.weights is not None and set(self.weights) != set(self.pipelines):
            raise ValueError(f"weights: expected one for each of {sorted(self.pipelines)}")
        labels = check_labels(y, len(X))
        self.pipelines_ = {
            name: clone(pipeline).fit(_stream(X, name), labels) for name, pipeline in self.pipelines.items()
        }
        self.classes_ = np.unique(labels)
        return self

    def decision_function(self, X: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Weighted mean of the streams' scores: (N, c), or (N,) for two classes."""
        check_is_fitted(self, "pipelines_")
        weights = self.weights or dict.fromkeys(self.pipelines_, 1.0)
        scores = [
            weights[name] * pipeline.decision_function(_stream(X, name))
            for name, pipeline in self.pipelines_.items()
        ]
        return np.sum(scores, axis=0) / sum(weights.values())

    def predict(self, X: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Class of the highest mean score."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)]


def _stream(clips: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    for i, clip in enumerate(clips):
        if not isinstance(clip, Mapping) or name not in clip:
            raise ValueError(f"X[{i}]: expected a dict of streams with {name!r}")
    return [clip[name] for clip in clips]
