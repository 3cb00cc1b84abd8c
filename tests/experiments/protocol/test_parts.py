"""Parts: folds stay inside of the training sequences, and adversaries are shared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_studies import FAST, TINY, tiny

from acot_core.experiments._protocol import cached_negatives
from acot_core.experiments._protocol.cached_negatives import CachedNegatives
from acot_core.experiments._protocol.cells import Fit
from acot_core.experiments._protocol.classifiers import LINEAR
from acot_core.experiments._protocol.evaluation import evaluate_entries
from acot_core.experiments._protocol.parts import Source, fold_indices, load_part, share_adversary
from acot_core.experiments._protocol.study import Entry, Study
from acot_core.experiments.methods import method
from acot_core.gan.adversary import Adversary
from acot_core.sequences import Negatives


def test_inner_parts_stay_inside_the_training_sequences(tmp_path: Path) -> None:
    dataset = tiny()
    source = Source.of(dataset)
    train, test = dataset.split()
    outer = load_part(source, 0, None, None, 3, tmp_path)
    np.testing.assert_array_equal(outer.train, train)
    np.testing.assert_array_equal(outer.test, test)
    evaluated = []
    for fold in range(3):
        part = load_part(source, 0, None, fold, 3, tmp_path)
        assert not set(part.train) & set(part.test)
        assert set(part.train) | set(part.test) == set(train)
        evaluated += part.test.tolist()
    assert sorted(evaluated) == sorted(train)
    with pytest.raises(ValueError, match="n_folds"):
        fold_indices(np.array([0, 0, 0, 1]), 3, 0)


def test_trained_encoders_do_not_depend_on_held_out_sequences(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = [rng.normal(size=(8, 3)).astype(np.float32) + (i % 2) for i in range(24)]
    other = [x.copy() for x in raw]
    split = np.arange(24) < 16
    for i in range(16, 24):
        other[i] = other[i] * 100
    features = []
    for number, signals in enumerate((raw, other)):
        file = tmp_path / f"{number}.npz"
        np.savez(
            file, features=np.concatenate(signals), lengths=np.full(24, 8), labels=np.arange(24) % 2,
            splits=np.where(split, 1, 2)[None],
        )  # fmt: skip
        source = Source.of(str(file), {"encoder": "trained", "n_features": 12})
        part = load_part(source, 0, None, None, 3, tmp_path / f"cache{number}")
        features.append(part.take("features", part.train))
    for a, b in zip(*features, strict=True):
        np.testing.assert_array_equal(a, b)


def test_adversaries_are_trained_once_and_shared(tmp_path: Path) -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, tmp_path)
    first = share_adversary(part, "features", 0, FAST, tmp_path)
    (file,) = (tmp_path / "adversaries").iterdir()
    before = file.stat().st_mtime_ns
    again = share_adversary(part, "features", 0, FAST, tmp_path)
    assert file.stat().st_mtime_ns == before
    x = part.take("features", part.test[:2])
    np.testing.assert_array_equal(first.sample(x, 5, 0).frames, again.sample(x, 5, 0).frames)
    file.write_bytes(file.read_bytes()[:100])  # a damaged file is replaced
    np.testing.assert_array_equal(
        first.sample(x, 5, 0).frames,
        share_adversary(part, "features", 0, FAST, tmp_path).sample(x, 5, 0).frames,
    )
    share_adversary(part, "features", 0, {**FAST, "sigma": 0.1}, tmp_path)
    assert len(list((tmp_path / "adversaries").iterdir())) == 2


def test_cached_negatives_equal_the_adversarys_and_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    adversary = share_adversary(part, "features", 0, FAST, None)
    cached = CachedNegatives.of(adversary)
    assert cached.is_fitted
    assert cached.get_params() == adversary.get_params()
    drawn: list[int] = []
    draw = Adversary._draw

    def count(self: Adversary, *arguments: Any) -> Negatives:
        drawn.append(1)
        return draw(self, *arguments)

    x = part.take("features", part.test)
    requests = [(x, 5, 0), (x, 6, 0), (x, 5, 1), (x[:3], 5, 0), (x[:3][::-1], 5, 0), (x, "2n", 0)]
    expected = [adversary.sample(*asked).frames for asked in requests]
    monkeypatch.setattr(Adversary, "_draw", count)
    for _ in range(2):
        for asked, frames in zip(requests, expected, strict=True):
            np.testing.assert_array_equal(cached.sample(*asked).frames, frames)
    assert len(drawn) == len(requests)
    # Another adversary draws its own; memory is bounded, and what was dropped is drawn again.
    other = CachedNegatives.of(share_adversary(part, "features", 0, {**FAST, "sigma": 0.1}, None))
    assert not np.array_equal(other.sample(x, 5, 0).frames, expected[0])
    monkeypatch.setattr(cached_negatives, "_BYTES", 1)
    cached.sample(x, 7, 0)
    assert len(cached_negatives._NEGATIVES) == 1
    drawn.clear()
    for asked, frames in zip(requests, expected, strict=True):
        np.testing.assert_array_equal(cached.sample(*asked).frames, frames)
    assert len(drawn) == len(requests)


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    """In ungrouped folds JHMDB video seemed to be 76 % where the test said 50: groups are near copies."""
    labels = np.repeat(np.arange(3), 12)
    groups = np.repeat(np.arange(12), 3)
    for inside, outside in fold_indices(labels, 3, 0, groups):
        assert not set(groups[inside]) & set(groups[outside])
        assert set(labels[outside]) == {0, 1, 2}
    dataset = replace(tiny(), groups=np.arange(32) // 2 % 16)
    for fold in range(2):
        part = load_part(Source.of(dataset), 0, None, fold, 2, None)
        assert not set(dataset.groups[part.train]) & set(dataset.groups[part.test])
    with pytest.raises(ValueError, match="groups of training sequences per class; class 0 has 1"):
        fold_indices(np.array([0, 0, 0, 1, 1, 1]), 3, 0, np.array([7, 7, 7, 1, 2, 3]))


def test_cross_fitted_adversaries_do_not_see_what_they_are_used_on() -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    inner = part.cross_fit(3, 0)
    places = np.concatenate([place for _, place in inner])
    assert sorted(places) == list(range(len(part.train)))
    for fold, place in inner:
        np.testing.assert_array_equal(part.train[place], fold.test)
        assert not set(fold.train) & set(fold.test)


def test_cross_fitted_representations_are_those_of_another_adversary() -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    setting = method("acot").settings({"n_subspaces": 1}, tune=False)[0]
    names = {"source": Source.of(tiny()), "cache": None, "seed": 0, "split": None, "fold": None, "n_folds": 3}
    fit = Fit(**names, name="acot", setting=setting, stream="features", adversary=FAST)
    plain, crossed = fit.pool(part), replace(fit, setting={**setting, "cross_fit": 2}).pool(part)
    np.testing.assert_array_equal(plain.held, crossed.held)
    fold, place = part.cross_fit(2, 0)[0]
    by_hand = fit.pool(fold)
    np.testing.assert_array_equal(crossed.fitted[place], by_hand.held)
    assert not np.array_equal(crossed.fitted, plain.fitted)


def test_reversed_sequences_are_classes_of_their_own() -> None:
    plain, turned = (Source.of("planted", {**TINY, **more}).get(0) for more in ({}, {"reversals": True}))
    assert len(turned.class_names) == 2 * len(plain.class_names)
    back = turned.labels >= len(plain.class_names)
    np.testing.assert_array_equal(turned.labels % len(plain.class_names), plain.labels)
    for i, is_back in enumerate(back):
        expected = plain.streams["features"][i].flip(0) if is_back else plain.streams["features"][i]
        np.testing.assert_array_equal(turned.streams["features"][i], expected)
    train, test = turned.split()
    assert 0 < back[train].sum() < len(train)
    assert 0 < back[test].sum() < len(test)


def test_ready_made_features_are_the_same_for_every_seed(tmp_path: Path) -> None:
    data = tiny()
    assert Source.of(data).is_fixed
    assert not Source.of("planted", {"n_sequences": 24}).is_fixed
    file = tmp_path / "own.npz"
    frames = np.abs(np.random.default_rng(0).normal(size=(24 * 8, 3))).astype(np.float32)
    rows = {"lengths": np.full(24, 8), "labels": np.arange(24) % 2}
    np.savez(file, features=frames, splits=np.where(np.arange(24) < 16, 1, 2)[None], **rows)
    assert Source.of(str(file), {"encoder": "none"}).is_fixed
    assert Source.of(str(file), {"encoder": "none"}).get(3) is Source.of(str(file), {"encoder": "none"}).get(
        0
    )
    assert not Source.of(str(file), {"encoder": "none", "reversals": True}).is_fixed
    assert not Source.of(str(file), {"encoder": "untrained"}).is_fixed
    np.savez(file, features=frames, **rows)  # without splits: they are drawn
    assert not Source.of(str(file), {"encoder": "none"}).is_fixed


def test_what_depends_on_no_seed_is_computed_once(tmp_path: Path) -> None:
    study = Study(Source.of(tiny()), seeds=(0, 1, 2), classifier=LINEAR, cache=tmp_path, fuse=False)
    scores = evaluate_entries(study, [Entry("average"), Entry("acot-random")])
    assert [s.seed for s in scores] == [0, 1, 2] * 2
    assert len(list((tmp_path / "cells").iterdir())) == 1 + 3
