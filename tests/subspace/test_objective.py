"""The objective of Eqs. (10) and (13): values, gradients, invariances, reduced coordinates."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from acot_core.riemannian import conjugate_gradient
from acot_core.riemannian.grassmann import project, random_point
from acot_core.sequences import PaddedSequences
from acot_core.subspace._reduced import ReducedObjective, frame_products
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective, barycentric_images
from acot_core.subspace.solve import solve_subspaces
from acot_core.transport import METHODS, cost_matrix, emd

D = torch.float64


def data(B: int = 3, n: int = 8, m: int = 11, d: int = 12, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    X, Y = (torch.rand(B, size, d, generator=g, dtype=D) for size in (n, m))
    X, Y = X / X.norm(dim=2, keepdim=True), Y / Y.norm(dim=2, keepdim=True)
    return X, Y, emd(cost_matrix(X, Y)).plan


def objective(kind: str, **options: Any) -> ACOTObjective:
    X, Y, plan = data()
    if kind == "images":
        return ACOTObjective(X, barycentric_images(plan, Y), **options)
    return ACOTObjective(X, plan=plan, negatives=Y, ground_cost=kind, **options)  # type: ignore[arg-type]


KINDS = ["images", "sqeuclidean", "euclidean"]


def point(k: int = 2, seed: int = 1) -> Tensor:
    return random_point(3, 12, k, torch.Generator().manual_seed(seed), dtype=D)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", [0, 1])
def test_norms_that_are_known_are_not_taken_again(kind: str, which: int) -> None:
    X, Y, plan = data()
    partners = barycentric_images(plan, Y) if kind == "images" else Y
    norms = [rows.square().sum(2) for rows in (X, partners)]
    U, plain = point(), objective(kind).value(point())
    assert torch.allclose(objective(kind, square_norms=tuple(norms)).value(U), plain, atol=1e-12)
    norms[which] = norms[which] + 0.3  # each of the two counts
    assert not torch.allclose(objective(kind, square_norms=tuple(norms)).value(U), plain, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_value_is_the_formula_written_out(kind: str) -> None:
    X, Y, plan = data()
    f, U = objective(kind, beta1=0.7, beta2=3.0, eta=0.02), point()
    for i in range(3):
        P = U[i] @ U[i].T
        projected = X[i] @ P
        if kind == "images":
            T = 8 * plan[i] @ Y[i]
            contrast = ((projected - T) ** 2).sum() / 8
        else:
            distance = (projected[:, None] - Y[i][None]).norm(dim=2)
            contrast = (plan[i] * (distance if kind == "euclidean" else distance**2)).sum()
        distortion = ((projected - X[i]) ** 2).sum() / 8
        energy = (X[i] @ U[i]).square().sum(1)
        order = sum(max(float(energy[t] + 0.02 - energy[t + 1]), 0.0) for t in range(7)) / 7
        assert float(f.value(U)[i]) == pytest.approx(
            float(-contrast + 0.7 * distortion + 3 * order), rel=1e-10
        )
        terms = {name: float(v[i]) for name, v in f.terms(U).items()}
        parts = {"contrast": float(contrast), "distortion": float(distortion), "order": order}
        assert terms == pytest.approx(parts, rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_agrees_with_autograd(kind: str) -> None:
    f, U = objective(kind), point().requires_grad_()
    with torch.enable_grad():
        (expected,) = torch.autograd.grad(f.value(U).sum(), U)
    torch.testing.assert_close(f.gradient(U.detach()), expected)
    value, gradient = f.value(U.detach()), f.gradient(U.detach())
    torch.testing.assert_close(value, f.value(U.detach()))
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beside_kink", [False, True])
def test_taylor_error_has_slope_two(kind: str, beside_kink: bool) -> None:
    U = point()
    X = data()[0]
    energy = (X @ U).square().sum(2)
    # Beside the kink: eta such that one pair of the first sequence lies 1e-3 within.
    eta = float(energy[0, 3] - energy[0, 2]) + 1e-3 if beside_kink else 0.01
    f = objective(kind, eta=eta)
    direction = project(U, random_point(3, 12, 2, torch.Generator().manual_seed(9), dtype=D))
    slope = (f.gradient(U) * direction).sum((1, 2))
    steps = torch.tensor([1e-4, 1e-5], dtype=D)
    errors = torch.stack([(f.value(U + h * direction) - f.value(U) - h * slope).abs() for h in steps])
    order = (errors[0] / errors[1]).log10()
    torch.testing.assert_close(order, torch.full_like(order, 2), rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 3])
def test_line_is_the_objective_along_the_retraction(kind: str, k: int) -> None:
    from acot_core.riemannian.grassmann import retract_qr

    f, U = objective(kind), point(k)
    direction = project(U, random_point(3, 12, k, torch.Generator().manual_seed(5), dtype=D))
    line = f.line(U, direction, direction.mT @ direction)
    steps = torch.tensor([0.01, 0.5, 3.0], dtype=D).expand(3, 3)
    values = torch.stack([f.value(retract_qr(U, s * direction)) for s in steps[0]], 1)
    torch.testing.assert_close(line.values(steps), values)
    h = 1e-6
    torch.testing.assert_close(
        line.slopes(steps),
        (line.values(steps + h) - line.values(steps - h)) / (2 * h),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_rotation_changes_nothing(kind: str) -> None:
    f, U = objective(kind), point(3)
    Q = random_point(3, 3, 3, torch.Generator().manual_seed(2), dtype=D)
    torch.testing.assert_close(f.value(U @ Q), f.value(U))
    torch.testing.assert_close(f.gradient(U @ Q), f.gradient(U) @ Q)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind: str) -> None:
    X, Y, plan = data()
    mask = torch.zeros(3, 10, dtype=torch.bool)
    mask[:, :8] = True
    garbage = torch.full((3, 2, 12), 3.0, dtype=D)
    padded = torch.cat([X, garbage], 1)
    U, plain = point(), objective(kind)
    if kind == "images":
        f = ACOTObjective(padded, torch.cat([barycentric_images(plan, Y), garbage], 1), mask)
    else:
        wide = torch.nn.functional.pad(plan, (0, 1, 0, 2))
        f = ACOTObjective(
            padded, None, mask, plan=wide, negatives=torch.cat([Y, garbage[:, :1]], 1), ground_cost=kind
        )  # type: ignore[call-overload]
    torch.testing.assert_close(f.value(U), plain.value(U))
    torch.testing.assert_close(f.gradient(U), plain.gradient(U))
    torch.testing.assert_close(solve_subspaces(f, U).value, solve_subspaces(plain, U).value)


def test_one_frame_has_no_order_term() -> None:
    X, Y, _ = data(n=1)
    f = ACOTObjective(X, plan=torch.full((3, 1, 11), 1 / 11, dtype=D), negatives=Y)
    assert (f.terms(point())["order"] == 0).all()
    assert f.gradient(point()).isfinite().all()
    assert not f.kinked


@pytest.mark.parametrize("dtype", [torch.float32, D])
@pytest.mark.parametrize("method", ["emd", "sinkhorn"])  # few entries, and all of them
def test_images_are_weighted_means_of_negatives(method: str, dtype: torch.dtype) -> None:
    X, Y, _ = data(B=4)
    a, b = torch.full((4, 8), 1 / 8, dtype=D), torch.full((4, 11), 1 / 11, dtype=D)
    a[1, 5:], b[1, 7:] = 0, 0  # padding
    a[2] = torch.arange(8)
    a, b = a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True)
    plan = METHODS[method](cost_matrix(X, Y), a, b).plan
    Y = Y.to(dtype)
    images = barycentric_images(plan, Y)
    expected = torch.zeros(4, 8, 12, dtype=D)
    for i, t in plan.sum(2).nonzero().tolist():
        expected[i, t] = plan[i, t] / plan[i, t].sum() @ Y[i].double()
    assert images.dtype == dtype
    torch.testing.assert_close(images.double(), expected, rtol=0, atol=1e-6 if dtype != D else 1e-12)
    assert (images[1, 5:] == 0).all()
    # Neither the batch nor padding touches a bit of what an exact plan gives.
    if method == "emd":
        assert torch.equal(barycentric_images(plan[1:2, :5, :7], Y[1:2, :7])[0], images[1, :5])


def test_few_rows_are_added_up_where_the_plan_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    _, Y, plan = data()
    monkeypatch.setattr("acot_core.subspace.objective.blocks", None)  # products of matrices are not taken
    barycentric_images(plan, Y)
    with pytest.raises(TypeError):
        barycentric_images(torch.full_like(plan, 1 / 88), Y)


def test_batch_equals_loop_with_ragged_lengths() -> None:
    X, _, plan = data()
    T = barycentric_images(plan, data()[1])
    lengths = [8, 5, 1]
    mask = torch.arange(8) < torch.tensor(lengths)[:, None]
    batch = ACOTObjective(X * mask[:, :, None], T * mask[:, :, None], mask)
    U = point()
    for i, n in enumerate(lengths):
        one = ACOTObjective(X[i : i + 1, :n], T[i : i + 1, :n])
        torch.testing.assert_close(batch.value(U)[i], one.value(U[i : i + 1])[0])
        torch.testing.assert_close(
            batch.select(torch.tensor([i])).value(U[i : i + 1]), one.value(U[i : i + 1])
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("retraction", ["qr", "polar"])
def test_reduced_coordinates_are_exact(kind: str, retraction: str) -> None:
    """The same iterates as in d dimensions: value after value, and the same subspace."""
    X, Y, plan = data(d=60)
    if kind == "images":
        f = ACOTObjective(X, barycentric_images(plan, Y))
    else:
        f = ACOTObjective(X, plan=plan, negatives=Y, ground_cost=kind)  # type: ignore[arg-type]
    U = random_point(3, 60, 2, torch.Generator().manual_seed(0), dtype=D)
    ambient = conjugate_gradient(f, U, n_iter=6, retraction=retraction)  # type: ignore[arg-type]
    small = ReducedObjective(f, U)
    reduced = conjugate_gradient(small, small.start, n_iter=6, retraction=retraction)  # type: ignore[arg-type]
    torch.testing.assert_close(reduced.history["value"], ambient.history["value"], rtol=1e-8, atol=1e-10)
    lifted = small.lift(f, reduced.point)
    torch.testing.assert_close(lifted @ lifted.mT, ambient.point @ ambient.point.mT, rtol=0, atol=1e-6)


def test_reduced_coordinates_survive_repeated_frames() -> None:
    X, Y, _ = data(d=60)
    X = X[:, :1].expand(-1, 8, -1).contiguous()  # rank one
    f = ACOTObjective(X, plan=torch.full((3, 8, 11), 1 / 88, dtype=D), negatives=Y)
    result = solve_subspaces(f, 3, n_iter=10)
    U = result.point
    torch.testing.assert_close(U.mT @ U, torch.eye(3, dtype=D).expand(3, 3, 3), rtol=0, atol=1e-8)
    torch.testing.assert_close(f.value(U), result.value, rtol=1e-6, atol=1e-8)


def test_bad_input() -> None:
    X, Y, plan = data()
    with pytest.raises(ValueError, match="either images, or plan and negatives"):
        ACOTObjective(X)
    with pytest.raises(ValueError, match="needs plan and negatives"):
        ACOTObjective(X, X, ground_cost="euclidean")
    with pytest.raises(ValueError, match=r"images: expected shape \(3, 8, 12\), got \(3, 11, 12\)"):
        ACOTObjective(X, Y)
    with pytest.raises(ValueError, match="ground_cost"):
        ACOTObjective(X, plan=plan, negatives=Y, ground_cost="cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"mask: expected shape \(3, 8\)"):
        ACOTObjective(X, X, torch.ones(3, 7, dtype=torch.bool))


@pytest.mark.parametrize(("d", "m"), [(60, 11), (60, 40), (12, 11)], ids=["all", "many", "few features"])
def test_inner_products_of_images_are_those_of_the_images(d: int, m: int) -> None:
    X, Y, plan = data(d=d)
    Y = torch.cat([Y] * 4, 1)[:, :m]
    plan = torch.nn.functional.pad(plan, (0, m - 11))
    products = frame_products(X, Y)
    torch.testing.assert_close(products.xp, X @ Y.mT)
    torch.testing.assert_close(products.x_norms, X.square().sum(2))
    torch.testing.assert_close(products.p_norms, Y.square().sum(2))
    assert (products.gram is not None) == (d == 60 and m == 11)
    if products.gram is not None:
        rows = torch.cat([X, barycentric_images(plan, Y)], 1)
        torch.testing.assert_close(products.of_images(plan), rows @ rows.mT)


def test_the_lift_needs_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y, _ = data(d=60)
    usual = alternate(*(PaddedSequences(z, torch.ones(z.shape[:2], dtype=torch.bool)) for z in (X, Y)))
    f = ACOTObjective(X, plan=usual.transport.plan, negatives=Y)
    gram = frame_products(X, Y).of_images(usual.transport.plan)
    monkeypatch.setattr("acot_core.subspace.objective.barycentric_images", None)
    torch.testing.assert_close(solve_subspaces(f, 1, gram=gram).point, usual.subspace)
