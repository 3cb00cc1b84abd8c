"""The methods that are compared: how each pools, and over which grid it is tuned.

The six rows of Table 1 (Sec. 4.1, i-vi), the baselines of Tables 2 and 3, and the supervised rivals of
`acot_core.experiments.retrieval`. Grids are alike: every subspace method searches the same k, every method
with an order term the same range of its weight beta2, and every such grid has as many settings, so that no
comparison favours a method that may search further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

from sklearn.base import BaseEstimator

from acot_core import baselines
from acot_core.gan.adversary import Adversary
from acot_core.pooling import ACOTPooling

_ACOT = {"beta1": 1.0, "beta2": 10.0, "n_negatives": "2n"}
_WEIGHTS = ("n_subspaces", "beta1", "beta2")


def _grid(names: tuple[str, ...], *points: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(dict(zip(names, point, strict=True)) for point in points)


_DIMENSIONS = (1, 4, 8)
_DISTORTION = (0.5, 1.0, 2.0)
_ORDER = (1.0, 15.0, 200.0)
_K = _grid(("n_subspaces",), *((k,) for k in _DIMENSIONS))
# Without a contrast only the ratio of the two weights matters, so it is searched more finely; with one, both
# do. beta2 / beta1 goes from 0.5 to 400 in either case, in 27 settings.
_ORDERED = _grid(
    _WEIGHTS,
    *((k, 1.0, b) for k in _DIMENSIONS for b in (0.5, 1.0, 2.5, 6.0, 15.0, 35.0, 80.0, 180.0, 400.0)),
)
_CONTRASTED = _grid(
    _WEIGHTS, *((k, beta1, beta2) for k in _DIMENSIONS for beta1 in _DISTORTION for beta2 in _ORDER)
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
    ordered : bool
        Whether the representation depends on the order of the frames.
    role : str
        Its colour in figures (`acot_core.figures.style.ROLES`).
    of_frames : bool
        Whether it is in the frames' own space; a subspace of a kernel's features or of class scores is not.
    """

    name: str
    label: str
    make: Callable[..., BaseEstimator]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    grid: tuple[Mapping[str, Any], ...] = ()
    kind: str = "vector"
    ordered: bool = False
    role: str = "baseline"
    of_frames: bool = True

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of the parameters that its grid varies."""
        return tuple(dict.fromkeys(name for point in self.grid for name in point))

    def settings(
        self, fixed: Mapping[str, Any], *, tune: bool, grid: Mapping[str, Sequence[Any]] | None = None
    ) -> list[dict[str, Any]]:
        """Parameter settings to choose from: the defaults with ``fixed``, over the grid where tuned.

        A parameter that is in ``fixed`` is not searched. Where ``grid`` names one that is searched, the
        settings are all combinations of its values and those that the others have in the method's own grid.
        """
        points: Sequence[Mapping[str, Any]] = self.grid
        if any(name in self.searched for name in grid or ()):
            own = {name: tuple(dict.fromkeys(p[name] for p in points if name in p)) for name in self.searched}
            values = [(grid or {}).get(name, own[name]) for name in self.searched]
            points = [dict(zip(self.searched, point, strict=True)) for point in product(*values)]
        settings: list[dict[str, Any]] = []
        for point in (points if tune else ()) or ({},):
            setting = {**self.defaults, **point, **fixed}
            if setting not in settings:
                settings.append(setting)
        return settings

    def needs_adversary(self, setting: Mapping[str, Any]) -> bool:
        """Whether a setting's negatives come from a trained adversary."""
        return _takes(self.make, "adversary") and setting.get("negatives", "adversarial") == "adversarial"

    @property
    def is_random(self) -> bool:
        """Whether a representation depends on the seed."""
        return _takes(self.make, "random_state")

    def pooling(self, parameters: Mapping[str, Any], adversary: Adversary | None, seed: int) -> BaseEstimator:
        """The estimator for one setting."""
        extra: dict[str, Any] = {"random_state": seed} if self.is_random else {}
        if adversary is not None:
            extra["adversary"] = adversary
        of_pooling = {name: value for name, value in parameters.items() if name != "cross_fit"}
        return self.make(**{**of_pooling, **extra})


def _takes(make: Any, name: str) -> bool:
    return name in make().get_params()


def _acot(**parameters: Any) -> ACOTPooling:
    return ACOTPooling(**{"device": "cpu", "transport": "emd", **parameters})


_TABLE1_ACOT = {**_ACOT, "beta1": 0.0, "beta2": 0.0}
_RANDOM = {"negatives": "random"}
_GRP = {"beta1": 1.0, "beta2": 10.0}
_IN_ORDER: dict[str, Any] = {"kind": "subspace", "ordered": True}


