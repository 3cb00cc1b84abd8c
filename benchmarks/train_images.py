"""Make the networks that ship for the images of Sec. 4.3 and measure them on held-out images.

    python benchmarks/train_images.py cifar10 --seed 0
    python benchmarks/train_images.py shapes --seed 0
    python benchmarks/train_images.py cifar10 --measure     # only measure the networks that ship

All four networks are kept in ``--work`` before the adversary is finished, and the next run with the same seed
and settings takes them from there. Settings are chosen on the validation part; the test part is looked at by
the shipped half-precision weights. The shipped networks were trained first and taken from ``--work``; the
classifiers by a revision that did not yet call `recalibrate` before hardening.
Figures go to benchmarks/results/images_<name>.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

from acot_core.datasets import load_images
from acot_core.experiments.perturb import perturb_images
from acot_core.files import atomic_write
from acot_core.images import SETTINGS, ImageModel, ImageSettings, load_image_model, train_image_model
from acot_core.images.model import WEIGHTS
from acot_core.progress import Progress
from acot_core.records import environment

RESULTS = Path(__file__).parent / "results"


def train(name: str, seed: int, work: Path, root: str | None) -> ImageModel:
    """Train what ``work`` does not hold yet, and write the model to the package's weights."""
    dataset, settings = load_images(name, root), SETTINGS[name]
    networks = settings.build(len(dataset.class_names), seed)
    trained: dict[str, nn.Module] = {}
    work.mkdir(parents=True, exist_ok=True)
    files = {part: work / f"{name}-{part}-{seed}.pt" for part in networks}
    for part, file in files.items():
        if file.exists():
            networks[part].load_state_dict(torch.load(file, weights_only=True))
            trained[part] = networks[part]
            print(f"{part}: taken from {file}")

    def tell(progress: Progress) -> None:
        values = {key: round(value, 4) for key, value in progress.values.items()}
        print(
            f"{progress.stage} {progress.step}/{progress.total} {progress.elapsed:.0f} s {values}", flush=True
        )

    def go(settings: ImageSettings) -> ImageModel:
        return train_image_model(
            dataset, settings=settings, trained=trained, callback=tell, random_state=seed
        )

    missing = len(trained) < len(files)
    if missing:
        model = go(dataclasses.replace(settings, finish_iter=0))
        for part, file in files.items():
            trained[part] = getattr(model, part)
            torch.save(trained[part].state_dict(), file)
    if settings.finish_iter or not missing:
        model = go(settings)
    WEIGHTS.mkdir(exist_ok=True)
    model.save(WEIGHTS / f"{name}.safetensors")
    return model


def measure(name: str, n_images: int, seed: int, root: str | None) -> dict[str, object]:
    """Figures of the shipped weights on test images."""
    model, test = load_image_model(name), load_images(name, root).part("test")
    began = perf_counter()
    record = perturb_images(model, test, n_images=min(n_images, len(test)), random_state=seed)
    classes = record.per_class().round(4)
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
    options = parser.parse_args()
    if not options.measure:
        train(options.name, options.seed, options.work, options.root)
    figures = measure(options.name, options.n_images, options.seed, options.root)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"images_{options.name}.json"
    atomic_write(path, (json.dumps(figures, indent=1) + "\n").encode())
    print(json.dumps(figures["summary"], indent=1))


if __name__ == "__main__":
    main()
