"""Frames and negatives of a clip request, looked up or sampled (Sec. 3.3; Sec. 4.1, "COT + Random")."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor

from acot_core.negatives import random_negatives
from acot_explorer.requests import ClipRequest
from acot_explorer.store import adversaries, load_dataset

__all__ = ["frames_of", "negatives_of", "noise_of"]


def frames_of(request: ClipRequest) -> Tensor:
    """The clip's frames (n, d)."""
    return load_dataset(request.data).streams[request.stream][request.clip]


@lru_cache(maxsize=128)
def negatives_of(request: ClipRequest) -> Tensor:
    """The clip's negatives (m, d), from the trained adversary or at random."""
    frames = frames_of(request)
    if request.adversary is None:
        return random_negatives([frames], request.n_negatives, request.seed).frames[0]
    adversary = adversaries().get(*request.adversary)
    if adversary is None:
        raise ValueError("The adversary is no longer in memory: please train it again.")
    return adversary.sample([frames], request.n_negatives, request.seed).frames[0]


@lru_cache(maxsize=128)
def noise_of(request: ClipRequest) -> Tensor:
    """The noise behind adversarial negatives (m, d)."""
    assert request.adversary is not None
    adversary = adversaries().get(*request.adversary)
    if adversary is None:
        raise ValueError("The adversary is no longer in memory: please train it again.")
    return adversary.noise([frames_of(request)], request.n_negatives, request.seed).frames[0]
