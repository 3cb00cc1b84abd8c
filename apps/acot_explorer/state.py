"""The settings of the explorer, with presets, undo and the link that carries them all.

The numbers of the method come from `acot_core.experiments.parameters`; added here is what the explorer needs
beside them: which data, which sequence, which solver, which step is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlencode

import param

from acot_core.datasets import DATASETS, data_root
from acot_core.experiments.parameters import PARAMETERS, Parameter
from acot_explorer.method_map import STEPS
from acot_explorer.play.engine import problem_of
from acot_explorer.stored import MEASURED, RESULTS

__all__ = ["PRESETS", "Settings", "choices_of_data", "parameter_field"]

_ONE_MOVE = 1.0  # seconds within which changes of the same settings are one move, of a slider that is dragged

SWEPT = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "sigma")
"""Parameters that the sensitivity step can sweep: Fig. 2 (a)-(d), the margin, and the noise scale."""


class _Decimal(param.Number):
    """A number without the rounding errors of a slider that adds up its steps."""

    def __set__(self, obj: Any, val: Any) -> None:
        super().__set__(obj, round(val, 9) if isinstance(val, float) else val)


def parameter_field(parameter: Parameter) -> param.Parameter:
    """The `param` declaration that belongs to a row of the table."""
    common: dict[str, Any] = {"label": parameter.label, "doc": f"{parameter.help} ({parameter.paper})"}
    if parameter.scale == "discrete":
        return param.Selector(
            default=parameter.default, objects={f"{c:g}": c for c in parameter.choices}, **common
        )
    kind = param.Integer if parameter.integer else _Decimal
    number = int if parameter.integer else float
    bounds = (number(parameter.low), number(parameter.high))
    return kind(default=number(parameter.default), bounds=bounds, step=number(parameter.step), **common)


class Settings(param.Parameterized):
    """Values from which all that the page shows follows."""

    step = param.Selector(default="play", objects=list(STEPS))
    play = param.String(default="")  # the state of the Play step

    dataset = param.Selector(default="stick-figures", objects=["stick-figures"], label="Dataset")
    stream = param.Selector(default="pose", objects=["pose"], label="Stream")
    encoder = param.Selector(
        default="untrained", objects={"Untrained": "untrained", "Trained": "trained"}, label="Frame encoder"
    )
    seed = param.Integer(default=0, bounds=(0, 9999), label="Seed", doc="Of data, training and sampling.")
    sequence = param.Integer(default=0, bounds=(0, None), label="Sequence")

    sigma = parameter_field(PARAMETERS["sigma"])
    lambda1 = parameter_field(PARAMETERS["lambda1"])
    lambda2 = parameter_field(PARAMETERS["lambda2"])
    pivot = param.Selector(
        default="mean", objects={"Mean of the sequence": "mean", "Each frame": "frame"}, label="Pivot",
        doc="What the noise is drawn around: the sequence's mean (the paper) or each frame.",
    )  # fmt: skip
    adversarial = param.Boolean(
        default=True, label="Adversarial (Eq. 9)", doc="Off: the plain conditional WGAN of Eq. (8)."
    )
    n_iter = param.Selector(
        default=1000, objects=[100, 200, 500, 1000, 2000], label="Training iterations", doc="Fig. 5"
    )

    negatives = param.Selector(
        default="adversarial",
        objects={"Adversarial": "adversarial", "Random": "random", "Other sequences": "others",
                 "The frames themselves": "self"},
        label="Negatives",
        doc="From the trained adversary; random noise as in the row COT + Random of Table 1; frames of other "
            "training sequences, the usual choice of contrastive learning; or no contrast at all.",
    )  # fmt: skip
    n_negatives = parameter_field(PARAMETERS["n_negatives"])
    transport = param.Selector(
        default="emd",
        objects={"Exact (EMD)": "emd", "Proximal (IPOT)": "ipot", "Entropic (Sinkhorn)": "sinkhorn"},
        label="Transport solver",
        doc="Exact (EMD), the paper's proximal point solver (IPOT), or entropic (Sinkhorn).",
    )  # fmt: skip

    n_subspaces = parameter_field(PARAMETERS["n_subspaces"])
    beta1 = parameter_field(PARAMETERS["beta1"])
    beta2 = parameter_field(PARAMETERS["beta2"])
    eta = parameter_field(PARAMETERS["eta"])

    gamma = param.Selector(
        default=0.1, objects={f"{g:g}": g for g in (0.01, 0.03, 0.1, 0.3, 1.0)}, label="Kernel width γ",
        doc="Of Eq. (14): a large one makes every subspace like itself alone.",
    )  # fmt: skip
    C = param.Selector(
        default=100.0, objects={f"{c:g}": c for c in (0.1, 1.0, 10.0, 100.0)}, label="SVM penalty C",
        doc="Of the support vector machine.",
    )  # fmt: skip

    swept = param.Selector(
        default="n_subspaces",
        objects={PARAMETERS[name].label: name for name in SWEPT},
        label="Parameter to sweep",
    )
    n_seeds = param.Integer(default=3, bounds=(1, 5), label="Seeds in a sweep")

    result = param.Selector(default="figure2a", objects=[*RESULTS, *MEASURED], label="Figure of the paper")

    image_set = param.Selector(
        default="shapes", objects={"Shapes (generated)": "shapes", "CIFAR-10": "cifar10"}, label="Images"
    )
    image = param.Integer(default=0, bounds=(0, 990), step=9, label="First image", doc="Of the test part.")
    draw = param.Integer(default=1, bounds=(1, 4), label="Draw of the noise")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._past: list[dict[str, Any]] = []
        self._present = self.snapshot()
        self._undoing = False
        self._last_move: tuple[set[str], float] = (set(), 0.0)
        self.param.watch(self._record, list(self.names()))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all settings, in the order of the class."""
        return tuple(name for name in cls.param if name != "name")

    def snapshot(self) -> dict[str, Any]:
        """All values by name."""
        return {name: getattr(self, name) for name in self.names()}

    def pick(self, *names: str) -> dict[str, Any]:
        """Some values by name."""
        return {name: getattr(self, name) for name in names}

    def _record(self, *events: Any) -> None:
        """Record what was before the change; moving between steps is none, a drag is a single one."""
        now = self.snapshot()
        before, self._present = self._present, now
        if self._undoing or {**before, "step": ""} == {**now, "step": ""}:
            return
        move = ({event.name for event in events}, monotonic())
        same = move[0] == self._last_move[0] and move[1] - self._last_move[1] < _ONE_MOVE
        self._last_move = move
        if not (same and self._past):
            self._past = [*self._past[-99:], before]

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    def undo(self) -> None:
        """Take back the last change; the open step stays open."""
        if not self._past:
            return
        values = self._past.pop()
        self._last_move = (set(), 0.0)
        self._undoing = True
        try:
            self._assign({**values, "step": self.step})
        finally:
            self._undoing = False

    def forget(self) -> None:
        """Begin the history anew: the present state is where undo ends."""
        self._past, self._present = [], self.snapshot()

    def adjust(self, **values: Any) -> None:
        """Make settings fit what the last change brought with it (another data set has other streams)."""
        self._undoing = True
        try:
            self._assign(values)
        finally:
            self._undoing = False

    def reset(self) -> None:
        """All settings at their defaults, as one change; the open step stays open."""
        defaults = {name: self.param[name].default for name in self.names()}
        self._assign({**defaults, "step": self.step})

    def replace(self, query: str) -> None:
        """All settings as a query says, the others at their defaults, as one change."""
        other = Settings()
        for name in ("dataset", "stream"):
            other.param[name].objects = self.param[name].objects
        other.from_query(query)
        self._assign(other.snapshot())

    def apply_preset(self, name: str) -> None:
        """Set the values that a preset names, as one change."""
        self._assign(PRESETS[name])

    def _assign(self, values: Mapping[str, Any]) -> None:
        self._last_move = (set(), 0.0)
        allowed = {name: value for name, value in values.items() if self._accepts(name, value) is None}
        self._admit(allowed.get("stream", self.stream))
        self.param.update(**allowed)

    def _admit(self, stream: str) -> None:
        """Let the stream be chosen; which ones there are is known only when the data set is loaded."""
        field = self.param["stream"]
        if stream not in field.objects:
            field.objects = [*field.objects, stream]

    def _accepts(self, name: str, value: Any) -> str | None:
        """None when the value is allowed, else the reason why not."""
        field = self.param[name]
        if name == "play":
            return problem_of(value)
        if name == "stream":
            return None if isinstance(value, str) and 0 < len(value) <= 64 else "expected a stream's name"
        if isinstance(field, param.Selector):
            allowed = list(field.objects)
            return None if value in allowed else f"expected one of {', '.join(map(str, allowed))}"
        try:
            field._validate(value)
        except ValueError as error:
            return str(error)
        return None

    def to_query(self, *, full: bool = True) -> str:
        """The settings as a URL's query; all of them, or only those that differ from their defaults."""
        values = self.snapshot()
        if not full:
            values = {n: v for n, v in values.items() if v != self.param[n].default}
        return urlencode({name: _text(value) for name, value in values.items()})

    def from_query(self, query: str) -> list[str]:
        """Take over a query's settings; return what could not be used, one sentence each.

        A bad value costs only itself: all others are applied, in one change.
        """
        problems: list[str] = []
        good: dict[str, Any] = {}
        for name, text in parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=100):
            if name not in self.names():
                problems.append(f"{name[:40]}: no such setting")
                continue
            try:
                value = self._parse(name, text)
            except ValueError:
                problems.append(f"{name}: cannot read {text[:40]!r}")
                continue
            reason = self._accepts(name, value)
            if reason is None:
                good[name] = value
            else:
                problems.append(f"{name} = {text[:40]}: {reason}")
        self._admit(good.get("stream", self.stream))
        self.param.update(**good)
        return problems

    def _parse(self, name: str, text: str) -> Any:
        field = self.param[name]
        if isinstance(field, param.Boolean):
            if text not in ("0", "1"):
                raise ValueError(text)
            return text == "1"
        if isinstance(field, param.Integer):
            return int(text)
        if isinstance(field, param.Number):
            return float(text)
        if isinstance(field.default, int | float):
            return type(field.default)(text)
        return text


