"""What an adversary accepts: its parameters, and the checkpoints it goes on from (Sec. 3.3; App. B.2)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from torch import Tensor

from acot_core.checkpoints import read_checkpoint

__all__ = ["KIND", "check_parameters", "check_resumable", "read_adversary"]

KIND = "acot-adversary"
_FREE = {
    "n_iter",
    "eval_every",
    "device",
    "random_state",
}  # may differ between a checkpoint and its resumption
_NEEDED = {
    "parameters", "seed", "mixed", "n_features", "classes", "fingerprint", "n_iter_done", "rng_device",
    "history",
}  # fmt: skip
_COUNTS = {"n_iter": 0, "n_critic": 1, "batch_size": 1, "classifier_iter": 0, "hidden": 1, "eval_every": 1}
_CHOICES = {
    "pivot": ("mean", "frame"),
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
        value = parameters[name]
        if not (_is_real(value) and value >= 0):
            raise ValueError(f"{name}: expected a finite number >= 0, got {value!r}")
    for name in ("clip", "learning_rate", "classifier_learning_rate"):
        value = parameters[name]
        if not (_is_real(value) and value > 0):
            raise ValueError(f"{name}: expected a finite number > 0, got {value!r}")
    for name, least in _COUNTS.items():
        value = parameters[name]
        if name == "hidden" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name}: expected an int >= {least}, got {value!r}")
    for name, allowed in _CHOICES.items():
        if parameters[name] not in allowed:
            raise ValueError(f"{name}: expected one of {allowed}, got {parameters[name]!r}")
    if not isinstance(parameters["adversarial"], bool):
        raise ValueError(f"adversarial: expected True or False, got {parameters['adversarial']!r}")


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def read_adversary(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a saved adversary.

    Raises
    ------
    ValueError
        The file is truncated, foreign or incomplete.
    """
    tensors, metadata = read_checkpoint(path, KIND)
    if missing := _NEEDED - metadata.keys():
        raise ValueError(f"{path}: its header lacks {sorted(missing)}")
    return tensors, metadata


def check_resumable(path: Any, saved: Mapping[str, Any], parameters: Mapping[str, Any], data: str) -> None:
    """Refuse to go on from a checkpoint of other data (by fingerprint) or other parameters.

    Raises
    ------
    ValueError
        Its message names what differs.
    """
    if saved["fingerprint"] != data:
        raise ValueError(f"{path}: was trained on other sequences or labels")
    for name in sorted(parameters.keys() - _FREE):
        before = saved["parameters"].get(name)
        if before != parameters[name]:
            raise ValueError(f"{path}: has {name} = {before!r}, this adversary {parameters[name]!r}")
    if saved["n_iter_done"] > parameters["n_iter"]:
        raise ValueError(
            f"{path}: has {saved['n_iter_done']} iterations, more than n_iter = {parameters['n_iter']}"
        )
