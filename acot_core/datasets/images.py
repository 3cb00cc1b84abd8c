"""Image sets for the visualisations of Sec. 4.3: CIFAR-10, and a generated set that needs nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from acot_core._utils.extras import from_extra
from acot_core._utils.progress import Callback
from acot_core.datasets.cifar import CIFAR10_CLASSES, download_cifar10, find_cifar10, read_cifar10
from acot_core.datasets.shapes import SHAPES, draw_shapes

Part = Literal["train", "validation", "test"]
_N_VALIDATION, _N_TEST = 100, 200


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images in three parts: training, validation, test.

    Attributes
    ----------
    name : str
    images : uint8 Tensor (N, 3, 32, 32)
    labels : int64 Tensor (N,)
        Positions in ``class_names``.
    class_names : tuple of L str
    parts : str array (N,)
        "train", "validation" or "test".
    """

    name: str
    images: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)
    class_names: tuple[str, ...]
    parts: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.images)

    def part(self, part: Part) -> ImageDataset:
        """The images of one part."""
        if part not in ("train", "validation", "test"):
            raise ValueError(f"part: expected 'train', 'validation' or 'test', got {part!r}")
        return self.take(np.flatnonzero(self.parts == part))

    def take(self, rows: np.ndarray) -> ImageDataset:
        """The images at the positions ``rows``."""
        index = torch.from_numpy(np.array(rows, dtype=np.int64))
        return ImageDataset(
            self.name, self.images[index], self.labels[index], self.class_names, self.parts[rows]
        )

    def pixels(self) -> Tensor:
        """The images as float32 (N, 3, 32, 32) in [0, 1], as the networks take them."""
        return self.images.float() / 255


def load_images(
    name: str = "shapes",
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    n_train: int = 5000,
    random_state: int = 0,
    callback: Callback | None = None,
) -> ImageDataset:
    """Load a set of 32 x 32 colour images in ten classes.

    Parameters
    ----------
    name : "shapes" or "cifar10"
        `shapes` is generated, `cifar10` is read from its publisher's binary files.
    root : path, optional
        The folder with the files of CIFAR-10, or one above it. Default: the data folder
        (`acot_core.datasets.data_root`), then the cache into which an earlier download went.
    download : bool
        Whether CIFAR-10 may be downloaded (170 MB) where it is not found.
    n_train, random_state : int
        Size of the generated training part and seed of the generated set.
    callback : callable, optional
        Told of a download's progress.

    Returns
    -------
    ImageDataset
        The validation part is 100 images per class that the publisher's training part would otherwise hold.

    Raises
    ------
    FileNotFoundError
        CIFAR-10 is not found and ``download`` is False.
    ValueError
        An unknown name, or a file that is damaged or in another layout.
    """
    if name == "shapes":
        return _generate(n_train, random_state)
    if name != "cifar10":
        raise ValueError(f"name: expected 'shapes' or 'cifar10', got {name!r}")
    return _read(_folder(root, download, callback))


def _generate(n_train: int, random_state: int) -> ImageDataset:
    n_classes = len(SHAPES)
    if n_train < n_classes:
        raise ValueError(f"n_train: expected at least {n_classes}, one image per class, got {n_train}")
    sizes = (n_train, _N_VALIDATION * n_classes, _N_TEST * n_classes)
    images, labels = [], []
    # One stream per part, so that the held-out images do not depend on the size of the training part.
    for size, seed in zip(sizes, np.random.SeedSequence(random_state).spawn(3), strict=True):
        rng = np.random.default_rng(seed)
        labels.append(rng.permutation(np.arange(size) % n_classes))
        images.append(draw_shapes(labels[-1], rng))
    return ImageDataset(
        "shapes",
        torch.from_numpy(np.concatenate(images)),
        torch.from_numpy(np.concatenate(labels)),
        tuple(SHAPES),
        np.repeat(["train", "validation", "test"], sizes),
    )


def _folder(root: str | os.PathLike[str] | None, download: bool, callback: Callback | None) -> Path:
    if root is not None:
        roots = [Path(root)]
    else:
        with from_extra("datasets", "CIFAR-10"):
            import pooch

        from acot_core.datasets import data_root

        roots = [Path(root) for root in (data_root(), pooch.os_cache("acot-explorer")) if root]
    for folder in roots:
        if (files := find_cifar10(folder)) is not None:
            return files
    if download:
        return download_cifar10(roots[-1], callback=callback)
    raise FileNotFoundError(
        f"CIFAR-10 was not found in {' or '.join(map(str, roots))}: pass the folder with "
        "data_batch_1.bin and test_batch.bin as root, or download=True (170 MB); "
        "load_images('shapes') needs no files"
    )


def _read(folder: Path) -> ImageDataset:
    images, labels, is_test = read_cifar10(folder)
    parts = np.where(is_test, "test", "train").astype("<U10")
    for k in range(10):
        parts[np.flatnonzero((labels == k) & ~is_test)[-_N_VALIDATION:]] = "validation"
    return ImageDataset("cifar10", torch.from_numpy(images), torch.from_numpy(labels), CIFAR10_CLASSES, parts)
