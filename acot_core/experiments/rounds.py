"""Plan and subspace in turn, on one clip: the objective of Eq. (11) after every half-step (Sec. 3.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from acot_core.alternation import alternate
from acot_core.records import Record
from acot_core.sequences import check_sequences, pad

__all__ = ["RoundStudy", "round_study"]


@dataclass(kw_only=True)
class RoundStudy(Record):
    """``table``: a row a half-step: its ``round``, its ``step`` (plan or subspace) and the ``objective``."""

    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """One row a half-step."""
        return self.table


def round_study(
    frames: Any, negatives: Any, *, n_subspaces: int = 1, n_alternations: int = 6, **weights: Any
) -> RoundStudy:
    """Alternate on one clip (n, d) and its negatives (m, d), without stopping early.

    ``weights`` are those of `acot_core.alternation.alternate`: beta1, beta2, eta, n_iter, ...
    """
    X = check_sequences([frames], name="frames")[0]
    Y = check_sequences([negatives], name="negatives", n_features=X.shape[1])[0]
    found = alternate(
        pad([X]), pad([Y]), n_subspaces=n_subspaces, n_alternations=n_alternations, tol=-1.0, **weights
    )
    values = found.objective[0].double().numpy()
    return RoundStudy(
        table=pd.DataFrame(
            {
                "round": np.arange(len(values)) // 2 + 1,
                "step": np.where(np.arange(len(values)) % 2, "subspace", "plan"),
                "objective": values,
            }
        ),
        config={"n_subspaces": n_subspaces, "n_alternations": n_alternations, **weights},
    )
