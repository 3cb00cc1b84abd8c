"""Negatives as a choice: random, other sequences' frames, the frames themselves, one's own."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from acot_core import ACOTPooling, Adversary
from acot_core.gan.sources import FramesThemselves, GivenNegatives, OtherSequences, RandomNegatives
from acot_core.pooling import PRESETS, preset
from acot_core.sequences import check_sequences

RNG = np.random.default_rng(0)
CLIPS = [RNG.random((n, 5)) + 0.01 for n in (4, 7, 3, 6, 5, 4)]
LABELS = np.array(["a", "b", "a", "b", "c", "c"])
CHECKED = check_sequences(CLIPS)


def brightest(frames: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    """One's own: random rows of the frames, with their largest entry doubled."""
    rows = frames[rng.integers(len(frames), size=m)].copy()
    rows[np.arange(m), rows.argmax(1)] *= 2
    return rows


SOURCES: dict[str, Any] = {
    "random": RandomNegatives(),
    "others": OtherSequences(CLIPS, LABELS),
    "other classes": OtherSequences(CLIPS, LABELS, same_class=False),
    "self": FramesThemselves(),
    "array": GivenNegatives(RNG.random((6, 5))),
    "function": GivenNegatives(brightest),
}


def owners(negatives: torch.Tensor) -> set[int]:
    """The sequences whose frames negatives (m, d) are; each must be a frame of some sequence."""
    frames = torch.cat(CHECKED)
    of_frame = np.repeat(np.arange(len(CHECKED)), [len(s) for s in CHECKED])
    equal = (negatives[:, None] == frames).all(2)
    assert equal.any(1).all()
    return set(of_frame[equal.int().argmax(1)])


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_negatives_do_not_depend_on_batch_or_order(source) -> None:  # type: ignore[no-untyped-def]
    together = source.sample(CLIPS, "2n", 3)
    norms = together.frames.norm(dim=2)[together.mask]
    assert torch.allclose(norms, (norms > 0).float(), atol=1e-5)  # noise may leave nothing
    assert (norms > 0).float().mean() > 0.9
    assert together.origin.shape == together.mask.shape
    assert (together.origin[~together.mask] == -1).all()
    reversed_order = source.sample(CLIPS[::-1], "2n", 3).unpad()[::-1]
    for clip, expected, other in zip(CLIPS, together.unpad(), reversed_order, strict=True):
        assert torch.equal(source.sample([clip], "2n", 3).frames[0], expected)
        assert torch.equal(other, expected)


@pytest.mark.parametrize("name", ["random", "others", "other classes", "function"])
def test_seeds_draw_other_negatives(name: str) -> None:
    first, second = (SOURCES[name].sample(CLIPS, 5, seed).frames for seed in (0, 1))
    assert not torch.equal(first, second)


def test_others_are_frames_of_other_sequences() -> None:
    for i, y in enumerate(SOURCES["others"].sample(CLIPS, 22, 0).unpad()):
        assert owners(y) == set(range(6)) - {i}
        enough = 29 - len(CLIPS[i]) >= 22
        assert (len(torch.unique(y, dim=0)) == 22) == enough  # no frame twice where there are enough
    for i, y in enumerate(SOURCES["other classes"].sample(CLIPS, 60, 0).unpad()):
        assert owners(y) == {j for j in range(6) if LABELS[j] != LABELS[i]}
    new = RNG.random((4, 5))  # not among them: its class is not known
    assert owners(SOURCES["other classes"].sample([new], 200, 0).frames[0]) == set(range(6))


def test_a_sequence_never_gets_a_copy_of_itself() -> None:
    twice = OtherSequences([*CLIPS, CLIPS[0]])
    assert 0 not in owners(twice.sample(CLIPS[:1], 100, 0).frames[0])


def test_others_need_another_sequence_and_classes() -> None:
    with pytest.raises(ValueError, match="no other sequence to draw"):
        OtherSequences(CLIPS[:1]).sample(CLIPS[:1], 3, 0)
    with pytest.raises(ValueError, match="no other sequence of another class"):
        OtherSequences(CLIPS, np.zeros(6), same_class=False).sample(CLIPS, 3, 0)
    with pytest.raises(ValueError, match="same_class"):
        OtherSequences(CLIPS, same_class=False)
    with pytest.raises(ValueError, match="labels"):
        OtherSequences(CLIPS, LABELS[:-1])


def test_self_gives_every_frame_once() -> None:
    negatives = FramesThemselves().sample(CLIPS, 50, 0)
    for y, o, x in zip(negatives.unpad(), negatives.origin, CHECKED, strict=True):
        assert torch.equal(y, x)
        assert o[: len(x)].tolist() == list(range(len(x)))


