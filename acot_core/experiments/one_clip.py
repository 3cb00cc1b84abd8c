"""One clip from frames to subspace, step by step (Sec. 3.1-3.5): what a slider moves.

`clip_view` shows the frames, `transport_study` the plan between the frames and their negatives (Eqs. 2, 12),
`subspace_study` the subspace that Eq. (13) finds from there, beside the one without order and beside PCA.
All are quick enough to be called at every move of a slider.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from acot_core.alternation import Alternation, alternate
from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.grassmann import principal_angles, principal_subspace
from acot_core.objective import ACOTObjective
from acot_core.records import Record
from acot_core.sequences import check_sequences, pad
from acot_core.transport import GroundCost, cost_matrix, emd, ipot, solve

__all__ = [
    "ClipView",
    "DatasetView",
    "SubspaceStudy",
    "TransportStudy",
    "clip_view",
    "dataset_view",
    "subspace_study",
    "transport_study",
]


@dataclass(kw_only=True)
class ClipView(Record):
    """Frames of one clip: ``frames`` (n, d), its class and number, and the mean frame of its class (d,)."""

    frames: np.ndarray
    class_mean: np.ndarray
    clip: int
    class_name: str
    stream: str

    def to_frame(self) -> pd.DataFrame:
        """One row a frame and feature."""
        n, d = self.frames.shape
        frame, feature = np.meshgrid(np.arange(n), np.arange(d), indexing="ij")
        return pd.DataFrame(
            {"frame": frame.ravel(), "feature": feature.ravel(), "activation": self.frames.ravel()}
        )


def clip_view(dataset: SequenceDataset, stream: str, clip: int) -> ClipView:
    """The frames of clip number ``clip`` in one stream, and the mean frame of its class.

    Raises
    ------
    ValueError
        No such stream or clip.
    """
    sequences = _stream(dataset, stream)
    if not 0 <= clip < len(dataset):
        raise ValueError(f"clip: expected 0 to {len(dataset) - 1}, got {clip}")
    label = dataset.labels[clip]
    mates = [sequences[i].mean(0) for i in np.flatnonzero(dataset.labels == label)]
    return ClipView(
        frames=sequences[clip].numpy(),
        class_mean=torch.stack(mates).mean(0).numpy(),
        clip=clip,
        class_name=dataset.class_names[label],
        stream=stream,
        config={"dataset": dataset.name, "stream": stream, "clip": clip} | dataset.config,
    )


@dataclass(kw_only=True)
class DatasetView(Record):
    """What a data set holds: one row of ``table`` a clip of one stream."""

    table: pd.DataFrame
    name: str
    stream: str
    n_features: int
    class_names: list[str]

    def to_frame(self) -> pd.DataFrame:
        """One row a clip: class, number of frames, part in each split."""
        return self.table


def dataset_view(dataset: SequenceDataset, stream: str) -> DatasetView:
    """Classes, lengths and splits of one stream."""
    sequences = _stream(dataset, stream)
    table = dataset.to_frame()
    return DatasetView(
        table=table[table["stream"] == stream].reset_index(drop=True),
        name=dataset.name,
        stream=stream,
        n_features=sequences[0].shape[1],
        class_names=dataset.class_names,
        config={"dataset": dataset.name, "stream": stream} | dataset.config,
    )


@dataclass(kw_only=True)
class TransportStudy(Record):
    """A plan between n frames and m negatives.

    Attributes
    ----------
    cost, plan : arrays (n, m)
    value, exact : float
        Transport cost of the plan, and of the exact plan.
    marginal_error : float
        l1 error of the plan's marginals.
    trace : table
        ``iteration``, ``value`` and ``marginal_error`` of IPOT (Sec. 3.5) on the same problem; empty when not
        asked for.
    """

    cost: np.ndarray
    plan: np.ndarray
    value: float
    exact: float
    marginal_error: float
    method: str
    trace: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row a frame and negative."""
        n, m = self.plan.shape
        frame, negative = np.meshgrid(np.arange(n), np.arange(m), indexing="ij")
        return pd.DataFrame(
            {
                "frame": frame.ravel(),
                "negative": negative.ravel(),
                "cost": self.cost.ravel(),
                "mass": self.plan.ravel(),
            }
        )


def transport_study(
    frames: Any,
    negatives: Any,
    *,
    method: str = "emd",
    ground_cost: GroundCost = "euclidean",
    trace: int = 0,
    **options: Any,
) -> TransportStudy:
    """The plan of Eq. (12) with UU' = I, as in the first half-step of the alternation.

    Parameters
    ----------
    frames : array-like (n, d)
    negatives : array-like (m, d)
    method : str
        One of `acot_core.transport.METHODS`.
    ground_cost : {"sqeuclidean", "euclidean"}
    trace : int
        Iterations of IPOT to record; 0 for none.
    **options
        Of the method: n_iter, beta, epsilon, ...

    Examples
    --------
    >>> study = transport_study([[1, 0], [0, 1]], [[0, 1], [1, 0]])
    >>> study.plan.tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    >>> round(study.value, 6)
    0.0
    """
    start = perf_counter()
    X, Y = _pair(frames, negatives)
    cost = cost_matrix(X, Y, ground_cost)
    plan = solve(cost, method=method, **options)
    exact = plan if method == "emd" else emd(cost)
    return TransportStudy(
        cost=cost[0].numpy(),
        plan=plan.plan[0].numpy(),
        value=float(plan.value),
        exact=float(exact.value),
        marginal_error=float(plan.marginal_error),
        method=method,
        trace=_ipot_trace(cost, trace),
        config={"method": method, "ground_cost": ground_cost, "trace": trace, **options},
        seconds=perf_counter() - start,
    )


