"""The methods that the paper compares with, and those a user would try first; each names its source."""

from acot_core.baselines.averages import AveragePooling, MaxPooling
from acot_core.baselines.discriminative import DiscriminativePooling
from acot_core.baselines.kernelized import KRP
from acot_core.baselines.principal_subspace import PCASubspace
from acot_core.baselines.rank_pooling import GRP, RankPooling
from acot_core.baselines.signals import DTWClassifier, MiniRocketClassifier
from acot_core.baselines.supervised import SupervisedPooling

__all__ = [
    "GRP",
    "KRP",
    "AveragePooling",
    "DTWClassifier",
    "DiscriminativePooling",
    "MaxPooling",
    "MiniRocketClassifier",
    "PCASubspace",
    "RankPooling",
    "SupervisedPooling",
]
