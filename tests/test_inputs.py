"""Types, labels and numbers that users bring: what the plain input gives, to the bit, or a named refusal.

Each test draws a function, a kind of input and a seed. Frames are multiples of 1/8, which every real type
holds, so that equal means equal to the bit.

The deep profile: ``ACOT_HYPOTHESIS=deep python -m pytest tests/test_inputs.py --timeout 0``.
"""

# mypy: disable-error-code="call-overload"
from __future__ import annotations

import re
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from generated import cases, seeds
from hypothesis import given
from hypothesis import strategies as st

from acot_core import ACOTPooling, Adversary, GrassmannSVC, StreamFusion, zip_streams
from acot_core.baselines import (
    GRP,
    KRP,
    AveragePooling,
    DiscriminativePooling,
    DTWClassifier,
    MaxPooling,
    MiniRocketClassifier,
    PCASubspace,
    RankPooling,
    SupervisedPooling,
)
from acot_core.classify import grassmann_kernel
from acot_core.datasets import FrameEncoder, encode, nonnegative
from acot_core.experiments._protocol.sweep import digest
from acot_core.gan import random_negatives, subtract
from acot_core.gan.two_sample import (
    classifier_test,
    energy_distance,
    nearest_distance,
    nearest_neighbour_test,
)
from acot_core.riemannian import conjugate_gradient, pymanopt_conjugate_gradient
from acot_core.riemannian import grassmann as g
from acot_core.sequences import check_sequences, normalize_frames, pad
from acot_core.subspace import ACOTObjective, alternate, barycentric_images, solve_subspaces, theorem1
from acot_core.transport import METHODS, cost_matrix, emd, ipot, random_coupling, sinkhorn, solve

N = 6
Y = np.arange(N) % 2


def sequences(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(1, 16, (4, 5)) / 8 for _ in range(N)]


def plain(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)


class Items:
    """Anything with a length and items."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


class AsArray:
    """Anything that NumPy knows to read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array


def read_only(array: Any) -> np.ndarray:
    array = np.array(array)
    array.setflags(write=False)
    return array


def each(change: Callable[[np.ndarray], Any]) -> Callable[[list[np.ndarray]], Any]:
    return lambda X: [change(x) for x in X]


# ---------------------------------------------------------------- sets of sequences

TAKEN: dict[str, Callable[[list[np.ndarray]], Any]] = {
    "tuple": tuple,
    "array": np.stack,
    "tensor": lambda X: torch.tensor(np.stack(X)),
    "items": Items,
    "series": pd.Series,
    "deque": deque,
    "values of a dict": lambda X: dict(enumerate(X)).values(),
    "float16": each(lambda x: x.astype("f2")),
    "longdouble": each(lambda x: x.astype("g")),
    "half": each(lambda x: torch.tensor(x).half()),
    "bfloat16": each(lambda x: torch.tensor(x).bfloat16()),
    "int8": each(lambda x: (8 * x).astype("i1")),
    "uint8": each(lambda x: (8 * x).astype("u1")),
    "long": each(lambda x: torch.tensor(8 * x).long()),
    "big endian": each(lambda x: x.astype(">f8")),
    "needs gradients": each(lambda x: torch.tensor(x).requires_grad_()),
    "parameter": each(lambda x: torch.nn.Parameter(torch.tensor(x))),
    "read-only": each(read_only),
    "column-major": each(np.asfortranarray),
    "table": each(pd.DataFrame),
    "as array": each(AsArray),
    "masked, no hole": each(np.ma.masked_array),
    "lists": each(lambda x: x.tolist()),
    "rows": each(list),
    "items of items": lambda X: Items([Items(x) for x in X]),
}
REFUSED: dict[str, Callable[[list[np.ndarray]], Any]] = {
    "generator": lambda X: (x for x in X),
    "map": lambda X: map(np.array, X),
    "dict": lambda X: dict(enumerate(X)),
    "one table": lambda X: pd.DataFrame(X[0]),
    "none": lambda X: None,
    "number": lambda X: 3,
    "text": lambda X: "abc",
    "no sequence": lambda X: [],
    "set": lambda X: {1, 2},
    "masked array": lambda X: np.ma.masked_array(np.stack(X), np.stack(X) == X[0].max()),
    "hole": each(lambda x: np.ma.masked_array(x, x == x.max())),
    "complex": each(lambda x: x + 0j),
    "complex tensor": each(lambda x: torch.tensor(x) + 0j),
    "strings": each(lambda x: x.astype(str)),
    "objects": each(lambda x: np.where(x == x.max(), None, x)),
    "meta": each(lambda x: torch.tensor(x).to("meta")),
    "sparse": each(lambda x: torch.tensor(x).to_sparse()),
    "three axes": each(lambda x: x[None]),
    "one axis": each(lambda x: x[0]),
    "NaN": each(lambda x: x * np.nan),
    "infinity": each(lambda x: x * np.inf),
    "dates": each(lambda x: (8 * x).astype("M8[s]")),
    "one is none": lambda X: [*X[:-1], None],
    "missing": each(lambda x: pd.DataFrame(x).astype("Float64").mask(x == x.max())),
    "frames generated": each(lambda x: (row for row in x)),
}


