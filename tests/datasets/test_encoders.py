"""Frame encoders: windows, the paper's kind of features, and no look at a test sequence."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from acot_core._utils.progress import Cancelled, Progress
from acot_core.datasets import FrameEncoder, encode, load
from acot_core.datasets.encoders import windows
from acot_core.datasets.frame_network import frame_weights

KINDS = ["untrained", "trained"]


def signals(n_clips: int = 12, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Clips of two classes that differ in the mean of one channel."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_clips) % 2
    raw = [rng.normal([3 * label, 0, 0, 5], size=(rng.integers(5, 12), 4)) for label in labels]
    return raw, labels


def test_windows_hold_consecutive_rows() -> None:
    signal = torch.arange(10.0).reshape(5, 2)
    expected = torch.tensor([[0.0, 1, 2, 3], [4.0, 5, 6, 7]])
    torch.testing.assert_close(windows(signal, 2, 2), expected)
    assert windows(signal, 3, 1).shape == (3, 6)


def test_a_short_signal_is_continued_by_its_last_row() -> None:
    torch.testing.assert_close(windows(torch.tensor([[1.0], [2.0]]), 4), torch.tensor([[1.0, 2, 2, 2]]))


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_of_the_papers_kind(kind: str) -> None:
    raw, labels = signals()
    encoded = encode(raw, kind, labels=labels, n_features=16, window=3, stride=2)
    for x, signal in zip(encoded, raw, strict=True):
        assert x.shape == ((len(signal) - 3) // 2 + 1, 16)
        assert x.dtype == torch.float32
        assert (x >= 0).all()
        torch.testing.assert_close(x.norm(dim=1), torch.ones(len(x), dtype=torch.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_sees_no_test_sequence(kind: str) -> None:
    """Other test sequences, other test labels: bit for bit the same encoder and training features."""
    raw, labels = signals()
    train = np.arange(len(raw)) < 8
    other = [x if seen else 100 * x + 7 for x, seen in zip(raw, train, strict=True)]
    swapped = np.where(train, labels, 1 - labels)
    options = {"train": train, "n_features": 16, "random_state": 3}
    first = encode(raw, kind, labels=labels, **options)
    second = encode(other, kind, labels=swapped, **options)
    for i in range(8):
        assert torch.equal(first[i], second[i])
    assert not torch.equal(first[9], second[9])
    third = encode([x + i for i, x in enumerate(raw)], kind, labels=labels, **options)
    assert not torch.equal(first[1], third[1]), "training sequences must matter"


@pytest.mark.parametrize("encoder", KINDS)
def test_load_fits_encoders_on_the_training_part(encoder: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """The same through files: a test sequence is changed on the disk, the training features stay."""
    raw, labels = signals()
    lengths = np.array([len(x) for x in raw])
    splits = np.where(np.arange(12) < 8, 1, 2)[None]
    streams = []
    for shift in (0, 50):
        rows = np.concatenate([x + (shift if i >= 8 else 0) for i, x in enumerate(raw)])
        path = tmp_path / f"{shift}.npz"
        np.savez(path, features=rows, lengths=lengths, labels=labels, splits=splits)
        streams.append(load(path, encoder=encoder, n_features=16).streams["features"])
    assert all(torch.equal(a, b) for a, b in zip(streams[0][:8], streams[1][:8], strict=True))
    assert not torch.equal(streams[0][8], streams[1][8])


def test_untrained_encoder_of_several_splits_sees_what_trains_in_all(tmp_path) -> None:  # type: ignore[no-untyped-def]
    raw, labels = signals()
    place = np.arange(12)
    splits = np.stack([np.where(place < 8, 1, 2), np.where(place >= 4, 1, 2)])
    arrays = {"lengths": [len(x) for x in raw], "labels": labels}
    np.savez(tmp_path / "a.npz", features=np.concatenate(raw), splits=splits, **arrays)
    dataset = load(tmp_path / "a.npz", n_features=16)
    expected = encode(raw, train=(place >= 4) & (place < 8), n_features=16)
    torch.testing.assert_close(dataset.streams["features"][0], expected[0])
    np.savez(
        tmp_path / "b.npz",
        features=np.concatenate(raw),
        splits=np.stack([splits[0], 3 - splits[0]]),
        **arrays,
    )
    with pytest.raises(ValueError, match="no sequence trains in every split"):
        load(tmp_path / "b.npz")
    assert list(load(tmp_path / "b.npz", split="2").splits) == ["2"]
    assert list(load(tmp_path / "b.npz", encoder="trained", n_features=16).splits) == ["1"]


@pytest.mark.parametrize("kind", KINDS)
def test_seed_alone_decides(kind: str) -> None:
    raw, labels = signals()
    torch.manual_seed(1)
    first = encode(raw, kind, labels=labels, n_features=16, random_state=5)
    torch.manual_seed(2)
    again = encode(raw, kind, labels=labels, n_features=16, random_state=5)
    other = encode(raw, kind, labels=labels, n_features=16, random_state=6)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_scale_and_offset_of_a_channel_do_not_matter() -> None:
    raw, _ = signals()
    moved = [x * [1, 10, 0.1, 1] + [0, 5, 0, -3] for x in raw]
    for a, b in zip(encode(raw), encode(moved), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_a_constant_channel_is_harmless() -> None:
    raw, _ = signals()
    for x in raw:
        x[:, 2] = 4.0
    assert all(torch.isfinite(x).all() for x in encode(raw))


def test_trained_features_know_the_classes() -> None:
    """One informative channel among 20: on test sequences, training sets the classes' mean features apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    raw = [rng.normal(size=(10, 20)) + 1.5 * np.eye(20)[3] * label for label in labels]
    train = np.arange(60) < 40

    def separation(kind: str) -> float:
        encoded = encode(raw, kind, labels=labels, train=train, n_features=32)
        means = torch.stack([x.mean(0) for x in encoded])[40:]
        first, second = means[labels[40:] == 0], means[labels[40:] == 1]
        within = first.var(0).sum() + second.var(0).sum()
        return float((first.mean(0) - second.mean(0)).square().sum() / within)

    assert separation("trained") > 2 * separation("untrained")


