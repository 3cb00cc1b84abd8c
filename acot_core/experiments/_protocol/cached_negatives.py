"""An adversary that caches the negatives it draws (Sec. 3.3), for the settings of a sweep to share.

A sequence's negatives depend on the adversary, their number, the seed and the sequence alone, so that all
values of k, β1, β2 or η use the same ones: they are drawn once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor, nn

from acot_core._utils.cache import cached
from acot_core.gan.adversary import Adversary
from acot_core.sequences import Negatives

_BYTES = 2**28  # of all negatives in the cache
_NEGATIVES: OrderedDict[Any, tuple[nn.Module, Negatives]] = OrderedDict()


class CachedNegatives(Adversary):
    """A fitted adversary whose `sample` answers a batch that it has seen from the cache, to the bit."""

    @classmethod
    def of(cls, adversary: Adversary) -> Self:
        """Share an adversary's networks, not copied."""
        copy = cls(**adversary.get_params(deep=False))
        copy.__dict__.update(adversary.__dict__)
        return copy

    def sample(self, sequences: Sequence[Any], n_negatives: int | str, random_state: Any = None) -> Negatives:
        """Sample as `acot_core.Adversary.sample` does, for tensors and a ``random_state`` that is a seed."""
        key = (id(self.generator_), content(sequences), n_negatives, random_state)
        # The generator is cached along: as long as it lives, no other has its id.
        draw = super().sample
        return cached(
            _NEGATIVES,
            key,
            lambda: (self.generator_, draw(sequences, n_negatives, random_state)),
            capacity=_BYTES,
            size=lambda value: value[1].frames.numel() * value[1].frames.element_size(),
        )[1]


def content(sequences: Sequence[Tensor]) -> str:
    """A digest of the frames of all sequences, in their order."""
    check = hashlib.blake2b(digest_size=12)
    for frames in sequences:
        check.update(repr(tuple(frames.shape)).encode() + frames.contiguous().numpy().tobytes())
    return check.hexdigest()
