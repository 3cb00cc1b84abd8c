"""Intervals of a mean over groups of sequences and over seeds, by a bootstrap of both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grouped_bootstrap(
    values: NDArray[np.float64],
    groups: NDArray,
    seeds: NDArray,
    *,
    n_draws: int = 4000,
    level: float = 0.95,
    n_comparisons: int = 1,
    seed: int = 0,
) -> dict[str, float]:
    """Mean of R values with an interval over the groups and seeds that they belong to.

    Groups and seeds are drawn with replacement, independently of each other (Owen & Eckles, 2012,
    "Bootstrapping data arrays of arbitrary order"): the interval says how far the mean may move with other
    sequences *and* another seed. Sequences of one group stay together.

    Parameters
    ----------
    values : array (R,)
        NaN is left out.
    groups, seeds : arrays (R,)
    n_draws : int
    level : float
        Of ``low`` and ``high``.
    n_comparisons : int
        For ``low_all`` and ``high_all``, which hold for so many intervals together (Bonferroni).
    seed : int
        Of the draws.

    Returns
    -------
    dict
        mean, low, high, low_all, high_all, n (values), n_groups, n_seeds.
    """
    present = ~np.isnan(values)
    names, of_group = np.unique(groups[present], return_inverse=True)
    runs, of_seed = np.unique(seeds[present], return_inverse=True)
    total, count = np.zeros((2, len(runs), len(names)))
    np.add.at(total, (of_seed, of_group), values[present])
    np.add.at(count, (of_seed, of_group), 1.0)
    rng = np.random.default_rng(seed)
    w_seed = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), n_draws).astype(float)
    w_group = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), n_draws).astype(float)
    sums, counts = (((w_seed @ table) * w_group).sum(1) for table in (total, count))
    means = sums[counts > 0] / counts[counts > 0]
    tail, tail_all = (1 - level) / 2, (1 - level) / 2 / n_comparisons
    low, high, low_all, high_all = np.quantile(means, (tail, 1 - tail, tail_all, 1 - tail_all))
    return {
        "mean": float(values[present].mean()), "low": float(low), "high": float(high),
        "low_all": float(low_all), "high_all": float(high_all), "n": int(present.sum()),
        "n_groups": len(names), "n_seeds": len(runs),
    }  # fmt: skip
