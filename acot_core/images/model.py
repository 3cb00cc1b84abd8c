"""The trained image side of Sec. 4.3 in one object: encode, decode, classify, perturb.

The networks for `cifar10` and `shapes` ship with the package as half-precision safetensors;
`benchmarks/train_images.py` made them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core._utils.checkpoints import read_checkpoint, write_checkpoint
from acot_core.gan.negatives import subtract
from acot_core.images.networks import AutoEncoder, ImageClassifier, ImageCritic, LatentGenerator
from acot_core.sequences import content_seed, resolve_device, resolve_seed

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""The folder with the shipped networks."""

_KIND = "acot-images"
_BATCH = 250
_PARTS = ("classifier", "autoencoder", "generator", "critic")


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Sizes of the networks and how they are trained.

    ``sigma``, ``lambda1`` and ``lambda2`` are those of Eq. (9), on latents; ``lambda3`` weighs the decoded
    noise. After ``n_iter`` iterations the adversary is finished (`acot_core.images.adversary`) by
    ``finish_iter`` more, of one critic step each, with weights and rates of their own.
    """

    classifier_width: int = 24
    classifier_epochs: int = 45
    classifier_batch: int = 128
    classifier_rate: float = 0.05
    latent_channels: int = 16
    autoencoder_width: int = 24
    autoencoder_epochs: int = 14
    autoencoder_rate: float = 2e-3
    hardening_epochs: int = 6
    generator_width: int = 48
    critic_width: int = 16
    n_iter: int = 1000
    n_critic: int = 2
    batch_size: int = 32
    sigma: float = 0.01
    lambda1: float = 0.1
    lambda2: float = 1.0
    lambda3: float = 0.0
    clip: float = 0.01
    learning_rate: float = 5e-4
    finish_iter: int = 0
    finish_sigma: float = 0.005
    finish_lambda1: float = 0.03
    finish_lambda2: float = 0.1
    finish_lambda3: float = 0.0
    finish_learning_rate: float = 5e-4
    finish_critic_rate: float = 1e-4

    @property
    def last_sigma(self) -> float:
        """The σ that training ended with, which sampling takes unless told otherwise."""
        return self.finish_sigma if self.finish_iter else self.sigma

    def build(self, n_classes: int, seed: int) -> dict[str, Any]:
        """Untrained networks by name, the same for the same seed."""
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
            torch.manual_seed(seed)
            classifier = ImageClassifier(self.classifier_width, n_classes)
            torch.manual_seed(seed)
            autoencoder = AutoEncoder(self.latent_channels, self.autoencoder_width)
            torch.manual_seed(seed)
            generator = LatentGenerator(autoencoder, classifier, self.generator_width)
            critic = ImageCritic(self.critic_width)
        return {
            "classifier": classifier,
            "autoencoder": autoencoder,
            "generator": generator,
            "critic": critic,
        }


@dataclass(frozen=True)
class Perturbations:
    """N images and R perturbations of each.

    Attributes
    ----------
    images, reconstructions : float32 Tensor (N, 3, 32, 32)
        x and decode(encode(x)).
    perturbed : float32 Tensor (N, R, 3, 32, 32)
        decode(γ(encode(x) - x_hat)), Eq. (9).
    labels : int64 Tensor (N,)
    probabilities : Tensor (N, L)
        Of the image itself.
    probabilities_before, probabilities_after : Tensor (N, L), (N, R, L)
        Of the reconstruction and of the perturbed images.
    critic_before, critic_after : Tensor (N,), (N, R)
        Critic's scores of the same.
    noise_norm : Tensor (N, R)
        Norm of the noise x_hat on the latent.
    """

    images: Tensor
    reconstructions: Tensor
    perturbed: Tensor
    labels: Tensor
    probabilities: Tensor
    probabilities_before: Tensor
    probabilities_after: Tensor
    critic_before: Tensor
    critic_after: Tensor
    noise_norm: Tensor

    @property
    def noise(self) -> Tensor:
        """Change of the pixels: perturbed - reconstruction. (N, R, 3, 32, 32)"""
        return self.perturbed - self.reconstructions[:, None]


class ImageModel:
    """Auto-encoder, classifier, generator and critic for one set of images.

    Parameters
    ----------
    name : str
        Of the image set.
    class_names : sequence of L str
    settings : ImageSettings
    networks : mapping
        "classifier", "autoencoder", "generator" and "critic".
    history : DataFrame, optional
        The adversary's training (`acot_core.images.adversary.train_adversary`).
    seed : int
        Seed of its training.
    critic_range : pair of float
        The central 90 % of the critic's scores for decoded real images that it was not trained on.
    """

    def __init__(
        self,
        name: str,
        class_names: tuple[str, ...],
        settings: ImageSettings,
        networks: Mapping[str, Any],
        history: pd.DataFrame | None = None,
        seed: int = 0,
        critic_range: tuple[float, float] = (-float("inf"), float("inf")),
    ) -> None:
        self.name, self.class_names, self.settings, self.seed = name, tuple(class_names), settings, seed
        self.classifier: ImageClassifier = networks["classifier"].eval()
        self.autoencoder: AutoEncoder = networks["autoencoder"].eval()
        self.generator: LatentGenerator = networks["generator"].eval()
        self.critic: ImageCritic = networks["critic"].eval()
        self.history = pd.DataFrame() if history is None else history
        self.critic_range = critic_range

    def __repr__(self) -> str:
        d = self.autoencoder.n_features
        return f"ImageModel({self.name!r}: {len(self.class_names)} classes, latents of d={d})"

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return self.classifier.mean.device

    def to(self, device: torch.device | str) -> ImageModel:
        """Move the networks to ``device`` and return the model."""
        for name in _PARTS:
            getattr(self, name).to(device)
        return self

    @torch.no_grad()
    def encode(self, images: Any) -> Tensor:
        """Latents (N, d), non-negative and of unit norm, of images (N, 3, 32, 32)."""
        return _in_batches(self.autoencoder.encode, self._check(images))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images (N, 3, 32, 32) in [0, 1] of latents (N, d)."""
        if latents.ndim != 2 or latents.shape[1] != self.autoencoder.n_features:
            raise ValueError(
                f"latents: expected shape (N, {self.autoencoder.n_features}), got {tuple(latents.shape)}"
            )
        return _in_batches(self.autoencoder.decode, latents.float().to(self.device))

    @torch.no_grad()
    def classify(self, images: Any) -> Tensor:
        """Class probabilities (N, L) of images (N, 3, 32, 32)."""
        return _in_batches(self.classifier, self._check(images)).softmax(-1)

    @torch.no_grad()
    def score(self, images: Any) -> Tensor:
        """The critic's scores (N,) of decoded images (N, 3, 32, 32); higher passes for real."""
        return _in_batches(self.critic, self._check(images))

    @torch.no_grad()
    def perturb(
        self,
        images: Any,
        labels: Any,
        n_draws: int = 1,
        sigma: float | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    ) -> Perturbations:
        """Sample adversarial perturbations, Eq. (9) on latents.

        Parameters
        ----------
        images : array-like (N, 3, 32, 32)
            uint8, or floats in [0, 1].
        labels : array-like of int (N,)
            True classes; they serve to report confidences, the generator does not see them.
        n_draws : int
            R, draws of z for each image.
        sigma : float, optional
            Standard deviation of z around the latent; default: the one of training.
        random_state : optional
            Seed; an image's draws depend on it and on the image alone.

        Raises
        ------
        ValueError
            Images or labels of another shape or range, a bad ``n_draws`` or ``sigma``.
        """
        x = self._check(images)
        y = self._check_labels(labels, len(x))
        sigma = self.settings.last_sigma if sigma is None else sigma
        if isinstance(n_draws, bool) or not isinstance(n_draws, int | np.integer) or n_draws < 1:
            raise ValueError(f"n_draws: expected an int >= 1, got {n_draws!r}")
        if not (np.isfinite(sigma) and sigma >= 0):
            raise ValueError(f"sigma: expected a finite number >= 0, got {sigma!r}")
        seed = resolve_seed(random_state)
        latents = self.encode(x)
        d = latents.shape[1]
        generators = [torch.Generator().manual_seed(content_seed(image, seed)) for image in x]
        normal = torch.stack(
            [torch.randn((n_draws, d), generator=g, dtype=torch.float32) for g in generators]
        ).to(x.device)
        z = latents[:, None] + sigma * normal  # (N, R, d)
        noise = _in_batches(self.generator, z.flatten(0, 1)).unflatten(0, (len(x), n_draws))
        negatives = subtract(latents[:, None], noise)
        before, after = self.decode(latents), self.decode(negatives.flatten(0, 1))

        def per_image(values: Tensor) -> Tensor:
            return values.unflatten(0, (len(x), n_draws))

        return Perturbations(
            images=x,
            reconstructions=before,
            perturbed=per_image(after),
            labels=y,
            probabilities=self.classify(x),
            probabilities_before=self.classify(before),
            probabilities_after=per_image(self.classify(after)),
            critic_before=self.score(before),
            critic_after=per_image(self.score(after)),
            noise_norm=noise.norm(dim=-1),
        )

    def _check(self, images: Any) -> Tensor:
        x = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
        if x.ndim != 4 or x.shape[1:] != (3, 32, 32) or len(x) == 0 or x.is_complex():
            raise ValueError(f"images: expected shape (N, 3, 32, 32), got {tuple(x.shape)}")
        x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
        bad = ~((x >= 0) & (x <= 1)).flatten(1).all(1)
        if bad.any():
            i = int(bad.nonzero()[0])
            raise ValueError(f"images[{i}]: expected uint8, or finite values in [0, 1]")
        return x.to(self.device)

    def _check_labels(self, labels: Any, n: int) -> Tensor:
        y = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
        if y.shape != (n,) or y.dtype.kind not in "iu":
            raise ValueError(f"labels: expected {n} integers, got shape {y.shape} of {y.dtype}")
        if y.min() < 0 or y.max() >= len(self.class_names):
            i = int(np.flatnonzero((y < 0) | (y >= len(self.class_names)))[0])
            raise ValueError(f"labels[{i}] is {y[i]}, expected 0 ... {len(self.class_names) - 1}")
        return torch.from_numpy(y.astype(np.int64)).to(self.device)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to ``path`` in half precision, atomically."""
        tensors = {
            f"{network}.{name}": tensor.half() if tensor.is_floating_point() else tensor
            for network in _PARTS
            for name, tensor in getattr(self, network).state_dict().items()
        }
        metadata = {
            "name": self.name,
            "class_names": list(self.class_names),
            "settings": dataclasses.asdict(self.settings),
            "history": self.history.to_dict("records"),
            "seed": self.seed,
            "critic_range": list(self.critic_range),
        }
        return write_checkpoint(path, _KIND, tensors, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str = "auto") -> ImageModel:
        """Read a model that `save` wrote.

        Raises
        ------
        ValueError
            The file is truncated, foreign or of another version.
        """
        tensors, metadata = read_checkpoint(path, _KIND)
        try:
            settings = ImageSettings(**metadata["settings"])
            networks = settings.build(len(metadata["class_names"]), 0)
            for name, network in networks.items():
                prefix = f"{name}."
                network.load_state_dict(
                    {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
                )
            history = pd.DataFrame(metadata["history"])
            low, high = metadata["critic_range"]
            model = cls(
                metadata["name"],
                metadata["class_names"],
                settings,
                networks,
                history,
                metadata["seed"],
                (low, high),
            )
        except (KeyError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path}: not a complete image model ({error})") from error
        return model.to(resolve_device(device))


def _in_batches(function: Any, rows: Tensor) -> Tensor:
    return torch.cat([function(batch) for batch in rows.split(_BATCH)])


def load_image_model(name: str = "shapes", device: str = "auto") -> ImageModel:
    """The trained networks that ship with the package for "cifar10" or "shapes".

    Raises
    ------
    ValueError
        There are none of that name.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        shipped = sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))
        raise ValueError(f"name: expected one of {shipped}, got {name!r}")
    return ImageModel.load(path, device)