def pooled(pooling: Any, y: Any = Y) -> Callable[[Any], Any]:
    return lambda X: pooling.fit(X, y).transform(X)


ON_SEQUENCES: dict[str, Callable[[Any], Any]] = {
    "check_sequences": lambda X: torch.stack(check_sequences(X)),
    "random_negatives": lambda X: random_negatives(X, 3, 0).frames,
    "average": pooled(AveragePooling()),
    "max": pooled(MaxPooling()),
    "PCA": pooled(PCASubspace(2)),
    "GRP": pooled(GRP(2)),
    "rank": pooled(RankPooling()),
    "KRP": pooled(KRP(2, n_landmarks=6, n_iter=1)),
    "discriminative": pooled(DiscriminativePooling(2, n_iter=1)),
    "supervised": pooled(SupervisedPooling("lda")),
    "ACOT, random": pooled(ACOTPooling(2, negatives="random", n_negatives=4, random_state=0)),
    "ACOT, others": pooled(ACOTPooling(negatives="others", n_negatives=4, random_state=0)),
    "adversary": lambda X: (
        Adversary(n_iter=1, classifier_iter=1, hidden=4, random_state=0).fit(X, Y).sample(X, 3).frames
    ),
    "encode": lambda X: torch.cat(encode(X, n_features=4)),
    "encoder": lambda X: torch.cat(list(FrameEncoder(n_features=4).fit(X).transform(X))),
    "DTW": lambda X: DTWClassifier().fit(X, Y).similarity(X, X).round(9),
}


@cases(250)
@given(st.sampled_from(list(ON_SEQUENCES)), st.sampled_from([*TAKEN, *REFUSED]), seeds)
def test_sets_of_sequences_of_any_type_are_taken_or_refused_by_name(name: str, kind: str, seed: int) -> None:
    X, function = sequences(seed), ON_SEQUENCES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind in TAKEN:
            np.testing.assert_array_equal(plain(function(TAKEN[kind](X))), plain(function(X)))
        else:
            with pytest.raises(ValueError, match=r"^(sequences|raw|X)\b"):
                function(REFUSED[kind](X))


# ---------------------------------------------------------------- arguments that are tensors


