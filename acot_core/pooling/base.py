"""Base of the poolings: a scikit-learn transformer over a list of (n_i, d) arrays, batch by batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from acot_core._utils.blocks import batch_bytes
from acot_core._utils.checks import check_choice, check_int, check_number, plain_parameters
from acot_core._utils.progress import Callback, Clock
from acot_core._utils.threads import parallel_map, single_threaded
from acot_core.sequences import (
    CheckedSequences,
    PaddedSequences,
    check_sequences,
    chunks,
    pad,
    resolve_device,
)


class SequencePooling(TransformerMixin, BaseEstimator):
    """Base of the poolings: validates, pools in batches of similar length, restores the order.

    A subclass implements `_pool`, which turns a padded batch into one array per sequence, and, where it takes
    much memory, `_bytes`. A sequence's result never depends on the other sequences of its batch.
    """

    device = "cpu"
    batch_bytes: int | None = None
    n_jobs: int | None = None

    def fit(self, X: Sequence[Any], y: Any = None, *, callback: Callback | None = None) -> Self:
        """Check the sequences and learn what there is to learn from them.

        Parameters
        ----------
        X : sequence of N array-likes (n_i, d)
        y : (N,) array-like, optional
            Class labels; needed only where an adversary is to be trained.
        callback : callable, optional
            Gets the `Progress` of what is trained.

        Raises
        ------
        ValueError
            A bad parameter, sequence or label.
        """
        plain_parameters(self)
        self._check_parameters()
        sequences = check_sequences(X, name="X")
        self.n_features_in_ = sequences[0].shape[1]
        self._fit(sequences, y, callback)
        return self

    @torch.no_grad()
    def transform(self, X: Sequence[Any], *, callback: Callback | None = None) -> np.ndarray:
        """Pool each of the N sequences (n_i, d) into one descriptor: float32 (N, ...).

        Raises
        ------
        ValueError
            A bad sequence.
        NotFittedError
            Before fit.
        """
        check_is_fitted(self, "n_features_in_")
        with single_threaded():  # one sequence is too little to share
            sequences = check_sequences(X, name="X", n_features=self.n_features_in_)
        batches = self._batches([len(sequence) for sequence in sequences])
        on_cpu = resolve_device(self.device).type == "cpu"
        parts = (sequences.take(batch) for batch in batches)
        work = parallel_map(self._pool_batch, parts, self.n_jobs if on_cpu else 1)
        clock, done = Clock("pooling", len(sequences), callback), 0
        pooled = np.empty(0, np.float32)
        for positions, descriptors in zip(batches, work, strict=True):
            if done == 0:
                pooled = np.empty((len(sequences), *descriptors.shape[1:]), np.float32)
            pooled[positions] = descriptors
            done += len(positions)
            clock.report(done)
        return pooled

    def _batches(self, lengths: Sequence[int]) -> list[np.ndarray]:
        """Positions of the sequences that are pooled together; what depends on n < d is decided per batch."""
        budget = self.batch_bytes or batch_bytes(resolve_device(self.device))
        n, batches = np.asarray(lengths), []
        for group in (np.flatnonzero(n <= self.n_features_in_), np.flatnonzero(n > self.n_features_in_)):
            if len(group):
                batches += [group[b] for b in chunks([self._bytes(int(i)) for i in n[group]], budget)]
        return batches

    def _pool_batch(self, sequences: CheckedSequences) -> np.ndarray:
        return self._pool(pad(sequences).to(resolve_device(self.device))).cpu().numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a list of them
        tags.transformer_tags.preserves_dtype = []  # float32, whatever comes in
        tags.input_tags.positive_only = True
        return tags

    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter out of its range."""

    def _fit(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> None:
        """Learn from validated sequences; most poolings learn nothing."""

    @abstractmethod
    def _pool(self, batch: PaddedSequences) -> Tensor:
        """Descriptors of a batch: (B, ...)."""

    def _bytes(self, n: int) -> int:
        """Memory that pooling a sequence of n frames takes beyond the data."""
        return 16 * n * self.n_features_in_


class SubspacePooling(SequencePooling):
    """Base of the poolings whose descriptor is a subspace (parameters ``n_subspaces``, ``output``)."""

    n_subspaces: int
    output: str

    def _check_parameters(self) -> None:
        check_int("n_subspaces", self.n_subspaces, least=1)
        check_choice("output", self.output, ("subspace", "projection"))
        for name in {"beta1", "beta2", "eta", "margin"} & vars(self).keys():
            check_number(name, getattr(self, name))
        if "n_iter" in vars(self):
            check_int("n_iter", self.n_iter, least=0)

    def _fit(self, sequences: CheckedSequences, y: Any, callback: Callback | None) -> None:
        if self.n_subspaces > self.n_features_in_:
            raise ValueError(f"n_subspaces: {self.n_subspaces} exceeds the {self.n_features_in_} features")

    def _describe(self, batch: PaddedSequences, U: Tensor) -> Tensor:
        """The subspace itself (B, d, k), its columns' sums made positive; or the mean of UU'X (B, d)."""
        if self.output == "subspace":
            return U * torch.where(U.sum(1, keepdim=True) < 0, -1, 1).to(U.dtype)
        mean = (batch.weights[:, :, None] * batch.frames).sum(1)  # (B, d)
        return (U @ (U.mT @ mean[:, :, None]))[:, :, 0]
