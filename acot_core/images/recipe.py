"""Training of a whole `ImageModel` (Sec. 4.3): classifier, auto-encoder, then the adversary of Eq. (9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from acot_core._utils.progress import Callback, Cancelled, Progress
from acot_core.datasets.images import ImageDataset
from acot_core.images.adversary import ImageWGAN, train_adversary
from acot_core.images.model import ImageModel, ImageSettings
from acot_core.images.training import harden_classifier, train_autoencoder, train_classifier
from acot_core.sequences import resolve_device, resolve_seed

SETTINGS: dict[str, ImageSettings] = {
    "cifar10": ImageSettings(
        n_iter=1200,
        lambda1=0.1,
        lambda2=2.0,
        finish_iter=600,
        finish_lambda2=0.0,
        finish_lambda3=1.0,
    ),
    "shapes": ImageSettings(
        classifier_width=12,
        classifier_epochs=10,
        autoencoder_width=16,
        autoencoder_epochs=8,
        autoencoder_rate=3e-3,
        hardening_epochs=4,
        n_iter=1200,
        lambda1=0.2,
        lambda2=3.0,
    ),
}
"""Chosen on the validation parts."""


def train_image_model(
    dataset: ImageDataset,
    *,
    settings: ImageSettings | None = None,
    trained: Mapping[str, nn.Module] | None = None,
    hardened: bool = True,
    device: str = "auto",
    callback: Callback | None = None,
    random_state: int | None = 0,
) -> ImageModel:
    """Train classifier, auto-encoder and adversary on a set of images.

    Parameters
    ----------
    dataset : ImageDataset
        Its "train" part is trained on, its "validation" part serves to report the adversary's progress.
    settings : ImageSettings, optional
        Default: those of `SETTINGS` for the set's name, else `ImageSettings()`.
    trained : mapping, optional
        A "classifier", an "autoencoder", or a "generator" with its "critic", that are trained already and
        taken as they are; generator and critic are then only finished.
    hardened : bool
        Whether the classifier in ``trained`` has been hardened (`acot_core.images.training`) before.
    device : str
    callback : callable, optional
        Told of every stage ("classifier", "auto-encoder", "adversary"). When it raises `Cancelled`, the model
        is returned as it is then.
    random_state : int or None

    Returns
    -------
    ImageModel

    Raises
    ------
    ValueError
        A part of ``dataset`` is empty.
    """
    settings = settings or SETTINGS.get(dataset.name, ImageSettings())
    seed, where = resolve_seed(random_state), resolve_device(device)
    train, held_out = dataset.part("train"), dataset.part("validation")
    if not len(train) or not len(held_out):
        raise ValueError(f"{dataset.name}: {len(train)} training and {len(held_out)} validation images")
    networks = settings.build(len(dataset.class_names), seed)
    for name, network in (trained or {}).items():
        networks[name].load_state_dict(network.state_dict())
    for network in networks.values():
        network.to(where)
    stopped: list[bool] = []

    def watch(progress: Progress) -> None:
        try:
            if callback is not None:
                callback(progress)
        except Cancelled:
            stopped.append(True)
            raise

    def run() -> dict[str, Any]:
        return {"generator": torch.Generator().manual_seed(seed), "callback": watch}

    images, labels = train.images.to(where), train.labels.to(where)
    if "classifier" not in (trained or {}):
        train_classifier(
            networks["classifier"],
            images,
            labels,
            n_epochs=settings.classifier_epochs,
            batch_size=settings.classifier_batch,
            learning_rate=settings.classifier_rate,
            **run(),
        )
    if "autoencoder" not in (trained or {}) and not stopped:
        train_autoencoder(
            networks["autoencoder"],
            images,
            n_epochs=settings.autoencoder_epochs,
            learning_rate=settings.autoencoder_rate,
            **run(),
        )
    to_harden = "classifier" not in (trained or {}) or not hardened
    if to_harden and settings.hardening_epochs and not stopped:
        harden_classifier(
            networks["classifier"],
            networks["autoencoder"],
            images,
            labels,
            n_epochs=settings.hardening_epochs,
            **run(),
        )
    model = ImageModel(dataset.name, dataset.class_names, settings, networks, seed=seed)
    if not stopped:
        model.history = _train_adversary(
            model, train, held_out, "generator" in (trained or {}), watch, stopped
        )
        scores = model.score(model.decode(model.encode(held_out.images)))
        low, high = torch.quantile(scores, scores.new_tensor([0.05, 0.95])).tolist()
        model.critic_range = low, high
    return model


def _train_adversary(
    model: ImageModel,
    train: ImageDataset,
    held_out: ImageDataset,
    trained: bool,
    callback: Callback,
    stopped: list[bool],
) -> pd.DataFrame:
    """Train generator and critic (unless they are), then finish them, if the settings ask for it."""
    settings = model.settings
    phases = [""] * (settings.n_iter > 0 and not trained)
    phases += ["finish_"] * (settings.finish_iter > 0)
    if not phases:
        return pd.DataFrame()

    def latents(data: ImageDataset) -> tuple[Tensor, Tensor]:
        # An image and its mirror image are two training images.
        both = torch.cat([model.encode(data.images), model.encode(data.images.flip(3))])
        return both, data.labels.repeat(2).to(model.device)

    training, others = latents(train), latents(held_out)
    tables = []
    for phase in phases:
        if stopped:
            break
        finish = phase == "finish_"
        weights = ("sigma", "lambda1", "lambda2", "lambda3", "learning_rate")
        adversary = ImageWGAN(
            model.autoencoder,
            model.classifier,
            model.generator,
            model.critic,
            clip=settings.clip,
            **{name: getattr(settings, phase + name) for name in weights},
        )
        if finish:
            adversary.wgan.critic_optimiser.learning_rate = settings.finish_critic_rate
        table = train_adversary(
            adversary,
            *training,
            held_out=others,
            n_iter=settings.finish_iter if finish else settings.n_iter,
            n_critic=1 if finish else settings.n_critic,
            batch_size=settings.batch_size,
            generator=torch.Generator(model.device).manual_seed(model.seed + finish),
            finish=finish,
            callback=callback,
        )
        tables.append(table.assign(iteration=table.iteration + finish * settings.n_iter))
    return pd.concat(tables, ignore_index=True)
