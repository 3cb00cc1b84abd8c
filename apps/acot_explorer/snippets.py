"""The Python that reproduces what is shown: pieces that the steps put together ("Copy code")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acot_explorer.cache_keys import AdversaryRequest, DataRequest
from acot_explorer.state import Settings

__all__ = ["OWN_FILE", "adversary_lines", "dataset_argument", "file_name", "load_lines", "sequence_lines"]

OWN_FILE = "Own file: "
"""How the menu of data sets marks what was uploaded."""


def load_lines(settings: Settings) -> list[str]:
    """Load the data set."""
    lines = ["from acot_core.datasets import load"]
    if settings.dataset.startswith("upload:"):
        name = file_name(settings)
        if name.endswith(".zip.npz"):
            folder = name.removesuffix(".zip.npz")
            lines += [
                "from acot_core.datasets.video import encode_videos",
                f"encode_videos({folder!r}, {name!r}, streams=('rgb',))  # the folder that the .zip holds",
            ]
        return [*lines, f"dataset = load({name!r})  # your own file"]
    if settings.dataset == "planted":
        return [*lines, f"dataset = load('planted', random_state={settings.seed})"]
    return [
        *lines,
        f"dataset = load({settings.dataset!r}, encoder={settings.encoder!r}, random_state={settings.seed})",
    ]


def file_name(settings: Settings) -> str:
    """The name of the file that holds the uploaded data set, once videos are encoded."""
    titles = {value: title for title, value in settings.param["dataset"].names.items()}
    name = str(titles.get(settings.dataset, "your_file.npz")).removeprefix(OWN_FILE)
    return f"{name}.npz" if name.endswith(".zip") else name


def adversary_lines(settings: Settings, n_iter: int) -> list[str]:
    """Train the adversary on the training sequences; needs ``dataset``."""
    arguments = {"n_iter": n_iter, **AdversaryRequest.of(settings).arguments(), "device": "cpu"}
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return [
        "from acot_core.gan.adversary import Adversary",
        "train, test = dataset.split()",
        f"sequences = dataset.streams[{settings.stream!r}]",
        f"adversary = Adversary({text})",
        "held_out = ([sequences[i] for i in test], dataset.labels[test]) if len(test) else None",
        "adversary.fit([sequences[i] for i in train], dataset.labels[train], held_out=held_out)",
    ]


def sequence_lines(settings: Settings, n_iter: int | None) -> list[str]:
    """Frames and negatives of the sequence; needs ``dataset``; ``n_iter`` is None without an adversary."""
    name, made = {
        "random": ("RandomNegatives", "RandomNegatives()"),
        "self": ("FramesThemselves", "FramesThemselves()"),
        "others": ("OtherSequences", "OtherSequences([sequences[i] for i in dataset.split()[0]])"),
        "adversarial": ("", "adversary"),
    }[settings.negatives]
    lines = [
        f"from acot_core.gan.sources import {name}",
        f"sequences = dataset.streams[{settings.stream!r}]",
    ]
    return [
        *(lines if n_iter is None else adversary_lines(settings, n_iter)),
        f"frames = sequences[{settings.sequence}]",
        f"negatives = {made}.sample([frames], {settings.n_negatives}, {settings.seed}).frames[0]",
    ]


def dataset_argument(request: DataRequest, get: Callable[[DataRequest], Any]) -> tuple[Any, dict[str, Any]]:
    """Argument of the experiments for a data set: its name with options, or what was uploaded."""
    if request.dataset.startswith("upload:"):
        return get(request), {}
    return request.dataset, {} if request.dataset == "planted" else {"encoder": request.encoder}
