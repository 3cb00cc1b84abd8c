"""Adversarially-Contrastive Optimal Transport (Cherian & Aeron, ICML 2020).

``import acot_core as acot`` gives the estimators and, loaded when first used, the submodules:
`acot.datasets`, `acot.gan`, `acot.transport`, `acot.riemannian`, `acot.subspace`, `acot.pooling`,
`acot.baselines`, `acot.images`, `acot.experiments`, `acot.figures`.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acot_core._utils.progress import Cancelled, Progress
    from acot_core.classify import GrassmannSVC, StreamFusion, zip_streams
    from acot_core.gan import Adversary
    from acot_core.pooling import ACOTPooling
    from acot_core.sequences import PaddedSequences

__all__ = [
    "ACOTPooling",
    "Adversary",
    "Cancelled",
    "GrassmannSVC",
    "PaddedSequences",
    "Progress",
    "StreamFusion",
    "zip_streams",
]

__version__ = "0.2.0"

_HOMES = {
    "ACOTPooling": "acot_core.pooling",
    "Adversary": "acot_core.gan",
    "Cancelled": "acot_core._utils.progress",
    "GrassmannSVC": "acot_core.classify",
    "PaddedSequences": "acot_core.sequences",
    "Progress": "acot_core._utils.progress",
    "StreamFusion": "acot_core.classify",
    "zip_streams": "acot_core.classify",
}
_SUBMODULES = {
    "baselines", "classify", "datasets", "experiments", "figures", "gan", "images", "pooling", "riemannian",
    "sequences", "subspace", "transport",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return import_module(f"acot_core.{name}")
    raise AttributeError(f"module 'acot_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})


class _OldNames:
    """Finds the modules of 0.1, which are elsewhere now, when one is imported."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("acot_core."):
            return None
        from acot_core._utils.old_names import find_spec

        return find_spec(name)


sys.meta_path.append(_OldNames)