def _acot_row(name: str, label: str, defaults: dict[str, Any], grid: Any, role: str) -> Method:
    return Method(name, label, _acot, defaults, grid, "subspace", True, role)


def _supervised(embedding: Any) -> Callable[..., BaseEstimator]:
    return partial(baselines.SupervisedPooling, embedding)


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("average", "Avg. Pool", baselines.AveragePooling),
        Method("max", "Max Pool", baselines.MaxPooling),
        Method(
            "rank", "Rank Pooling", baselines.RankPooling,
            grid=_grid(("C",), *((10.0**e,) for e in range(-2, 4))), ordered=True,
        ),
        Method("pca", "PCA subspace", baselines.PCASubspace, grid=_K, kind="subspace"),
        Method("grp", "GRP", baselines.GRP, _GRP, _ORDERED, **_IN_ORDER),
        Method("order", "Order alone", baselines.GRP, {"beta1": 0.0, "beta2": 10.0}, _K, **_IN_ORDER),
        Method("krp", "KRP", baselines.KRP, _GRP, _ORDERED, of_frames=False, **_IN_ORDER),
        Method(
            "discriminative", "Disc. Pool", baselines.DiscriminativePooling, {},
            _grid(
                ("n_subspaces", "margin", "beta2"),
                *((k, margin, b) for k in _DIMENSIONS for margin in (0.25, 0.5, 1.0) for b in _ORDER),
            ),
            **_IN_ORDER,
        ),
        _acot_row("cot-random", "COT + Random", {**_TABLE1_ACOT, **_RANDOM}, _K, "noise"),
        _acot_row("acot-only", "ACOT", _TABLE1_ACOT, _K, "negatives"),
        _acot_row(
            "acot-pca", "ACOT + PCA", {**_ACOT, "beta2": 0.0},
            _grid(_WEIGHTS[:2], *((k, 2.0**e) for k in _DIMENSIONS for e in range(-4, 5))),
            "negatives",
        ),
        _acot_row(
            "no-ot", "AC + PCA + order (No OT)", {**_ACOT, "transport": "uniform"}, _CONTRASTED, "negatives"
        ),
        _acot_row("acot", "ACOT + PCA + order", _ACOT, _CONTRASTED, "subspace"),
        _acot_row(
            "acot-random", "COT + Random + PCA + order", {**_ACOT, **_RANDOM}, _CONTRASTED, "noise"
        ),
        _acot_row(
            "acot-others", "ACOT with others' frames", {**_ACOT, "negatives": "others"}, _CONTRASTED, "noise"
        ),
        _acot_row("acot-self", "ACOT with own frames", {**_ACOT, "negatives": "self"}, _CONTRASTED, "noise"),
        Method(
            "minirocket", "MiniRocket (raw signals)", baselines.MiniRocketClassifier, kind="signals",
            ordered=True,
        ),
        Method("dtw", "1-NN DTW (raw signals)", baselines.DTWClassifier, kind="signals", ordered=True),
        Method("lda", "LDA of averages", _supervised("lda"), {"on": "averages"}),
        Method("lda-frames", "LDA of frames", _supervised("lda"), {"on": "frames"}),
        Method("nca", "NCA of averages", _supervised("nca"), {"on": "averages"}),
        Method(
            "probabilities", "Class probabilities of averages", _supervised("probabilities"),
            {"on": "averages"}, _grid(("C",), *((10.0**e,) for e in range(0, 5))),
        ),
        Method(
            "probabilities-frames", "Class probabilities of frames", _supervised("probabilities"),
            {"on": "frames"},
        ),
        *(
            Method(
                f"grp-{name}", f"GRP after {label}", _supervised(name), {"order": True, "beta2": 10.0},
                _grid(
                    ("on", "n_subspaces", "beta2"),
                    *((on, k, b) for on in on_what for k in _DIMENSIONS for b in (0.0, *_ORDER)),
                ),
                of_frames=False,
                **_IN_ORDER,
            )
            for name, label, on_what in (
                ("lda", "LDA", ("averages", "frames")),
                ("nca", "NCA", ("averages",)),
                ("probabilities", "class probabilities", ("averages", "frames")),
            )
        ),
    )
}  # fmt: skip

TABLE1 = ("average", "cot-random", "acot-only", "acot-pca", "no-ot", "acot")
"""The rows of Table 1, in the paper's order (Sec. 4.1, i-vi)."""


def method(name: str) -> Method:
    """The method of that name; ValueError lists the names there are."""
    if name not in METHODS:
        raise ValueError(f"method: expected one of {list(METHODS)}, got {name!r}")
    return METHODS[name]
