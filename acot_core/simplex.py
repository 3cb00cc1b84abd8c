"""POT's network simplex for many problems, without its checks and without Python's lock (Eq. 2).

The wrapper that POT has for Python holds the lock while it pivots, so that no other thread does anything
meanwhile. The routine behind it is a plain C++ function; where the library shows it under the name that
encodes the arguments expected here (POT from 0.9.7 on Linux and macOS), it is called by ctypes, which gives
the lock away. Elsewhere the wrapper serves: the same plans, more slowly where threads work side by side.

The simplex takes fewer pivots where it starts at good prices of rows and columns, and <pi, c - f1' - 1g'> is
<pi, c> less a constant whatever the prices f and g are. A few of Sinkhorn's scalings give them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from ot.lp import emd_wrap

from acot_core.threads import one_thread, side_by_side

__all__ = ["exact_plans"]

# int EMD_wrap(int n, int m, double *a, *b, *cost, *plan, *alpha, *beta, *value, uint64_t pivots,
#              double *alpha_start, double *beta_start)
_NAME = "_Z8EMD_wrapiiPdS_S_S_S_S_S_mS_S_"
_HEAT, _SCALINGS = 0.05, 5  # Sinkhorn's epsilon, as a share of a problem's mean cost, and how often it scales
_PART = 64  # problems that a thread (or a process, if joblib is told so) takes at a time


def _find() -> Callable[..., int] | None:
    try:
        routine = ctypes.CDLL(emd_wrap.__file__)[_NAME]
    except (AttributeError, OSError):
        return None
    array = ctypes.c_void_p
    routine.argtypes = [ctypes.c_int, ctypes.c_int, *7 * [array], ctypes.c_uint64, array, array]
    routine.restype = ctypes.c_int
    return routine


_routine = _find()


def exact_plans(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray, max_pivots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Optimal plans (B, n, m) for masses a (B, n), b (B, m) and costs (B, n, m), and whether each is (B,)."""
    problems = [np.ascontiguousarray(each, np.float64) for each in (a, b, cost)]
    if len(cost) <= _PART:
        with one_thread():
            return _one_by_one(problems, max_pivots)
    parts = ([each[i : i + _PART] for each in problems] for i in range(0, len(cost), _PART))
    solved = side_by_side(partial(_one_by_one, max_pivots=max_pivots), parts)
    plans, optimal = zip(*solved, strict=True)
    return np.concatenate(plans), np.concatenate(optimal)


def _reduced_costs(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """c - f1' - 1g' (B, n, m) for prices near the optimal ones, in single precision: any would be right."""
    c = torch.from_numpy(cost)
    c = c - c.amin((1, 2), keepdim=True)
    epsilon = _HEAT * c.mean((1, 2), keepdim=True)
    rows, columns = (torch.from_numpy(mass).float()[:, :, None] for mass in (a, b))
    K = c.float().mul_(-1 / epsilon.float()).exp_()
    tiny = torch.finfo(K.dtype).tiny
    v = torch.ones_like(columns)
    for _ in range(_SCALINGS):
        u = rows / (K @ v).clamp_min(tiny)
        v = columns / (K.mT @ u).clamp_min(tiny)
    # Where costs are all the same, or of a scale that single precision lacks, there are no such prices.
    f, g = ((epsilon * scaling.log()).nan_to_num(0, 0, 0) for scaling in (u, v))
    return (c - f).sub_(g.mT).numpy()


def _one_by_one(problems: list[np.ndarray], max_pivots: int) -> tuple[np.ndarray, np.ndarray]:
    a, b, _ = problems
    cost = _reduced_costs(*problems)
    n_problems, n, m = cost.shape
    plans, optimal = np.zeros_like(cost), np.empty(n_problems, bool)
    if _routine is None:
        for i in range(n_problems):
            plans[i], _, _, _, code = emd_wrap.emd_c(a[i], b[i], cost[i], max_pivots, 1)
            optimal[i] = code == 1
        return plans, optimal
    potentials, value = np.empty(n + m), np.empty(1)
    scratch = potentials.ctypes.data, potentials[n:].ctypes.data, value.ctypes.data
    arrays = (a, b, cost, plans)
    starts, strides = [each.ctypes.data for each in arrays], [each.strides[0] for each in arrays]
    for i in range(n_problems):
        here = (start + i * stride for start, stride in zip(starts, strides, strict=True))
        optimal[i] = _routine(n, m, *here, *scratch, max_pivots, None, None) == 1
    return plans, optimal
