"""Perturbations of images by the adversary, and what they hit (Sec. 4.3, Figure 3).

For images held out from training: how far the noise of Eq. (9) lowers the classifier's confidence in the true
class, whether the critic still takes the decoded image for real, and whether the noise falls on what the
classifier needs, compared with the same noise at a random place and with the noise of another image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core._utils.progress import Callback, Cancelled, Clock
from acot_core.datasets.images import ImageDataset, load_images
from acot_core.experiments.record import Record
from acot_core.images.model import ImageModel, Perturbations, load_image_model
from acot_core.images.saliency import gradient_map, noise_map, occlusion_map, overlap
from acot_core.sequences import resolve_seed

_CHUNK = 50
_PLACES = 8


@dataclass(kw_only=True)
class PerturbationRecord(Record):
    """Perturbations of N images by R draws of noise each, and measures of them.

    Attributes
    ----------
    class_names : list of L str
    images, reconstructions : float32 (N, 3, 32, 32)
        In [0, 1].
    perturbed : float32 (N, R, 3, 32, 32)
    saliency : float32 (N, 32, 32)
        Occlusion map of the reconstruction for the true class, in logits.
    critic_range : list of 2 float
        The central 90 % of the critic's scores for decoded real images.
    table : DataFrame of N * R rows
        ``image`` (position in the data), ``label``, ``draw``; the ``predicted`` class, its probability
        (``highest``) and the true class's ``confidence``, for the image, its reconstruction (``_before``) and
        the perturbed image (``_after``); ``fooled`` (less than 10 % left for the true class);
        ``critic_before``, ``critic_after``, ``accepted`` (within ``critic_range``); ``noise_norm`` on the
        latent; ``psnr`` (dB) and ``ssim`` of perturbed against reconstruction, ``psnr_reconstruction`` and
        ``ssim_reconstruction`` of reconstruction against image; ``overlap`` of the noise with the quarter of
        the pixels that is most salient by occlusion (chance: 0.25), ``overlap_random`` of the same noise at
        random places, ``overlap_other`` of the noise of an image of another class, and the same three for
        the gradient's saliency (``gradient_...``).
    """

    tidy = "table"
    class_names: list[str]
    images: np.ndarray
    reconstructions: np.ndarray
    perturbed: np.ndarray
    saliency: np.ndarray
    critic_range: list[float]
    table: pd.DataFrame = field(repr=False)

    @property
    def noise(self) -> np.ndarray:
        """The noise in pixels: perturbed - reconstruction. (N, R, 3, 32, 32)"""
        return self.perturbed - self.reconstructions[:, None]

    def per_class(self) -> pd.DataFrame:
        """Means over each class's images and draws, in the order of ``class_names``.

        ``overlap_gain`` is the mean of overlap - overlap_random, ``overlap_gain_error`` its standard error.
        """
        means = self.table.groupby("label").mean(numeric_only=True)
        per_image = self.table.assign(gain=self.table.overlap - self.table.overlap_random)
        gains = per_image.groupby(["label", "image"]).gain.mean().groupby("label")
        means["overlap_gain"], means["overlap_gain_error"] = gains.mean(), gains.sem()
        means["n_images"] = gains.size()
        present = [name for name in self.class_names if name in means.index]
        return means.loc[present].drop(columns=["image", "draw"]).reset_index()

    def summary(self) -> dict[str, float]:
        """Measures of the adversary over all images and draws."""
        table = self.table
        classes = self.per_class()
        first = table[table.draw == 0]
        low, high = self.critic_range
        of_images = ("psnr_reconstruction", "ssim_reconstruction", "confidence", "confidence_before")
        of_draws = (
            "confidence_after", "fooled", "accepted", "psnr", "ssim", "overlap", "overlap_random",
            "overlap_other",
        )  # fmt: skip
        return {
            "n_images": len(first),
            "accuracy": float((first.predicted == first.label).mean()),
            "accuracy_reconstruction": float((first.predicted_before == first.label).mean()),
            "accuracy_perturbed": float((table.predicted_after == table.label).mean()),
            **{name: float(first[name].mean()) for name in of_images},
            **{name: float(table[name].mean()) for name in of_draws},
            "fooled_and_accepted": float((table.fooled & table.accepted).mean()),
            "accepted_reals": float(first.critic_before.between(low, high).mean()),
            "classes_above_random": int((classes.overlap > classes.overlap_random).sum()),
            "classes_above_other": int((classes.overlap > classes.overlap_other).sum()),
        }


def perturb_images(
    model: ImageModel | str = "shapes",
    dataset: ImageDataset | None = None,
    *,
    rows: Sequence[int] | None = None,
    n_images: int = 60,
    n_draws: int = 1,
    sigma: float | None = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    callback: Callback | None = None,
) -> PerturbationRecord:
    """Perturb images and measure what the perturbations do.

    Parameters
    ----------
    model : ImageModel, or the name of a shipped one
    dataset : ImageDataset, optional
        Images the model was not trained on; default: the test part of the set of the model's name.
    rows : sequence of int, optional
        Which images of ``dataset``; default: ``n_images`` drawn at random, the classes in turn.
    n_images : int
        N.
    n_draws : int
        R, draws of the noise for each image.
    sigma : float, optional
        Standard deviation of z around the latent; default: the one of training.
    random_state : optional
        Seed of the choice of images, the noise and the random places.
    callback : callable, optional
        Told after every 50 images; when it raises `Cancelled`, the record holds the images done so far.

    Raises
    ------
    ValueError
        ``rows`` outside the data, ``n_images`` < 1, or what `ImageModel.perturb` refuses.
    """
    began = perf_counter()
    seed = resolve_seed(random_state)
    model = load_image_model(model) if isinstance(model, str) else model
    dataset = _held_out(model.name) if dataset is None else dataset
    if list(dataset.class_names) != list(model.class_names):
        raise ValueError(f"dataset: its classes are {dataset.class_names}, the model's {model.class_names}")
    chosen = _choose(dataset.labels.numpy(), rows, n_images, seed)
    chunks: list[tuple[dict[str, np.ndarray], pd.DataFrame]] = []
    clock = Clock("perturb", len(chosen), callback)
    try:
        for start in range(0, len(chosen), _CHUNK):
            some = chosen[start : start + _CHUNK]
            chunks.append(_measure(model, dataset.take(some), some, n_draws, sigma, seed))
            clock.report(start + len(some))
    except Cancelled:
        pass

    arrays = {name: np.concatenate([chunk[name] for chunk, _ in chunks]) for name in chunks[0][0]}
    table = pd.concat([table for _, table in chunks], ignore_index=True)
    return PerturbationRecord(
        config={
            "model": model.name,
            "n_images": len(chosen),
            "rows": None if rows is None else [int(row) for row in rows],
            "n_draws": int(n_draws),
            "sigma": float(model.settings.last_sigma if sigma is None else sigma),
            "random_state": seed,
        },
        class_names=list(model.class_names),
        **arrays,
        critic_range=list(model.critic_range),
        table=table.assign(accepted=table.critic_after.between(*model.critic_range)),
        seconds=perf_counter() - began,
    )


def _held_out(name: str) -> ImageDataset:
    # The generated test images do not depend on how many training images go with them.
    return load_images(name, n_train=10).part("test")


def _choose(labels: np.ndarray, rows: Sequence[int] | None, n_images: int, seed: int) -> np.ndarray:
    if rows is not None:
        chosen = np.asarray(rows)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or len(chosen) == 0:
            raise ValueError(f"rows: expected a list of positions, got {rows!r}")
        if (bad := (chosen < 0) | (chosen >= len(labels))).any():
            raise ValueError(f"rows: {chosen[bad][0]} is outside 0 ... {len(labels) - 1}")
        return chosen
    if n_images < 1:
        raise ValueError(f"n_images: expected an int >= 1, got {n_images!r}")
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = pd.Series(labels[order]).groupby(labels[order]).cumcount()  # how many of its class precede
    return order[np.lexsort((labels[order], turn))][:n_images]


def _measure(
    model: ImageModel, data: ImageDataset, rows: np.ndarray, n_draws: int, sigma: float | None, seed: int
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Images, reconstructions, perturbed images and saliency maps, and the rows of the record's table."""
    results = model.perturb(data.images, data.labels, n_draws, sigma, seed)
    generator = torch.Generator().manual_seed((seed + int(rows[0])) % 2**63)
    occlusion = occlusion_map(model.classifier, results.reconstructions, results.labels)
    gradient = gradient_map(model.classifier, results.reconstructions, results.labels, generator=generator)
    names = np.array(model.class_names)
    columns: dict[str, Any] = {
        "image": rows[:, None],
        "label": names[results.labels.cpu().numpy()][:, None],
        "draw": np.arange(n_draws)[None],
    }
    stages: tuple[tuple[str, Tensor], ...] = (
        ("", results.probabilities[:, None]),
        ("_before", results.probabilities_before[:, None]),
        ("_after", results.probabilities_after),
    )
    for stage, probabilities in stages:
        columns[f"predicted{stage}"] = names[probabilities.argmax(-1).cpu().numpy()]
        columns[f"confidence{stage}"] = _confidence(probabilities, results.labels)
        columns[f"highest{stage}"] = probabilities.amax(-1).cpu().numpy()
    columns["fooled"] = columns["confidence_after"] < 0.1
    columns["critic_before"] = results.critic_before[:, None].cpu().numpy()
    columns["critic_after"] = results.critic_after.cpu().numpy()
    columns["noise_norm"] = results.noise_norm.cpu().numpy()
    arrays = {key: getattr(results, key).cpu().numpy() for key in ("images", "reconstructions", "perturbed")}
    columns |= _distances(arrays["images"][:, None], arrays["reconstructions"], "_reconstruction")
    columns |= _distances(arrays["perturbed"], arrays["reconstructions"], "")
    columns |= _overlaps(results, occlusion, generator, "overlap")
    columns |= _overlaps(results, gradient, generator, "gradient_overlap")
    shape = (len(rows), n_draws)
    table = pd.DataFrame({key: np.broadcast_to(value, shape).ravel() for key, value in columns.items()})
    return arrays | {"saliency": occlusion.cpu().numpy()}, table


