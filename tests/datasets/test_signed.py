"""Signed features, what a file is taken for, and what is said about it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import good, npz

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core.datasets import FrameEncoder, SequenceDataset, Shown, encode, load, nonnegative, save_dataset


def features(n: int = 60, d: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    rows = np.random.default_rng(seed).random((n, d)).astype(np.float32) + 0.1
    return {"features": rows, "lengths": np.full(n // 10, 10), "labels": np.arange(n // 10) % 2}


def write(path: Path, **changes: np.ndarray) -> Path:
    np.savez(path, **(features() | changes))  # type: ignore[arg-type]
    return path


# ---------------------------------------------------------------- gamma


def test_splitting_keeps_norms_and_everything_else() -> None:
    x = torch.randn(20, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    split = nonnegative(x)
    assert (split >= 0).all()
    torch.testing.assert_close(split[:, :7] - split[:, 7:], x)
    torch.testing.assert_close(split.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(nonnegative(x, "relu"), x.relu())
    with pytest.raises(ValueError, match=r"gamma: expected one of \['split', 'relu'\] or None, got 'abs'"):
        nonnegative(x, "abs")  # type: ignore[arg-type]


@pytest.mark.parametrize("gamma", ["split", "relu"])
def test_gamma_changes_nothing_where_nothing_is_negative(tmp_path: Path, gamma: str) -> None:
    path = write(tmp_path / "a.npz")
    with pytest.warns(UserWarning, match="non-negative, so taken for features"):
        plain = load(path)
    assert load(path, gamma=gamma).fingerprint() == plain.fingerprint()  # type: ignore[arg-type]
    signed = features()["features"] - 0.5
    both = write(tmp_path / "b.npz", features=signed, positive=features(seed=1)["features"])
    data = load(both, gamma=gamma)  # type: ignore[arg-type]
    assert data.streams["positive"][0].shape == (10, 8)
    assert data.streams["features"][0].shape == (10, 16 if gamma == "split" else 8)


def test_signed_features_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", features=features()["features"] - 0.5)
    with pytest.raises(ValueError, match=r"negative entry; .*acot_core\.datasets\.nonnegative"):
        load(path, encoder="none")
    with pytest.raises(ValueError, match="gamma: belongs to features that are taken as they are"):
        load(path, encoder="untrained", gamma="split")
    with pytest.raises(ValueError, match="gamma: expected one of"):
        load(path, gamma="abs")  # type: ignore[arg-type]


def test_a_signed_network_goes_through_the_whole_pipeline(tmp_path: Path) -> None:
    """EfficientNet-Lite0 without its last ReLU6, on generated videos: encoded, loaded, pooled, classified."""
    pytest.importorskip("av")
    pytest.importorskip("efficientnet_lite_pytorch")
    from videos import write_video

    from acot_core.datasets.video import EfficientNetLite0, TorchEncoder, encode_videos

    class Signed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = EfficientNetLite0().module.network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept: list[torch.Tensor] = []
            hook = self.network._conv_head.register_forward_hook(lambda _m, _i, out: kept.append(out))
            self.network.extract_features(x)
            hook.remove()
            return kept[0].mean((2, 3))

    for i in range(4):
        write_video(tmp_path / "videos" / ("run", "sit")[i % 2] / f"{i}.mp4", 6, seed=i % 2)
    encoder = TorchEncoder(Signed(), (64, 48), mean=127.0, std=128.0, identity="signed")
    report = encode_videos(
        tmp_path / "videos", tmp_path / "o.npz", encoder=encoder, streams=("rgb",), gamma="split"
    )
    data = load(report.path)
    assert data.config["encoder"] == "none"
    sequences = data.streams["rgb"]
    assert sequences[0].shape == (6, 2560)
    halves = torch.cat(sequences).reshape(-1, 2, 1280)
    assert (halves.amax(2) > 0).all(), "both signs must occur"
    assert (halves.amin(1) == 0).all(), "no feature is positive and negative"
    adversary = Adversary(n_iter=2, classifier_iter=5, random_state=0).fit(sequences, data.labels)
    pooling = ACOTPooling(n_negatives=5, adversary=adversary, random_state=0)
    subspaces = pooling.fit_transform(sequences, data.labels)
    assert GrassmannSVC().fit(subspaces, data.labels).score(subspaces, data.labels) == 1.0


# ---------------------------------------------------------------- what a file is taken for


@pytest.mark.parametrize(
    ("value", "reason"),
    [(0.0, "frame 7 is all zero"), (-1e-12, "frame 7 has a negative entry")],
)
def test_one_bad_frame_is_named(tmp_path: Path, value: float, reason: str) -> None:
    rows = features()["features"].astype(np.float64)
    rows[17] = np.r_[value, rows[17, 1:] * (value != 0)]
    path = write(tmp_path / "a.npz", features=rows, names=np.array([f"clip {i}" for i in range(6)]))
    with pytest.warns(UserWarning, match=rf"features\[1\] \(clip 1\): {reason}, so taken for signals"):
        data = load(path)
    assert data.config["encoder"] == "untrained"
    assert "encoder untrained" in repr(data)


def test_one_column_is_a_signal(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", features=features()["features"][:, :1])
    with pytest.warns(UserWarning, match="features has one column, so taken for signals"):
        data = load(path, window=4)
    assert len(torch.unique(torch.cat(data.streams["features"]))) > 10


def test_nothing_is_said_where_nothing_is_guessed(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(write(tmp_path / "a.npz"), encoder="none")
        load(write(tmp_path / "b.npz"), encoder="untrained")
        load(write(tmp_path / "c.npz", encoder=np.array(["features: a network"])))
        rows = features()["features"]
        load(write(tmp_path / "d.npz", features=rows / np.linalg.norm(rows, axis=1, keepdims=True)))
        load("planted", n_sequences=12, n_pairs=1)


def test_the_unit_of_one_column_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    clips = [0.03 * rng.normal(size=(30, 3)) for _ in range(10)]
    for unit in (1e3, 1e6, 1e9):
        other = [np.c_[c[:, :2], c[:, 2] * unit] for c in clips]
        for a, b in zip(encode(clips, n_features=16), encode(other, n_features=16), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
        assert (FrameEncoder(n_features=16).fit(other).scale_ != 1).all()


# ---------------------------------------------------------------- the file


def test_other_arrays_are_left_out_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", fps=np.array(25.0), stamps=np.arange(60.0))
    with pytest.warns(UserWarning, match=r"a\.npz: fps, stamps: no streams"):
        assert list(load(path, encoder="none").streams) == ["features"]


def test_what_is_shown_survives_file_and_subset(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "names": np.array(list("abcdef")), "frame_rate": np.array(12.5),
        "joints": rng.normal(size=(60, 15, 2)),
        "thumbnails": rng.integers(0, 255, (9, 6, 8, 3), dtype=np.uint8),
        "thumbnail_lengths": np.array([2, 0, 1, 1, 2, 3]), "thumbnail_rows": np.arange(9),
    }  # fmt: skip
    data = load(write(tmp_path / "a.npz", **arrays), encoder="none")
    again = load(save_dataset(tmp_path / "b.npz", data), encoder="none")
    for one in (data, again):
        assert one.shown.names == list("abcdef")
        assert one.shown.frame_rate is not None
        assert one.shown.frame_rate.tolist() == [12.5] * 6
        assert one.shown.thumbnails is not None
        np.testing.assert_array_equal(one.shown.thumbnails[4].pictures, arrays["thumbnails"][4:6])
        assert one.raw["joints"][1].shape == (10, 30)
        assert list(one.streams) == ["features"]
    part = again.subset([5, 1])
    assert part.shown.names == ["f", "b"]
    assert part.shown.thumbnails is not None
    assert part.shown.thumbnails[0].rows.tolist() == [6, 7, 8]
    assert part.to_frame()["name"].tolist() == ["f", "b"]
    windows = load(tmp_path / "a.npz", encoder="untrained", window=2, stride=2, n_features=8)
    assert windows.shown.frame_rate is not None
    assert windows.shown.frame_rate[0] == 6.25


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": np.array(["a"])}, r"names: expected strings \(6,\)"),
        ({"frame_rate": np.array([1.0, 2.0])}, r"frame_rate: expected numbers \(6,\) or one"),
        ({"frame_rate": np.array(-1.0)}, "frame_rate: expected positive"),
        ({"thumbnails": np.zeros((2, 3, 4), np.uint8)}, "thumbnails: expected uint8"),
        ({"thumbnails": np.zeros((2, 3, 4, 3), np.uint8)}, "thumbnail_lengths: expected"),
        ({"joints": np.zeros((59, 15, 2))}, "lengths sum to 60, but joints has 59 rows"),
    ],
)
def test_what_is_shown_must_fit(tmp_path: Path, changes: dict, message: str) -> None:
    path = write(tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=f"{path}: {message}"):
        load(path)


def test_shown_must_fit_the_sequences() -> None:
    data = load("planted", n_sequences=12, n_pairs=1)
    with pytest.raises(ValueError, match="names: expected one per sequence, 12, got 1"):
        SequenceDataset(
            "x", data.streams, data.labels, data.class_names, data.splits, shown=Shown(names=["a"])
        )


@pytest.mark.parametrize("stream", ["file", "allow_pickle", "über", "rgb flow"])
def test_streams_may_have_any_name_that_a_file_can_hold(tmp_path: Path, stream: str) -> None:
    x = [torch.rand(4, 3, dtype=torch.float32) + 0.1 for _ in range(3)]
    labels = np.array([0, 1, 0])
    data = SequenceDataset("n", {"x": x, stream: x}, labels, ["a", "b"], {})
    assert list(load(save_dataset(tmp_path / "s.npz", data), encoder="none").streams) == ["x", stream]
    for bad in ("rgb/flow", "a:b", ".x", "names"):
        with pytest.raises(ValueError, match="streams: "):
            save_dataset(tmp_path / "t.npz", SequenceDataset("n", {bad: x}, labels, ["a", "b"], {}))
    with pytest.raises(ValueError, match="class_names: 'a' names two classes"):
        save_dataset(tmp_path / "t.npz", SequenceDataset("n", {"x": x}, labels, ["a", "a"], {}))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"old")
    (tmp_path / "link.npz").symlink_to(tmp_path / "store")
    data = load("planted", n_sequences=12, n_pairs=1)
    save_dataset(tmp_path / "link.npz", data)
    assert (tmp_path / "link.npz").is_symlink()
    assert (tmp_path / "store").read_bytes()[:2] == b"PK"


def test_a_split_without_test_is_told(tmp_path: Path) -> None:
    path = npz(tmp_path, splits=np.array([[0, 0, 1]]))
    with pytest.warns(UserWarning, match=r"splits\[0\]: no sequence to test on"):
        load(path, encoder="none")
    assert len(good()["labels"]) == 3


def test_videos_are_to_be_encoded_first(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.mp4").touch()
    with pytest.raises(ValueError, match="holds videos; encode them first: acot encode"):
        load(tmp_path)