def test_ones_own_function_gets_unit_frames_the_number_and_a_generator() -> None:
    seen: list[tuple[tuple[int, ...], int]] = []

    def make(frames: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
        assert isinstance(rng, np.random.Generator)
        np.testing.assert_allclose(np.linalg.norm(frames, axis=1), 1, rtol=1e-5)
        seen.append((frames.shape, m))
        return 7 * frames[:1].repeat(m, 0)

    negatives = GivenNegatives(make).sample(CLIPS[:2], "2n", 0)
    assert seen == [((4, 5), 8), ((7, 5), 14)]
    assert torch.allclose(negatives.unpad()[1], CHECKED[1][:1].expand(14, 5))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[1.0, 2.0]], "expected 5 features"),
        (-np.ones((3, 5)), "negative entry"),
        (np.ones(5), "2-D"),
        (lambda x, m, rng: x[:, :2], "expected 5 features"),
        (lambda x, m, rng: x * np.nan, "NaN"),
        ("noise", "negatives: expected one of"),
        (None, "negatives"),
    ],
)
def test_bad_negatives_are_refused(bad, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        ACOTPooling(negatives=bad, random_state=0).fit(CLIPS).transform(CLIPS)


CHOICES = ["random", "others", "self", RNG.random((6, 5)), brightest]


@pytest.mark.parametrize("negatives", CHOICES, ids=["random", "others", "self", "array", "function"])
def test_pooling_takes_every_source(negatives) -> None:  # type: ignore[no-untyped-def]
    # At beta1 = 1 the frames themselves leave nothing but the order to be solved for.
    pooling = ACOTPooling(2, beta1=0.5, negatives=negatives, n_negatives=8, device="cpu", random_state=0)
    U = pooling.fit_transform(CLIPS)
    assert pooling.adversary_ is None
    project = U @ U.transpose(0, 2, 1)
    alone = pooling.transform(CLIPS[2:3])[0]
    np.testing.assert_allclose(alone @ alone.T, project[2], atol=1e-4)
    batched = clone(pooling).set_params(batch_bytes=1, n_jobs=2).fit(CLIPS).transform(CLIPS)
    np.testing.assert_allclose(batched @ batched.transpose(0, 2, 1), project, atol=1e-4)
    _, sampled, _ = pooling.explain(CLIPS[1])
    assert torch.equal(sampled.frames[0], pooling.sample_negatives(CLIPS[1:2]).frames[0])
    again = pickle.loads(pickle.dumps(pooling)).transform(CLIPS)
    np.testing.assert_array_equal(again, U)


def test_pooling_excludes_the_own_class_where_asked() -> None:
    pooling = ACOTPooling(negatives="others", same_class=False, n_negatives=60, random_state=0)
    with pytest.raises(ValueError, match="same_class"):
        pooling.fit(CLIPS)
    for i, y in enumerate(pooling.fit(CLIPS, LABELS).sample_negatives(CLIPS).unpad()):
        assert owners(y) == {j for j in range(6) if LABELS[j] != LABELS[i]}
    with pytest.raises(ValueError, match="'identity'"):
        ACOTPooling(negatives="others", transport="identity").fit(CLIPS)


def test_sigma_relative_to_the_features() -> None:
    settings = {"n_iter": 2, "classifier_iter": 5, "device": "cpu", "precision": "float32", "random_state": 0}
    std = float(torch.cat(CHECKED).var(0, correction=0).mean().sqrt())
    relative = Adversary(sigma=1.2, sigma_unit="std", **settings).fit(CLIPS, LABELS)
    absolute = Adversary(sigma=1.2 * std, **settings).fit(CLIPS, LABELS)
    assert relative.sigma_ == pytest.approx(1.2 * std)
    assert absolute.sigma_ == 1.2 * std
    draws = [a.sample(CLIPS, 6).frames for a in (relative, absolute)]
    assert torch.allclose(*draws, atol=1e-6)
    other = Adversary(sigma=1.2, **settings).fit(CLIPS, LABELS).sample(CLIPS, 6).frames
    assert not torch.allclose(other, draws[0], atol=1e-3)
    with pytest.raises(ValueError, match="sigma_unit"):
        Adversary(sigma_unit="relative").fit(CLIPS, LABELS)  # type: ignore[arg-type]


def test_sigma_relative_to_the_features_survives_the_disk(tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings = {"n_iter": 2, "classifier_iter": 5, "random_state": 0, "device": "cpu"}
    saved = Adversary(sigma=30.0, sigma_unit="std", **settings).fit(CLIPS, LABELS)
    loaded = Adversary.load(saved.save(tmp_path / "a"), device="cpu")
    assert loaded.sigma_ == saved.sigma_ != 30
    assert torch.equal(loaded.sample(CLIPS, 6).frames, saved.sample(CLIPS, 6).frames)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_estimators_with_documented_differences(name: str) -> None:
    quick = {"adversary__n_iter": 2, "adversary__classifier_iter": 2, "n_negatives": 4}
    pooling = preset(name, random_state=0, device="cpu", **quick)
    assert pooling.fit(CLIPS, LABELS).transform(CLIPS).shape[:2] == (6, 5)
    chosen = PRESETS[name]
    assert len(chosen.differences) >= 4
    for key, value in chosen.adversary.items():
        assert getattr(pooling.adversary, key) == value
    for key, value in chosen.pooling.items():
        assert getattr(preset(name), key) == value
    with pytest.raises(ValueError, match="paper"):
        preset("icml")
