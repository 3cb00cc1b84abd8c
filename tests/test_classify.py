"""Grassmann SVM and fusion of streams."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from acot_core import GrassmannSVC, StreamFusion, zip_streams
from acot_core.baselines import AveragePooling
from acot_core.classify import grassmann_kernel

RNG = np.random.default_rng(0)


def subspaces(n: int, d: int = 8, k: int = 2) -> np.ndarray:
    return np.linalg.qr(RNG.standard_normal((n, d, k)))[0]


def clusters(n_classes: int = 3, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    centres = subspaces(n_classes)
    labels = np.arange(n_classes * n) % n_classes
    return np.linalg.qr(centres[labels] + 0.2 * RNG.standard_normal((len(labels), 8, 2)))[0], labels


def test_kernel_is_equation_14_up_to_its_constant_factor():
    U, V = subspaces(4), subspaces(3)
    naive = [[np.exp(0.7 * np.linalg.norm(u.T @ v, "fro") ** 2) for v in V] for u in U]
    np.testing.assert_allclose(grassmann_kernel(U, V, 0.7), np.array(naive) * np.exp(-0.7 * 2), rtol=1e-5)
    assert np.isfinite(grassmann_kernel(U, U, 1e4)).all()


def test_svc_learns_and_ignores_the_choice_of_basis():
    X, y = clusters()
    svc = GrassmannSVC().fit(X[::2], y[::2])
    assert svc.score(X[1::2], y[1::2]) > 0.9
    angle = 1.1
    Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(svc.decision_function(X @ Q), svc.decision_function(X), atol=1e-4)


def test_string_labels_and_two_classes():
    X, y = clusters(2)
    names = np.array(["run", "walk"])[y]
    svc = clone(GrassmannSVC(C=1.0)).fit(X, names)
    assert set(svc.predict(X)) <= {"run", "walk"}
    assert svc.decision_function(X).shape == (len(X),)
    GridSearchCV(GrassmannSVC(), {"gamma": [0.1, 1.0]}, cv=2, error_score="raise").fit(X, names)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((3, 8)), [0, 1, 0], r"expected orthonormal bases \(N, d, k\)"),
        (np.ones((3, 8, 2)), [0, 1, 0], r"X\[0\]: expected orthonormal columns"),
        (np.full((3, 8, 2), np.nan), [0, 1, 0], r"X\[0\]"),
        (subspaces(3), [0, 1], r"labels: expected shape \(3,\)"),
    ],
)
def test_bad_input_is_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        GrassmannSVC().fit(X, y)
    with pytest.raises(ValueError, match="as in fit"):
        GrassmannSVC().fit(*clusters()).predict(subspaces(2, d=9))
    with pytest.raises(ValueError, match="gamma"):
        GrassmannSVC(gamma=0).fit(*clusters())


def two_streams() -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Four classes; each stream tells two pairs apart and confuses the rest."""
    y = np.arange(60) % 4
    streams = {
        name: [np.abs(RNG.normal(0, 0.1, (5, 4)) + 3 * np.eye(4)[bit]) for bit in bits]
        for name, bits in {"rgb": y // 2, "flow": y % 2}.items()
    }
    return zip_streams(streams), y


def test_fusion_knows_what_no_stream_knows():
    clips, y = two_streams()
    pipeline = make_pipeline(AveragePooling(), LinearSVC(C=10))
    fusion = StreamFusion({"rgb": pipeline, "flow": pipeline}).fit(clips[:30], y[:30])
    one = StreamFusion({"rgb": pipeline}).fit(clips[:30], y[:30])
    assert one.score(clips[30:], y[30:]) < 0.7
    assert fusion.score(clips[30:], y[30:]) > 0.95
    only_rgb = StreamFusion({"rgb": pipeline, "flow": pipeline}, weights={"rgb": 1.0, "flow": 0.0})
    only_rgb.fit(clips[:30], y[:30])
    np.testing.assert_allclose(only_rgb.decision_function(clips), one.decision_function(clips))
    clone(fusion)


def test_fusion_names_what_is_wrong():
    clips, y = two_streams()
    pipeline = make_pipeline(AveragePooling(), LinearSVC())
    with pytest.raises(ValueError, match=r"X\[0\]: expected a dict of streams with 'audio'"):
        StreamFusion({"audio": pipeline}).fit(clips, y)
    with pytest.raises(ValueError, match="at least one stream"):
        StreamFusion({}).fit(clips, y)
    with pytest.raises(ValueError, match="weights"):
        StreamFusion({"rgb": pipeline}, weights={"flow": 1.0}).fit(clips, y)
    with pytest.raises(ValueError, match="same number"):
        zip_streams({"a": [1], "b": [1, 2]})
