"""What `save_dataset` writes `load` reads, for every name; or the name is refused when saving."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import cases, seeds
from hypothesis import given
from hypothesis import strategies as st

from acot_core.datasets import SequenceDataset, Shown, load, save_dataset

# Names of all kinds; those that Windows, zip archives and numpy have a use for among them.
names = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["con", "AUX", "nul.npy", "COM1", "a.npy", "file", "allow_pickle", "features ", " x", "..",
     "a/b", "c:", "ü", "\U0001f600", "lengths_x", "labels", "x\0", "\ud800", "é", "e\u0301", "x" * 2000]
)  # fmt: skip


@cases(250)
@given(
    st.lists(names, min_size=1, max_size=3, unique=True),
    st.lists(names, min_size=2, max_size=3, unique=True),
    st.integers(1, 4), st.booleans(), seeds,
)  # fmt: skip
def test_every_name_comes_back_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    streams: list[str],
    classes: list[str],
    d: int,
    grouped: bool,
    seed: int,
) -> None:
    g = torch.Generator().manual_seed(seed)
    data = {
        s: [torch.rand(n, d, generator=g, dtype=torch.float32) + 0.1 for n in (2, 1, 3, 2)] for s in streams
    }
    labels, groups = np.arange(4) % len(classes), np.array([3, 1, 3, 2]) if grouped else None
    saved = SequenceDataset(
        "mine", data, labels, classes, {"1": np.array([True, True, False, False])}, groups=groups,
        shown=Shown(names=[f"{c}{i}." for i, c in enumerate([*classes, "a", "b"][:4])] if d > 1 else None),
    )  # fmt: skip
    file = tmp_path_factory.mktemp("files") / "mine.npz"
    refused = ""
    try:
        save_dataset(file, saved)
    except ValueError as error:
        refused = str(error)
    assert file.exists() == (not refused)
    if refused:
        assert refused.split(":")[0] in ("streams", "class_names", "names")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is guessed: the file says what it holds
        read = load(file)
    assert list(read.streams) == list(saved.streams)
    assert read.class_names == classes
    assert read.shown.names == saved.shown.names
    assert read.fingerprint() == saved.fingerprint()
    assert read.config["encoder"] == "none"
    assert save_dataset(file, read).read_bytes()  # and again
    assert load(file).config["made_by"] == read.config["made_by"] == ["features as they came"]


def test_what_an_encoder_made_is_not_encoded_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "signals.npz", features=rng.normal(size=(24, 1)), lengths=[6] * 4, labels=[0, 1] * 2)
    with pytest.warns(UserWarning, match="has one column"):
        encoded = load(tmp_path / "signals.npz", n_features=8)
    read = load(save_dataset(tmp_path / "features.npz", encoded))
    assert read.config["made_by"] == ["acot_core.datasets.encode, untrained"]
    pairs = zip(read.streams["features"], encoded.streams["features"], strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("what", ["class_names", "names"])
def test_a_nul_that_numpy_drops_is_refused(tmp_path: Path, what: str) -> None:
    clips = [torch.ones(2, 3)] * 2
    given_ = {"class_names": ["x\0", "y"]} if what == "class_names" else {"class_names": ["x", "y"]}
    shown = Shown(names=["a", "b\0"]) if what == "names" else Shown()
    data = SequenceDataset("mine", {"s": clips}, np.array([0, 1]), **given_, splits={}, shown=shown)
    with pytest.raises(ValueError, match=f"^{what}: .* ends in a NUL"):
        save_dataset(tmp_path / "x.npz", data)


def test_features_that_deflate_as_no_measurement_does_are_read_back(tmp_path: Path) -> None:
    """Beyond 64 MB such an archive is refused as a bomb: it is stored without compression."""
    frames = torch.zeros(1_000, 20_000, dtype=torch.float32)
    frames[:, 0] = 1
    data = SequenceDataset("mine", {"one-hot": [frames]}, np.array([0]), ["x"], {})
    read = load(save_dataset(tmp_path / "mine.npz", data))
    assert torch.equal(read.streams["one-hot"][0], frames)
