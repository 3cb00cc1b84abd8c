"""Functions of the package for the Play step: from a message's values to the answer's.

Everything is computed by `acot_core.experiments.views`; here it is only rounded and put into lists. An
adversary is trained once per sigma and process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch

from acot_core.experiments.parameters import PARAMETERS
from acot_core.experiments.views.octant import octant_alternation, octant_view
from acot_core.experiments.views.octant_data import (
    OCTANT_PRESETS,
    Snapshot,
    adversarial_negatives,
    octant_sequence,
    random_octant_negatives,
    train_on_octant,
)
from acot_core.experiments.views.reversal import octant_classes

__all__ = [
    "METHODS",
    "PRESETS",
    "PlaySettings",
    "Shown",
    "alternation_answer",
    "classes_answer",
    "initial_state",
    "preset_answer",
    "problem_of",
    "snapshots_of",
    "solve_answer",
]

METHODS = ("emd", "ipot", "sinkhorn")
PRESETS = {**OCTANT_PRESETS, "classes": "two classes: a sequence and its reversal"}
_SLIDERS = ("beta1", "beta2", "eta", "sigma", "n_negatives")
_CHOICES = {
    "negatives": ("adversarial", "random", "own"),
    "method": METHODS,
    "ground_cost": ("euclidean", "sqeuclidean"),
}
_MOST_FRAMES, _MOST_NEGATIVES = 64, 260
_N_FRAMES = 20  # of every sequence here
_SAVED = ("settings", "preset", "seed", "frames", "negatives")


@dataclass(frozen=True)
class PlaySettings:
    """The settings of the Play step; names and ranges as everywhere, but for k, which is 1 or 2 here."""

    n_subspaces: int = 1
    beta1: float = PARAMETERS["beta1"].default
    beta2: float = PARAMETERS["beta2"].default
    eta: float = PARAMETERS["eta"].default
    sigma: float = PARAMETERS["sigma"].default
    n_negatives: int = int(PARAMETERS["n_negatives"].default)
    negatives: str = "adversarial"
    method: str = "emd"
    ground_cost: str = "euclidean"

    @classmethod
    def of(cls, values: Any) -> Self:
        """Settings from a message of the browser.

        Raises
        ------
        ValueError
            A name is missing, or a value is of another kind or out of its range.
        """
        names = [item.name for item in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(names):
            raise ValueError(f"settings: expected values of {names}")
        checked: dict[str, Any] = {}
        for name in names:
            value = values[name]
            if name in _CHOICES:
                if value not in _CHOICES[name]:
                    raise ValueError(f"{name}: expected one of {_CHOICES[name]}, got {value!r}")
                checked[name] = value
                continue
            low, high = (1, 2) if name == "n_subspaces" else (PARAMETERS[name].low, PARAMETERS[name].high)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name}: expected a number in [{low:g}, {high:g}], got {value!r}")
            checked[name] = int(value) if name in ("n_subspaces", "n_negatives") else float(value)
        return cls(**checked)

    @property
    def weights(self) -> dict[str, Any]:
        """Arguments of `octant_view` and `octant_alternation`."""
        names = ("n_subspaces", "beta1", "beta2", "eta", "method", "ground_cost")
        return {name: getattr(self, name) for name in names}


def problem_of(saved: str) -> str | None:
    """Name the fault of the JSON text that stands for a state of the Play step in a link; None: nothing.

    It may name ``settings`` that differ from their defaults, ``preset`` and ``seed`` or the ``frames`` of a
    sequence of one's own, and ``negatives`` that were placed by hand; all that it does not name is as at the
    start.
    """
    try:
        values = json.loads(saved or "{}")
        if not isinstance(values, dict) or set(values) - set(_SAVED):
            return f"expected {', '.join(_SAVED)}"
        start = {item.name: item.default for item in fields(PlaySettings)}
        settings = PlaySettings.of({**start, **values.get("settings", {})})
        preset_answer(values.get("preset", "growing"), values.get("seed", 0))
        if "frames" in values and _points("frames", values["frames"], _MOST_FRAMES).shape[0] != _N_FRAMES:
            return f"expected {_N_FRAMES} frames"
        if (settings.negatives == "own") != ("negatives" in values):
            return "expected negatives where they are placed by hand, and only there"
        _points("negatives", values.get("negatives", [[0, 0, 1]]), _MOST_NEGATIVES)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Shown:
    """The problem that was solved last: frames (n, 3) and negatives (m, 3) as tuples, and the settings."""

    frames: tuple[tuple[float, ...], ...]
    negatives: tuple[tuple[float, ...], ...]
    settings: PlaySettings

    @classmethod
    def of(cls, frames: Any, negatives: Any, settings: PlaySettings) -> Self:
        """Make one from lists or arrays of points."""
        X, Y = (tuple(tuple(float(x) for x in point) for point in points) for points in (frames, negatives))
        return cls(X, Y, settings)


class _Adversaries:
    """Finished trainings by sigma; one thread trains, whoever asks for the same waits."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[float, threading.Lock] = {}
        self._done: dict[float, tuple[Snapshot, ...]] = {}

    def get(self, sigma: float, callback: Callable[[Snapshot], None] | None) -> tuple[Snapshot, ...]:
        with self._guard:
            lock = self._locks.setdefault(sigma, threading.Lock())
        with lock:
            if sigma not in self._done:
                self._done[sigma] = tuple(train_on_octant(sigma=sigma, callback=callback)[1])
            elif callback is not None:
                for snapshot in self._done[sigma]:
                    callback(snapshot)
            return self._done[sigma]


_ADVERSARIES = _Adversaries()