def _confidence(probabilities: Tensor, labels: Tensor) -> np.ndarray:
    """Probability of the true class. (N, R, L), (N,) -> (N, R)"""
    index = labels[:, None, None].expand(*probabilities.shape[:2], 1)
    return probabilities.gather(2, index).squeeze(2).cpu().numpy()


def _distances(images: np.ndarray, reference: np.ndarray, suffix: str) -> dict[str, np.ndarray]:
    """PSNR (dB) and SSIM of images (N, R, 3, H, W) against a reference (N, 3, H, W): (N, R) each."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    pairs = [(a, b) for some, b in zip(images, reference, strict=True) for a in some]
    psnr = [peak_signal_noise_ratio(b, a, data_range=1.0) for a, b in pairs]
    ssim = [structural_similarity(b, a, data_range=1.0, channel_axis=0) for a, b in pairs]
    shape = images.shape[:2]
    return {f"psnr{suffix}": np.reshape(psnr, shape), f"ssim{suffix}": np.reshape(ssim, shape)}


def _overlaps(
    results: Perturbations, saliency: Tensor, generator: torch.Generator, name: str
) -> dict[str, np.ndarray]:
    """Overlap of each noise with the saliency, beside equal noise that has no reason to overlap: (N, R)."""
    strength = noise_map(results.noise)
    n, n_draws, height, width = strength.shape
    maps = saliency[:, None].expand_as(strength).flatten(0, 1)
    # The same noise, moved round the image's edges by random steps.
    moved = strength.new_zeros(n * n_draws)
    for _ in range(_PLACES):
        dy, dx = (torch.randint(size, (n, 1), generator=generator) for size in (height, width))
        y = ((torch.arange(height) + dy) % height).to(strength.device)[:, None, :, None]
        x = ((torch.arange(width) + dx) % width).to(strength.device)[:, None, None, :]
        first = torch.arange(n, device=strength.device)[:, None, None, None]
        draw = torch.arange(n_draws, device=strength.device)[None, :, None, None]
        moved += overlap(strength[first, draw, y, x].flatten(0, 1), maps) / _PLACES
    other = overlap(strength[_of_another_class(results.labels)].flatten(0, 1), maps)
    values = {name: overlap(strength.flatten(0, 1), maps), f"{name}_random": moved, f"{name}_other": other}
    return {key: value.reshape(n, n_draws).cpu().numpy() for key, value in values.items()}


def _of_another_class(labels: Tensor) -> Tensor:
    """For each image the position of the next one (in turn) of another class; itself if there is none."""
    n = len(labels)
    order = (torch.arange(n)[:, None] + torch.arange(1, n + 1)).to(labels.device) % n
    differs = labels[order] != labels[:, None]
    return order.gather(1, differs.to(torch.uint8).argmax(1, keepdim=True)).squeeze(1)
