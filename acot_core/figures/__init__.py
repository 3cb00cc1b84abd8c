"""Figures: a record in, a `matplotlib.figure.Figure` out; never pyplot."""

from acot_core.figures.style import ROLES, WIDTHS, drawing, new_figure, render

__all__ = ["ROLES", "WIDTHS", "drawing", "new_figure", "render"]
