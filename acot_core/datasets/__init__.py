"""Loaders, generators and frame encoders: every data set as a `SequenceDataset`."""

from acot_core.datasets._planted import planted
from acot_core.datasets.catalogue import DATASETS, DatasetInfo, data_root
from acot_core.datasets.encoders import FrameEncoder, encode
from acot_core.datasets.images import ImageDataset, load_images
from acot_core.datasets.loading import load
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.datasets.shown import Shown, Thumbnails
from acot_core.datasets.signals import DataWarning
from acot_core.datasets.signed import nonnegative
from acot_core.datasets.storage import save_dataset

__all__ = [
    "DATASETS",
    "DataWarning",
    "DatasetInfo",
    "FrameEncoder",
    "ImageDataset",
    "SequenceDataset",
    "Shown",
    "Thumbnails",
    "data_root",
    "encode",
    "load",
    "load_images",
    "nonnegative",
    "planted",
    "save_dataset",
]
