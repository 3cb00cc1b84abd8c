"""An adversary that keeps the negatives it drew (Sec. 3.3), for the settings of a sweep to share.

A sequence's negatives depend on the adversary, their number, the seed and the sequence alone, so that all
values of k, β1, β2 or η face the same ones: they are drawn once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor, nn

from acot_core.adversary import Adversary
from acot_core.experiments.memory import remember
from acot_core.sequences import PaddedSequences

__all__ = ["KeptNegatives", "content"]

_BYTES = 2**28  # all negatives that a process keeps
_KEPT: OrderedDict[Any, tuple[nn.Module, PaddedSequences]] = OrderedDict()


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
        # The generator is kept along: as long as it lives, no other has its id.
        draw = super().sample
        return remember(
            _KEPT,
            key,
            lambda: (self.generator_, draw(sequences, n_negatives, random_state)),
            kept=_BYTES,
            size=lambda kept: kept[1].frames.numel() * kept[1].frames.element_size(),
        )[1]


def content(sequences: Sequence[Tensor]) -> str:
    """A digest of the frames of all sequences, in their order."""
    check = hashlib.blake2b(digest_size=12)
    for frames in sequences:
        check.update(repr(tuple(frames.shape)).encode() + frames.contiguous().numpy().tobytes())
    return check.hexdigest()
