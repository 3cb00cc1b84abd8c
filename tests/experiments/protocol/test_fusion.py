"""Fusion of streams: kernels by hand, and choices on the folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.svm import SVC
from tiny_studies import LINEAR, two_streams

from acot_core.baselines import PCASubspace
from acot_core.experiments import Study
from acot_core.experiments._protocol.cells import fuse_cell, fusion_key
from acot_core.experiments._protocol.evaluation import evaluate_entries
from acot_core.experiments._protocol.fusion import _choose
from acot_core.experiments._protocol.parts import Source
from acot_core.experiments._protocol.study import Entry


@pytest.mark.parametrize("fusion", ["kernel", "mean"])
def test_fusing_two_streams_beats_each_alone(fusion: str) -> None:
    study = Study(Source.of(two_streams()), seeds=(0,), fusion=fusion, candidates=2)
    scores = {(s.method, s.stream): s for s in evaluate_entries(study, [Entry("average"), Entry("pca")])}
    for name in ("average", "pca"):
        assert max(scores[name, s].accuracy for s in "ab") < 0.8
        alone = max(scores[name, s].accuracy for s in "ab")
        assert scores[name, "fused"].accuracy > alone + 0.2
        assert ("weights" in scores[name, "fused"].classifier) == (fusion == "kernel")


def test_kernel_fusion_equals_a_computation_by_hand() -> None:
    """One stream's kernel alone is that stream; the outer weights are equal where nothing is chosen."""
    dataset = two_streams()
    kernel = {"kind": "kernel", "C": 10.0, "gamma": 1.0}
    candidates = [{"setting": {}, "classifier": c} for c in (LINEAR, kernel)]
    streams = [{"stream": s, "candidates": candidates} for s in "ab"]
    weights = ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5])
    options = [{"pick": [0, 0], "weights": w, "C": 10.0} for w in weights]
    options.append({"pick": [1, 0], "weights": [1.0, 0.0], "C": 10.0})
    accuracies = fuse_cell(
        source=Source.of(dataset), cache=None, dataset=None, name="average", seed=0, split=None, fold=None,
        n_folds=3, adversary={}, streams=streams, options=options,
    )["accuracy"]  # fmt: skip
    train, test = dataset.split()
    labels = dataset.labels
    for key, stream in zip(accuracies, "ab", strict=False):
        means = np.stack([s.mean(0).numpy() for s in dataset.streams[stream]]).astype(float)
        gram = means @ means.T
        gram /= np.diag(gram)[train].mean()
        svc = SVC(C=10.0, kernel="precomputed").fit(gram[np.ix_(train, train)], labels[train])
        assert accuracies[key] == svc.score(gram[np.ix_(test, train)], labels[test])
    means = np.stack([s.mean(0).numpy() for s in dataset.streams["a"]]).astype(float)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    gram = np.exp((means @ means.T) ** 2 - 1)  # Eq. (14) of the lines they span
    svc = SVC(C=10.0, kernel="precomputed").fit(gram[np.ix_(train, train)], labels[train])
    picked = accuracies["weights 1:0, C=10, candidates 1:0"]
    assert picked == svc.score(gram[np.ix_(test, train)], labels[test])
    study = Study(Source.of(dataset), seeds=(0,), classifier=LINEAR)
    *_, fused = evaluate_entries(study, [Entry("average")])
    assert fused.accuracy == accuracies["weights 0.5:0.5, C=10"]


