"""Gradients through costs, plans, angles and distances: those of finite differences, in generated cases."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from generated import cases, seeds
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from acot_core.gan.negatives import subtract
from acot_core.riemannian.grassmann import (
    distance,
    orthonormalize,
    principal_angles,
    project,
    projection_kernel,
    random_point,
)
from acot_core.sequences import normalize_frames
from acot_core.transport import cost_matrix, emd, ipot, sinkhorn, uniform

D = torch.float64


@pytest.fixture(autouse=True)
def gradients() -> Iterator[None]:
    with torch.enable_grad():
        yield


def inputs(seed: int) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    draw = {"cost": (1, 2, 3), "x": (1, 3, 2), "y": (1, 4, 2), "Z": (1, 5, 2), "W": (1, 5, 2)}
    tensors = {name: torch.rand(shape, generator=g, dtype=D) for name, shape in draw.items()}
    tensors |= {name: random_point(1, 5, 2, g, dtype=D) for name in ("U", "V")}
    tensors["epsilon"] = torch.tensor([0.2], dtype=D)
    return tensors


# Which of the inputs a function takes; of emd and ipot the value is what has a gradient, the plan has none.
CHECKED: dict[str, tuple[Callable[..., Any], str]] = {
    "emd": (lambda c: emd(c).value, "cost"),
    "ipot": (lambda c: ipot(c, tol=1e-9, n_iter=20_000).value, "cost"),
    "sinkhorn": (lambda c: sinkhorn(c, n_iter=10, tol=0).value, "cost"),
    "sinkhorn's plan": (lambda c, e: sinkhorn(c, epsilon=e, n_iter=10, tol=0).plan, "cost epsilon"),
    "uniform": (lambda c: uniform(c).value, "cost"),
    "cost_matrix": (cost_matrix, "x y"),
    "cost_matrix, squared": (lambda x, y: cost_matrix(x, y, "sqeuclidean"), "x y"),
    "emd of points": (lambda x, y: emd(cost_matrix(x, y)).value, "x y"),
    "angles": (principal_angles, "U V"),
    "distance": (distance, "U V"),
    "projection_kernel": (projection_kernel, "U V"),
    "project": (project, "U Z"),
    "orthonormalize": (orthonormalize, "Z"),
    "normalize_frames": (normalize_frames, "x"),
    "subtract": (lambda x, y: subtract(x + 1, 0.1 * y), "Z W"),
}


@cases(250)
@given(st.sampled_from(list(CHECKED)), seeds)
def test_gradients_are_those_of_finite_differences(name: str, seed: int) -> None:
    function, names = CHECKED[name]
    given_ = inputs(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that end before they converge, as asked
        # Steps of 1e-7: kinks of the exact plan lie closer than 1e-6 now and then.
        arguments = [given_[each].requires_grad_() for each in names.split()]
        assert gradcheck(function, arguments, eps=1e-7, atol=1e-4, rtol=1e-3)


@cases(250)
@given(seeds, st.sampled_from(["same", "orthogonal", "shared axis", "nearly same"]), st.booleans())
def test_gradients_are_finite_at_zero_and_right_angles(seed: int, how: str, single: bool) -> None:
    g = torch.Generator().manual_seed(seed)
    basis = random_point(1, 6, 4, g, dtype=D)
    U = basis[:, :, :2]
    V = {
        "same": U,
        "orthogonal": basis[:, :, 2:],
        "shared axis": basis[:, :, 1:3],
        "nearly same": orthonormalize(U + 1e-9 * basis[:, :, 2:]),
    }[how]
    U, V = (each.to(torch.float32 if single else D).clone().requires_grad_() for each in (U, V))
    for function in (distance, principal_angles, cost_matrix, projection_kernel):
        for gradient in torch.autograd.grad(function(U, V).sum(), (U, V)):
            assert gradient.isfinite().all(), function.__name__


def test_what_has_no_gradient_says_so() -> None:
    cost, mass = torch.rand(3, 3, dtype=D), torch.full((3,), 1 / 3, dtype=D, requires_grad=True)
    for solver in (emd, ipot):
        with pytest.raises(ValueError, match="a: needs gradients, which only sinkhorn has for masses"):
            solver(cost, mass)
        assert not solver(cost.requires_grad_()).plan.requires_grad
