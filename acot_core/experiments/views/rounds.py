"""Alternate plan and subspace on one sequence: the objective of Eq. (11) after every half-step (Sec. 3.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from acot_core.experiments.record import TableRecord
from acot_core.experiments.views.one_sequence import one_pair
from acot_core.sequences import pad
from acot_core.subspace.alternation import alternate


def round_study(
    frames: Any, negatives: Any, *, n_subspaces: int = 1, n_alternations: int = 6, **weights: Any
) -> TableRecord:
    """Alternate on one sequence (n, d) and its negatives (m, d), without stopping early.

    One row per half-step: its ``round``, its ``step`` (plan or subspace) and the ``objective``.

    ``weights`` are those of `acot_core.subspace.alternation.alternate`: beta1, beta2, eta, n_iter, ...
    """
    X, Y = one_pair(frames, negatives)
    alternation = alternate(
        pad([X[0]]), pad([Y[0]]), n_subspaces=n_subspaces, n_alternations=n_alternations, tol=-1.0, **weights
    )
    values = alternation.objective[0].double().numpy()
    return TableRecord(
        table=pd.DataFrame(
            {
                "round": np.arange(len(values)) // 2 + 1,
                "step": np.where(np.arange(len(values)) % 2, "subspace", "plan"),
                "objective": values,
            }
        ),
        config={"n_subspaces": n_subspaces, "n_alternations": n_alternations, **weights},
    )
