"""Optimal transport between frames and negatives, in batches (Sec. 3.1 and 3.5, Eqs. 2, 4 and 12).

`emd` solves the linear program exactly, `ipot` is the paper's solver, `sinkhorn` the entropic one; `solve`
chooses. All take costs (B, n, m), never a single matrix, and masses a (B, n), b (B, m) that are uniform by
default and zero on padding; all return a `TransportPlan`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

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
    warn_unconverged,
)
from acot_core.entropic import ipot, sinkhorn
from acot_core.simplex import exact_plans

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


def emd(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, *, max_pivots: int = 1_000_000
) -> TransportPlan:
    """Exact plans by the network simplex of POT (on the CPU, in double precision), as a drop-in for `ipot`.

    Parameters
    ----------
    cost : Tensor (B, n, m)
    a, b : Tensors (B, n) and (B, m), optional
        Masses; zero on padding.
    max_pivots : int
        Limit of the simplex for each problem.

    Returns
    -------
    TransportPlan
        On the cost's device and in its dtype.

    Notes
    -----
    Of more than 64 problems several are solved at once, as `acot_core.threads.side_by_side` does.

    Examples
    --------
    >>> cost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> emd(cost).plan
    tensor([[[0.5000, 0.0000],
             [0.0000, 0.5000]]])
    """
    a, b = check_problem(cost, a, b)
    M = cost.detach().to("cpu", torch.float64).numpy()
    p, q = (w.to("cpu", torch.float64).numpy() for w in (a, b))
    q = q * (p.sum(1) / q.sum(1))[:, None]  # equal to the last bit that the simplex looks at
    plans, converged = exact_plans(p, q, M, max_pivots)
    answer = closed_form(torch.from_numpy(plans).to(cost), cost, a, b)
    return warn_unconverged(replace(answer, converged=torch.from_numpy(converged).to(cost.device)), "emd")


METHODS: dict[str, Callable[..., TransportPlan]] = {
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

    Examples
    --------
    >>> cost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> float(solve(cost, method="uniform").value)
    0.5
    """
    if method == "auto":
        small = cost.device.type == "cpu" and cost.shape[1] * cost.shape[2] <= 512 * 512
        method = "emd" if small else "ipot"
    if method not in METHODS:
        raise ValueError(f"method: expected 'auto' or one of {sorted(METHODS)}, got {method!r}")
    return METHODS[method](cost, a, b, **options)
