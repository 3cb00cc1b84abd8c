"""Cache keys: frozen, hashable descriptions of data set, adversary and sequence, made from the settings.

Equal requests have equal answers, and going back to an earlier setting is a look-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Self

from acot_explorer.state import Settings

__all__ = ["AdversaryRequest", "DataRequest", "SequenceRequest", "uploads_in"]


@dataclass(frozen=True)
class DataRequest:
    """A data set: its name (or that of an upload) with encoder and seed."""

    dataset: str
    encoder: str
    seed: int

    @property
    def uploaded(self) -> bool:
        """Whether it was uploaded by a session."""
        return self.dataset.startswith("upload:")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The data set that the settings name; what does not matter for it is left at its default."""
        fixed = settings.dataset == "planted" or settings.dataset.startswith("upload:")
        encoder = Settings.param["encoder"].default if fixed else settings.encoder
        seed = 0 if settings.dataset.startswith("upload:") else settings.seed
        return cls(settings.dataset, encoder, seed)


@dataclass(frozen=True)
class AdversaryRequest:
    """An adversary for one stream, whatever the number of its iterations."""

    data: DataRequest
    stream: str
    sigma: float
    lambda1: float
    lambda2: float
    pivot: str
    adversarial: bool
    seed: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The adversary that the settings describe. Eq. (8) has no λ: there they are zero."""
        chosen = settings.pick("stream", "sigma", "lambda1", "lambda2", "pivot", "adversarial", "seed")
        request = cls(DataRequest.of(settings), **chosen)
        return request if request.adversarial else replace(request, lambda1=0.0, lambda2=0.0)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `acot_core.Adversary`, all but the number of iterations."""
        return {
            "sigma": self.sigma,
            "lambda1": self.lambda1,
            "lambda2": self.lambda2,
            "pivot": self.pivot,
            "adversarial": self.adversarial,
            "random_state": self.seed,
        }


@dataclass(frozen=True)
class SequenceRequest:
    """One sequence with its negatives; ``adversary`` is its request and iterations, None for other kinds."""

    data: DataRequest
    stream: str
    index: int
    adversary: tuple[AdversaryRequest, int] | None
    n_negatives: int
    seed: int
    negatives: str = "random"


def uploads_in(key: Any) -> Iterator[DataRequest]:
    """The uploaded data sets that a request, or a tuple with requests in it, is about."""
    if isinstance(key, DataRequest):
        if key.uploaded:
            yield key
    elif isinstance(key, tuple):
        for item in key:
            yield from uploads_in(item)
    elif is_dataclass(key):
        for field in fields(key):
            yield from uploads_in(getattr(key, field.name))
