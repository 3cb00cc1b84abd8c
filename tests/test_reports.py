"""Public reports of neighbouring projects that failed here when they were tried (`outside.md` lists all)."""

from __future__ import annotations

import pytest
import torch

from acot_core import ACOTPooling, Adversary
from acot_core.riemannian.grassmann import distance, principal_angles, projection_kernel
from acot_core.transport import cost_matrix


@pytest.mark.parametrize("function", [cost_matrix, projection_kernel, principal_angles, distance])
def test_the_more_precise_of_two_types_is_taken(function) -> None:
    """pytorch#11951: "expected m1 and m2 to have the same dtype, but got: float != double"."""
    double = torch.eye(4, dtype=torch.float64)[None]
    pair = double[:, :, :2], double[:, :, 1:3]
    mixed = function(pair[0].float(), pair[1])
    assert mixed.dtype == torch.float64
    assert torch.equal(mixed, function(*pair))
    assert torch.equal(function(pair[0], pair[1].float()), mixed)


def test_a_class_in_place_of_an_adversary_is_named() -> None:
    """scikit-learn#12521: an estimator's class given as a parameter."""
    with pytest.raises(ValueError, match="adversary: expected an Adversary or None, got <class"):
        ACOTPooling(adversary=Adversary).fit([[[1.0, 2.0]]] * 2, [0, 1])
