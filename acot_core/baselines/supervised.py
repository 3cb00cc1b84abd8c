"""Supervised embeddings of frames, pooled with or without order: rivals that know the labels, as ACOT does.

ACOT's adversary has seen the labels of the training sequences, so that its subspaces carry label information.
Compared without a classifier (`acot_core.experiments.retrieval`), it has to be set against methods that have
seen them, too: a discriminant analysis, a learned metric, or a classifier's probabilities, of which either
the mean over the frames is taken or, with ``order``, the order-constrained subspace of GRP.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from acot_core._utils.checks import check_choice, check_number
from acot_core._utils.progress import Callback
from acot_core.baselines.rank_pooling import ordered_subspace
from acot_core.gan.frame_classifier import train_frame_classifier
from acot_core.pooling.base import SubspacePooling
from acot_core.sequences import CheckedSequences, PaddedSequences, check_labels, resolve_seed
from acot_core.subspace.solve import working_bytes

_EMBEDDINGS = ("lda", "nca", "probabilities")
_NCA_FEATURES = 64


class _Scatter:
    """Covariance shrunk as scikit-learn's ``shrinkage="auto"``; zero, and no warning, of a single row."""

    def fit(self, X: np.ndarray) -> None:
        scaler = StandardScaler().fit(X)
        shrunk = ledoit_wolf(scaler.transform(X))[0] if len(X) > 1 else np.zeros((X.shape[1],) * 2)
        self.covariance_ = scaler.scale_[:, None] * shrunk * scaler.scale_


@dataclass(repr=False, eq=False)
class SupervisedPooling(SubspacePooling):
    """Embed the frames by a map learned from labels, then average, or find GRP's subspace.

    Parameters
    ----------
    embedding : {"lda", "nca", "probabilities"}
        Linear discriminants with shrinkage (Ledoit & Wolf, 2004); neighbourhood components analysis
        (Goldberger et al., 2004) of 64 principal components; or class probabilities, of a logistic regression
        of averages or, of frames, of the adversary's frame classifier (App. B.1). With one sequence a class
        nothing is known of the scatter within classes: both of the first are principal components then.
    on : {"averages", "frames"}
        What the map is learned from: the mean frame of each sequence, or every frame with the label of its
        sequence. NCA takes averages only.
    order : bool
        Whether the embedded frames, scaled to unit norm, are represented by the subspace of least distortion
        along which their energy grows (`acot_core.baselines.GRP`), or by their mean. With averages and
        without order, the mean frame itself is embedded.
    n_subspaces, beta1, beta2, eta, n_iter
        As in `acot_core.baselines.GRP`; used with ``order``. k is at most the width of the map.
    C : float
        Penalty of the logistic regression.
    random_state : int, generator or None

    Attributes
    ----------
    embed_ : callable
        (r, d) -> (r, e), the fitted map.
    width_ : int
        e.

    Raises
    ------
    ValueError
        In ``fit``: a bad parameter, sequence or label; labels are needed.

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> data = planted(n_sequences=24, random_state=0)
    >>> sequences = data.streams["features"]
    >>> SupervisedPooling("lda").fit(sequences, data.labels).transform(sequences).shape  # six classes
    (24, 5)
    >>> ordered = SupervisedPooling("lda", order=True, n_subspaces=2).fit(sequences, data.labels)
    >>> ordered.transform(sequences).shape
    (24, 5, 2)
    """

    output = "subspace"

    embedding: Literal["lda", "nca", "probabilities"] = "lda"
    _: KW_ONLY
    on: Literal["averages", "frames"] = "averages"
    order: bool = False
    n_subspaces: int = 1
    beta1: float = 1.0
    beta2: float = 10.0
    eta: float = 0.01
    n_iter: int = 5
    C: float = 100.0
    random_state: int | np.random.RandomState | np.random.Generator | None = 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("embedding", self.embedding, _EMBEDDINGS)
        check_choice("on", self.on, ("averages", "frames"))
        check_number("C", self.C, positive=True)
        if not isinstance(self.order, bool | np.bool_):
            raise ValueError(f"order: expected True or False, got {self.order!r}")
        if self.embedding == "nca" and self.on == "frames":
            raise ValueError(f"on: expected 'averages', or but for NCA 'frames', got {self.on!r}")

    def _fit(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> None:
        labels = check_labels(y, len(sequences), n_classes=2)
        if sequences[0].shape[1] == 1:
            raise ValueError("X: d = 1, but unit-norm frames of 1 feature(s) are all alike; expected d >= 2")
        if self.on == "averages":
            rows = torch.stack([s.mean(0) for s in sequences]).numpy()
        else:
            rows = torch.cat(list(sequences)).numpy()
            labels = np.repeat(labels, [len(s) for s in sequences])
        self.embed_ = self._learn(rows, labels, resolve_seed(self.random_state) % 2**32)
        self.width_ = self.embed_(rows[:1]).shape[1]

    def _learn(self, rows: np.ndarray, labels: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
        n_classes = len(np.unique(labels))
        if self.embedding != "probabilities" and n_classes == len(rows):
            return PCA(min(n_classes - 1, rows.shape[1]), svd_solver="full").fit(rows).transform
        if self.embedding == "lda":
            try:
                discriminants = LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=_Scatter())
                return discriminants.fit(rows, labels).transform
            except np.linalg.LinAlgError:  # classes of one or two sequences may vary in no direction
                return LinearDiscriminantAnalysis(solver="svd").fit(rows, labels).transform
        if self.embedding == "nca":
            n = min(_NCA_FEATURES, *rows.shape)
            dimension = min(n_classes, n)
            nca = NeighborhoodComponentsAnalysis(dimension, init="lda", max_iter=50, random_state=seed)
            if dimension > min(n_classes - 1, n):
                nca.set_params(n_components=max(1, dimension - 1))
            return make_pipeline(PCA(n, random_state=seed), nca).fit(rows, labels).transform
        if self.on == "averages":
            return LogisticRegression(C=self.C, max_iter=300).fit(rows, labels).predict_proba
        classes, targets = np.unique(labels, return_inverse=True)
        classifier = train_frame_classifier(
            torch.from_numpy(rows),
            torch.from_numpy(targets),
            len(classes),
            generator=torch.Generator().manual_seed(seed),
            learning_rate=0.01,
        )
        return lambda frames: classifier(torch.from_numpy(frames)).softmax(1).numpy()

    def _bytes(self, n: int) -> int:
        k = min(self.n_subspaces, self.width_)
        return super()._bytes(n) + (
            working_bytes(n, n, self.width_, k) if self.order else 8 * n * self.width_
        )

    def _pool(self, batch: PaddedSequences) -> Tensor:
        weights = batch.weights[:, :, None]
        if not self.order and self.on == "averages":
            return self._embed((weights * batch.frames).sum(1))
        frames = self._embed(batch.frames.flatten(0, 1)).unflatten(0, batch.mask.shape)
        frames = frames * batch.mask[:, :, None]
        if not self.order:
            return (weights * frames).sum(1)
        frames = torch.nn.functional.normalize(frames, dim=2)
        narrow = copy(self)
        narrow.n_subspaces = min(self.n_subspaces, self.width_)
        U = ordered_subspace(PaddedSequences(frames, batch.mask), narrow)
        return self._describe(batch, U)

    def _embed(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self.embed_(rows.numpy()))).float()
