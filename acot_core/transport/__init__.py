"""Optimal transport between frames and negatives, in batches (Sec. 3.1 and 3.5, Eqs. 2, 4 and 12).

`emd` solves the linear program exactly, `ipot` is the paper's solver, `sinkhorn` the entropic one; `solve`
chooses. All take costs (B, n, m), or one (n, m), and masses a (B, n), b (B, m) that are uniform by default
and zero on padding; all return a `TransportResult`.
"""

from acot_core._utils.old_names import getter
from acot_core.transport._emd import emd
from acot_core.transport._ipot import ipot
from acot_core.transport._sinkhorn import sinkhorn
from acot_core.transport._solve import METHODS, solve
from acot_core.transport.couplings import (
    GroundCost,
    TransportResult,
    cost_matrix,
    identity,
    random_coupling,
    uniform,
)

__all__ = [
    "METHODS",
    "GroundCost",
    "TransportResult",
    "cost_matrix",
    "emd",
    "identity",
    "ipot",
    "random_coupling",
    "sinkhorn",
    "solve",
    "uniform",
]

globals()["__getattr__"] = getter(__name__)  # names of 0.1
