"""Adversarially-Contrastive Optimal Transport (Cherian & Aeron, ICML 2020)."""

from acot_core.adversary import Adversary
from acot_core.classify import GrassmannSVC, StreamFusion, zip_streams
from acot_core.pooling import ACOTPooling
from acot_core.progress import Cancelled, Progress
from acot_core.sequences import PaddedSequences

__all__ = [
    "ACOTPooling",
    "Adversary",
    "Cancelled",
    "GrassmannSVC",
    "PaddedSequences",
    "Progress",
    "StreamFusion",
    "zip_streams",
]

__version__ = "0.1.0"
