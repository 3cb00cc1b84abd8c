"""Signals: what a file holds, before its frames are encoded (Sec. 4, "Datasets")."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from acot_core.datasets.shown import Shown


class DataWarning(UserWarning):
    """What was decided about data where a file does not say, or left out; the message says how to choose.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore", DataWarning)  # or "error", to have every choice made by name
    """


@dataclass
class Signals:
    """Streams of N signals, their classes and splits, as read.

    Attributes
    ----------
    name : str
    streams : dict of str to list of N float32 Tensor (n_i, c)
    labels : int array (N,)
        Positions in ``class_names``.
    class_names : list of str
    splits : int array (S, N)
        1 = train, 2 = test, 0 = unused; no row where the file has none.
    extra : dict of str to list of N Tensor
        Signals that are raw data and no stream.
    groups : array (N,) or None
        The source of each signal (video, person); None where it is not known.
    shown : Shown
        Names, frame rates and thumbnails.
    made_by : list of str
        What made the features, one line per stream; empty where that is not known.
    """

    name: str
    streams: dict[str, list[Tensor]]
    labels: np.ndarray
    class_names: list[str]
    splits: np.ndarray
    extra: dict[str, list[Tensor]] = field(default_factory=dict)
    groups: np.ndarray | None = None
    shown: Shown = field(default_factory=Shown)
    made_by: list[str] = field(default_factory=list)
