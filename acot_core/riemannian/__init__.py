"""Optimisation on the Grassmannian, for any objective and many problems in one batch (Sec. 3.5)."""

from acot_core._utils.old_names import getter
from acot_core.riemannian._conjugate_gradient import BETA_RULES, conjugate_gradient
from acot_core.riemannian.problem import DescentResult, FunctionObjective, Objective
from acot_core.riemannian.pymanopt_reference import pymanopt_conjugate_gradient

__all__ = [
    "BETA_RULES",
    "DescentResult",
    "FunctionObjective",
    "Objective",
    "conjugate_gradient",
    "pymanopt_conjugate_gradient",
]

globals()["__getattr__"] = getter(__name__)  # names of 0.1
