"""The conditional Wasserstein GAN that makes adversarial negatives (Sec. 3.2-3.3, Eqs. 8-9; App. B)."""

from acot_core.gan.adversary import Adversary
from acot_core.gan.negatives import random_negatives, subtract
from acot_core.gan.sources import FramesThemselves, GivenNegatives, OtherSequences, RandomNegatives

__all__ = [
    "Adversary",
    "FramesThemselves",
    "GivenNegatives",
    "OtherSequences",
    "RandomNegatives",
    "random_negatives",
    "subtract",
]
