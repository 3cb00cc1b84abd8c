"""Negatives: γ(x - x̂), which frames they are made from, random ones, and measures of their quality."""

import numpy as np
import pytest
import torch
from scipy import stats

from acot_core.gan._noise import content_keys, permutations
from acot_core.gan._noise import normal as normal_numbers
from acot_core.gan.adversary import Adversary
from acot_core.gan.negatives import number_of_negatives, random_negatives, subtract
from acot_core.gan.quality import condition_test, equal_norm_noise, knowable_rate, measure_quality
from acot_core.gan.two_sample import (
    classifier_test,
    energy_distance,
    nearest_distance,
    nearest_neighbour_test,
)

RNG = np.random.default_rng(3)


def frames(n: int, d: int = 6) -> np.ndarray:
    return RNG.random((n, d)) + 0.01


def test_subtract_is_the_operator_of_equation_9() -> None:
    x = torch.tensor([[0.6, 0.8, 0.0]])
    y = subtract(x, torch.tensor([[0.3, 1.0, -0.4]]))
    assert torch.allclose(y, torch.tensor([[0.6, 0.0, 0.8]]))  # subtracted, through the ReLU, unit norm
    assert torch.equal(subtract(x, x + 1), torch.zeros(1, 3, dtype=torch.float32))  # nothing is left
    assert torch.allclose(subtract(x, torch.zeros(1, 3, dtype=torch.float32)), x)


@torch.enable_grad()
def test_subtract_has_finite_gradients_where_nothing_is_left() -> None:
    noise = torch.ones(2, 3, requires_grad=True, dtype=torch.float32)
    subtract(torch.tensor([[0.6, 0.8, 0.0], [3.0, 0.0, 0.0]]), noise).sum().backward()
    assert noise.grad is not None
    assert torch.isfinite(noise.grad).all()


@pytest.mark.parametrize(("given", "expected"), [(7, 7), ("1n", 5), ("2n", 10)])
def test_number_of_negatives(given: int | str, expected: int) -> None:
    assert number_of_negatives(given, 5) == expected


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "n", "0n", "2m", "-1n", None])
def test_number_of_negatives_refuses(bad: object) -> None:
    with pytest.raises(ValueError, match="n_negatives"):
        number_of_negatives(bad, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "m"), [(5, 10), (5, 3), (5, 12), (1, 4)])
def test_every_frame_serves_as_often_as_any_other(n: int, m: int) -> None:
    origin = random_negatives([frames(n), frames(7)], m, 0).origin[0]
    counts = torch.bincount(origin, minlength=n)
    assert counts.sum() == m
    assert counts.max() - counts.min() <= 1


def test_frames_come_in_a_random_order() -> None:
    order = random_negatives([frames(50)], 50, 0).origin[0]
    assert not torch.equal(order, torch.arange(50))
    assert sorted(order.tolist()) == list(range(50))


def test_origin_names_the_frame_that_a_negative_was_made_from() -> None:
    x = np.eye(6)[[0, 1, 2, 3]] + 1e-6
    negatives = random_negatives([x, x[:2]], "100n", 0)
    for y, origin, n in zip(negatives.unpad(), negatives.origin, (4, 2), strict=True):
        for i in range(n):  # on average a frame's negatives are largest where the frame is
            assert y[origin[: len(y)] == i].mean(0).argmax() == i
    assert (negatives.origin[~negatives.mask] == -1).all()


def test_numbers_are_normal_and_independent() -> None:
    keys = content_keys(
        [torch.rand(3, 4, generator=torch.Generator().manual_seed(i), dtype=torch.float32) for i in range(4)],
        0,
    )
    z = normal_numbers(keys, 200, 1000).double()
    for rows in z.flatten(1):
        assert stats.kstest(rows.numpy(), "norm").pvalue > 1e-4
        assert abs(float(stats.kurtosis(rows.numpy()))) < 0.05
    flat = z.flatten(1)
    lagged = [np.corrcoef(flat[:, :-i].flatten(), flat[:, i:].flatten())[0, 1] for i in (1, 2, 1000)]
    assert np.abs(lagged).max() < 0.005
    between = np.corrcoef(z.flatten(1))[np.triu_indices(4, 1)]
    assert np.abs(between).max() < 0.012
    assert torch.equal(normal_numbers(keys[2:3], 50, 1000)[0].double(), z[2, :50])  # alone, and fewer rows


