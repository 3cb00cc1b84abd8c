"""An adversary that keeps the negatives it drew (Sec. 3.3), for the settings of a sweep to share.

A sequence's negatives depend on the adversary, their number, the seed and the sequence alone, so that all
values of k, β1, β2 or η face the same ones: they are drawn once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, Self

from torch import Tensor, nn

from acot_core.adversary import Adversary
from acot_core.sequences import PaddedSequences

__all__ = ["KeptNegatives", "content"]

_BYTES = 2**28  # all negatives that a process keeps
_KEPT: OrderedDict[Any, tuple[nn.Module, PaddedSequences]] = OrderedDict()
_LOCK = Lock()


class KeptNegatives(Adversary):
    """A fitted adversary whose `sample` answers a batch that it has seen from memory, to the bit."""

    @classmethod
    def of(cls, adversary: Adversary) -> Self:
        """The same networks, not copied."""
        kept = cls(**adversary.get_params(deep=False))
        kept.__dict__.update(adversary.__dict__)
        return kept

    def sample(
        self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None
    ) -> PaddedSequences:
        """As `acot_core.Adversary.sample`, for sequences of tensors and a ``random_state`` that is a seed."""
        key = (id(self.generator_), content(sequences), n_negatives, random_state)
        with _LOCK:
            if key in _KEPT:
                _KEPT.move_to_end(key)
                return _KEPT[key][1]
        negatives = super().sample(sequences, n_negatives, random_state)
        with _LOCK:
            # The generator is kept along: as long as it lives, no other has its id.
            _KEPT[key] = (self.generator_, negatives)
            while len(_KEPT) > 1 and sum(_size(n) for _, n in _KEPT.values()) > _BYTES:
                _KEPT.popitem(last=False)
        return negatives


def _size(negatives: PaddedSequences) -> int:
    return negatives.frames.numel() * negatives.frames.element_size()


def content(sequences: Sequence[Tensor]) -> str:
    """A digest of the frames of all sequences, in their order."""
    check = hashlib.blake2b(digest_size=12)
    for frames in sequences:
        check.update(repr(tuple(frames.shape)).encode() + frames.contiguous().numpy().tobytes())
    return check.hexdigest()
