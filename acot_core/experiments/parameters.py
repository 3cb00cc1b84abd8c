"""The method's parameters: symbol, default, range, sweep and meaning of each, stated once.

The dashboard's sliders, the notebooks' sliders and the sweeps of `acot_core.experiments` all come from this
table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PARAMETERS", "Parameter"]


@dataclass(frozen=True)
class Parameter:
    """One number that a reader of the paper may want to move.

    ``scale`` says how a slider should move: "linear" in steps of ``step``, or through the values of
    ``choices`` ("discrete"; used where useful values span decades). ``swept`` are the values of Figure 2.
    """

    name: str
    symbol: str
    label: str
    default: float
    low: float
    high: float
    step: float
    help: str
    paper: str
    swept: tuple[float, ...]
    integer: bool = False
    scale: Literal["linear", "discrete"] = "linear"
    choices: tuple[float, ...] = ()


PARAMETERS: dict[str, Parameter] = {
    p.name: p
    for p in (
        Parameter(
            "sigma", "σ", "Noise scale σ", 0.01, 0.001, 0.5, 0.001,
            "Standard deviation of the latent z ~ N(pivot, σ²I) that the generator turns into noise.",
            "Sec. 3.2; Fig. 5", (0.005, 0.01, 0.02, 0.05, 0.1, 0.2), scale="discrete",
            choices=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
        ),
        Parameter(
            "n_subspaces", "k", "Subspace dimension k", 1, 1, 10, 1,
            "Number of orthonormal directions that represent a sequence.",
            "Sec. 3.1; Fig. 2(a)", (1, 2, 3, 4, 5, 6, 7, 8, 9, 10), integer=True,
        ),
        Parameter(
            "beta1", "β₁", "Distortion weight β₁", 1.0, 0.0, 2.0, 0.05,
            "How much it costs to lose part of the frames in the projection.", "Eq. (10); Fig. 2(b)",
            (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
        ),
        Parameter(
            "beta2", "β₂", "Order weight β₂", 10.0, 0.0, 300.0, 1.0,
            "How much it costs when the projected energy does not grow with time.",
            "Eq. (10); Fig. 2(d)", (0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
            scale="discrete",
            choices=(0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
        ),
        Parameter(
            "eta", "η", "Order margin η", 0.01, 0.0, 0.1, 0.005,
            "By how much the projected energy should grow from a frame to the next.", "Sec. 3.4",
            (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1),
        ),
        Parameter(
            "n_negatives", "m", "Number of negatives m", 50, 10, 200, 10,
            "How many negatives each sequence is contrasted with.", "Sec. 4.1; Fig. 2(c)",
            (20, 40, 60, 80, 100, 120, 140, 160, 180, 200), integer=True,
        ),
        Parameter(
            "lambda1", "λ₁", "Adversarial weight λ₁", 0.1, 0.0, 1.0, 0.05,
            "How much the generator is rewarded for removing what the frame classifier needs.", "Eq. (9)",
            (0.0, 0.03, 0.1, 0.3, 1.0),
        ),
        Parameter(
            "lambda2", "λ₂", "Noise penalty λ₂", 1.0, 0.0, 5.0, 0.25,
            "How much the generator pays for the squared norm of its noise.", "Eq. (9)", (0.1, 0.3, 1.0, 3.0),
        ),
    )
}  # fmt: skip
