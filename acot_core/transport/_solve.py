"""Choose a transport solver by name (Sec. 3.1 and 3.5, Eqs. 2, 4 and 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from acot_core.transport._emd import emd
from acot_core.transport._ipot import ipot
from acot_core.transport._sinkhorn import sinkhorn
from acot_core.transport.couplings import TransportResult, identity, random_coupling, uniform

METHODS: dict[str, Callable[..., TransportResult]] = {
    "ipot": ipot,
    "emd": emd,
    "sinkhorn": sinkhorn,
    "uniform": uniform,
    "identity": identity,
    "random": random_coupling,
}


def solve(
    cost: Tensor, a: Tensor | None = None, b: Tensor | None = None, transport: str = "auto", **options: Any
) -> TransportResult:
    """Solve a batch of transport problems, or one.

    Parameters
    ----------
    cost : Tensor, array or nested lists (B, n, m), or (n, m) for one problem
        Half precision is computed in single, whole numbers in double.
    a, b : Tensors, arrays or lists (B, n) and (B, m), or (n,) and (m,), optional
        Masses, uniform by default.
    transport : {"auto", "ipot", "emd", "sinkhorn", "uniform", "identity", "random"}
        "auto" is exact on the CPU for problems of up to 512 x 512 and IPOT otherwise. The last three ignore
        the cost; they are the controls of the ablation.
    **options
        Passed to the solver.

    Returns
    -------
    TransportResult
        Tensors, whatever came in; of one problem without the leading axis.

    Raises
    ------
    ValueError
        An unknown solver or option, or a problem that `Problem.of` refuses.

    Examples
    --------
    >>> result = solve([[0.0, 1.0], [1.0, 0.0]])
    >>> result.plan.tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    >>> float(solve([[0.0, 1.0], [1.0, 0.0]], transport="uniform").value)
    0.5
    """
    if transport == "auto":
        shape = tuple(getattr(cost, "shape", ()))
        small = not (isinstance(cost, Tensor) and cost.device.type != "cpu")
        transport = "emd" if small and torch.Size(shape[-2:]).numel() <= 512 * 512 else "ipot"
    if transport not in METHODS:
        raise ValueError(f"transport: expected 'auto' or one of {sorted(METHODS)}, got {transport!r}")
    check_options(transport, options)
    return METHODS[transport](cost, a, b, **options)


def check_options(transport: str, options: Mapping[str, Any], name: str = "options") -> None:
    """Refuse options that the solver does not know; "auto", which may be any, takes none.

    Raises
    ------
    ValueError
        ``options`` is no mapping, or has names that are none of the solver's.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f"{name}: expected a dict, got {options!r}")
    allowed: set[str] = set()
    if transport != "auto":
        allowed = set(signature(METHODS[transport]).parameters) - {"cost", "a", "b"}
    if unknown := options.keys() - allowed:
        raise ValueError(f"{name}: {transport!r} takes {sorted(allowed) or 'none'}, got {sorted(unknown)}")
