"""A trained adversary on disk: what is saved of it, and what may be resumed (Sec. 3.3; App. B.2)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from acot_core._utils.checkpoints import read_checkpoint, write_checkpoint
from acot_core.gan.training import TrainingState

_KIND = "acot-adversary"
_TRAINING = {"generator_squares", "critic_squares", "rng"}  # what training needs and sampling does not
_FREE = {"n_iter", "eval_every", "fast", "device", "random_state"}  # may change when training is resumed
_NEEDED = {
    "parameters", "seed", "sigma", "mixed", "n_features", "classes", "fingerprint", "n_iter_done",
    "rng_device", "history",
}  # fmt: skip


def read_adversary(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and metadata of a saved adversary.

    Raises
    ------
    ValueError
        The file is truncated, foreign or incomplete.
    """
    tensors, metadata = read_checkpoint(path, _KIND)
    if missing := _NEEDED - metadata.keys():
        raise ValueError(f"{path}: its header lacks {sorted(missing)}")
    return tensors, metadata


def check_resumable(path: Any, saved: Mapping[str, Any], parameters: Mapping[str, Any], data: str) -> None:
    """Refuse to resume from a checkpoint of other data (by fingerprint) or other parameters.

    Raises
    ------
    ValueError
        Its message names what differs.
    """
    if not saved.get("resumable", True):
        raise ValueError(
            f"{path}: was saved without its optimisers (resumable=False): it samples, and trains no more"
        )
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


def contents(adversary: Any, resumable: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of an adversary, whole or without what training alone needs: tensors, and what JSON can hold."""
    state: TrainingState = adversary._state
    resumable = resumable and state.resumable
    tensors = {f"classifier.{k}": t for k, t in adversary.classifier_.state_dict().items()}
    tensors |= state.wgan.state() | {"rng": state.rng.get_state()}
    if not resumable:
        tensors = {name: t for name, t in tensors.items() if name not in _TRAINING}
    metadata = {
        "parameters": adversary.get_params() | {"random_state": adversary.seed_},
        "seed": adversary.seed_,
        "sigma": adversary.sigma_,
        "mixed": state.wgan.mixed,
        "n_features": adversary.n_features_in_,
        "classes": adversary.classes_.tolist(),
        "fingerprint": adversary.fingerprint_,
        "n_iter_done": state.step,
        "rng_device": state.rng.device.type,
        "history": state.history,
        "resumable": resumable,
    }
    return tensors, metadata


def write_adversary(path: str | os.PathLike[str], adversary: Any, resumable: bool) -> Path:
    """Write the state to ``path``, atomically."""
    return write_checkpoint(path, _KIND, *contents(adversary, resumable))


def load_training(state: TrainingState, tensors: dict[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Put networks, optimisers, random generator and history of a checkpoint into a training state."""
    state.resumable = metadata.get("resumable", True)
    if not state.resumable:  # optimisers as they are at the start
        tensors = {name: t for name, t in state.wgan.state().items() if name in _TRAINING} | tensors
    state.wgan.load_state(tensors)
    if state.resumable and metadata["rng_device"] == state.rng.device.type:
        state.rng.set_state(tensors["rng"])
    state.step, state.history = int(metadata["n_iter_done"]), list(metadata["history"])
