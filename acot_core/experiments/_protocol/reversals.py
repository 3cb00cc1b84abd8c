"""A harder task from real data: every class and its time reversal, told apart by order alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from acot_core.datasets import SequenceDataset


def with_reversals(dataset: SequenceDataset, seed: int) -> SequenceDataset:
    """Reverse half of the sequences of each class in time, and make them a class of their own.

    Frames, their number and the splits stay as they are, so that no representation without order can tell a
    class from its reversal. Sequences of one group are all reversed or all left; in each part of the first
    split it is every other group.

    Parameters
    ----------
    dataset : SequenceDataset
        With C classes; its streams should describe frames, not motion, which a reversal would turn round.
    seed : int
        Which half.

    Returns
    -------
    SequenceDataset
        With 2C classes: class C + c is class c backwards.

    Raises
    ------
    ValueError
        The data have no split.

    Examples
    --------
    >>> from acot_core.datasets import load
    >>> data = with_reversals(load("planted", n_sequences=24), 0)
    >>> len(data.class_names), data.class_names[6]
    (12, 'pair 1 forwards, backwards')
    """
    train, _ = dataset.split()
    is_train = np.isin(np.arange(len(dataset)), train)
    groups = np.arange(len(dataset)) if dataset.groups is None else dataset.groups
    rng = np.random.default_rng(seed)
    backwards = np.zeros(len(dataset), bool)
    for label in range(len(dataset.class_names)):
        for part in (True, False):
            of_class = (dataset.labels == label) & (is_train == part)
            chosen = rng.permutation(np.unique(groups[of_class]))[::2]
            backwards |= of_class & np.isin(groups, chosen)

    def turned(streams: dict[str, list[Tensor]]) -> dict[str, list[Tensor]]:
        return {
            name: [s.flip(0) if back else s for s, back in zip(sequences, backwards, strict=True)]
            for name, sequences in streams.items()
        }

    names = [*dataset.class_names, *(f"{name}, backwards" for name in dataset.class_names)]
    return replace(
        dataset,
        name=f"{dataset.name}, with reversals",
        streams=turned(dataset.streams),
        raw=turned(dataset.raw),
        labels=dataset.labels + len(dataset.class_names) * backwards,
        class_names=names,
        config=dataset.config | {"reversals": seed},
    )
