"""Sliders and figures for the notebooks; needs ipywidgets, not Panel."""

from acot_notebooks.widgets import Explore, explore, show, slider

__all__ = ["Explore", "explore", "show", "slider"]
