"""The methods that are compared, under one roof: how each pools, and which parameters it is tuned over.

The six rows of Table 1 (Sec. 4.1, i-vi) and the baselines of Tables 2 and 3. Every tuned method searches its
weights over a grid of the same size and kind, so that no comparison favours the method with more settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator

from acot_core import baselines
from acot_core.adversary import Adversary
from acot_core.pooling import ACOTPooling

__all__ = ["METHODS", "TABLE1", "Method", "method"]

_ACOT = {"beta1": 1.0, "beta2": 10.0, "n_negatives": "2n"}
_WEIGHTS = ("n_subspaces", "beta1", "beta2")


def _grid(names: tuple[str, ...], *points: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(dict(zip(names, point, strict=True)) for point in points)


_DIMENSIONS = (1, 4, 8)
_K = _grid(("n_subspaces",), *((k,) for k in _DIMENSIONS))
# Without a contrast only the ratio of the two weights matters; with one, both do. Twelve settings each.
_ORDERED = _grid(_WEIGHTS, *((k, 1.0, b) for k in _DIMENSIONS for b in (1.0, 10.0, 30.0, 100.0)))
_CONTRASTED = _grid(
    _WEIGHTS, *((k, *b) for k in _DIMENSIONS for b in ((1.0, 1.0), (1.0, 10.0), (2.0, 10.0), (2.0, 30.0)))
)


@dataclass(frozen=True)
class Method:
    """One way from sequences to a representation.

    Attributes
    ----------
    name, label : str
        How code and how tables call it.
    make : callable
        From parameters to a scikit-learn transformer (or, with ``kind="signals"``, a classifier).
    defaults : mapping
        Parameters at the paper's values.
    grid : tuple of mappings
        The settings that are tried when the method is tuned, beside the classifier's.
    kind : {"vector", "subspace", "signals"}
        A descriptor (d,), a subspace (d, k), or a classifier of raw signals.
    adversarial : bool
        Whether it needs a trained adversary.
    role : str
        Its colour in figures (`acot_core.figures.style.ROLES`).
    """

    name: str
    label: str
    make: Callable[..., BaseEstimator]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    grid: tuple[Mapping[str, Any], ...] = ()
    kind: str = "vector"
    adversarial: bool = False
    role: str = "baseline"

    def settings(self, fixed: Mapping[str, Any], *, tune: bool) -> list[dict[str, Any]]:
        """Parameter settings to choose from: the defaults with ``fixed``, over the grid where tuned.

        A parameter that is in ``fixed`` is not searched.
        """
        settings: list[dict[str, Any]] = []
        for point in (self.grid if tune else ()) or ({},):
            setting = {**self.defaults, **point, **fixed}
            if setting not in settings:
                settings.append(setting)
        return settings

    def pooling(self, parameters: Mapping[str, Any], adversary: Adversary | None, seed: int) -> BaseEstimator:
        """The estimator for one setting."""
        extra: dict[str, Any] = {"random_state": seed} if _takes(self.make, "random_state") else {}
        if adversary is not None:
            extra["adversary"] = adversary
        return self.make(**{**parameters, **extra})


def _takes(make: Any, name: str) -> bool:
    return name in make().get_params()


def _acot(**parameters: Any) -> ACOTPooling:
    return ACOTPooling(**{"device": "cpu", "transport": "emd", **parameters})


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("average", "Avg. Pool", baselines.AveragePooling),
        Method("max", "Max Pool", baselines.MaxPooling),
        Method("rank", "Rank Pooling", baselines.RankPooling, grid=_grid(("C",), (0.1,), (1.0,), (10.0,))),
        Method("pca", "PCA subspace", baselines.PCASubspace, grid=_K, kind="subspace"),
        Method("grp", "GRP", baselines.GRP, {"beta1": 1.0, "beta2": 10.0}, _ORDERED, "subspace"),
        Method(
            "order", "Order alone", baselines.GRP, {"beta1": 0.0, "beta2": 10.0},
            _K, "subspace",
        ),
        Method("krp", "KRP", baselines.KRP, {"beta1": 1.0, "beta2": 10.0}, _ORDERED, "subspace"),
        Method(
            "discriminative", "Disc. Pool", baselines.DiscriminativePooling, {},
            _grid(
                ("n_subspaces", "margin", "beta2"),
                *((k, margin, b) for k in _DIMENSIONS for margin in (0.5, 1.0) for b in (1.0, 10.0)),
            ),
            "subspace",
        ),
        Method(
            "cot-random", "COT + Random", _acot,
            {**_ACOT, "beta1": 0.0, "beta2": 0.0, "negatives": "random"}, _K,
            "subspace", role="noise",
        ),
        Method(
            "acot-only", "ACOT", _acot, {**_ACOT, "beta1": 0.0, "beta2": 0.0}, _K,
            "subspace", True, "negatives",
        ),
        Method(
            "acot-pca", "ACOT + PCA", _acot, {**_ACOT, "beta2": 0.0},
            _grid(_WEIGHTS[:2], *((k, b) for k in _DIMENSIONS for b in (0.5, 1.0, 2.0, 4.0))),
            "subspace", True, "negatives",
        ),
        Method(
            "no-ot", "AC + PCA + order (No OT)", _acot, {**_ACOT, "transport": "uniform"}, _CONTRASTED,
            "subspace", True, "negatives",
        ),
        Method(
            "acot", "ACOT + PCA + order", _acot, _ACOT, _CONTRASTED, "subspace", True, "subspace",
        ),
        Method("minirocket", "MiniRocket (raw signals)", baselines.MiniRocketClassifier, kind="signals"),
        Method("dtw", "1-NN DTW (raw signals)", baselines.DTWClassifier, kind="signals"),
    )
}  # fmt: skip

TABLE1 = ("average", "cot-random", "acot-only", "acot-pca", "no-ot", "acot")
"""The rows of Table 1, in the paper's order (Sec. 4.1, i-vi)."""


def method(name: str) -> Method:
    """The method of that name; ValueError lists the names there are."""
    if name not in METHODS:
        raise ValueError(f"method: expected one of {list(METHODS)}, got {name!r}")
    return METHODS[name]
