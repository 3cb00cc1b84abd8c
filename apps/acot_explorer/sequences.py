"""Frames and negatives of a sequence, looked up or sampled (Sec. 3.3; Sec. 4.1, "COT + Random")."""

from __future__ import annotations

from functools import cache

from torch import Tensor

from acot_core.gan.sources import FramesThemselves, NegativeSource, OtherSequences, RandomNegatives
from acot_explorer.cache_keys import SequenceRequest
from acot_explorer.store import Cache, adversaries, load_dataset

__all__ = ["frames_of", "negatives_of"]


def frames_of(request: SequenceRequest) -> Tensor:
    """The sequence's frames (n, d)."""
    return load_dataset(request.data).streams[request.stream][request.index]


def negatives_of(request: SequenceRequest) -> Tensor:
    """The sequence's negatives (m, d), of the kind that the request names; cached."""
    return _negatives().make(request, lambda: _sample(request))


@cache
def _negatives() -> Cache[Tensor]:
    return Cache(128)


@cache
def _others() -> Cache[OtherSequences]:
    return Cache(4)


def _source(request: SequenceRequest) -> NegativeSource:
    """What the negatives are drawn from."""
    if request.adversary is not None:
        return adversaries().get(*request.adversary)
    if request.negatives == "self":
        return FramesThemselves()
    if request.negatives == "others":
        dataset = load_dataset(request.data)
        sequences = dataset.streams[request.stream]
        return _others().make(
            (request.data, request.stream), lambda: OtherSequences([sequences[i] for i in dataset.split()[0]])
        )
    return RandomNegatives()


def _sample(request: SequenceRequest) -> Tensor:
    return _source(request).sample([frames_of(request)], request.n_negatives, request.seed).frames[0]
