"""ACOT pooling for aeon's collections: arrays (N, c, t), or lists of (c, t_i), of any signal (Sec. 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from aeon.transformations.collection.base import BaseCollectionTransformer
from sklearn.base import clone

from acot_core.datasets.encoders import FrameEncoder
from acot_core.pooling.acot import ACOTPooling

__all__ = ["CollectionPooling"]


class CollectionPooling(BaseCollectionTransformer):
    """Encode each series into frame features and pool these, as an aeon collection transformer.

    Needs the extra ``datasets``. Time is the last axis, as everywhere in aeon.

    Parameters
    ----------
    encoder : transformer, optional
        From signals (t_i, c) to frames (n_i, d); None is ``FrameEncoder(random_state=random_state)``.
    pooling : transformer, optional
        From frames to one representation each; None is ``ACOTPooling(output="projection",
        random_state=random_state)``, which gives a table (N, d) for any classifier. With
        ``output="subspace"`` the result (N, d, k) is for `acot_core.GrassmannSVC`.
    random_state : int or None
        Seed of the two defaults.

    Attributes
    ----------
    encoder_, pooling_ : transformers
        As fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from acot_core.pooling.collection import CollectionPooling
    >>> from acot_core.pooling import ACOTPooling
    >>> X, y = np.random.default_rng(0).normal(size=(8, 2, 12)), np.arange(8) % 2  # (N, c, t)
    >>> pooling = ACOTPooling(negatives="random", output="projection", random_state=0)
    >>> CollectionPooling(pooling=pooling, random_state=0).fit_transform(X, y).shape
    (8, 256)
    """

    _tags = {  # noqa: RUF012 (aeon's own convention)
        "X_inner_type": ["np-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "output_data_type": "Tabular",
        "requires_y": True,
        "python_dependencies": "aeon",
    }

    def __init__(self, encoder: Any = None, pooling: Any = None, random_state: int | None = None) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.random_state = random_state
        super().__init__()

    def _fit(self, X: Sequence[np.ndarray], y: Any = None) -> CollectionPooling:
        encoder = (
            FrameEncoder(random_state=self.random_state) if self.encoder is None else clone(self.encoder)
        )
        pooling = self.pooling
        if pooling is None:
            pooling = ACOTPooling(output="projection", random_state=self.random_state)
        signals = [np.asarray(series).T for series in X]
        self.encoder_ = encoder.fit(signals, y)
        self.pooling_ = clone(pooling).fit(self.encoder_.transform(signals), y)
        return self

    def _transform(self, X: Sequence[np.ndarray], y: Any = None) -> np.ndarray:
        frames = self.encoder_.transform([np.asarray(series).T for series in X])
        return np.asarray(self.pooling_.transform(frames))

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> dict[str, Any]:
        """Small settings for aeon's checks."""
        pooling = ACOTPooling(negatives="random", output="projection", n_negatives=8, random_state=0)
        return {"encoder": FrameEncoder(n_features=8, random_state=0), "pooling": pooling, "random_state": 0}
