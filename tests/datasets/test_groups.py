"""Groups: sequences of one source are known as such, through files, and on one side of each split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import good, npz

from acot_core.datasets import SequenceDataset, load, save_dataset
from acot_core.datasets._planted import stratified_mask


def grouped(groups: object) -> SequenceDataset:
    frames = [torch.rand(n, 3, generator=torch.Generator().manual_seed(n)) + 0.1 for n in (4, 2, 3)]
    labels = np.array([0, 1, 0])
    return SequenceDataset("small", {"features": frames}, labels, ["run", "sit"], {}, groups=groups)  # type: ignore[arg-type]


@pytest.mark.parametrize("groups", [np.array([7, 7, 3]), np.array(["a", "a", "b"])])
def test_groups_survive_file_and_subset(groups: np.ndarray, tmp_path: Path) -> None:
    dataset = grouped(groups)
    again = load(save_dataset(tmp_path / "mine.npz", dataset), random_state=0)
    assert again.groups is not None
    assert again.groups.tolist() == groups.tolist()
    assert again.subset([2, 0]).groups.tolist() == groups[[2, 0]].tolist()  # type: ignore[union-attr]
    assert again.to_frame()["group"].tolist() == groups.tolist()
    assert "2 groups" in repr(again)


def test_fingerprint_knows_who_belongs_together_not_what_they_are_called() -> None:
    first = grouped([7, 7, 3]).fingerprint()
    assert first == grouped(["a", "a", "b"]).fingerprint()
    assert len({first, grouped([7, 3, 3]).fingerprint(), grouped(None).fingerprint()}) == 3


@pytest.mark.parametrize(
    ("groups", "got"),
    [
        ([1, 2], r"int64 \(2,\)"),
        ([1.0, 2.0, 3.0], "float64"),
        ([[1], [2], [3]], r"\(3, 1\)"),
        ([[1], 2, 3], "nested"),
    ],
)
def test_groups_that_do_not_fit_are_named(groups: list, got: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"groups: expected .*{got}"):
        grouped(groups)
    if got != "nested":
        path = npz(tmp_path, groups=np.array(groups))
        with pytest.raises(ValueError, match=f"{path}: groups: expected .*{got}"):
            load(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_split_divides_no_group_and_keeps_the_classes_shares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(80), rng.integers(1, 6, 80))
    labels = rng.integers(0, 4, 80)[groups]  # a source shows one class
    mask = stratified_mask(labels, 0.7, np.random.default_rng(seed), groups)
    assert not set(groups[mask]) & set(groups[~mask])
    shares = [mask[labels == c].mean() for c in range(4)]
    assert shares == pytest.approx([0.7] * 4, abs=0.08)
    other = stratified_mask(labels, 0.7, np.random.default_rng(seed + 1), groups)
    assert (other != mask).any(), "the seed must matter"
    assert (mask == stratified_mask(labels, 0.7, np.random.default_rng(seed), groups)).all()


def test_two_groups_are_set_apart_and_one_cannot_be(tmp_path: Path) -> None:
    labels = np.array([0, 1, 0, 1])
    for share in (0.1, 0.7, 0.99):
        mask = stratified_mask(labels, share, np.random.default_rng(0), np.array([5, 5, 9, 9]))
        assert len(set(mask[:2])) == len(set(mask[2:])) == 1
        assert mask[0] != mask[2]
    lonely = load(npz(tmp_path, splits=None, groups=np.array([4, 4, 4])), encoder="none")
    assert lonely.splits == {}
    assert len(lonely.streams["features"]) == len(good()["labels"])
    signed = npz(tmp_path, splits=None, groups=np.array([4, 4, 4]), features=good()["features"] - 0.5)
    assert load(signed, encoder="untrained", n_features=8).streams["features"][0].shape == (4, 8)
