"""Frames and negatives of a clip request, looked up or sampled (Sec. 3.3; Sec. 4.1, "COT + Random")."""

from __future__ import annotations

from functools import cache

from torch import Tensor

from acot_core.negatives import random_negatives
from acot_explorer.requests import ClipRequest
from acot_explorer.store import Memo, adversaries, load_dataset

__all__ = ["frames_of", "negatives_of"]


def frames_of(request: ClipRequest) -> Tensor:
    """The clip's frames (n, d)."""
    return load_dataset(request.data).streams[request.stream][request.clip]


def negatives_of(request: ClipRequest) -> Tensor:
    """The clip's negatives (m, d), from the trained adversary or at random; the last ones are kept."""
    return _negatives().make(request, lambda: _sample(request))


@cache
def _negatives() -> Memo[Tensor]:
    return Memo(128)


def _sample(request: ClipRequest) -> Tensor:
    frames = frames_of(request)
    if request.adversary is None:
        return random_negatives([frames], request.n_negatives, request.seed).frames[0]
    return adversaries().get(*request.adversary).sample([frames], request.n_negatives, request.seed).frames[0]
