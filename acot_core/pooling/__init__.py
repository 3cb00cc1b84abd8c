"""ACOT pooling, from sequences to subspaces, as a scikit-learn transformer (Eq. 1; Sec. 3.6)."""

from acot_core.pooling.acot import ACOTPooling
from acot_core.pooling.base import SequencePooling, SubspacePooling
from acot_core.pooling.presets import PRESETS, preset

__all__ = ["PRESETS", "ACOTPooling", "SequencePooling", "SubspacePooling", "preset"]
