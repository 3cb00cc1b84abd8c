"""Checks of the descent on the Grassmannian: gradient, convergence, speed (Sec. 3.5, Eq. 13).

`gradient_check` compares the gradient with finite steps, `angle_study` follows the subspaces to where the
descent leads in the end, `batch_study` times one batch of problems against a loop over them and against
pymanopt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core.experiments.record import TableRecord
from acot_core.riemannian import conjugate_gradient, pymanopt_conjugate_gradient
from acot_core.riemannian.grassmann import (
    principal_angles,
    principal_subspace,
    project,
    random_point,
    retract_qr,
)
from acot_core.sequences import PaddedSequences, pad
from acot_core.subspace.objective import ACOTObjective, barycentric_images
from acot_core.transport import cost_matrix, emd


def subspace_problems(sequences: Sequence[Tensor], negatives: PaddedSequences) -> ACOTObjective:
    """Eq. (13) for B sequences of (n_i, d) frames at their exact first plans, in double precision."""
    batch = pad([sequence.double() for sequence in sequences])
    Y = negatives.frames.double()
    plan = emd(cost_matrix(batch.frames, Y), batch.weights, negatives.weights.double()).plan
    return ACOTObjective(batch.frames, images=barycentric_images(plan, Y), mask=batch.mask)


def _random_start(objective: ACOTObjective, n_subspaces: int, generator: torch.Generator) -> Tensor:
    n_sequences, _, d = objective.frames.shape
    return random_point(n_sequences, d, n_subspaces, generator, dtype=torch.float64)


def gradient_check(
    sequences: Sequence[Tensor],
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 2,
    retract: Callable[[Tensor, Tensor], Tensor] = retract_qr,
    steps: Sequence[float] = tuple(np.logspace(-6, -2, 21)),
    seed: int = 0,
) -> TableRecord:
    """Taylor error of the gradient along a random direction D at a random U, like t^2 where it is right.

    The error is ``|f(R_U(tD)) - f(U) - t <grad f, D>|``: one row per ``step`` t and ``sequence``.
    ``numbers["slope"]`` is that of the median error over the steps in logarithmic axes, 2 where the gradient
    is right.

    Parameters
    ----------
    sequences : list of Tensor (n_i, d)
    negatives : PaddedSequences
        (B, m, d).
    n_subspaces : int
    retract : callable
        `acot_core.riemannian.grassmann.retract_qr`, or another retraction.
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
    medians = [float(np.median(e)) for e in errors]
    return TableRecord(
        table=pd.DataFrame(
            {
                "step": np.repeat(steps, len(U)),
                "sequence": np.tile(np.arange(len(U)), len(steps)),
                "error": np.concatenate(errors),
            }
        ),
        numbers={"slope": float(np.polyfit(np.log(steps), np.log(medians), 1)[0])},
        config={"n_subspaces": n_subspaces, "retract": getattr(retract, "__name__", "?"), "seed": seed},
    )


def angle_study(
    sequences: Sequence[Tensor],
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 2,
    rule: str = "fletcher-reeves",
    n_iter: int = 15,
    n_far: int = 200,
    seed: int = 0,
) -> TableRecord:
    """Angles, after each iteration, to where ``n_far`` iterations lead.

    One row per ``start``, ``iteration`` and ``sequence``: the largest principal ``angle`` in degrees to the
    end of the descent, and by how much the ``value`` is above that of the end. Two starts: the principal
    directions, as the method has it, and a random subspace; each is compared with its own end.
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
            result = conjugate_gradient(objective, start, n_iter=step, beta_rule=rule)
            angles = torch.rad2deg(principal_angles(result.point, end.point)[:, -1])
            tables.append(
                pd.DataFrame(
                    {
                        "start": name,
                        "iteration": step,
                        "sequence": np.arange(len(angles)),
                        "angle": angles.numpy(),
                        "value": (result.value - end.value).numpy(),
                    }
                )
            )
    return TableRecord(
        table=pd.concat(tables, ignore_index=True),
        config={"n_subspaces": n_subspaces, "rule": rule, "n_iter": n_iter, "n_far": n_far, "seed": seed},
    )


def batch_study(
    sequences: Sequence[Tensor],
    negatives: PaddedSequences,
    *,
    n_subspaces: int = 2,
    n_iter: Sequence[int] = (5,),
    seed: int = 0,
) -> TableRecord:
    """Time the same problems from the same random starts: as one batch, one by one, and by pymanopt.

    One row per ``way`` (batch, one by one, pymanopt) and number of ``iterations``: ``seconds``, ``median``
    value and the largest ``difference`` of a value from the batch's.
    """
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
    return TableRecord(
        table=pd.DataFrame(rows),
        config={"n_subspaces": n_subspaces, "n_iter": list(n_iter), "seed": seed},
    )
