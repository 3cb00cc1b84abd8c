"""The classifiers of Sec. 3.6 on precomputed inner products, and the settings that are tried of each.

"linear" is a linear SVM on a vector, for a subspace the mean of UU'X. "projection" is an SVM on the linear
projection kernel ||U_1'U_2||_F^2. "kernel" is that of Eq. (14), exp(γ ||U_1'U_2||_F^2). A vector stands for
the line that it spans in the latter two.

Subspaces of dimension k differ by k - ||U_1'U_2||_F^2, which grows with k: for a fixed γ Eq. (14) is nearly
the identity from k = 4 on, and nothing is learned. So ``"relative": True`` divides γ by the median of that
difference over the training pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC

from acot_core.riemannian.grassmann import projection_kernel

KINDS = ("linear", "projection", "kernel")

_PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_BANDWIDTHS = (0.1, 0.3, 1.0, 3.0, 10.0)

CLASSIFIERS: dict[str, list[dict[str, Any]]] = {
    "linear": [{"kind": "linear", "C": C} for C in _PENALTIES],
    "projection": [{"kind": "projection", "C": C} for C in _PENALTIES],
    "kernel": [
        {"kind": "kernel", "C": C, "gamma": g, "relative": True}
        for g in _BANDWIDTHS
        for C in (1.0, 10.0, 100.0)
    ],
    "signals": [{"kind": "signals"}],
}
"""The settings that are tried, the same for every method; "signals" is a classifier of raw signals."""

DEFAULT: dict[str, Any] = {"kind": "kernel", "C": 10.0, "gamma": 1.0, "relative": True}
"""Where one setting is used and none is named: Eq. (14), γ by the median."""

LINEAR: dict[str, Any] = {"kind": "linear", "C": 10.0}
"""What vectors get where subspaces get one setting of a kernel."""


def check_classifier(classifier: Mapping[str, Any]) -> None:
    """Refuse a setting of an unknown kind, or with a parameter that is missing or out of its range."""
    kind = classifier.get("kind")
    expected = {"C"} | ({"gamma"} if kind == "kernel" else set())
    if kind not in KINDS or not expected <= set(classifier) <= expected | {"kind", "relative"}:
        raise ValueError(
            f"classifier: expected kind in {KINDS} with C (and gamma for 'kernel'), got {dict(classifier)!r}"
        )
    for name in expected:
        if not 0 < classifier[name] < float("inf"):
            raise ValueError(f"classifier: {name}: expected a positive number, got {classifier[name]!r}")


def classifier_key(classifier: Mapping[str, Any]) -> str:
    """A setting in words: "kernel C=10 gamma=1 / median"."""
    plain = {k: v for k, v in classifier.items() if k not in ("kind", "relative")}
    return (
        classifier["kind"]
        + "".join(f" {k}={v:g}" for k, v in plain.items())
        + (" / median" if classifier.get("relative") else "")
    )


def classify(
    classifier: Mapping[str, Any],
    fitted: NDArray,
    held: NDArray,
    labels: NDArray,
    means: tuple[NDArray, NDArray] | None = None,
) -> NDArray[np.float64]:
    """Decision values (M, c) for M held-out representations of an SVM fitted on N.

    Parameters
    ----------
    classifier : mapping
        One setting.
    fitted, held : arrays (N, d) and (M, d), or (N, d, k) and (M, d, k)
        Vectors or subspaces.
    labels : array (N,)
    means : pair of arrays (N, d) and (M, d), optional
        The sequences' mean frames, which the kind "linear" needs for subspaces.
    """
    inner = products(classifier["kind"], fitted, held, means)
    return decide(classifier["C"], *kernels(classifier, *inner), labels)


def products(
    kind: str, fitted: NDArray, held: NDArray, means: tuple[NDArray, NDArray] | None = None
) -> tuple[NDArray, NDArray]:
    """Inner products of N fitted representations with themselves (N, N), and of M others with them (M, N).

    For "kernel" that is ||U_1'U_2||_F^2 - k: at most zero, so that Eq. (14) cannot overflow.
    """
    if kind == "linear":
        if fitted.ndim == 3:
            # The mean of UU'X (Sec. 3.6): the representation in R^d for a linear classifier.
            assert means is not None
            fitted, held = (
                np.einsum("ndk,nek,ne->nd", U, U, mean, optimize=True)
                for U, mean in zip((fitted, held), means, strict=True)
            )
        return fitted @ fitted.T, held @ fitted.T
    train, test = (torch.from_numpy(as_lines(R)) for R in (fitted, held))
    shift = train.shape[2] if kind == "kernel" else 0
    return projection_kernel(train, train).numpy() - shift, projection_kernel(test, train).numpy() - shift


def as_lines(representations: NDArray) -> NDArray:
    """Subspaces as they are; vectors (N, d) as the lines that they span, (N, d, 1)."""
    if representations.ndim == 3:
        return representations
    norms = np.linalg.norm(representations, axis=1, keepdims=True)
    return (representations / np.maximum(norms, 1e-12))[:, :, None]


def kernels(classifier: Mapping[str, Any], inside: NDArray, across: NDArray) -> tuple[NDArray, NDArray]:
    """The classifier's kernel from `products`: themselves, or Eq. (14)."""
    inside, across = inside.astype(np.float64), across.astype(np.float64)
    if classifier["kind"] != "kernel":
        return inside, across
    gamma = classifier["gamma"]
    if classifier.get("relative"):
        off_diagonal = -inside[~np.eye(len(inside), dtype=bool)]
        gamma /= max(float(np.median(off_diagonal)), 1e-12)
    return np.exp(gamma * inside), np.exp(gamma * across)


def decide(C: float, inside: NDArray, across: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Decision values (M, c) of an SVM on kernels (N, N) and (M, N)."""
    values = SVC(C=C, kernel="precomputed", random_state=0).fit(inside, labels).decision_function(across)
    return values if values.ndim == 2 else np.stack([-values, values], 1)
