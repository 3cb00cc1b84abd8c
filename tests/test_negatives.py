"""Negatives: γ(x - x̂), which frames they are made from, random ones, and measures of their quality."""

import numpy as np
import pytest
import torch

from acot_core.negatives import cycle_frames, number_of_negatives, random_negatives, subtract
from acot_core.quality import classifier_test, condition_test, equal_norm_noise, nearest_neighbour_test

RNG = np.random.default_rng(3)


def frames(n: int, d: int = 6) -> np.ndarray:
    return RNG.random((n, d)) + 0.01


def test_subtract_is_the_operator_of_equation_9() -> None:
    x = torch.tensor([[0.6, 0.8, 0.0]])
    y = subtract(x, torch.tensor([[0.3, 1.0, -0.4]]))
    assert torch.allclose(y, torch.tensor([[0.6, 0.0, 0.8]]))  # subtracted, through the ReLU, unit norm
    assert torch.equal(subtract(x, x + 1), torch.zeros(1, 3))  # nothing is left
    assert torch.allclose(subtract(x, torch.zeros(1, 3)), x)


def test_subtract_has_finite_gradients_where_nothing_is_left() -> None:
    noise = torch.ones(2, 3, requires_grad=True)
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
    counts = torch.bincount(cycle_frames(n, m, torch.Generator().manual_seed(0)), minlength=n)
    assert counts.sum() == m
    assert counts.max() - counts.min() <= 1


def test_frames_come_in_a_random_order() -> None:
    order = cycle_frames(50, 50, torch.Generator().manual_seed(0))
    assert not torch.equal(order, torch.arange(50))


def test_random_negatives_follow_the_papers_formula() -> None:
    x = frames(1, 2000)
    y = random_negatives([x], 400, seed=0).frames[0]
    unit = torch.tensor(x / np.linalg.norm(x), dtype=torch.float32)
    # ReLU(x - max(x) z): a coordinate survives with probability Phi(x / max x).
    expected = torch.special.ndtr(unit / unit.max()).mean()
    assert float((y > 0).float().mean()) == pytest.approx(float(expected), abs=0.005)
    assert torch.allclose(y.norm(dim=-1), torch.ones(400), atol=1e-5)


def test_random_negatives_do_not_depend_on_the_company() -> None:
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
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("test", [nearest_neighbour_test, classifier_test])
def test_two_sample_tests_know_alike_from_apart(test) -> None:  # type: ignore[no-untyped-def]
    a, b = normal(150, 4), normal(150, 4, seed=1)
    assert test(a, b) == pytest.approx(0.5, abs=0.1)
    assert test(a, b + 6) > 0.97
    with pytest.raises(ValueError, match="one d"):
        test(a, normal(150, 5))
    with pytest.raises(ValueError, match="rows"):
        test(a[:1], b)


def test_the_classifier_test_sees_a_difference_in_spread_that_the_neighbour_test_misses() -> None:
    a, b = normal(150, 20), 2 * normal(150, 20, seed=1)
    assert classifier_test(a, b) > 0.85
    assert nearest_neighbour_test(a, b) < 0.65


def test_equal_norm_noise_is_as_long_and_elsewhere() -> None:
    noise = normal(50, 30)
    other = equal_norm_noise(noise, torch.Generator().manual_seed(1))
    assert torch.allclose(other.norm(dim=1), noise.norm(dim=1), atol=1e-5)
    cosine = torch.nn.functional.cosine_similarity(noise, other, dim=1)
    assert float(cosine.abs().mean()) < 0.3


def test_condition_test_sees_a_condition_that_is_used() -> None:
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
