"""Classifiers on precomputed kernels: Eq. (14), its bandwidth, and one protocol for every view."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_studies import FAST, tiny

from acot_core.classify import GrassmannSVC
from acot_core.experiments import classification, sensitivity
from acot_core.experiments._protocol.classifiers import (
    DEFAULT,
    check_classifier,
    classifier_key,
    classify,
    kernels,
    products,
)
from acot_core.experiments._protocol.parts import Source, load_part, share_adversary
from acot_core.riemannian.grassmann import random_point


def subspaces(n: int, d: int, k: int, seed: int = 0) -> np.ndarray:
    return random_point(n, d, k, torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()


def test_kernel_is_grassmann_svcs() -> None:
    U, V = subspaces(20, 8, 2), subspaces(9, 8, 2, 1)
    labels = np.arange(20) % 3
    decision = classify({"kind": "kernel", "C": 10.0, "gamma": 0.7}, U, V, labels)
    np.testing.assert_allclose(
        decision, GrassmannSVC(gamma=0.7, C=10.0).fit(U, labels).decision_function(V), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("k", [1, 4, 8])
def test_a_relative_bandwidth_does_not_collapse_with_k(k: int) -> None:
    """At gamma = 1 the kernel of eight dimensions is the identity; relative to the median it never is."""
    U = subspaces(30, 32, k)
    apart = ~np.eye(30, dtype=bool)
    (relative, _), (fixed, _) = (
        kernels(c, *products("kernel", U, U)) for c in (DEFAULT, {"kind": "kernel", "C": 1.0, "gamma": 1.0})
    )
    assert np.median(relative[apart]) == pytest.approx(np.exp(-1), rel=1e-6)
    if k == 8:
        assert fixed[apart].max() < 0.01


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "deep", "C": 1.0},
        {"kind": "linear"},
        {"kind": "kernel", "C": 1.0},
        {"kind": "kernel", "C": 1.0, "gamma": -1.0},
        {"kind": "linear", "C": 1.0, "gamma": 1.0},
    ],
)
def test_bad_settings_are_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match="classifier"):
        check_classifier(bad)


def test_settings_have_names() -> None:
    assert classifier_key(DEFAULT) == "kernel C=10 gamma=1 / median"
    assert classifier_key({"kind": "projection", "C": 0.1}) == "projection C=0.1"


@pytest.mark.parametrize(
    "classifier", [None, {"kind": "projection", "C": 3.0}, {"kind": "linear", "C": 10.0}]
)
def test_classification_and_sensitivity_agree_on_the_same_settings(classifier: dict | None) -> None:
    """The explorer said 18 % in one step and 69 % in another for the same settings."""
    dataset = tiny()
    part = load_part(Source.of(dataset), 0, None, None, 3, None)
    adversary = share_adversary(part, "features", 0, FAST, None)
    once = classification(
        dataset, "features", adversary=adversary, beside=("average",), n_subspaces=4, beta2=3.0,
        n_negatives=20, transport="emd", classifier=classifier, random_state=0,
    )  # fmt: skip
    given = {} if classifier is None else {"classifier": classifier}
    curve = sensitivity(
        dataset, "beta2", values=(3.0,), fixed={"n_subspaces": 4, "beta1": 1.0, "n_negatives": 20}, seeds=1,
        adversary=FAST, **given,
    )  # fmt: skip
    ours, theirs = (t.set_index("method")["accuracy"] for t in (once.accuracies, curve.scores))
    assert ours["acot"] == theirs["acot"]
    assert ours["average"] == theirs["average"]


def test_figure2_keeps_what_the_paper_keeps() -> None:
    """Panels (a) and (d) are at beta1 = 0.1 (Sec. 4.1)."""
    common = {"values": (1,), "seeds": 1, "adversary": FAST}
    assert sensitivity(tiny(), "n_subspaces", **common).config["fixed"]["beta1"] == 0.1
    fixed = sensitivity(tiny(), "beta2", **common).config["fixed"]
    assert fixed == {"n_subspaces": 1, "n_negatives": 50, "beta1": 0.1}
    assert "beta1" not in sensitivity(tiny(), "n_negatives", **common).config["fixed"]
