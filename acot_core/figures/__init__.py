"""Figures: a record in, a `matplotlib.figure.Figure` out; never pyplot.

Each takes a ``theme``, "light" or "dark", and a ``width``: "column" or "page" of the paper, or "slide".
"""

from acot_core._utils.old_names import getter
from acot_core.figures.accuracies import plot_ablation, plot_comparison, plot_plans
from acot_core.figures.checks import plot_angles, plot_bounds, plot_gradient_check, plot_rounds
from acot_core.figures.classification import plot_accuracies, plot_confusion
from acot_core.figures.coupling import plot_ipot, plot_plan, plot_plan_row
from acot_core.figures.descent import plot_energies, plot_terms
from acot_core.figures.embeddings import plot_embedding
from acot_core.figures.factorial import plot_factorial
from acot_core.figures.fooling import plot_fooling_curves, plot_negative_quality
from acot_core.figures.landscapes import plot_landscape
from acot_core.figures.octant import plot_octant, plot_octant_classes
from acot_core.figures.perturbations import plot_overlap, plot_perturbations
from acot_core.figures.pictures import plot_pictures
from acot_core.figures.retrieval import plot_retrieval
from acot_core.figures.sensitivity import plot_sensitivity
from acot_core.figures.sequences import plot_dataset, plot_sequence
from acot_core.figures.style import ROLES, WIDTHS, drawing, format_of, new_figure, render
from acot_core.figures.training import plot_negatives, plot_training

__all__ = [
    "ROLES",
    "WIDTHS",
    "drawing",
    "format_of",
    "new_figure",
    "plot_ablation",
    "plot_accuracies",
    "plot_angles",
    "plot_bounds",
    "plot_comparison",
    "plot_confusion",
    "plot_dataset",
    "plot_embedding",
    "plot_energies",
    "plot_factorial",
    "plot_fooling_curves",
    "plot_gradient_check",
    "plot_ipot",
    "plot_landscape",
    "plot_negative_quality",
    "plot_negatives",
    "plot_octant",
    "plot_octant_classes",
    "plot_overlap",
    "plot_perturbations",
    "plot_pictures",
    "plot_plan",
    "plot_plan_row",
    "plot_plans",
    "plot_retrieval",
    "plot_rounds",
    "plot_sensitivity",
    "plot_sequence",
    "plot_terms",
    "plot_training",
    "render",
]

globals()["__getattr__"] = getter(__name__)  # names of 0.1