def test_fusion_with_means_equals_a_computation_by_hand() -> None:
    dataset = two_streams()  # with labels that nobody can know, so that every kernel has its own errors
    dataset = replace(dataset, labels=np.random.default_rng(0).permutation(dataset.labels))
    kernel = {"kind": "kernel", "C": 10.0, "gamma": 20.0}
    setting = {"n_subspaces": 2}
    streams = [{"stream": s, "candidates": [{"setting": setting, "classifier": kernel}]} for s in "ab"]
    weights, C = [0.6, 0.4], 100.0
    shares = ([0.0, 0.0], [0.25, 0.5], [1.0, 1.0])
    options: list[dict] = [{"pick": [0, 0], "weights": weights, "C": C, "mean": m} for m in shares]
    options.append({"pick": [0, 0], "weights": weights, "C": C})
    fused = fuse_cell(
        source=Source.of(dataset), cache=None, dataset=None, name="pca", seed=0, split=None, fold=None,
        n_folds=3, adversary={}, streams=streams, options=options,
    )["accuracy"]  # fmt: skip
    train, test = dataset.split()
    accuracies = []
    for share in shares:
        total = np.zeros((len(dataset), len(dataset)))
        for stream, weight, a in zip("ab", weights, share, strict=True):
            X = dataset.streams[stream]
            U = PCASubspace(2).fit(X).transform(X).astype(float)
            mean = np.stack([s.mean(0).numpy() for s in X]).astype(float)
            mean /= np.linalg.norm(mean, axis=1, keepdims=True)
            inner = np.einsum("idk,jdl->ijkl", U, U)
            of_U = np.exp(20.0 * (np.square(inner).sum((2, 3)) - 2))
            of_mean = np.exp(20.0 * ((mean @ mean.T) ** 2 - 1))
            total += weight * ((1 - a) * of_U + a * of_mean)
        svc = SVC(C=C, kernel="precomputed", random_state=0).fit(
            total[np.ix_(train, train)], dataset.labels[train]
        )
        accuracies.append(svc.score(total[np.ix_(test, train)], dataset.labels[test]))
    assert [fused[fusion_key(option)] for option in options] == [*accuracies, accuracies[0]]
    assert len(set(accuracies)) > 1


def test_the_share_of_mean_frames_is_chosen_on_the_folds() -> None:
    study = Study(Source.of(two_streams()), seeds=(0,), classifiers=("kernel",))
    entries = [Entry("pca"), Entry("average")]
    without = {s.method: s for s in evaluate_entries(study, entries) if s.stream == "fused"}
    shared = {
        s.method: s for s in evaluate_entries(replace(study, with_mean=True), entries) if s.stream == "fused"
    }
    assert "shares of the mean" in shared["pca"].classifier
    assert shared["pca"].cv_accuracy >= without["pca"].cv_accuracy  # none is one of the shares
    assert shared["average"] == without["average"]  # it is a mean already
    with pytest.raises(ValueError, match="with_mean"):
        replace(study, with_mean=True, fusion="mean")


def test_more_candidates_are_no_worse_on_the_folds() -> None:
    study = Study(Source.of(two_streams()), seeds=(0,), classifiers=("linear",))
    few, many = (
        evaluate_entries(replace(study, candidates=n), [Entry("grp", {"n_subspaces": 1}, tune=True)])[-1]
        for n in (1, 3)
    )
    assert few.stream == many.stream == "fused"
    assert many.cv_accuracy >= few.cv_accuracy


def test_fusion_chooses_the_option_best_on_the_folds():
    options = [{"pick": [0, 0], "weights": [w, 1 - w], "C": C} for w in (0.3, 0.7) for C in (1.0, 10.0)]
    folds = [
        {fusion_key(o): a for o, a in zip(options, row, strict=True)} for row in ((1, 2, 6, 4), (3, 5, 4, 4))
    ]
    assert _choose(folds, options) == (options[2], 5.0)


def test_fusion_evaluates_the_candidates_of_each_option():
    candidates = [
        {"setting": {}, "classifier": {"kind": "linear", "C": 1.0}},
        {"setting": {}, "classifier": {"kind": "kernel", "gamma": 30.0, "C": 1.0}},
    ]

    def accuracies(of_stream):
        options = [{"pick": [i], "weights": [1.0], "C": 10.0} for i in range(2)]
        cell = fuse_cell(
            source=Source("planted"), cache=None, dataset="planted", name="average", seed=0, split=None,
            fold=None, n_folds=3, adversary={}, options=options,
            streams=[{"stream": "features", "candidates": of_stream}],
        )  # fmt: skip
        return [cell["accuracy"][fusion_key(option)] for option in options]

    values = accuracies(candidates)
    assert values[0] != values[1]
    assert accuracies(candidates[::-1]) == values[::-1]
