"""Optimal transport between frames and negatives, in batches (Sec. 3.1 and 3.5, Eqs. 2, 4 and 12).

`emd` solves the linear program exactly, `ipot` is the paper's solver, `sinkhorn` the entropic one; `solve`
chooses. All take costs (B, n, m), never a single matrix, and masses a (B, n), b (B, m) that are uniform by
default and zero on padding; all return a `TransportPlan`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import ot
import torch
from torch import Tensor

from acot_core.couplings import (
    GroundCost,
    TransportPlan,
    check_problem,
    closed_form,
    cost_matrix,
    identity,
    random_coupling,
    uniform,
)
from acot_core.entropic import ipot, sinkhorn

__all__ = [
    "METHODS",
    "GroundCost",
    "TransportPlan",
    "cost_matrix",
    "emd",
    "identity",
    "ipot",
    "random_coupling",
    "sinkhorn",
    "solve",
    "uniform",
]


def emd(cost: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> TransportPlan:
    """Exact plans by the network simplex of POT (on the CPU, in double precision), as a drop-in for `ipot`.

    Parameters
    ----------
    cost : Tensor (B, n, m)
    a, b : Tensors (B, n) and (B, m), optional
        Masses; zero on padding.

    Returns
    -------
    TransportPlan
        On the cost's device and in its dtype.
    """
    a, b = check_problem(cost, a, b)
    M = cost.detach().cpu().double().numpy()
    p, q = (w.cpu().double().numpy() for w in (a, b))
    q = q * (p.sum(1) / q.sum(1))[:, None]
    plans = np.stack([ot.emd(p[i], q[i], M[i], numItermax=1_000_000) for i in range(len(M))])
    return closed_form(torch.from_numpy(plans).to(cost), cost, a, b)


METHODS = {
    "ipot": ipot,
    "emd": emd,
    "sinkhorn": sinkhorn,
    "uniform": uniform,
    "identity": identity,
    "random": random_coupling,
}


def solve(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, method: str = "auto", **options: Any
) -> TransportPlan:
    """Solve a batch of transport problems.

    Parameters
    ----------
    cost : Tensor (B, n, m)
    a, b : Tensors (B, n) and (B, m), optional
    method : {"auto", "ipot", "emd", "sinkhorn", "uniform", "identity", "random"}
        "auto" is exact on the CPU for problems of up to 512 x 512 and IPOT otherwise. The last three ignore
        the cost; they are the controls of the ablation.
    **options
        Passed to the method.

    Raises
    ------
    ValueError
        Unknown method, or a problem that `check_problem` rejects.
    """
    if method == "auto":
        small = cost.device.type == "cpu" and cost.shape[1] * cost.shape[2] <= 512 * 512
        method = "emd" if small else "ipot"
    if method not in METHODS:
        raise ValueError(f"method: expected 'auto' or one of {sorted(METHODS)}, got {method!r}")
    return METHODS[method](cost, a, b, **options)
