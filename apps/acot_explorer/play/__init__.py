"""The Play step: the method in three dimensions, to be touched (`acot_core.experiments.views.octant`)."""

from acot_explorer.play.component import Play
from acot_explorer.play.engine import PlaySettings, Shown

__all__ = ["Play", "PlaySettings", "Shown"]
