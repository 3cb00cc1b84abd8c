"""Two-sample tests: how close negatives are to the data (Sec. 3.2: "as the noise is closer to the data").

Four measures of two samples of rows: a kernel classifier's and the nearest neighbour's two-sample test, the
energy distance, and the plain distance to the nearest row. Each sees what others miss: read all four.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC
from torch import Tensor

from acot_core._utils.checks import takes_reals

__all__ = ["classifier_test", "energy_distance", "nearest_distance", "nearest_neighbour_test"]


@takes_reals("first", "second", finite=True)
def classifier_test(first: Tensor, second: Tensor) -> float:
    """Accuracy with which a kernel SVM tells unseen rows of two samples (n, d), (n', d) apart.

    The classifier two-sample test (Lopez-Paz & Oquab, ICLR 2017) with three folds; the Gaussian kernel's
    width is the median distance of all rows. About 0.5 for samples of one distribution, 1 for samples apart.

    Raises
    ------
    ValueError
        A sample has fewer than three rows, or they differ in d.
    """
    _check_samples(first, second, 3)
    rows = torch.cat([first, second]).detach().double()
    squares = torch.cdist(rows, rows).square()
    median = squares[squares > 0].median() if (squares > 0).any() else squares.new_ones(())
    kernel = torch.exp(-squares / median).cpu().numpy()
    is_first = (np.arange(len(rows)) < len(first)).astype(int)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    classifier = SVC(kernel="precomputed", C=10.0, class_weight="balanced", random_state=0)
    return float(cross_val_score(classifier, kernel, is_first, cv=folds, scoring="balanced_accuracy").mean())


@takes_reals("first", "second", finite=True)
def nearest_neighbour_test(first: Tensor, second: Tensor) -> float:
    """Nearest-neighbour two-sample test: leave-one-out 1-NN accuracy between samples (n, d), (n', d).

    A two-sample test (Lopez-Paz & Oquab, ICLR 2017) that looks at each sample's accuracy on its own, as Xu et
    al. (arXiv:1806.07755) ask, and averages how far they are from 1/2: 0.5 for samples of one distribution,
    1 for samples apart. The plain average would call alike what is not: where the second sample is strewn
    around the first, every row's neighbour is in the first, which makes one accuracy 1 and the other 0.

    Raises
    ------
    ValueError
        A sample has fewer than two rows, or they differ in d.
    """
    _check_samples(first, second, 2)
    rows = torch.cat([first, second]).double()
    distance = torch.cdist(rows, rows).fill_diagonal_(float("inf"))
    is_first = torch.arange(len(rows), device=rows.device) < len(first)
    right = (is_first[distance.argmin(1)] == is_first).double()
    sides = torch.stack([right[: len(first)].mean(), right[len(first) :].mean()])
    return float(0.5 + (sides - 0.5).abs().mean())


@takes_reals("first", "second", finite=True)
def nearest_distance(first: Tensor, second: Tensor) -> float:
    """Mean distance of the rows of ``second`` (n', d) to the nearest row of ``first`` (n, d)."""
    _check_samples(first, second, 1)
    return float(torch.cdist(second.double(), first.double()).amin(1).mean())


@takes_reals("first", "second", finite=True)
def energy_distance(first: Tensor, second: Tensor) -> float:
    """Energy distance 2 E|a - b| - E|a - a'| - E|b - b'| (Székely & Rizzo) of (n, d), (n', d), without bias.

    0 for one distribution (a little below at times, by chance), above for two.

    Raises
    ------
    ValueError
        A sample has fewer than two rows, or they differ in d.
    """
    _check_samples(first, second, 2)
    a, b = first.double(), second.double()
    within = (torch.pdist(a).mean() + torch.pdist(b).mean()) / 2
    return float(2 * (torch.cdist(a, b).mean() - within))


def _check_samples(first: Tensor, second: Tensor, least: int) -> None:
    if min(len(first), len(second)) < least or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"first, second: expected two samples of at least {least} rows and one d, got shapes "
            f"{tuple(first.shape)} and {tuple(second.shape)}"
        )
