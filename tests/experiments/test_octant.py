"""The octant: disk, landscape against the objective, descent, alternation, negatives, classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acot_core.experiments import (
    adversarial_negatives,
    octant_alternation,
    octant_classes,
    octant_sequence,
    octant_view,
    random_octant_negatives,
    train_on_octant,
)
from acot_core.experiments.views.disk import directions, disk_grid, subspace_of, to_disk, to_sphere
from acot_core.riemannian.grassmann import principal_subspace
from acot_core.sequences import pad
from acot_core.subspace import ACOTObjective, alternate


@pytest.fixture(scope="module")
def trained():
    return train_on_octant(every=40)


@pytest.fixture(scope="module")
def pair(trained):
    frames = octant_sequence("growing")
    return frames, adversarial_negatives(trained[1][-1].generator, frames, 40)[0]


def test_the_disk_and_the_sphere_are_inverse_to_each_other():
    places, inside = disk_grid(40)
    points = to_sphere(places[inside])
    assert torch.allclose(points.norm(dim=1), torch.ones(len(points), dtype=torch.float64))
    assert torch.allclose(to_disk(points), places[inside])
    assert torch.allclose(to_disk(-points), places[inside])  # a subspace has no sign


def test_the_projection_keeps_areas():
    points = torch.nn.functional.normalize(
        torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float32), dim=1
    )
    square = to_disk(points).square().sum(1)  # of a uniform point of the disk: uniform in [0, 2]
    shares = torch.histc(square, 10, 0, 2) / len(points)
    assert (shares - 0.1).abs().max() < 0.004
    in_octant = ((points > 0).all(1) | (points < 0).all(1)).float().mean()
    assert abs(in_octant - 0.25) < 0.005


@pytest.mark.parametrize("k", [1, 2])
def test_a_point_stands_for_its_subspace_and_back(k):
    points = to_sphere(disk_grid(9)[0][disk_grid(9)[1]])
    U = subspace_of(points, k)
    assert torch.allclose(U.mT @ U, torch.eye(k, dtype=U.dtype).expand(len(U), k, k), atol=1e-12)
    inner = (points[:, None, :] @ U)[:, 0]  # the line itself, or nothing of its normal
    assert torch.allclose(inner, torch.full_like(inner, 1.0 if k == 1 else 0.0), atol=1e-12)
    assert torch.allclose(directions(U), points, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2])
def test_every_pixel_is_the_objectives_value(pair, k):
    view = octant_view(*pair, n_subspaces=k, beta1=0.7, beta2=5.0, eta=0.02, size=15)
    X, Y, plan = (torch.from_numpy(a)[None] for a in (view.frames, view.negatives, view.plan))
    objective = ACOTObjective(X, plan=plan, negatives=Y, beta1=0.7, beta2=5.0, eta=0.02)
    places, inside = disk_grid(15)
    assert np.isnan(view.landscape[~inside.numpy()]).all()
    for row, column in inside.nonzero().tolist():
        p = to_sphere(places[row, column])
        line, plane = p[:, None], torch.linalg.svd(p[None, :]).Vh[1:].T  # another basis than ours
        U = line if k == 1 else plane
        assert view.landscape[row, column] == pytest.approx(float(objective.value(U[None])), abs=1e-10)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 10.0)])
def test_the_descent_ends_where_the_landscape_is_lowest(pair, k, weights):
    view = octant_view(*pair, n_subspaces=k, beta1=weights[0], beta2=weights[1], n_iter=100, size=161)
    lowest = np.nanmin(view.landscape)
    end = view.path["value"].iloc[-1]
    assert end <= lowest + 1e-9  # no pixel is better than the solver's answer ...
    assert lowest - end < 2e-3  # ... and one of them is as good as the grid is fine


def test_the_path_is_the_solvers(pair):
    view = octant_view(*pair, n_iter=30)
    values = view.path["value"].to_numpy()
    assert len(values) > 5
    assert (np.diff(values) <= 0).all()
    step = octant_view(*pair, n_iter=3).path
    np.testing.assert_allclose(view.path.iloc[:4], step, atol=1e-12)
    start = directions(principal_subspace(torch.from_numpy(view.frames)[None], None, 1))[0]
    np.testing.assert_allclose(view.path[["x", "y", "z"]].iloc[0], start, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2])
def test_it_is_what_the_pooling_finds(pair, k):
    frames, negatives = pair
    view = octant_view(frames, negatives, n_subspaces=k, n_iter=5)
    pooled = alternate(pad([frames]), pad([negatives]), n_subspaces=k, transport="emd", n_iter=5)
    P, Q = (U @ U.mT for U in (torch.from_numpy(view.subspace), pooled.subspace[0].double()))
    assert (P - Q).abs().max() < 1e-5
    np.testing.assert_allclose(view.plan, pooled.transport.plan[0], atol=1e-6)


def test_at_beta1_equal_to_1_the_contrast_cancels_the_distortion(pair):
    """-contrast + beta1 distortion = -(beta1 - 1)/n ||U'X||^2 - (2/n) tr(U'X'D U) + const, D = X - T."""
    frames, negatives = pair
    for beta1 in (0.0, 1.0, 1.7):
        view = octant_view(frames, negatives, beta1=beta1, beta2=0.0, size=25)
        X, T, n = view.frames, view.images, len(view.frames)
        inside = disk_grid(25)[1]
        p = to_sphere(disk_grid(25)[0][inside]).numpy()
        energy = ((X @ p.T) ** 2).sum(0) / n
        taken = ((X @ p.T) * ((X - T) @ p.T)).sum(0) / n
        rest = view.landscape[inside.numpy()] - (-(beta1 - 1) * energy - 2 * taken)
        assert np.ptp(rest) < 1e-10  # constant over all subspaces
        if beta1 == 1.0:
            assert np.ptp(view.landscape[inside.numpy()] + 2 * taken) < 1e-10


