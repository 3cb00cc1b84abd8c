"""What every pooling baseline shares: a scikit-learn transformer over a list of (n_i, d) arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from acot_core.sequences import PaddedSequences, check_sequences, chunks, pad, resolve_device

__all__ = ["SequencePooling", "SubspacePooling"]

_BUDGET = 2**27  # bytes a batch may take


class SequencePooling(TransformerMixin, BaseEstimator):
    """Base of the poolings: validates, pools in batches of similar length, restores the order.

    A subclass implements `_pool`, which turns a padded batch into one array a sequence. A sequence's result
    never depends on the other sequences of its batch.
    """

    def fit(self, X: Sequence[Any], y: Any = None) -> Self:
        """Check the sequences X, N arrays (n_i, d), and learn what there is to learn from them."""
        self._check_parameters()
        sequences = check_sequences(X, name="X")
        self.n_features_in_ = sequences[0].shape[1]
        self._fit(sequences)
        return self

    def transform(self, X: Sequence[Any]) -> np.ndarray:
        """Pool each of the N sequences (n_i, d) into one descriptor: float32 (N, ...)."""
        check_is_fitted(self, "n_features_in_")
        sequences = check_sequences(X, name="X", n_features=self.n_features_in_)
        device = resolve_device(getattr(self, "device", "cpu"))
        pooled: list[Tensor | None] = [None] * len(sequences)
        row_bytes = 16 * sequences[0].shape[1]
        for batch in chunks([len(s) for s in sequences], row_bytes, _BUDGET):
            result = self._pool(pad([sequences[i] for i in batch]).to(device)).cpu()
            for i, row in zip(batch, result, strict=True):
                pooled[i] = row
        return torch.stack([p for p in pooled if p is not None]).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a list of them
        tags.transformer_tags.preserves_dtype = []  # float32, whatever comes in
        tags.input_tags.positive_only = True
        return tags

    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter out of its range."""

    def _fit(self, sequences: list[Tensor]) -> None:
        """Learn from validated sequences; most poolings learn nothing."""

    @abstractmethod
    def _pool(self, batch: PaddedSequences) -> Tensor:
        """Descriptors of a batch: (B, ...)."""


class SubspacePooling(SequencePooling):
    """Base of the poolings whose descriptor is a subspace (parameters ``n_subspaces``, ``output``)."""

    n_subspaces: int
    output: str

    def _check_parameters(self) -> None:
        k = self.n_subspaces
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"n_subspaces: expected a positive integer, got {k!r}")
        if self.output not in ("subspace", "projection"):
            raise ValueError(f"output: expected 'subspace' or 'projection', got {self.output!r}")
        for name in ("beta1", "beta2", "eta"):
            if not 0 <= getattr(self, name, 0) < float("inf"):
                raise ValueError(f"{name}: expected a non-negative number, got {getattr(self, name)!r}")

    def _fit(self, sequences: list[Tensor]) -> None:
        if self.n_subspaces > self.n_features_in_:
            raise ValueError(f"n_subspaces: {self.n_subspaces} exceeds the {self.n_features_in_} features")

    def _describe(self, batch: PaddedSequences, U: Tensor) -> Tensor:
        """The subspace itself (B, d, k), its columns' sums made positive; or the mean of UU'X (B, d)."""
        if self.output == "subspace":
            return U * torch.where(U.sum(1, keepdim=True) < 0, -1, 1).to(U.dtype)
        mean = (batch.weights[:, :, None] * batch.frames).sum(1)  # (B, d)
        return (U @ (U.mT @ mean[:, :, None]))[:, :, 0]