def numbers(seed: int) -> dict[str, torch.Tensor]:
    """Arguments by the names that functions have for them; multiples of 1/8 but for the bases."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: torch.tensor(rng.integers(1, 16, shape) / 8)  # noqa: E731
    basis = lambda *shape: g.orthonormalize(torch.tensor(rng.normal(size=shape)))  # noqa: E731
    return {
        "X": draw(2, 4, 3),
        "Y": draw(2, 5, 3),
        "frames": draw(2, 4, 3),
        "images": draw(2, 4, 3),
        "negatives": draw(2, 5, 3),
        "cost": draw(2, 4, 5),
        "plan": draw(2, 4, 5),
        "a": torch.full((2, 4), 0.25),
        "b": torch.full((2, 5), 0.2),
        "noise": draw(2, 4, 3) / 16,
        "first": draw(6, 3),
        "second": draw(7, 3),
        "U": basis(2, 4, 2),
        "V": basis(2, 4, 2),
        "initial": basis(2, 4, 2),
        "Z": draw(2, 4, 2),
        "D": draw(2, 4, 2),
        "A": draw(2, 4, 2),
    }


def cubes(V: torch.Tensor) -> torch.Tensor:
    return -(V**3).sum((1, 2))


# Functions by name, the arguments that are drawn in order, and whether NaN in is NaN out.
TENSORS: dict[str, tuple[Callable[..., Any], str, bool]] = {
    **{name: (lambda cost, t=name: solve(cost, transport=t).value, "cost", False) for name in METHODS},
    "emd, masses": (lambda *given_: emd(*given_).value, "cost a b", False),
    "sinkhorn, masses": (lambda *given_: sinkhorn(*given_).value, "cost a b", False),
    "ipot, masses": (lambda *given_: ipot(*given_).value, "cost a b", False),
    "cost_matrix": (cost_matrix, "X Y", True),
    "distance": (g.distance, "U V", False),
    "principal_angles": (g.principal_angles, "U V", False),
    "projection_kernel": (g.projection_kernel, "U V", False),
    "project": (g.project, "U Z", False),
    "retract_qr": (g.retract_qr, "U D", False),
    "retract_polar": (g.retract_polar, "U D", False),
    "orthonormalize": (g.orthonormalize, "A", False),
    "principal_subspace": (lambda frames: g.principal_subspace(frames, None, 2), "frames", False),
    "barycentric_images": (barycentric_images, "plan negatives", True),
    "projection_robust": (
        lambda X, Y: theorem1.projection_robust(X, Y, 1, n_starts=0, n_iter=1)[0],
        "X Y",
        False,
    ),
    "subspace_robust": (lambda X, Y: theorem1.subspace_robust(X, Y, 1, n_iter=2)[0], "X Y", False),
    "variational_term": (lambda Y: theorem1.variational_term(Y, 1), "Y", False),
    "energy_distance": (energy_distance, "first second", False),
    "nearest_distance": (nearest_distance, "first second", False),
    "nearest_neighbour_test": (nearest_neighbour_test, "first second", False),
    "classifier_test": (classifier_test, "first second", False),
    "subtract": (subtract, "frames noise", True),
    "nonnegative": (nonnegative, "frames", True),
    "normalize_frames": (normalize_frames, "frames", True),
    "grassmann_kernel": (grassmann_kernel, "U V", False),
    "conjugate_gradient": (lambda initial: conjugate_gradient(cubes, initial).value, "initial", False),
    "pymanopt": (
        lambda initial: pymanopt_conjugate_gradient(cubes, initial, n_iter=1).value,
        "initial",
        False,
    ),
    "ACOTObjective": (lambda frames, images: ACOTObjective(frames, images).beta1, "frames images", True),
}
EXACT: dict[str, Callable[[torch.Tensor], Any]] = {
    "array": lambda x: x.numpy(),
    "lists": lambda x: x.tolist(),
    "read-only": lambda x: read_only(x.numpy()),
    "masked, no hole": lambda x: np.ma.masked_array(x.numpy()),
    "as array": lambda x: AsArray(x.numpy()),
    "needs gradients": lambda x: x.clone().requires_grad_(),
    "parameter": torch.nn.Parameter,
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
}
ROUNDED: dict[str, Callable[[torch.Tensor], Any]] = {
    "half": torch.Tensor.half,
    "bfloat16": torch.Tensor.bfloat16,
    "single": torch.Tensor.float,
    "float16 of NumPy": lambda x: x.numpy().astype("f2"),
}
NO_NUMBERS: dict[str, Callable[[torch.Tensor], Any]] = {
    "hole": lambda x: np.ma.masked_array(x.numpy(), x.numpy() == x.numpy().max()),
    "complex": lambda x: x + 0j,
    "complex array": lambda x: x.numpy() + 0j,
    "sparse": torch.Tensor.to_sparse,
    "meta": lambda x: x.to("meta"),
    "strings": lambda x: x.numpy().astype(str),
    "objects": lambda x: x.numpy().astype(object),
    "generator": lambda x: (row for row in x),
    "series": lambda x: pd.Series(list(x.numpy())),
    "dict": lambda x: dict(enumerate(x)),
    "no axis": lambda x: torch.tensor(1.0),
    "NaN": lambda x: x * torch.nan,
    "infinity": lambda x: x * torch.inf,
}


@cases(250)
@given(
    st.sampled_from(list(TENSORS)), st.sampled_from([*EXACT, *ROUNDED, *NO_NUMBERS]), st.integers(0, 2), seeds
)
def test_numbers_of_any_type_are_taken_or_refused_by_name(name: str, kind: str, at: int, seed: int) -> None:
    function, names, propagates = TENSORS[name]
    order = names.split()
    which, given_ = order[at % len(order)], numbers(seed)
    change = (EXACT | ROUNDED | NO_NUMBERS)[kind]
    arguments = [change(given_[each]) if each == which else given_[each] for each in order]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind in NO_NUMBERS:
            if propagates and kind in ("NaN", "infinity"):
                return
            with pytest.raises(ValueError, match=rf"\b{which}\b"):
                function(*arguments)
            return
        if kind == "needs gradients" and which in ("a", "b") and not name.startswith("sinkhorn"):
            with pytest.raises(ValueError, match=f"{which}: needs gradients"):
                function(*arguments)
            return
        actual, expected = (
            plain(torch.as_tensor(function(*each)).double())
            for each in (arguments, [given_[each] for each in order])
        )
    tolerance = 0 if kind in EXACT and kind != "parameter" else 0.1 if kind != "single" else 1e-4
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=max(tolerance, 1e-12))


# ---------------------------------------------------------------- labels

NAMES = np.array(["u", "v"])
LABELS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda y: y.tolist(),
    "scalars of NumPy": list,
    "scalars of torch": lambda y: list(torch.tensor(y)),
    "strings": lambda y: NAMES[y],
    "list of strings": lambda y: NAMES[y].tolist(),
    "objects": lambda y: NAMES.astype(object)[y],
    "truth values": lambda y: y == 1,
    "list of truth values": lambda y: (y == 1).tolist(),
    "numbers as objects": lambda y: y.astype(object),
    "categorical": lambda y: pd.Categorical.from_codes(y, ["u", "v"]),
    "categorical series": lambda y: pd.Series(pd.Categorical.from_codes(y, ["u", "v"]), list("fedcba")),
    "series": lambda y: pd.Series(y, range(9, 9 + len(y))),
    "tensor": torch.tensor,
    "tensor of truth values": lambda y: torch.tensor(y == 1),
    "float": lambda y: y + 0.0,
    "bfloat16": lambda y: torch.tensor(y).bfloat16(),
    "needs gradients": lambda y: torch.tensor(y + 0.0).requires_grad_(),
    "uint8": lambda y: y.astype("u1"),
    "negative": lambda y: y - 5,
    "large": lambda y: y + 2**53,
    "tuple": tuple,
    "read-only": read_only,
    "string of pandas": lambda y: pd.array(NAMES.astype(object)[y], dtype="string"),
    "Int64": lambda y: pd.array(y, dtype="Int64"),
    "boolean": lambda y: pd.array(y == 1, dtype="boolean"),
    "masked, no hole": np.ma.masked_array,
    "items": lambda y: Items(y.tolist()),
    "longdouble": lambda y: y.astype("g"),
}
NO_LABELS: dict[str, Callable[[np.ndarray], Any]] = {
    "continuous": lambda y: np.where(np.arange(N) == 2, 0.5, y),
    "hole": lambda y: np.ma.masked_array(y, np.arange(N) == 2),
    "NaN": lambda y: np.where(np.arange(N) == 2, np.nan, y),
    "infinity": lambda y: np.where(np.arange(N) == 2, np.inf, y),
    "none": lambda y: None,
    "one is none": lambda y: [*y[:-1].tolist(), None],
    "one is missing": lambda y: [*y[:-1].tolist(), pd.NA],
    "Int64, missing": lambda y: pd.array([*y[:-1].tolist(), None], dtype="Int64"),
    "boolean, missing": lambda y: pd.array([*(y[:-1] == 1), None], dtype="boolean"),
    "string, missing": lambda y: pd.array([*NAMES.astype(object)[y[:-1]], None], dtype="string"),
    "category, missing": lambda y: pd.Categorical.from_codes(np.where(np.arange(N) == 2, -1, y), ["u", "v"]),
    "strings, one NaN": lambda y: [*NAMES[y[:-1]].tolist(), float("nan")],
    "mixed": lambda y: ["u", *y[1:].tolist()],
    "text and bytes": lambda y: ["u", b"u"] * 3,
    "bytes": lambda y: NAMES.astype("S")[y],
    "short": lambda y: y[:-1],
    "one hot": lambda y: np.eye(2)[y],
    "column": lambda y: y[:, None],
    "complex": lambda y: y + 0j,
    "generator": lambda y: (v for v in y),
    "dict": lambda y: dict(enumerate(y)),
    "text": lambda y: "ababab",
    "dates": lambda y: y.astype("M8[D]"),
    "sparse": lambda y: torch.tensor(y).to_sparse(),
    "set": lambda y: {0, 1},
    "table": lambda y: pd.DataFrame({"y": y}),
    "objects of no order": lambda y: [object()] * N,
    "lists": lambda y: [[1]] * N,
}


def bases(seed: int) -> np.ndarray:
    return g.orthonormalize(torch.tensor(np.random.default_rng(seed).normal(size=(N, 5, 2)))).numpy()


LABELLED: dict[str, Callable[[int, Any], Any]] = {
    "supervised": lambda seed, y: pooled(SupervisedPooling("lda"), y)(sequences(seed)),
    "adversary": lambda seed, y: (
        Adversary(n_iter=1, classifier_iter=1, hidden=4, random_state=0)
        .fit(sequences(seed), y)
        .sample(sequences(seed), 3)
        .frames
    ),
    "SVC": lambda seed, y: GrassmannSVC().fit(bases(seed), y).decision_function(bases(seed)),
    "fusion": lambda seed, y: (
        StreamFusion({"a": _Stacked()})
        .fit(zip_streams({"a": list(bases(seed))}), y)
        .decision_function(zip_streams({"a": list(bases(seed))}))
    ),
    "DTW": lambda seed, y: DTWClassifier().fit(sequences(seed), y).decision_function(sequences(seed)),
}


class _Stacked(GrassmannSVC):
    def fit(self, X: Any, y: Any) -> Any:
        return super().fit(np.stack(X), y)

    def decision_function(self, X: Any) -> np.ndarray:
        return super().decision_function(np.stack(X))


@cases(250)
@given(st.sampled_from(list(LABELLED)), st.sampled_from([*LABELS, *NO_LABELS]), seeds)
def test_labels_of_any_type_are_taken_or_refused_by_name(name: str, kind: str, seed: int) -> None:
    function = LABELLED[name]
    if kind in LABELS:
        np.testing.assert_array_equal(plain(function(seed, LABELS[kind](Y))), plain(function(seed, Y)))
    else:
        with pytest.raises(ValueError, match=r"^(labels|y)\b"):
            function(seed, NO_LABELS[kind](Y))


def test_fewer_than_two_classes_are_refused() -> None:
    for name in ("SVC", "DTW"):
        with pytest.raises(ValueError, match="labels: expected 2 classes or more"):
            LABELLED[name](0, np.zeros(N))


def test_other_channels_than_in_fit_are_refused() -> None:
    """aeon#1712: in every method, by both classifiers of signals."""
    for model in (DTWClassifier(), MiniRocketClassifier(84)):
        X = sequences(0)
        fitted_, other = model.fit(X, Y), [x[:, :3] for x in X]
        for call in (
            fitted_.predict,
            fitted_.decision_function,
            lambda Z, m=fitted_, X=X: m.similarity(Z, X),
        ):
            with pytest.raises(ValueError, match=r"X\[0\]: expected 5 channels, as in fit, got 3"):
                call(other)


