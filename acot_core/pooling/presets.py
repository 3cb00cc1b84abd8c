"""Settings of the paper and of its authors' code, by name, with what they leave different.

`paper` is Sec. 4 and App. B of Cherian & Aeron (ICML 2020). `advconot` is what their released AdvConOT
(https://github.com/merlresearch/AdvConOT, for HMDB-51), does by the command in its README, as far as
parameters of ours say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acot_core.gan.adversary import Adversary
from acot_core.pooling.acot import ACOTPooling


@dataclass(frozen=True)
class Preset:
    """Parameters of `acot_core.Adversary` and `acot_core.ACOTPooling`.

    Attributes
    ----------
    adversary, pooling : mapping
        Parameters; all others stay at their defaults.
    differences : tuple of str
        What the source does otherwise, and no parameter here changes.
    """

    adversary: Mapping[str, Any]
    pooling: Mapping[str, Any]
    differences: tuple[str, ...]


PRESETS: dict[str, Preset] = {
    "paper": Preset(
        {"classifier_learning_rate": 1e-4},
        {"n_negatives": "2n", "transport": "ipot"},
        (
            "App. B.2 writes x + x̂ for a negative; Eq. (9) and Sec. 3.3 subtract, and so do we.",
            "Eq. (13) prints Yπ' for the images of the frames, which is n times too small; ours agrees with "
            "Eqs. (4) and (10).",
            "The paper's features have a standard deviation of 0.008, so that its σ = 0.01 is 1.2 of them: "
            "Adversary(sigma=1.2, sigma_unit='std') says the same of other features.",
            "The paper does not say how many alternations it makes; here it is one.",
        ),
    ),
    "advconot": Preset(
        {"pivot": "frame", "target": "label", "lambda1": 1.0, "lambda2": 10.0, "batch_size": 256,
         "classifier_learning_rate": 1e-4},
        {"beta1": 1.0, "beta2": 1.0, "n_negatives": "40n", "transport": "emd", "output": "projection"},
        (
            "The frame classifier goes on training within the critic's steps; here it is frozen.",
            "100 critic steps at the first 25 and at every 500th generator step; here n_critic always.",
            "The critic's weights are clipped before its step; here after it.",
            "The generator's negatives are not normalised while it trains, those of critic and sampling are;"
            " here all are.",
            "Classifier by Adam for 10 epochs, WGAN for 10,000; here RMSprop, classifier_iter and n_iter.",
            "The plan is entropic (0.0001 of the largest cost) and then hardened, each negative to its best"
            " frame, which is no coupling; here the exact plan, the limit of no entropy.",
            "The order's hinge is squared, and has slack variables with a penalty of 100; here Eq. (10)'s.",
            "For k > 1 the descriptor is the mean of the normalised UU'x; here of UU'x.",
            "Sequences are cut to 100 frames, evenly spaced, and the last frame is dropped if there are more"
            " than 10; one frame alone is its own descriptor. Here every frame counts.",
            "Random negatives use uniform noise; here normal noise, as in Sec. 4.1.",
            "RGB and flow descriptors are concatenated for a linear SVM with C = 1; here StreamFusion.",
        ),
    ),
}  # fmt: skip


def preset(name: str, *, device: str = "auto", random_state: Any = None, **changes: Any) -> ACOTPooling:
    """An unfitted `ACOTPooling`, its `Adversary` in it, with the settings of a preset.

    Parameters
    ----------
    name : {"paper", "advconot"}
    device, random_state :
        Of both.
    **changes
        Parameters of the pooling, in place of the preset's, or of its adversary: ``adversary__n_iter=200``.

    Raises
    ------
    ValueError
        An unknown name or parameter.

    Examples
    --------
    >>> pooling = preset("advconot", random_state=0, adversary__n_iter=200)
    >>> pooling.adversary.pivot, pooling.adversary.n_iter, pooling.n_negatives
    ('frame', 200, '40n')
    """
    if name not in PRESETS:
        raise ValueError(f"name: expected one of {sorted(PRESETS)}, got {name!r}")
    chosen, shared = PRESETS[name], {"device": device, "random_state": random_state}
    adversary = Adversary(**chosen.adversary, **shared)
    return ACOTPooling(**chosen.pooling, **shared, adversary=adversary).set_params(**changes)
