"""Validation, padding, chunks and seeds."""

import numpy as np
import pytest
import torch

from acot_core.sequences import (
    check_labels,
    check_sequences,
    chunks,
    content_seed,
    normalize_frames,
    pad,
    resolve_device,
    resolve_seed,
)

RNG = np.random.default_rng(0)


def ragged(*lengths: int, d: int = 5) -> list[np.ndarray]:
    return [RNG.random((n, d)) for n in lengths]


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "at least one sequence"),
        ("abc", "expected a list"),
        ([np.zeros((0, 5))], r"\[0\].*at least 1 frame"),
        ([np.ones((3, 5)), np.ones((3, 4))], r"\[1\]: expected 5 features per frame, got shape \(3, 4\)"),
        ([np.ones((3, 5)), np.full((2, 5), np.nan)], r"\[1\].*frame 0 holds a NaN"),
        ([np.ones((3, 5)), -np.ones((2, 5))], r"\[1\].*frame 0 has a negative entry"),
        ([np.array([[0.8, -0.6]], np.float32)], r"\[0\].*frame 0 has a negative entry"),  # of unit norm
        ([np.eye(3)[:, :2]], r"\[0\].*frame 2 is all zero"),
        ([np.ones(4)], r"\[0\].*2-D"),
        ([np.ones((2, 2), dtype=complex)], r"\[0\]: expected real numbers"),
        ([np.array([["a", "b"]])], r"\[0\]: expected real numbers"),
        ([[[1, 2], [3]]], r"\[0\].*different lengths"),
    ],
)
def test_bad_sequences_are_named(sequences, message):
    with pytest.raises(ValueError, match=message):
        check_sequences(sequences)


def test_any_real_input_gives_float32_unit_rows():
    base = RNG.integers(1, 9, (6, 4))
    base.flags.writeable = False
    variants = [
        base,
        base.astype(np.float16),
        base.astype(">f8"),
        base[::-1][::-1],
        base.tolist(),
        torch.tensor(base.copy()),
    ]
    for frames in check_sequences(variants):
        assert frames.dtype == torch.float32
        np.testing.assert_allclose(frames.norm(dim=1), 1, atol=1e-6)
        np.testing.assert_allclose(frames, check_sequences([base])[0], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_normalisation_survives_any_scale(scale):
    (frames,) = check_sequences([RNG.random((3, 7)) * scale])
    np.testing.assert_allclose(frames.norm(dim=1), 1, atol=1e-6)


def test_zero_row_stays_zero_in_normalize_frames():
    assert normalize_frames(torch.zeros(2, 3)).eq(0).all()


def test_padding_keeps_frames_and_weights_sum_to_one():
    sequences = check_sequences(ragged(3, 1, 6))
    batch = pad(sequences)
    assert batch.frames.shape == (3, 6, 5)
    assert batch.lengths.tolist() == [3, 1, 6]
    torch.testing.assert_close(batch.weights.sum(1), torch.ones(3, dtype=torch.float32))
    assert batch.frames[~batch.mask].eq(0).all()
    for back, sequence in zip(batch.unpad(), sequences, strict=True):
        torch.testing.assert_close(back, sequence, rtol=0, atol=0)


def test_chunks_cover_every_sequence_once_within_the_budget():
    lengths = RNG.integers(1, 50, 200)
    seen = []
    for positions in chunks(10 * lengths, budget=2000):
        seen.extend(positions)
        assert len(positions) == 1 or len(positions) * lengths[positions].max() * 10 <= 2000
    assert sorted(seen) == list(range(200))


def test_chunks_that_workers_share_are_of_equal_size_and_a_multiple_of_four():
    lengths = [5] * 90
    assert [len(part) for part in chunks(lengths, 8 * 450)] == [90]  # little: one batch
    assert [len(part) for part in chunks(lengths, 8 * 449)] == [23] * 3 + [21]  # workers share what is not
    assert [len(part) for part in chunks(lengths, 449)] == [12] * 7 + [6]  # four at a time are within 449
    uneven = np.random.default_rng(0).integers(1, 50, 200)
    sizes = [len(part) * uneven[part].max() for part in chunks(10 * uneven, 96_000)]
    assert len(sizes) == 4
    assert 10 * max(sizes) <= 96_000 // 4
    assert max(sizes) < 1.1 * min(sizes)


def test_labels():
    assert check_labels(["a", "b"], 2).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"expected shape \(3,\)"):
        check_labels([1, 2], 3)
    with pytest.raises(ValueError, match=r"labels\[1\]"):
        check_labels([1, np.nan], 2)


def test_seeds():
    frames = torch.rand(3, 4)
    assert content_seed(frames, 1) == content_seed(frames.clone(), 1)
    assert content_seed(frames, 1) != content_seed(frames, 2)
    assert content_seed(frames, 1) != content_seed(frames.flip(0), 1)
    assert resolve_seed(7) == 7
    assert resolve_seed(np.random.default_rng(0)) == resolve_seed(np.random.default_rng(0))
    assert resolve_seed(None) != resolve_seed(None)
    with pytest.raises(ValueError, match="random_state"):
        resolve_seed("seven")


def test_unknown_device_is_refused():
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="device"):
        resolve_device("abacus")