def test_scalars_of_numpy_name_a_cell_of_a_sweep_as_numbers_do() -> None:
    """joblib#393: whether one scalar is shared or not makes no difference either."""
    k = np.int64(10)
    same = {digest({"a": v, "b": w}) for v, w in ((k, k), (k, np.int64(10)), (10, 10))}
    assert len(same) == 1
    assert digest(np.float64(0.5)) == digest(0.5) != digest(0.25)


# ---------------------------------------------------------------- weights, sizes, seeds


def fitted(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **changes: (lambda X: make(**changes).fit(X, Y).transform(X))(sequences(0))


def value_of(**weights: Any) -> Any:
    z = numbers(0)
    return ACOTObjective(z["frames"], z["images"], **weights).value(g.orthonormalize(z["X"].mT[..., :2]))


def alternated(**options: Any) -> Any:
    batch = pad(check_sequences(sequences(0)))
    return alternate(batch, batch, **options).objective


def fused(weights: Any) -> Any:
    streams = zip_streams({"a": list(bases(0)), "b": list(bases(1))})
    model = StreamFusion({"a": _Stacked(), "b": _Stacked()}, {"a": weights, "b": 1.0})
    return model.fit(streams, Y).decision_function(streams)


Z = numbers(0)
WEIGHTED: dict[str, tuple[Callable[..., Any], str]] = {
    "ACOT": (
        fitted(lambda **o: ACOTPooling(**{"negatives": "random", "n_negatives": 3, "random_state": 0} | o)),
        "n_subspaces beta1 beta2 eta n_negatives n_iter n_alternations tol",
    ),
    "GRP": (fitted(GRP), "n_subspaces beta1 beta2 eta n_iter"),
    "rank": (fitted(RankPooling), "C epsilon"),
    "PCA": (fitted(PCASubspace), "n_subspaces"),
    "KRP": (
        fitted(lambda **o: KRP(**{"n_landmarks": 4, "n_iter": 1} | o)),
        "n_subspaces beta1 beta2 eta n_iter",
    ),
    "discriminative": (fitted(DiscriminativePooling), "n_subspaces margin beta2 eta n_iter"),
    "supervised": (fitted(SupervisedPooling), "n_subspaces beta1 beta2 eta n_iter C"),
    "adversary": (
        lambda **o: (
            Adversary(**{"n_iter": 1, "classifier_iter": 1, "hidden": 4, "random_state": 0} | o)
            .fit(sequences(0), Y)
            .sample(sequences(0), 3)
            .frames
        ),
        "sigma lambda1 lambda2 n_iter n_critic clip learning_rate batch_size classifier_iter hidden",
    ),
    "SVC": (lambda **o: GrassmannSVC(**o).fit(bases(0), Y).decision_function(bases(0)), "gamma C"),
    "fusion": (fused, "weights"),
    "grassmann_kernel": (lambda gamma: grassmann_kernel(Z["U"], Z["V"], gamma), "gamma"),
    "encode": (
        lambda **o: torch.cat(encode(sequences(0), **{"n_features": 4} | o)),
        "n_features window stride random_state",
    ),
    "emd": (lambda max_pivots: emd(Z["cost"], max_pivots=max_pivots).value, "max_pivots"),
    "ipot": (lambda **o: ipot(Z["cost"], **o).value, "beta n_iter tol"),
    "sinkhorn": (lambda **o: sinkhorn(Z["cost"], **o).value, "epsilon n_iter tol"),
    "random coupling": (lambda seed: random_coupling(Z["cost"], seed=seed).value, "seed"),
    "conjugate gradient": (lambda **o: conjugate_gradient(cubes, Z["initial"], **o).value, "n_iter gtol"),
    "pymanopt": (
        lambda n_iter: pymanopt_conjugate_gradient(cubes, Z["initial"], n_iter=n_iter).value,
        "n_iter",
    ),
    "random_point": (
        lambda **o: g.random_point(
            **{"n_points": 2, "d": 4, "k": 2} | o, generator=torch.Generator().manual_seed(0)
        ),
        "n_points d k",
    ),
    "principal_subspace": (lambda k: g.principal_subspace(Z["X"], None, k), "k"),
    "projection_kernel": (
        lambda block_bytes: g.projection_kernel(Z["U"], Z["V"], block_bytes=block_bytes),
        "block_bytes",
    ),
    "variational_term": (lambda k: theorem1.variational_term(Z["Y"], k), "k"),
    "subspace_robust": (
        lambda **o: theorem1.subspace_robust(Z["X"], Z["Y"], **{"k": 1, "n_iter": 1} | o)[0],
        "k n_iter",
    ),
    "projection_robust": (
        lambda **o: theorem1.projection_robust(Z["X"], Z["Y"], **{"k": 1, "n_starts": 0, "n_iter": 1} | o)[0],
        "k n_starts n_iter",
    ),
    "ACOTObjective": (value_of, "beta2"),  # beta1 and eta may be below zero
    "alternate": (alternated, "n_subspaces beta1 beta2 eta n_alternations"),
    "solve_subspaces": (
        lambda initial: solve_subspaces(ACOTObjective(Z["frames"], Z["images"]), initial).value,
        "initial",
    ),
    "random_negatives": (
        lambda **o: random_negatives(sequences(0), **{"n_negatives": 3, "seed": 0} | o).frames,
        "n_negatives seed",
    ),
}
ARGUMENTS = [(name, argument) for name, (_, names) in WEIGHTED.items() for argument in names.split()]
NEVER: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "-infinity": -float("inf"),
    "text": "abc",
    "object": object(),
    "dict": {"a": 1},
    "complex": 1j,
    "class": int,
    "NaN of NumPy": np.float64("nan"),
    "missing": pd.NA,
    "NaN of torch": torch.tensor(float("nan")),
    "-1": -1,
    "-0.5": -0.5,
    "10**400": 10**400,
}
PERHAPS: dict[str, Any] = {
    "none": None,
    "0": 0,
    "1": 1,
    "2": 2,
    "0.5": 0.5,
    "truth": True,
    "2.0": 2.0,
    "1e-300": 1e-300,
    "1e300": 1e300,
}
SCALARS: dict[str, Callable[[int], Any]] = {
    "int64": np.int64,
    "int32": np.int32,
    "uint8": np.uint8,  # of which twice, minus or times a thousand is another number
    "int8": np.int8,
    "float64": np.float64,
    "float32": np.float32,
    "no axis": np.array,
    "tensor": torch.tensor,
    "of arange": lambda value: np.arange(value + 1)[-1],
}