def choices_of_data() -> dict[str, str]:
    """Titles and names of the data sets; last, and saying so, those that not all steps can use."""
    root = data_root()
    choices, last = {}, {}
    for info in DATASETS.values():
        if info.file is not None and (root is None or not (root / info.file).exists()):
            last[f"{info.title} (no copy here)"] = info.name
        elif info.name == "hmdb-i3d":
            last[f"{info.title} (10 clips of one class)"] = info.name
        else:
            choices[info.title] = info.name
    return {**choices, **last}


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


_METHOD = (*PARAMETERS, "pivot", "adversarial", "n_iter", "negatives", "transport")

PRESETS: dict[str, dict[str, Any]] = {
    "Paper": {
        name: Settings.param[name].default for name in _METHOD
    } | {"transport": "ipot"},
    "Quick": {"n_iter": 200, "n_negatives": 20, "n_subspaces": 1, "transport": "emd", "n_seeds": 1},
    "Four directions": {"n_subspaces": 4},
    "Order only": {"beta1": 0.0, "beta2": 100.0},
    "No order": {"beta2": 0.0},
}  # fmt: skip
"""Settings with a name. "Paper" is Sec. 4: σ = 0.01, λ₁ = 0.1, λ₂ = 1, β₁ = 1, β₂ = 10, η = 0.01, IPOT."""
