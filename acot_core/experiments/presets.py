"""Named settings: the paper's, and those of the authors' public code as far as this package has them."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {
        "adversary": {},
        "fixed": {"n_subspaces": 1, "beta1": 1.0, "beta2": 10.0, "eta": 0.01, "n_negatives": "2n"},
        "classifier": {"kind": "kernel", "C": 100.0, "gamma": 0.1},
    },
    "advconot": {
        "adversary": {"pivot": "frame"},
        "fixed": {
            "n_subspaces": 1, "beta1": 1.0, "beta2": 1.0, "eta": 0.01, "n_negatives": "1n",
            "transport": "sinkhorn",
        },
        "classifier": {"kind": "linear", "C": 10.0},
    },
}  # fmt: skip
"""Keywords for an experiment: ``ablation("planted", **PRESETS["advconot"])``.

"paper" is Sec. 4. "advconot" is nearer to the authors' code (github.com/merlresearch/AdvConOT, 9ddc04e):
noise conditioned on the frame, not on the mean of the sequence; an entropic plan; a vector in R^d, the mean
of projected frames, for a linear classifier. What that code does and this package does not: the order term is
a squared hinge with slack variables, which have a penalty of their own; the plan is made hard (each row keeps
its largest entry); the frame classifier goes on training along with the critic; projected frames are scaled
to unit norm before they are averaged; random negatives are uniform, not normal; at most 30 frames are used.
"""
