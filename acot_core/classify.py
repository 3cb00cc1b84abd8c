"""Classifying sequences by their representations (Sec. 3.6, Eq. 14) and fusing streams (Sec. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from acot_core._utils.checks import check_choice, check_number, real_tensor
from acot_core._utils.threads import single_threaded
from acot_core.riemannian.grassmann import projection_kernel
from acot_core.sequences import check_labels

__all__ = ["GrassmannSVC", "StreamFusion", "grassmann_kernel", "zip_streams"]

_TOLERANCE = 1e-3  # departure from U'U = I that rounding in float32 explains, with room


def grassmann_kernel(
    U: np.ndarray, V: np.ndarray, gamma: float | None = None, kernel: str = "exponential"
) -> np.ndarray:
    """The kernel of Eq. (14), exp(γ (||U_i'V_j||_F^2 - k)), for all pairs of two sets of subspaces.

    Eq. (14) has no "- k". The constant factor exp(-γ k) makes the diagonal one, keeps large γ from
    overflowing and gives the same SVM as Eq. (14) with C scaled by it.

    Parameters
    ----------
    U : array (N, d, k)
    V : array (M, d, k)
        Orthonormal bases.
    gamma : float, optional
        Bandwidth γ > 0. Default: 1 / k.
    kernel : {"exponential", "linear"}
        "linear" is the projection kernel itself, ||U_i'V_j||_F^2 / k, which needs no bandwidth.

    Returns
    -------
    float64 array (N, M)
    """
    check_choice("kernel", kernel, ("exponential", "linear"))
    if gamma is not None:
        check_number("gamma", gamma, positive=True)
    bases = [real_tensor(each, name).double() for name, each in (("U", U), ("V", V))]
    with single_threaded(), torch.no_grad():
        overlap = projection_kernel(*bases).numpy()
    k = bases[0].shape[2]
    return overlap / k if kernel == "linear" else np.exp((1 / k if gamma is None else gamma) * (overlap - k))


@dataclass(repr=False, eq=False)
class GrassmannSVC(ClassifierMixin, BaseEstimator):
    """Support vector classifier of subspaces by the kernel of Eq. (14).

    Parameters
    ----------
    gamma : float or "scale", default "scale"
        Bandwidth γ. "scale" is 1 / k: overlaps ||U_i'V_j||^2 run from 0 to k, and with a γ that does not
        follow k the kernel of k >= 4 is nearly the identity.
    C : float, default 10
        The SVM's penalty.
    kernel : {"exponential", "linear"}, default "exponential"
        That of Eq. (14), or the projection kernel ||U'V||_F^2 / k in its exponent, which takes no γ.

    Attributes
    ----------
    classes_ : array (c,)
    bases_ : array (N, d, k)
        The training subspaces.
    gamma_ : float
        The γ that was used.
    svc_ : sklearn.svm.SVC

    Examples
    --------
    >>> import numpy as np
    >>> U = np.eye(3)[[0, 0, 1, 1], :, None]  # four lines in space: (4, 3, 1)
    >>> GrassmannSVC().fit(U, ["x", "x", "y", "y"]).predict(-U).tolist()  # u and -u span the same line
    ['x', 'x', 'y', 'y']
    """

    gamma: float | str = "scale"
    C: float = 10.0
    _: KW_ONLY
    kernel: str = "exponential"

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
        if not (isinstance(self.gamma, str) and self.gamma == "scale"):
            check_number("gamma", self.gamma, positive=True)
        check_number("C", self.C, positive=True)
        check_choice("kernel", self.kernel, ("exponential", "linear"))
        bases = _check_bases(X)
        labels = check_labels(y, len(bases), n_classes=2)
        self.gamma_ = 1 / bases.shape[2] if self.gamma == "scale" else float(self.gamma)
        self.svc_ = SVC(C=self.C, kernel="precomputed", random_state=0).fit(
            grassmann_kernel(bases, bases, self.gamma_, self.kernel), labels
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
        return grassmann_kernel(bases, self.bases_, self.gamma_, self.kernel)


def _check_bases(X: Any) -> np.ndarray:
    bases = real_tensor(X, "X").detach().cpu().float().numpy()
    if bases.ndim != 3 or 0 in bases.shape:
        raise ValueError(
            f"X: expected orthonormal bases (N, d, k), got shape {bases.shape} {bases.dtype}; "
            'ACOTPooling makes them with output="subspace"'
        )
    gram = np.einsum("ndk,ndl->nkl", bases, bases)
    error = np.abs(gram - np.eye(bases.shape[2])).max((1, 2))
    if not (error < _TOLERANCE).all():
        i = int(np.flatnonzero(~(error < _TOLERANCE))[0])
        raise ValueError(f"X[{i}]: expected orthonormal columns, but U'U differs from I by {error[i]:.2g}")
    return bases


def zip_streams(streams: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Turn streams, each a list of N sequences, into N examples, each a dict of one sequence per stream.

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
    return [dict(zip(streams, sequence, strict=True)) for sequence in zip(*streams.values(), strict=True)]


@dataclass(repr=False, eq=False)
class StreamFusion(ClassifierMixin, BaseEstimator):
    """Late fusion: one pipeline per stream, their decision scores averaged (two-stream recognition, Sec. 4).

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
    >>> rgb, flow = [[[1, 0]], [[0, 1]]] * 3, [[[1, 0, 0]], [[0, 0, 1]]] * 3  # six sequences of one frame
    >>> sequences = zip_streams({"rgb": rgb, "flow": flow})
    >>> fusion = StreamFusion({s: make_pipeline(AveragePooling(), LinearSVC()) for s in ("rgb", "flow")})
    >>> fusion.fit(sequences, [0, 1] * 3).predict(sequences[:2]).tolist()
    [0, 1]
    """

    pipelines: Mapping[str, Any]
    weights: Mapping[str, float] | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        return tags

    def fit(self, X: Sequence[Mapping[str, Any]], y: Any) -> Self:
        """Fit each stream's pipeline on its sequences of X: N dicts, stream name -> (n_i, d)."""
        if not self.pipelines:
            raise ValueError("pipelines: expected at least one stream")
        if self.weights is not None:
            if not isinstance(self.weights, Mapping) or set(self.weights) != set(self.pipelines):
                raise ValueError(f"weights: expected one for each of {sorted(self.pipelines)}")
            if not sum(check_number(f"weights[{name!r}]", weight) for name, weight in self.weights.items()):
                raise ValueError("weights: expected one that is positive, got zeros only")
        labels = check_labels(y, len(X))
        self.pipelines_ = {
            name: clone(pipeline).fit(_stream(X, name), labels) for name, pipeline in self.pipelines.items()
        }
        self.classes_ = np.unique(labels)
        return self

    def decision_function(self, X: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Weighted mean of the streams' scores: (N, c), or (N,) for two classes."""
        check_is_fitted(self, "pipelines_")
        weights = {name: float((self.weights or {}).get(name, 1)) for name in self.pipelines_}
        scores = [
            weights[name] * pipeline.decision_function(_stream(X, name))
            for name, pipeline in self.pipelines_.items()
        ]
        return np.sum(scores, axis=0) / sum(weights.values())

    def predict(self, X: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Class of the highest mean score."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)]


def _stream(sequences: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, Mapping) or name not in sequence:
            raise ValueError(f"X[{i}]: expected a dict of streams with {name!r}")
    return [sequence[name] for sequence in sequences]
