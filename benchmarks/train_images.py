"""Make the networks that ship for the images of Sec. 4.3 and measure them on held-out images.

    python benchmarks/train_images.py cifar10 --seed 0
    python benchmarks/train_images.py shapes --seed 0
    python benchmarks/train_images.py cifar10 --measure     # only measure the networks that ship

Networks are saved in ``--work`` after each stage, and the next run with the same seed and settings goes on
from there, with the same result as a run from nothing. Settings are chosen on the validation part; the test
part is looked at by the shipped half-precision weights. Figures go to benchmarks/results/images_<name>.json,
a picture to docs/images/figure3_<name>.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from time import perf_counter

import torch

from acot_core._utils.files import atomic_write
from acot_core._utils.progress import Progress
from acot_core.datasets import load_images
from acot_core.experiments.figure3 import perturb_images
from acot_core.experiments.record import environment
from acot_core.figures.perturbations import plot_perturbations
from acot_core.figures.style import render
from acot_core.images import SETTINGS, ImageModel, ImageSettings, load_image_model, train_image_model
from acot_core.images.model import WEIGHTS

RESULTS = Path(__file__).parent / "results"
PICTURES = Path(__file__).parents[1] / "docs" / "images"


STAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "classifier": ((), ("classifier",)),
    "autoencoder": ((), ("latent", "autoencoder")),
    "hardened": (("classifier", "autoencoder"), ("hardening",)),
    "adversary": (
        ("hardened",),
        ("generator", "critic", "n_", "batch", "sigma", "lambda", "clip", "learning"),
    ),
}
"""What is saved in ``--work``: the stages each one needs, and how the names of its own settings begin."""


def train(name: str, seed: int, work: Path, root: str | None, stage: str | None = None) -> ImageModel | None:
    """Train what ``work`` does not hold yet, and write the model to the package's weights.

    With a ``stage``, only this one and those it needs are trained; they are left in ``work``.
    """
    dataset, settings = load_images(name, root), SETTINGS[name]
    networks = settings.build(len(dataset.class_names), seed)
    work.mkdir(parents=True, exist_ok=True)

    def tell(progress: Progress) -> None:
        values = {key: round(value, 4) for key, value in progress.values.items()}
        print(
            f"{progress.stage} {progress.step}/{progress.total} {progress.elapsed:.0f} s {values}", flush=True
        )

    def go(trained: tuple[str, ...], hardened: bool = True, **changes: int) -> ImageModel:
        return train_image_model(
            dataset,
            settings=dataclasses.replace(settings, **changes),
            trained={part: networks[part] for part in trained},
            hardened=hardened,
            callback=tell,
            random_state=seed,
        )

    def keep(stage: str) -> None:
        """Load the networks that ``stage`` changes from ``work``, or train and keep them first."""
        file, needed = work / f"{name}-{seed}-{stage}.pt", _settings_of(stage, settings)
        parts = {"hardened": ("classifier",), "adversary": ("generator", "critic")}.get(stage, (stage,))
        for earlier in STAGES[stage][0]:
            keep(earlier)
        if not file.exists():
            if stage == "adversary":
                model = go(("classifier", "autoencoder"), finish_iter=0)
            elif stage == "hardened":
                model = go(("classifier", "autoencoder"), hardened=False, n_iter=0, finish_iter=0)
            else:
                other = ("autoencoder" if stage == "classifier" else "classifier",)
                model = go(other, hardening_epochs=0, n_iter=0, finish_iter=0)
            states = {network: getattr(model, network).state_dict() for network in parts}
            torch.save({"settings": needed, "states": states}, file)
        stored = torch.load(file, weights_only=True)
        if stored["settings"] != needed:
            raise ValueError(f"{file}: made with {stored['settings']}, now asked for: {needed}")
        print(f"{stage}: in {file}", flush=True)
        for network in parts:
            networks[network].load_state_dict(stored["states"][network])

    last = stage or ("adversary" if settings.finish_iter else "hardened")
    keep(last)
    if stage is not None:
        return None
    model = go(tuple(networks) if last == "adversary" else ("classifier", "autoencoder"))
    WEIGHTS.mkdir(exist_ok=True)
    model.save(WEIGHTS / f"{name}.safetensors")
    return model


def _settings_of(stage: str, settings: ImageSettings) -> dict[str, float]:
    """The settings on which the networks after ``stage`` depend."""
    needed, prefixes = STAGES[stage]
    relevant = {k: v for k, v in dataclasses.asdict(settings).items() if k.startswith(prefixes)}
    for earlier in needed:
        relevant |= _settings_of(earlier, settings)
    return relevant


def measure(name: str, n_images: int, seed: int, root: str | None) -> dict[str, object]:
    """Figures of the shipped weights on test images; the first 18 of these become README's picture."""
    model, test = load_image_model(name), load_images(name, root).part("test")
    began = perf_counter()
    record = perturb_images(model, test, n_images=min(n_images, len(test)), random_state=seed)
    classes = record.per_class().round(4)
    atomic_write(PICTURES / f"figure3_{name}.png", render(plot_perturbations(record), "png", 200))
    return {
        "name": name,
        "measured_on": f"{len(record.images)} test images",
        "seed": seed,
        "training_seed": model.seed,
        "settings": dataclasses.asdict(model.settings),
        "summary": {key: round(value, 4) for key, value in record.summary().items()},
        "per_class": classes.to_dict("records"),
        "weights_bytes": (WEIGHTS / f"{name}.safetensors").stat().st_size,
        "environment": environment(),
        "seconds": round(perf_counter() - began, 1),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(SETTINGS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="folder with the files of CIFAR-10")
    parser.add_argument("--work", type=Path, default=Path("scratch/images"))
    parser.add_argument("--n-images", type=int, default=2000)
    parser.add_argument("--measure", action="store_true", help="do not train")
    parser.add_argument("--stage", choices=list(STAGES), help="train this one and what it needs, and stop")
    options = parser.parse_args()
    if not options.measure:
        train(options.name, options.seed, options.work, options.root, options.stage)
    if options.stage is not None:
        return
    figures = measure(options.name, options.n_images, options.seed, options.root)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"images_{options.name}.json"
    atomic_write(path, (json.dumps(figures, indent=1) + "\n").encode())
    print(json.dumps(figures["summary"], indent=1))


if __name__ == "__main__":
    main()
