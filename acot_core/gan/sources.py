"""Sources of negatives: noise, other sequences' frames, the frames themselves, one's own.

Sec. 3.2 asks for negatives that are close to the data, Sec. 4.1 compares adversarial with random ones
("COT + Random"), and contrastive learning usually takes other samples. Every source has the method of
`acot_core.Adversary`, ``sample(sequences, n_negatives, seed)``; what a sequence gets depends on the seed and
on its own content only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from acot_core.gan.negatives import number_of_negatives, random_negatives
from acot_core.sequences import CheckedSequences, Negatives, check_labels, check_sequences, content_seed, pad

MakeNegatives = Callable[[np.ndarray, int, np.random.Generator], Any]
"""One's own: (frames (n, d), m, numpy generator) -> negatives (m, d)."""


class NegativeSource(Protocol):
    """Source of negatives: an `acot_core.Adversary`, or one of this module."""

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, seed: int, /) -> Negatives:
        """Negatives of each of N sequences (n_i, d)."""


@dataclass(frozen=True)
class RandomNegatives:
    """Random noise, "COT + Random" (Sec. 4.1): `acot_core.gan.negatives.random_negatives`."""

    device: torch.device | str = "cpu"

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, seed: int) -> Negatives:
        """Negatives of each sequence, made from its frames."""
        return random_negatives(sequences, n_negatives, seed, device=self.device)


@dataclass(frozen=True)
class FramesThemselves:
    """The sequence's own frames, each once and in order, whatever number is asked for: no contrast."""

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, seed: int) -> Negatives:
        """The sequences (n_i, d), each its own negatives."""
        batch = pad(check_sequences(sequences))
        order = torch.arange(batch.mask.shape[1]).expand(batch.mask.shape)
        return Negatives(batch.frames, batch.mask, order.where(batch.mask, -1))


@dataclass(frozen=True)
class OtherSequences:
    """Frames of other sequences, the usual choice of contrastive learning.

    Parameters
    ----------
    sequences : sequence of N array-likes (n_i, d)
        Whose frames are drawn. A sequence among them (by content) never gets its own.
    labels : (N,) array, optional
        Their classes.
    same_class : bool
        Whether a sequence gets frames of its own class; False needs ``labels``. A sequence that is not among
        ``sequences`` has no known class and gets frames of all.

    Examples
    --------
    >>> sequences = [[[1, 0]] * 3, [[0, 1]] * 2, [[3, 4]] * 2]
    >>> source = OtherSequences(sequences, labels=[0, 0, 1], same_class=False)
    >>> source.sample([[[1, 0]] * 3], 2, seed=0).frames.tolist()  # the only frames of another class
    [[[0.6000000238418579, 0.800000011920929], [0.6000000238418579, 0.800000011920929]]]
    """

    sequences: Sequence[Any]
    labels: Any = None
    same_class: bool = True
    _frames: Tensor = field(init=False, repr=False)
    _owner: np.ndarray = field(init=False, repr=False)
    _position: dict[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.same_class and self.labels is None:
            raise ValueError("same_class: False needs the classes of the sequences, y")
        checked = check_sequences(self.sequences)
        if self.labels is not None:
            check_labels(self.labels, len(checked))
        keys = [content_seed(s, 0) for s in checked]
        first = {key: i for i, key in reversed(list(enumerate(keys)))}  # copies are one sequence
        owner = np.repeat([first[key] for key in keys], [len(s) for s in checked])
        for name, value in (("_frames", torch.cat(checked)), ("_owner", owner), ("_position", first)):
            object.__setattr__(self, name, value)

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, seed: int) -> Negatives:
        """Frames of others for each sequence, without repetition as long as there are enough.

        Raises
        ------
        ValueError
            There is no other sequence to draw from.
        """
        return _each(check_sequences(sequences), n_negatives, seed, self._draw)

    def _draw(self, frames: Tensor, m: int, rng: np.random.Generator) -> Tensor:
        allowed, position = np.ones(len(self._owner), bool), self._position.get(content_seed(frames, 0))
        if position is not None:
            allowed = self._owner != position
            if not self.same_class:
                classes = np.asarray(self.labels)
                allowed &= classes[self._owner] != classes[position]
        rows = np.flatnonzero(allowed)
        if not len(rows):
            raise ValueError(
                f"negatives: no other sequence{' of another class' * (not self.same_class)} to draw from"
            )
        return self._frames[torch.from_numpy(rng.choice(rows, m, replace=m > len(rows)))]


@dataclass(frozen=True)
class GivenNegatives:
    """One's own negatives: an array (m, d), the same for every sequence, or a function.

    Parameters
    ----------
    negatives : (m, d) array-like or callable
        A function gets a sequence's unit-norm frames (n, d), the number asked for and a numpy generator, and
        returns negatives (m, d); these are scaled to unit norm.

    Examples
    --------
    >>> noisy = GivenNegatives(lambda frames, m, rng: frames[rng.integers(len(frames), size=m)] + 0.1)
    >>> noisy.sample([[[0.6, 0.8]] * 3], "2n", seed=0).frames.shape
    torch.Size([1, 6, 2])
    """

    negatives: Any

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, seed: int) -> Negatives:
        """The array, or what the function makes, for each sequence.

        Raises
        ------
        ValueError
            Negatives that are no array (m, d) of non-negative numbers.
        """
        checked = check_sequences(sequences)
        d = checked[0].shape[1]
        if callable(self.negatives):
            make = self.negatives
            return _each(checked, n_negatives, seed, lambda x, m, rng: _checked(make(x.numpy(), m, rng), d))
        given = _checked(self.negatives, d)
        return _each(checked, len(given), seed, lambda x, m, rng: given)


def _checked(negatives: Any, n_features: int) -> Tensor:
    return check_sequences([negatives], name="negatives", n_features=n_features)[0]


def _each(
    sequences: CheckedSequences,
    n_negatives: int | str,
    seed: int,
    make: Callable[[Tensor, int, np.random.Generator], Tensor],
) -> Negatives:
    """Negatives that come from no frame of their sequence, one sequence after the other."""
    made = [
        make(s, number_of_negatives(n_negatives, len(s)), np.random.default_rng(content_seed(s, seed)))
        for s in sequences
    ]
    batch = pad(made)
    return Negatives(batch.frames, batch.mask, torch.full(batch.mask.shape, -1))