def test_training_reports_and_can_be_stopped() -> None:
    raw, labels = signals()
    seen: list[Progress] = []
    encode(raw, "trained", labels=labels, n_features=8, callback=seen.append)
    steps = [p.step for p in seen]
    assert len(steps) > 10
    assert steps == sorted(set(steps))
    assert steps[-1] == seen[-1].total

    def stop(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        encode(raw, "trained", labels=labels, n_features=8, callback=stop)


def test_every_clip_has_the_same_weight() -> None:
    weights = frame_weights(torch.tensor([1, 4, 10]))
    totals = [float(part.sum()) for part in weights.split([1, 4, 10])]
    assert totals == pytest.approx([5.0, 5.0, 5.0])
    assert float(weights.mean()) == pytest.approx(1.0)


def test_encoder_follows_scikit_learn() -> None:
    raw, labels = signals()
    encoder = FrameEncoder("trained", n_features=8, window=2)
    copy = clone(encoder).fit(raw, labels)
    assert copy.get_params() == encoder.get_params()
    torch.testing.assert_close(copy.transform(raw)[0], encoder.fit(raw, labels).transform(raw)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"raw": []}, "raw: expected at least one sequence"),
        ({"raw": [np.ones((3, 2)), np.ones((3, 1))]}, r"raw\[1\]: expected 2 channels"),
        ({"raw": [np.ones((0, 2))]}, r"raw\[0\]: expected real numbers of shape \(n >= 1"),
        ({"raw": [np.ones((3, 2)), [["a", "b"]]]}, r"raw\[1\]"),
        ({"raw": [np.array([[1.0], [np.nan]])]}, r"raw\[0\].*row 1 holds a NaN"),
        ({"kind": "vgg"}, "kind: expected 'untrained' or 'trained'"),
        ({"kind": "trained"}, "labels: expected the sequences' classes"),
        ({"kind": "trained", "labels": [0, 1]}, r"labels: expected shape \(12,\)"),
        ({"kind": "trained", "labels": [0] * 12}, "at least two classes"),
        ({"train": [True]}, r"train: expected a boolean array of shape \(12,\)"),
        ({"train": np.zeros(12, bool)}, "at least one True"),
        ({"n_features": 0}, "n_features: expected an integer of at least 1"),
        ({"stride": 1.5}, "stride: expected an integer of at least 1, got 1.5"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_bad_input_is_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(**({"raw": signals()[0]} | arguments))


def test_transform_insists_on_the_channels_of_fit() -> None:
    raw, _ = signals()
    with pytest.raises(ValueError, match="expected 4 channels, got 3"):
        FrameEncoder().fit(raw).transform([x[:, :3] for x in raw])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_training_on_the_gpu_gives_features_on_the_cpu() -> None:
    raw, labels = signals()
    encoded = encode(raw, "trained", labels=labels, n_features=8, device="cuda")
    assert encoded[0].device.type == "cpu"
