"""Similarities, rankings, clusters and intervals, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from acot_core.experiments._protocol.intervals import grouped_bootstrap
from acot_core.experiments._protocol.similarity import cluster_quality, rank_queries, similarity


def test_similarity_of_subspaces_is_the_mean_squared_cosine_of_principal_angles() -> None:
    angle = 0.3
    U = np.array([[[1.0, 0], [0, 1], [0, 0]]])
    V = np.array([[[1.0, 0], [0, np.cos(angle)], [0, np.sin(angle)]]])
    assert similarity(U, V)[0, 0] == pytest.approx((1 + np.cos(angle) ** 2) / 2)
    turned = U @ np.array([[0.0, -1], [1, 0]])
    assert similarity(turned, V)[0, 0] == pytest.approx(similarity(U, V)[0, 0])


def test_average_precision_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    scores, queries, gallery = rng.normal(size=(7, 40)), rng.integers(3, size=7), rng.integers(3, size=40)
    ranked = rank_queries(scores, queries, gallery)
    expected = [average_precision_score(gallery == q, s) for q, s in zip(queries, scores, strict=True)]
    np.testing.assert_allclose(ranked["average_precision"], expected)
    nearest = gallery[scores.argmax(1)] == queries
    np.testing.assert_array_equal(ranked["nearest"], nearest)
    first = np.argsort(-scores, axis=1)[:, :10]
    np.testing.assert_allclose(ranked["precision_at_10"], (gallery[first] == queries[:, None]).mean(1))


def test_a_query_without_a_partner_has_no_average_precision() -> None:
    ranked = rank_queries(np.array([[1.0, 0.5]]), np.array([2]), np.array([0, 1]))
    assert np.isnan(ranked["average_precision"]).all()
    assert ranked["nearest"].tolist() == [0.0]


def test_separate_classes_are_pure_and_have_a_high_silhouette() -> None:
    labels = np.repeat([0, 1, 2], 5)
    points = np.eye(3)[labels] + 0.01 * np.random.default_rng(0).normal(size=(15, 3))
    quality = cluster_quality(points @ points.T, labels)
    assert quality["purity"] == 1.0
    assert quality["silhouette"] > 0.9
    shuffled = cluster_quality(points @ points.T, np.random.default_rng(0).permutation(labels))
    assert shuffled["silhouette"] < 0.2


def test_intervals_are_wider_where_sequences_of_a_group_agree() -> None:
    """300 values that are 30 groups of ten equal ones tell as much as 30 values."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=30), 10)
    groups, alone, seeds = np.repeat(np.arange(30), 10), np.arange(300), np.zeros(300, int)
    grouped, ungrouped = (grouped_bootstrap(values, g, seeds) for g in (groups, alone))
    assert grouped["mean"] == ungrouped["mean"] == pytest.approx(values.mean())
    width = [i["high"] - i["low"] for i in (grouped, ungrouped)]
    assert width[0] > 2.5 * width[1]
    error = values[::10].std(ddof=1) / np.sqrt(30)
    assert width[0] == pytest.approx(2 * 1.96 * error, rel=0.1)
    together = grouped_bootstrap(values, groups, seeds, n_comparisons=20)
    assert together["high_all"] - together["low_all"] > width[0]


def test_seeds_are_drawn_along() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 50)
    seeds, groups = np.repeat(np.arange(4), 50), np.tile(np.arange(50), 4)
    interval = grouped_bootstrap(values, groups, seeds)
    assert interval["high"] - interval["low"] > 1.0
    assert interval["n_seeds"] == 4


@pytest.mark.parametrize("labels", [np.arange(6), np.zeros(6)])
def test_the_silhouette_of_one_class_or_of_single_items_is_not_a_number(labels: np.ndarray) -> None:
    points = np.random.default_rng(0).normal(size=(6, 3))
    quality = cluster_quality(points @ points.T, labels)
    assert np.isnan(quality["silhouette"])
    assert quality["purity"] == 1