def _ipot_trace(cost: Tensor, n_iter: int) -> pd.DataFrame:
    """Value and marginal error of IPOT after 1, 2, 5, 10, ... iterations, each from the start."""
    rows = []
    for step in (s for decade in (1, 10, 100) for s in (decade, 2 * decade, 5 * decade)):
        if step > n_iter:
            break
        found = ipot(cost, n_iter=step, tol=0.0)
        rows.append((step, float(found.value), float(found.marginal_error)))
    return pd.DataFrame(rows, columns=["iteration", "value", "marginal_error"])


@dataclass(kw_only=True)
class SubspaceStudy(Record):
    """The subspace of one clip, and what the terms of Eq. (10) do to it.

    Attributes
    ----------
    subspace : array (d, k)
    energies : table
        Energy ||U'x_t||^2 kept of each ``frame``: ``ordered`` (the weights given), ``unordered``
        (beta2 = 0) and ``pca`` (the start).
    terms : table
        One row an ``iteration`` of conjugate gradient: the weighted ``contrast`` (less the squared transport
        cost), ``distortion`` and ``order`` of Eq. (10), and their sum ``objective``, which is minimised.
    angles : array (k,)
        Principal angles to the principal subspace, in degrees, ascending.
    """

    subspace: np.ndarray
    energies: pd.DataFrame
    terms: pd.DataFrame
    angles: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """One row a frame and subspace."""
        return self.energies.melt("frame", var_name="subspace", value_name="energy")

    @property
    def violations(self) -> dict[str, float]:
        """Share of steps t -> t + 1 at which the energy falls, for each subspace."""
        names = ("ordered", "unordered", "pca")
        return {name: float((np.diff(self.energies[name]) < 0).mean()) for name in names}


def subspace_study(
    frames: Any,
    negatives: Any,
    *,
    n_subspaces: int = 1,
    beta1: float = 1.0,
    beta2: float = 10.0,
    eta: float = 0.01,
    method: str = "emd",
    ground_cost: GroundCost = "euclidean",
    n_iter: int = 5,
) -> SubspaceStudy:
    """One plan, then conjugate gradient on Eq. (13) from the principal subspace (Sec. 3.5).

    The subspace is the one that `acot_core.ACOTPooling` gives for this clip and these negatives.

    Parameters
    ----------
    frames : array-like (n, d)
    negatives : array-like (m, d)
    n_subspaces, beta1, beta2, eta : int, float, float, float
        k and the weights of Eq. (10).
    method, ground_cost
        As in `transport_study`.
    n_iter : int
        Iterations of conjugate gradient (5 in the paper).

    Examples
    --------
    >>> from acot_core.datasets import planted
    >>> from acot_core.negatives import random_negatives
    >>> clip = planted(n_sequences=12, random_state=0).streams["features"][0]
    >>> study = subspace_study(clip, random_negatives([clip], 50, 0).frames[0])
    >>> study.violations["ordered"] < study.violations["pca"]  # the energy falls at fewer steps
    True
    """
    start = perf_counter()
    X, Y = _pair(frames, negatives)

    def pooled(beta2: float, n_iter: int) -> Alternation:
        return alternate(
            pad([X[0]]), pad([Y[0]]), n_subspaces=n_subspaces, beta1=beta1, beta2=beta2, eta=eta,
            transport=method, ground_cost=ground_cost, n_iter=n_iter,
        )  # fmt: skip

    # Every prefix of the iteration from the start: the solver is deterministic, and n_iter is small.
    prefixes = [pooled(beta2, s) for s in range(1, n_iter + 1)]
    pca = principal_subspace(X, None, n_subspaces)
    points = [pca] + [found.subspace for found in prefixes]
    plain = pooled(0.0, n_iter).subspace
    plan = prefixes[-1].plan.plan
    objective = ACOTObjective(X, plan=plan, negatives=Y, beta1=beta1, beta2=beta2, eta=eta)
    weights = {"contrast": -1.0, "distortion": beta1, "order": beta2}
    rows = [
        {"iteration": s} | {name: weights[name] * float(term) for name, term in objective.terms(U).items()}
        for s, U in enumerate(points)
    ]
    terms = pd.DataFrame(rows)
    terms["objective"] = terms[["contrast", "distortion", "order"]].sum(axis=1)
    energies = {
        name: objective.energies(U)[0].numpy()
        for name, U in (("ordered", points[-1]), ("unordered", plain), ("pca", pca))
    }
    return SubspaceStudy(
        subspace=points[-1][0].numpy(),
        energies=pd.DataFrame({"frame": np.arange(X.shape[1])} | energies),
        terms=terms,
        angles=np.degrees(principal_angles(points[-1], pca)[0].numpy()),
        config={
            "n_subspaces": n_subspaces,
            "beta1": beta1,
            "beta2": beta2,
            "eta": eta,
            "method": method,
            "ground_cost": ground_cost,
            "n_iter": n_iter,
        },
        seconds=perf_counter() - start,
    )


def _pair(frames: Any, negatives: Any) -> tuple[Tensor, Tensor]:
    """One clip and its negatives as a batch of one."""
    X = check_sequences([frames], name="frames")[0]
    Y = check_sequences([negatives], name="negatives", n_features=X.shape[1])[0]
    return X[None], Y[None]


def _stream(dataset: SequenceDataset, stream: str) -> list[Tensor]:
    if stream not in dataset.streams:
        raise ValueError(f"stream: expected one of {list(dataset.streams)}, got {stream!r}")
    return dataset.streams[stream]