def test_numbers_are_these_on_every_machine() -> None:
    keys = torch.tensor([[1, 2], [-3, 4]], dtype=torch.int32)
    assert normal_numbers(keys, 1, 3).flatten().tolist() == pytest.approx(
        [0.0050287545, -0.4400396347, 2.1385493279, -1.6355032921, 0.2208431363, -1.3288869858], abs=1e-8
    )
    assert permutations(keys, torch.tensor([5, 3])).tolist() == [[0, 3, 1, 4, 2], [1, 0, 2, 3, 4]]


def test_seeds_and_contents_give_other_numbers() -> None:
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    other = x.clone()
    other[1, 2] = torch.nextafter(other[1, 2], torch.tensor(2.0, dtype=torch.float32))
    keys = torch.cat([content_keys([x, other, x[:2], x.reshape(4, 3)], 0), content_keys([x], 1)])
    assert len(torch.unique(keys, dim=0)) == 5


def test_random_negatives_follow_the_papers_formula() -> None:
    x = frames(1, 2000)
    y = random_negatives([x], 400, seed=0).frames[0]
    unit = torch.tensor(x / np.linalg.norm(x), dtype=torch.float32)
    # ReLU(x - max(x) z): a coordinate survives with probability Phi(x / max x).
    expected = torch.special.ndtr(unit / unit.max()).mean()
    assert float((y > 0).float().mean()) == pytest.approx(float(expected), abs=0.005)
    assert torch.allclose(y.norm(dim=-1), torch.ones(400, dtype=torch.float32), atol=1e-5)


def test_random_negatives_do_not_depend_on_the_other_sequences() -> None:
    sequences = [frames(4), frames(7), frames(5)]
    together = random_negatives(sequences, "2n", seed=1).unpad()
    for sequence, expected in zip(sequences, together, strict=True):
        alone = random_negatives([sequence], "2n", seed=1).frames[0]
        assert alone.shape == (2 * len(sequence), 6)
        assert torch.equal(alone, expected)
    assert not torch.equal(random_negatives(sequences[:1], "2n", seed=2).frames[0], together[0])


def test_random_negatives_check_their_input() -> None:
    with pytest.raises(ValueError, match=r"sequences\[1\]"):
        random_negatives([frames(3), np.zeros((2, 6))], 5, seed=0)
    with pytest.raises(ValueError, match="7 features"):
        random_negatives([frames(3)], 5, seed=0, n_features=7)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


@pytest.mark.parametrize("test", [nearest_neighbour_test, classifier_test])
def test_two_sample_tests_separate_equal_from_shifted_samples(test) -> None:  # type: ignore[no-untyped-def]
    a, b = normal(150, 4), normal(150, 4, seed=1)
    assert test(a, b) == pytest.approx(0.5, abs=0.1)
    assert test(a, b + 6) > 0.97
    with pytest.raises(ValueError, match="one d"):
        test(a, normal(150, 5))
    with pytest.raises(ValueError, match="rows"):
        test(a[:1], b)


def test_both_tests_detect_a_sample_of_larger_variance() -> None:
    a, b = normal(150, 20), 2 * normal(150, 20, seed=1)
    assert classifier_test(a, b) > 0.85
    # All neighbours of both are in a: the plain average of the two accuracies, 1 and 0, would be 1/2.
    assert nearest_neighbour_test(a, b) > 0.85


def test_nearest_distance_by_hand() -> None:
    data = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    assert nearest_distance(data, torch.tensor([[0.0, 3.0], [4.0, 1.0]])) == pytest.approx(2)
    with pytest.raises(ValueError, match="one d"):
        nearest_distance(data, torch.zeros(2, 3, dtype=torch.float32))


