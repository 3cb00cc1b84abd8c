"""The subspace of one sequence: objective, descent and alternation (Sec. 3.4-3.5, Eqs. 10, 11 and 13)."""

from acot_core.subspace.alternation import Alternation, alternate
from acot_core.subspace.objective import ACOTObjective, barycentric_images
from acot_core.subspace.solve import solve_subspaces

__all__ = ["ACOTObjective", "Alternation", "alternate", "barycentric_images", "solve_subspaces"]
