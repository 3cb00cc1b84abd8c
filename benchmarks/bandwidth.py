"""Which bandwidth the kernel of Eq. (14) should have by default: ``python benchmarks/bandwidth.py``.

Accuracy of the SVM (C = 10) in four folds of the training sequences of each first split, at most 600,
for subspaces by PCA, GRP and ACOT with random negatives.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC

from acot_core import ACOTPooling
from acot_core.baselines import GRP, PCASubspace
from acot_core.datasets import load
from acot_core.riemannian.grassmann import projection_kernel

for name in ("jhmdb-pose", "basic-motions", "japanese-vowels", "planted"):
    data = load(name)
    train = np.flatnonzero(next(iter(data.splits.values())))[:600]
    sequences, labels = next(iter(data.streams.values())), np.asarray(data.labels)[train]
    for k in (1, 2, 4, 10):
        for pooling in (PCASubspace(k), GRP(k), ACOTPooling(k, negatives="random", random_state=0)):
            U = torch.from_numpy(pooling.fit_transform([sequences[i] for i in train])).double()
            overlap = projection_kernel(U, U).numpy()
            apart = k - overlap
            median = float(np.median(apart[np.triu_indices(len(apart), 1)]))
            kernels = {
                "1": np.exp(-apart),
                "1/k": np.exp(-apart / k),
                "1/median": np.exp(-apart / median),
                "linear": overlap / k,
            }
            folds = StratifiedKFold(4, shuffle=True, random_state=0)
            accuracy = {
                kind: round(
                    100 * cross_val_score(SVC(C=10, kernel="precomputed"), K, labels, cv=folds).mean(), 1
                )
                for kind, K in kernels.items()
            }
            print(name, len(train), f"k = {k}", type(pooling).__name__, accuracy, flush=True)
