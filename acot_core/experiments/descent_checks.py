"""Is the descent on the Grassmannian right, and how fast is it there (Sec. 3.5, Eq. 13)?

`gradient_check` holds the gradient against finite steps, `angle_study` follows the subspaces to where the
descent leads in the end, `batch_study` times one batch of problems beside a loop over them and beside
pymanopt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core.grassmann import principal_angles, principal_subspace, project, random_point, retract_qr
from acot_core.objective import ACOTObjective, barycentric_images
from acot_core.records import Record
from acot_core.riemannian import conjugate_gradient, pymanopt_conjugate_gradient
from acot_core.sequences import PaddedSequences, pad
from acot_core.transport import cost_matrix, emd

__all__ = [
    "AngleStudy",
    "BatchStudy",
    "GradientCheck",
    "angle_study",
    "batch_study",
    "gradient_check",
    "subspace_problems",
]


def subspace_problems(sequences: Sequence[Tensor], negatives: PaddedSequences) -> ACOTObjective:
    """Eq. (13) for B sequences of (n_i, d) frames at their exact first plans, in double precision."""
    batch = pad([sequence.double() for sequence in sequences])
    Y = negatives.frames.double()
    plan = emd(cost_matrix(batch.frames, Y), batch.weights, negatives.weights.double()).plan
    return ACOTObjective(batch.frames, images=barycentric_images(plan, Y), mask=batch.mask)


def _random_start(objective: ACOTObjective, n_subspaces: int, generator: torch.Generator) -> Tensor:
    n_sequences, _, d = objective.frames.shape
    return random_point(n_sequences, d, n_subspaces, generator, dtype=torch.float64)


@dataclass(kw_only=True)
class GradientCheck(Record):
    """``table``: one row a ``step`` t and ``sequence``, with the ``error`` of the linear model there."""

    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """One row a step and sequence."""
        return self.table

    @property
    def slope(self) -> float:
        """Of the median error over the steps, in logarithmic axes: 2 where the gradient is right."""
        median = self.table.groupby("step")["error"].median()
        return float(np.polyfit(np.log(median.index), np.log(median), 1)[0])


def gradient_check(
    sequences: Sequence[Tensor],
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 2,
    retract: Callable[[Tensor, Tensor], Tensor] = retract_qr,
    steps: Sequence[float] = tuple(np.logspace(-6, -2, 21)),
    seed: int = 0,
) -> GradientCheck:
    """|f(R_U(tD)) - f(U) - t <grad f, D>| along a random direction D at a random U: falls like t^2.

    Parameters
    ----------
    sequences : list of Tensor (n_i, d)
    negatives : PaddedSequences
        (B, m, d).
    n_subspaces : int
    retract : callable
        `acot_core.grassmann.retract_qr`, or another retraction.
    steps : sequence of float
        The t; over larger ones some step of the order term passes its kink.
    seed : int
    """
    objective = subspace_problems(sequences, negatives)
    generator = torch.Generator().manual_seed(seed)
    U = _random_start(objective, n_subspaces, generator)
    D = project(U, torch.randn(U.shape, generator=generator, dtype=torch.float64))
    slope = (project(U, objective.gradient(U)) * D).sum((1, 2))
    here = objective.value(U)
    errors = [(objective.value(retract(U, t * D)) - here - t * slope).abs().numpy() for t in steps]
    return GradientCheck(
        table=pd.DataFrame(
            {
                "step": np.repeat(steps, len(U)),
                "sequence": np.tile(np.arange(len(U)), len(steps)),
                "error": np.concatenate(errors),
            }
        ),
        config={"n_subspaces": n_subspaces, "retract": getattr(retract, "__name__", "?"), "seed": seed},
    )


@dataclass(kw_only=True)
class AngleStudy(Record):
    """``table``: one row a ``start``, ``iteration`` and ``sequence``: the largest principal ``angle`` in
    degrees to where the descent leads in the end, and by how much its ``value`` is above that one's."""

    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """One row a start, iteration and sequence."""
        return self.table


def angle_study(
    sequences: Sequence[Tensor],
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 2,
    rule: str = "fletcher-reeves",
    n_iter: int = 15,
    n_far: int = 200,
    seed: int = 0,
) -> AngleStudy:
    """How far the subspaces are, after each iteration, from where ``n_far`` iterations lead.

    Two starts: the principal directions, as the method has it, and a random subspace; each is held against
    its own end.
    """
    objective = subspace_problems(sequences, negatives)
    starts = {
        "principal": principal_subspace(objective.frames, objective.weights > 0, n_subspaces),
        "random": _random_start(objective, n_subspaces, torch.Generator().manual_seed(seed)),
    }
    tables = []
    for name, start in starts.items():
        end = conjugate_gradient(objective, start, n_iter=n_far, beta_rule=rule)
        for step in range(n_iter + 1):
            found = conjugate_gradient(objective, start, n_iter=step, beta_rule=rule)
            angles = torch.rad2deg(principal_angles(found.point, end.point)[:, -1])
            tables.append(
                pd.DataFrame(
                    {
                        "start": name,
                        "iteration": step,
                        "sequence": np.arange(len(angles)),
                        "angle": angles.numpy(),
                        "value": (found.value - end.value).numpy(),
                    }
                )
            )
    return AngleStudy(
        table=pd.concat(tables, ignore_index=True),
        config={"n_subspaces": n_subspaces, "rule": rule, "n_iter": n_iter, "n_far": n_far, "seed": seed},
    )


@dataclass(kw_only=True)
class BatchStudy(Record):
    """``table``: one row a ``way`` (batch, one by one, pymanopt) and number of ``iterations``: ``seconds``,
    ``median`` value and the largest ``difference`` of a value from the batch's."""

    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_frame(self) -> pd.DataFrame:
        """One row a way and number of iterations."""
        return self.table


def batch_study(
    sequences: Sequence[Tensor],
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 2,
    n_iter: Sequence[int] = (5,),
    seed: int = 0,
) -> BatchStudy:
    """The same problems from the same random starts: as one batch, one after the other, and by pymanopt."""
    objective = subspace_problems(sequences, negatives)
    start = _random_start(objective, n_subspaces, torch.Generator().manual_seed(seed))
    each = [slice(i, i + 1) for i in range(len(start))]
    ways: dict[str, Callable[[int], Tensor]] = {
        "batch": lambda n: conjugate_gradient(objective, start, n_iter=n).value,
        "one by one": lambda n: torch.cat(
            [conjugate_gradient(objective.select(i), start[i], n_iter=n).value for i in each]
        ),
        "pymanopt": lambda n: pymanopt_conjugate_gradient(objective, start, n_iter=n).value,
    }
    rows: list[dict[str, Any]] = []
    for n in n_iter:
        values: dict[str, Tensor] = {}
        for way, solve in ways.items():
            began = perf_counter()
            values[way] = solve(n)
            seconds = perf_counter() - began
            rows.append(
                {
                    "iterations": n,
                    "way": way,
                    "seconds": seconds,
                    "median": float(values[way].median()),
                    "difference": float((values[way] - values["batch"]).abs().max()),
                }
            )
    return BatchStudy(
        table=pd.DataFrame(rows),
        config={"n_subspaces": n_subspaces, "n_iter": list(n_iter), "seed": seed},
    )