def test_energy_distance_by_hand_and_of_two_normal_samples() -> None:
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [5.0]])
    assert energy_distance(a, b) == pytest.approx(2 * (1 + 5 + 1 + 3) / 4 - 2 - 4)
    assert energy_distance(normal(400, 3), normal(400, 3, seed=1)) == pytest.approx(0, abs=0.02)
    # On a line far apart, every pair's distance is the shift's: 2 s - 2 E|a - a'|, with E|a - a'| = 2/√π.
    assert energy_distance(normal(400, 1), normal(400, 1, seed=1) + 50) == pytest.approx(97.74, abs=0.5)


@pytest.fixture(scope="module")
def fitted() -> tuple[dict[str, Adversary], list[np.ndarray]]:
    """Adversaries of either pivot on sequences of which a known share of frames is of another class."""
    rng = np.random.default_rng(0)
    sequences = []
    for i in range(12):
        block = np.full(10, i % 2)
        block[:2] = 1 - i % 2  # two frames in ten look like the other class
        sequences.append(np.eye(2)[block].repeat(3, 1) + 0.1 * rng.random((10, 6)))
    fast = {"n_iter": 5, "classifier_iter": 200, "precision": "float32", "device": "cpu", "random_state": 0}
    pivots = {"mean": {}, "frame": {"pivot": "frame"}, "far": {"pivot": "frame", "sigma": 50.0}}
    fits = {k: Adversary(**fast, **v).fit(sequences, np.arange(12) % 2) for k, v in pivots.items()}
    return fits, sequences


def test_knowable_rate_by_hand(fitted) -> None:  # type: ignore[no-untyped-def]
    fits, sequences = fitted
    assert knowable_rate(fits["mean"], sequences) == pytest.approx(0.8)  # z tells the sequence alone
    assert knowable_rate(fits["frame"], sequences) == 1  # and here the frame
    assert knowable_rate(fits["far"], sequences) == pytest.approx(0.5, abs=0.15)  # drowned in noise


def test_quality_compares_negatives_random_ones_and_frames(fitted) -> None:  # type: ignore[no-untyped-def]
    fits, sequences = fitted
    quality = measure_quality(fits["mean"], sequences, n_repeats=2)
    assert quality.knowable_rate == pytest.approx(0.8)
    for name in ("separability", "neighbour_separability", "distance", "energy"):
        assert getattr(quality, f"data_{name}") <= getattr(quality, name)
        assert getattr(quality, f"data_{name}") <= getattr(quality, f"random_{name}")


def test_equal_norm_noise_has_equal_norm_and_another_direction() -> None:
    noise = normal(50, 30)
    other = equal_norm_noise(noise, torch.Generator().manual_seed(1))
    assert torch.allclose(other.norm(dim=1), noise.norm(dim=1), atol=1e-5)
    cosine = torch.nn.functional.cosine_similarity(noise, other, dim=1)
    assert float(cosine.abs().mean()) < 0.3


def test_condition_test_tells_used_from_ignored_condition() -> None:
    cpu = torch.Generator().manual_seed(0)
    used = normal(12, 1, 5) + 0.3 * normal(12, 6, 5, seed=1)
    ratio, p = condition_test(used, cpu)
    assert ratio == pytest.approx((1 + 0.09) / 0.09, rel=0.3)
    assert p == pytest.approx(1 / 200)
    ratio, p = condition_test(normal(12, 6, 5, seed=2), cpu)  # the condition is ignored
    assert ratio == pytest.approx(1, abs=0.15)
    assert p > 0.05


def test_condition_test_without_latent_noise() -> None:
    cpu = torch.Generator().manual_seed(0)
    ratio, p = condition_test(normal(6, 1, 5).expand(6, 3, 5), cpu)  # sigma = 0
    assert ratio == float("inf")
    assert p < 0.05
    with pytest.raises(ValueError, match="2 draws"):
        condition_test(normal(6, 1, 5), cpu)
