"""One sequence from frames to subspace, step by step (Sec. 3.1-3.5): what a slider moves.

`sequence_view` shows the frames, `transport_study` the plan between frames and negatives (Eqs. 2, 12),
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
from torch.nn.functional import adaptive_avg_pool1d

from acot_core.datasets.sequence_dataset import SequenceDataset
from acot_core.experiments.record import Record, arguments, grid_table
from acot_core.riemannian.grassmann import principal_angles
from acot_core.sequences import check_sequences, pad
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective
from acot_core.subspace.solve import solve_subspaces
from acot_core.transport import GroundCost, cost_matrix, emd, ipot, solve

_BINS, _MOST_FEATURES = 8, 96


@dataclass(kw_only=True)
class SequenceView(Record):
    """Frames of one sequence: ``frames`` (n, d), its class and number, and the mean frame of its class (d,).

    ``peak_class`` (d,) names the class in whose mean course each feature is strongest. ``order`` sorts the
    features that differ most between classes and times, at most 96 of them, by that class and by when.
    """

    frames: np.ndarray
    class_mean: np.ndarray
    order: np.ndarray
    peak_class: np.ndarray
    sequence: int
    class_name: str
    stream: str

    def to_frame(self) -> pd.DataFrame:
        """One row per frame and feature."""
        return grid_table(["frame", "feature"], activation=self.frames)


def sequence_view(dataset: SequenceDataset, stream: str, sequence: int) -> SequenceView:
    """The frames of sequence number ``sequence`` in one stream, and the mean frame of its class.

    Raises
    ------
    ValueError
        No such stream or sequence.
    """
    sequences = _stream(dataset, stream)
    if not 0 <= sequence < len(dataset):
        raise ValueError(f"sequence: expected 0 to {len(dataset) - 1}, got {sequence}")
    label = dataset.labels[sequence]
    mates = [sequences[i].mean(0) for i in np.flatnonzero(dataset.labels == label)]
    order, peak = _feature_order(sequences, dataset.labels)
    return SequenceView(
        frames=sequences[sequence].numpy(),
        class_mean=torch.stack(mates).mean(0).numpy(),
        order=order,
        peak_class=np.array(dataset.class_names)[peak],
        sequence=sequence,
        class_name=dataset.class_names[label],
        stream=stream,
        config={"dataset": dataset.name, "stream": stream, "sequence": sequence} | dataset.config,
    )


def _feature_order(sequences: list[Tensor], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features to show, sorted, and the class of each feature (d,): see `SequenceView`."""
    courses = torch.stack([adaptive_avg_pool1d(s.T[None], _BINS)[0] for s in sequences])  # (N, d, bins)
    mean = torch.stack([courses[labels == label].mean(0) for label in np.unique(labels)], 1)  # (d, C, bins)
    flat = mean.flatten(1)
    peak = flat.argmax(1)
    chosen = flat.var(1).topk(min(_MOST_FEATURES, len(flat))).indices
    order = chosen[peak[chosen].argsort(stable=True)]
    return order.numpy(), np.unique(labels)[(peak // _BINS).numpy()]


@dataclass(kw_only=True)
class DatasetView(Record):
    """Contents of a data set: one row of ``table`` per sequence of one stream."""

    tidy = "table"
    table: pd.DataFrame
    name: str
    stream: str
    n_features: int
    class_names: list[str]


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
        """One row per frame and negative."""
        return grid_table(["frame", "negative"], cost=self.cost, mass=self.plan)


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
    X, Y = one_pair(frames, negatives)
    cost = cost_matrix(X, Y, ground_cost)
    plan = solve(cost, transport=method, **options)
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
    """Value and marginal error of IPOT after 1, 2, 5, 10, ... iterations."""
    columns = ["iteration", "value", "marginal_error"]
    steps = [s for decade in (1, 10, 100) for s in (decade, 2 * decade, 5 * decade) if s <= n_iter]
    if not steps:
        return pd.DataFrame(columns=columns)
    traced = ipot(cost, n_iter=steps[-1], tol=0.0, trace=steps).trace
    assert traced is not None
    rows = [(s, *values) for s, values in zip(steps, traced[:, 0].tolist(), strict=True)]
    return pd.DataFrame(rows, columns=columns)


@dataclass(kw_only=True)
class SubspaceStudy(Record):
    """The subspace of one sequence, and what the terms of Eq. (10) do to it.

    Attributes
    ----------
    subspace : array (d, k)
    energies : table
        Energy ||U'x_t||^2 of each ``frame``: ``ordered`` (the weights given), ``unordered``
        (beta2 = 0) and ``pca`` (the start).
    terms : table
        One row per ``iteration`` of conjugate gradient: the weighted ``contrast`` (minus the squared
        transport cost), ``distortion`` and ``order`` of Eq. (10), and their sum ``objective``, which is
        minimised.
    angles : array (k,)
        Principal angles to the principal subspace, in degrees, ascending.
    """

    subspace: np.ndarray
    energies: pd.DataFrame
    terms: pd.DataFrame
    angles: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """One row per frame and subspace."""
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

    The subspace is the one that `acot_core.ACOTPooling` gives for this sequence and these negatives.

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
    >>> from acot_core.gan.negatives import random_negatives
    >>> sequence = planted(n_sequences=12, random_state=0).streams["features"][0]
    >>> study = subspace_study(sequence, random_negatives([sequence], 50, 0).frames[0])
    >>> study.violations["ordered"] < study.violations["pca"]  # the energy falls at fewer steps
    True
    """
    config, start = arguments(locals(), "frames", "negatives"), perf_counter()
    X, Y = one_pair(frames, negatives)

    start_from = alternate(
        pad([X[0]]), pad([Y[0]]), n_subspaces=n_subspaces, transport=method, ground_cost=ground_cost, n_iter=0
    )  # the first plan, and the principal subspace
    plan = start_from.transport.plan

    def objective_of(copies: int) -> ACOTObjective:
        x, y, pi = (tensor.expand(copies, -1, -1) for tensor in (X, Y, plan))
        return ACOTObjective(x, plan=pi, negatives=y, beta1=beta1, beta2=beta2, eta=eta)

    # With order and without it in one batch: the second has no weight on any pair of frames.
    both = objective_of(2)
    both.pair_weights = both.pair_weights * both.pair_weights.new_tensor([[1.0], [0.0]])
    result = solve_subspaces(both, n_subspaces, n_iter=n_iter, trace=True)
    trail = result.history["point"][:, 0].to(X.dtype)
    trail = torch.cat([trail, trail[-1:].expand(n_iter + 1 - len(trail), -1, -1)])  # it may have ended sooner
    pca, plain = trail[:1], result.point[1:].to(X.dtype)
    objective = objective_of(len(trail))
    weights = {"contrast": -1.0, "distortion": beta1, "order": beta2}
    weighted = {name: weights[name] * term.numpy() for name, term in objective.terms(trail).items()}
    terms = pd.DataFrame({"iteration": np.arange(len(trail))} | weighted)
    terms["objective"] = terms[["contrast", "distortion", "order"]].sum(axis=1)
    energy = objective_of(3).energies(torch.cat([trail[-1:], plain, pca])).numpy()
    energies = dict(zip(("ordered", "unordered", "pca"), energy, strict=True))
    return SubspaceStudy(
        subspace=trail[-1].numpy(),
        energies=pd.DataFrame({"frame": np.arange(X.shape[1])} | energies),
        terms=terms,
        angles=np.degrees(principal_angles(trail[-1:], pca)[0].numpy()),
        config=config,
        seconds=perf_counter() - start,
    )


def one_pair(frames: Any, negatives: Any) -> tuple[Tensor, Tensor]:
    """One sequence (n, d) and its negatives (m, d), checked, as a batch of one."""
    X = check_sequences([frames], name="frames")[0]
    Y = check_sequences([negatives], name="negatives", n_features=X.shape[1])[0]
    return X[None], Y[None]


def _stream(dataset: SequenceDataset, stream: str) -> list[Tensor]:
    if stream not in dataset.streams:
        raise ValueError(f"stream: expected one of {list(dataset.streams)}, got {stream!r}")
    return dataset.streams[stream]