def refused(function: Callable[[], Any]) -> tuple[str, np.ndarray]:
    """A ValueError's message, or the result."""
    try:
        return "", plain(function())
    except ValueError as error:
        return str(error), np.empty(0)


@cases(250)
@given(st.sampled_from(ARGUMENTS), st.sampled_from([*NEVER, *PERHAPS, *SCALARS]), st.sampled_from([2, 100]))
def test_weights_sizes_and_seeds_give_finite_results_or_are_refused_by_name(
    argument: tuple[str, str], kind: str, size: int
) -> None:
    name, which = argument
    function = WEIGHTED[name][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind in NEVER:
            with pytest.raises(ValueError, match=rf"\b{which}"):
                function(**{which: NEVER[kind]})
            return
        given_ = PERHAPS[kind] if kind in PERHAPS else SCALARS[kind](size)
        refusal, actual = refused(lambda: function(**{which: given_}))
        if refusal:
            assert re.search(rf"\b{which}", refusal)
            if "int" in kind or kind == "of arange":  # then the plain number is no better
                assert refused(lambda: function(**{which: size}))[0]
            return
        assert np.isfinite(actual).all()
        if kind in SCALARS:
            np.testing.assert_array_equal(actual, plain(function(**{which: size})))


MASSES: dict[str, Any] = {
    "zero sum": [0.0] * 4,
    "negative": [0.5, -0.5, 0.5, 0.5],
    "NaN": [np.nan] * 4,
    "infinity": [np.inf, 0, 0, 0],
    "strings": ["a"] * 4,
    "short": [0.5, 0.5],
    "none inside": [0.25, 0.25, 0.25, None],
    "other total": [1.0] * 4,
    "text": "abcd",
    "number": 1.0,
}


@cases(250)
@given(st.sampled_from([*METHODS]), st.sampled_from(list(MASSES)), st.booleans(), seeds)
def test_masses_that_are_none_are_refused_by_name(transport: str, kind: str, rows: bool, seed: int) -> None:
    cost = numbers(seed)["cost"][0, :, :4]
    masses = {"a": None, "b": None, ("a" if rows else "b"): MASSES[kind]}
    with pytest.raises(ValueError, match=r"\ba\b" if rows else r"\bb\b"):
        solve(cost, masses["a"], masses["b"], transport)
