"""The dashboard and the notebooks' widgets, over acot_core."""