def test_without_distortion_the_valley_is_the_axis_that_the_negatives_lack(pair):
    ends = {b: octant_view(*pair, beta1=b, beta2=0.0, n_iter=100).subspace[:, 0] for b in (0.0, 20.0)}
    mean = pair[0].mean(0).numpy()
    assert abs(ends[0.0][2]) > 0.95
    assert abs(ends[20.0] @ mean) / np.linalg.norm(mean) > 0.99  # heavy distortion: the mean, as PCA


@pytest.mark.parametrize("k", [1, 2])
def test_alternation_half_step_by_half_step(pair, k):
    frames, negatives = pair
    study = octant_alternation(frames, negatives, n_subspaces=k, n_alternations=3)
    alternation = alternate(
        pad([frames]), pad([negatives]), n_subspaces=k, n_alternations=3, transport="emd", tol=-1.0
    )
    np.testing.assert_allclose(study.objective, alternation.objective[0], atol=1e-6)
    np.testing.assert_allclose(study.points[-1], directions(alternation.subspace.double())[0], atol=1e-5)
    assert study.plans.shape == (3, 20, 40)
    assert study.points.shape == (4, 3)
    one = octant_view(frames, negatives, n_subspaces=k, n_iter=5)
    np.testing.assert_allclose(study.plans[0], one.plan, atol=1e-6)
    assert list(study.to_frame()["half_step"]) == ["plan", "subspace"] * 3


def test_the_adversary_takes_the_cue(trained):
    adversary, snapshots = trained
    assert [s.iteration for s in snapshots] == [*range(0, 240, 40), 240]
    assert snapshots[0].fooling_rate < 0.2 < 0.8 < snapshots[-1].fooling_rate
    history = adversary.history_.query("split == 'train'").set_index("iteration")["fooling_rate"]
    assert all(history[s.iteration] == s.fooling_rate for s in snapshots)
    frames = octant_sequence("growing", random_state=77)
    before, after = (adversarial_negatives(s.generator, frames, 40)[0] for s in (snapshots[0], snapshots[-1]))
    assert after[:, 2].mean() < 0.3 * frames[:, 2].mean() < before[:, 2].mean()


def test_negatives_say_which_frame_they_came_from_and_move_smoothly(trained):
    frames = octant_sequence("growing")
    generator = trained[1][-1].generator
    negatives, made_from = adversarial_negatives(generator, frames, 50)
    assert made_from.tolist() == [j * 20 // 50 for j in range(50)]
    assert torch.allclose(negatives.norm(dim=1), torch.ones(50, dtype=torch.float32))
    moved = frames.clone()
    moved[3] = torch.nn.functional.normalize(frames[3] + torch.tensor([0.01, 0.0, 0.0]), dim=0)
    there = adversarial_negatives(generator, moved, 50)[0]
    assert (there - negatives).norm(dim=1).max() < 0.1
    random, origin = random_octant_negatives(frames, 50)
    assert len(random) == len(origin) <= 50
    assert bool((random.norm(dim=1) > 0.99).all())


def test_a_sequence_and_its_reversal():
    grows, falls = octant_sequence("growing", 12), octant_sequence("reversed", 12)
    assert torch.equal(grows.flip(0), falls)
    assert torch.all(grows >= 0)
    assert grows[-3:, 2].mean() > 2 * grows[:3, 2].mean()
    assert octant_sequence("wandering")[:, 2].mean() < 0.2


def test_order_tells_the_classes_apart_and_averages_do_not(trained):
    study = octant_classes(trained[1][-1].generator, beta2=30.0)
    assert study.accuracies["acot"] > 0.9
    assert max(study.accuracies["average"], study.accuracies["pca"]) < 0.65
    without = octant_classes(trained[1][-1].generator, beta2=0.0)
    assert without.accuracies["acot"] < 0.65
    assert len(study.to_frame()) == 180


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: octant_view([[1.0, 0.0]], [[1.0, 0.0]]), "3"),
        (lambda: octant_view([[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], n_subspaces=3), "n_subspaces"),
        (lambda: octant_view([[1.0, -1.0, 0.0]], [[1.0, 0.0, 0.0]]), "frames"),
        (lambda: octant_sequence("sideways"), "preset"),
        (lambda: octant_sequence(n_frames=1), "n_frames"),
        (lambda: subspace_of(torch.eye(3, dtype=torch.float32), 3), "k"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_frame_has_no_order():
    view = octant_view([[0.6, 0.6, 0.5]], [[1.0, 0.0, 0.0]], size=5)
    assert (view.path["order"] == 0).all()