def snapshots_of(sigma: float, callback: Callable[[Snapshot], None] | None = None) -> tuple[Snapshot, ...]:
    """The generator at every fifth step of its training with that sigma; trained the first time only.

    Each snapshot is handed to ``callback`` as soon as the training makes it, or at once from an earlier one.
    Only the nine values of sigma that its slider has are trained.

    Raises
    ------
    ValueError
        Another sigma; `Cancelled` passes through.
    """
    if sigma not in PARAMETERS["sigma"].choices:
        raise ValueError(f"sigma: expected one of {PARAMETERS['sigma'].choices}, got {sigma!r}")
    return _ADVERSARIES.get(sigma, callback)


def _negatives(
    frames: Any, settings: PlaySettings, snapshot: Snapshot | None, given: Any
) -> tuple[np.ndarray, list[int]]:
    if settings.negatives == "own":
        given = _points("negatives", given, _MOST_NEGATIVES)
        return given, [-1] * len(given)
    if settings.negatives == "random":
        negatives, made_from = random_octant_negatives(frames, settings.n_negatives)
    else:
        generator = (snapshot or snapshots_of(settings.sigma)[-1]).generator
        negatives, made_from = adversarial_negatives(
            generator, frames, settings.n_negatives, sigma=settings.sigma
        )
    return negatives.numpy(), made_from.tolist()


def _points(name: str, values: Any, most: int) -> np.ndarray:
    """Points from a message as an array (n, 3)."""
    try:
        points = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a list of points, each of three numbers") from None
    if points.ndim != 2 or points.shape[1] != 3 or not 1 <= len(points) <= most:
        raise ValueError(f"{name}: expected 1 to {most} points of three numbers, got shape {points.shape}")
    return points


def solve_answer(
    frames: Any,
    settings: PlaySettings,
    *,
    given: Any = None,
    snapshot: Snapshot | None = None,
    twin: bool = False,
) -> dict[str, Any]:
    """Negatives, plan and descent of one sequence, ready for the browser.

    Parameters
    ----------
    frames : array-like (n, 3)
    own : array-like (m, 3), optional
        The negatives, where the settings say that they are placed by hand.
    snapshot : Snapshot, optional
        The generator to use; by default the trained one.
    twin : bool
        Whether to solve the sequence's reversal, too.
    """
    X = _points("frames", frames, _MOST_FRAMES)
    Y, made_from = _negatives(X, settings, snapshot, given)
    view = octant_view(X, Y, **settings.weights)
    answer: dict[str, Any] = {
        "negatives": _rounded(view.negatives),
        "madeFrom": made_from,
        "plan": _rounded(view.plan, 9),
        "path": _path(view.path),
        "twin": None,
    }
    if twin:
        Y, _ = _negatives(X[::-1], settings, snapshot, given)
        answer["twin"] = {"path": _path(octant_view(X[::-1], Y, **settings.weights).path)}
    return answer


def _path(table: Any) -> list[dict[str, Any]]:
    return [
        {"p": [row.x, row.y, row.z], "contrast": row.contrast, "distortion": row.distortion,
         "order": row.order, "value": row.value}
        for row in table.itertuples()
    ]  # fmt: skip


def _rounded(values: np.ndarray, digits: int = 6) -> list[Any]:
    return np.round(values.astype(float), digits).tolist()


def alternation_answer(frames: Any, negatives: Any, settings: PlaySettings) -> dict[str, Any]:
    """Plans, subspaces and values of six rounds of the alternation (Eq. 11)."""
    X, Y = _points("frames", frames, _MOST_FRAMES), _points("negatives", negatives, _MOST_NEGATIVES)
    study = octant_alternation(X, Y, **settings.weights)
    return {
        "plans": _rounded(study.plans, 9),
        "points": study.points.tolist(),
        "objective": study.objective.tolist(),
    }


def classes_answer(settings: PlaySettings, name: str) -> dict[str, Any]:
    """Sixty sequences of two classes as points, by "average", "pca" or "acot", with all three accuracies."""
    if name not in ("average", "pca", "acot"):
        raise ValueError(f"name: expected 'average', 'pca' or 'acot', got {name!r}")
    generator = snapshots_of(settings.sigma)[-1].generator
    study = octant_classes(
        generator, n_negatives=settings.n_negatives, sigma=settings.sigma, **settings.weights
    )
    points = zip(_rounded(getattr(study, name)), study.labels.tolist(), strict=True)
    return {"name": name, "points": [list(pair) for pair in points], "accuracies": study.accuracies}


def preset_answer(preset: str, seed: int) -> dict[str, Any]:
    """The frames of a generated sequence."""
    if preset not in PRESETS or not isinstance(seed, int) or not 0 <= seed < 10_000:
        raise ValueError(f"preset: expected one of {list(PRESETS)} and a seed, got {preset!r}, {seed!r}")
    frames = octant_sequence("growing" if preset == "classes" else preset, random_state=seed)
    return {"preset": preset, "seed": seed, "frames": _rounded(frames.numpy())}


@lru_cache(maxsize=1)
def initial_state() -> dict[str, Any]:
    """State that the page opens with: a growing cue, its negatives, plan and descent, and the controls."""
    torch.set_num_threads(1)
    settings = PlaySettings()
    start = preset_answer("growing", 0)
    return {
        **start,
        **solve_answer(start["frames"], settings),
        "settings": {item.name: getattr(settings, item.name) for item in fields(settings)},
        "snapshots": [],
        "controls": [
            {"name": p.name, "symbol": p.symbol, "label": p.label.removesuffix(p.symbol).strip(),
             "low": p.low, "high": p.high, "step": p.step, "choices": list(p.choices),
             "help": f"{p.help} ({p.paper})"}
            for p in (PARAMETERS[name] for name in _SLIDERS)
        ],
        "presets": [list(pair) for pair in PRESETS.items()],
        "methods": list(METHODS),
    }  # fmt: skip
