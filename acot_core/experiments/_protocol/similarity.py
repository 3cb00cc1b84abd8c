"""Comparison of representations without a classifier: similarities, rankings, clusters.

The natural similarity of vectors is the cosine, of subspaces ||U_1'U_2||_F^2 / k: what Eq. (14) is made from,
between 0 and 1.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from acot_core.experiments._protocol.classifiers import as_lines
from acot_core.riemannian.grassmann import projection_kernel

PER_QUERY = ("nearest", "average_precision", "precision_at_10")
"""What `rank_queries` measures of each query."""


def similarity(queries: NDArray, gallery: NDArray) -> NDArray[np.float64]:
    """Natural similarity of M queries with N gallery items: (M, N).

    Parameters
    ----------
    queries, gallery : arrays (M, d) and (N, d), or (M, d, k) and (N, d, k)
        Vectors or orthonormal bases.

    Examples
    --------
    >>> similarity(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0]])).tolist()
    [[1.0, -1.0, 0.0]]
    """
    if queries.ndim == 2:
        a, b = as_lines(queries)[:, :, 0], as_lines(gallery)[:, :, 0]
        return (a @ b.T).astype(np.float64)
    kernel = projection_kernel(torch.from_numpy(queries), torch.from_numpy(gallery))
    return kernel.double().numpy() / queries.shape[2]


def rank_queries(
    similarities: NDArray, query_labels: NDArray, gallery_labels: NDArray
) -> dict[str, NDArray[np.float64]]:
    """Rank the gallery for each query and measure how early its class comes.

    Parameters
    ----------
    similarities : array (M, N)
    query_labels, gallery_labels : arrays (M,) and (N,)

    Returns
    -------
    dict of arrays (M,)
        ``nearest``: whether the most similar item is of the query's class (1-NN); ``average_precision``: mean
        precision at the ranks of the items of its class, NaN where the gallery has none; ``precision_at_10``:
        share of its class among the ten most similar.
    """
    order = np.argsort(-similarities, axis=1, kind="stable")
    relevant = gallery_labels[order] == query_labels[:, None]
    precision = relevant.cumsum(1) / np.arange(1, relevant.shape[1] + 1)
    n_relevant = relevant.sum(1)
    average = (precision * relevant).sum(1) / np.where(n_relevant > 0, n_relevant, np.nan)
    return {
        "nearest": relevant[:, 0].astype(float),
        "average_precision": average,
        "precision_at_10": relevant[:, :10].mean(1),
    }


def cluster_quality(similarities: NDArray, labels: NDArray, seed: int = 0) -> dict[str, float]:
    """Silhouette of the classes, and purity of k-means with as many clusters as classes.

    The silhouette is nan where there is one class, or each item is a class of its own.

    Parameters
    ----------
    similarities : array (M, M)
        Of the items with themselves. k-means runs on points with these inner products, as far as there are
        any (negative eigenvalues, which DTW has, are cut).
    labels : array (M,)
    seed : int
        Of k-means.
    """
    symmetric = (similarities + similarities.T) / 2
    diagonal = np.diag(symmetric)
    squares = np.maximum(diagonal[:, None] + diagonal - 2 * symmetric, 0)
    np.fill_diagonal(squares, 0)
    classes, codes = np.unique(labels, return_inverse=True)
    centred = symmetric - symmetric.mean(0) - symmetric.mean(1)[:, None] + symmetric.mean()
    values, vectors = np.linalg.eigh(centred)
    points = vectors * np.sqrt(np.maximum(values, 0))
    clusters = KMeans(len(classes), n_init=5, random_state=seed).fit_predict(points)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (clusters, codes), 1)
    silhouette = np.nan
    if 1 < len(classes) < len(labels):
        silhouette = silhouette_score(np.sqrt(squares), labels, metric="precomputed")
    return {
        "silhouette": float(silhouette),
        "purity": float(counts.max(1).sum() / len(labels)),
    }
