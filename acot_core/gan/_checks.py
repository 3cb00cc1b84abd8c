"""Checks of an adversary's parameters (Sec. 3.3; App. B.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acot_core._utils.checks import check_choice, check_int, check_number

_COUNTS = {"n_iter": 0, "n_critic": 1, "batch_size": 1, "classifier_iter": 0, "hidden": 1, "eval_every": 1}
_CHOICES = {
    "pivot": ("mean", "frame"),
    "sigma_unit": ("absolute", "std"),
    "target": ("prediction", "label"),
    "precision": ("auto", "float32", "bfloat16"),
}


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse a parameter of `acot_core.Adversary` that is of the wrong kind or out of range.

    Raises
    ------
    ValueError
        Its message names the parameter, what was expected and what was given.
    """
    for name in ("sigma", "lambda1", "lambda2"):
        check_number(name, parameters[name])
    for name in ("clip", "learning_rate", "classifier_learning_rate"):
        check_number(name, parameters[name], positive=True)
    for name, least in _COUNTS.items():
        if name != "hidden" or parameters[name] is not None:
            check_int(name, parameters[name], least=least)
    for name, allowed in _CHOICES.items():
        check_choice(name, parameters[name], allowed)
    for name in ("adversarial", "fast"):
        if not isinstance(parameters[name], bool):
            raise ValueError(f"{name}: expected True or False, got {parameters[name]!r}")
