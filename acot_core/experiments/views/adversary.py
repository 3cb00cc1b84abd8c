"""The adversary at work: its training so far, and what its noise takes from a sequence (Sec. 3.3; App. B.2).

`training_view` is one curve of Fig. 5 in the making; `negatives_view` shows frames, noise and negatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from acot_core.experiments.record import Record
from acot_core.gan.adversary import Adversary
from acot_core.sequences import check_sequences


@dataclass(kw_only=True)
class TrainingView(Record):
    """An adversary's history (see `acot_core.Adversary.history_`), and the iterations it was to have."""

    tidy = "history"
    history: pd.DataFrame
    n_iter: int

    def last(self, column: str, split: str = "train") -> float:
        """The newest value of a column; NaN before the first."""
        values = self.history.loc[self.history["split"] == split, column]
        return float(values.iloc[-1]) if len(values) else float("nan")


def training_view(adversary: Adversary) -> TrainingView:
    """The history of an adversary, finished or not."""
    config = {
        k: v for k, v in adversary.get_params().items() if isinstance(v, int | float | str | type(None))
    }
    return TrainingView(history=adversary.history_, n_iter=adversary.n_iter, config=config)


@dataclass(kw_only=True)
class NegativesView(Record):
    """One sequence, the noise, and the negatives, as means over frames and draws.

    Attributes
    ----------
    frames, noise, negatives : arrays (d,)
        Mean frame, mean noise and mean negative.
    correct, fooled : float
        Share of frames that the frame classifier gives their class, and share of negatives for which that
        class has become the least likely (App. B.2).
    """

    frames: np.ndarray
    noise: np.ndarray
    negatives: np.ndarray
    correct: float
    fooled: float

    def to_frame(self) -> pd.DataFrame:
        """One row per feature."""
        return pd.DataFrame(
            {
                "feature": np.arange(len(self.frames)),
                "frame": self.frames,
                "noise": self.noise,
                "negative": self.negatives,
            }
        )


@torch.no_grad()
def negatives_view(
    adversary: Adversary, frames: Any, label: Any, n_negatives: int = 50, random_state: int | None = None
) -> NegativesView:
    """Sample negatives of one sequence (n, d) of class ``label`` and compare them with its frames.

    Raises
    ------
    ValueError
        Bad frames, or a label that the adversary was not trained with.
    """
    X = check_sequences([frames], name="frames")
    classes: Sequence[Any] = adversary.classes_.tolist()
    if label not in classes:
        raise ValueError(f"label: expected one of {classes}, got {label!r}")
    target = classes.index(label)
    noise = adversary.noise(X, n_negatives, random_state).frames[0].cpu()
    Y = adversary.sample(X, n_negatives, random_state).frames[0]
    classifier = adversary.classifier_
    return NegativesView(
        frames=X[0].mean(0).numpy(),
        noise=noise.mean(0).numpy(),
        negatives=Y.mean(0).cpu().numpy(),
        correct=float((classifier(X[0].to(Y)).argmax(1) == target).float().mean()),
        fooled=float((classifier(Y).argmin(1) == target).float().mean()),
        config={"n_negatives": n_negatives, "random_state": random_state, "label": label},
    )
