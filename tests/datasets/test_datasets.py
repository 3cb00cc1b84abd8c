"""Data sets: what `load` gives for each name and file format, splits, the planted generator's law."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import clips, good, jhmdb, npz
from scipy.io import savemat
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from acot_core.datasets import DATASETS, SequenceDataset, data_root, load, planted, save_dataset
from acot_core.datasets.jhmdb import motion_descriptor, pose_descriptor

needs_data = pytest.mark.skipif(data_root() is None, reason="needs the data of ACOT_DATA")
SHIPPED = ["planted", "stick-figures", "basic-motions", "japanese-vowels"]


def small(**changes: object) -> SequenceDataset:
    frames = [torch.rand(n, 3, dtype=torch.float32) + 0.1 for n in (4, 2, 3)]
    parts = {
        "name": "small",
        "streams": {"features": frames},
        "labels": np.array([0, 1, 0]),
        "class_names": ["run", "sit"],
        "splits": {"1": np.array([True, True, False])},
    }
    return SequenceDataset(**(parts | changes))  # type: ignore[arg-type]


def check_features(dataset: SequenceDataset) -> None:
    """What every part of the method relies on."""
    for sequences in dataset.streams.values():
        frames = torch.cat(sequences)
        assert frames.dtype == torch.float32
        assert (frames >= 0).all()
        torch.testing.assert_close(frames.norm(dim=1), torch.ones(len(frames), dtype=torch.float32))
        assert len(sequences) == len(dataset.labels)
    assert set(dataset.raw) >= set(dataset.streams)
    for name in dataset.splits:
        train, test = dataset.split(name)
        assert not set(train) & set(test)


# ---------------------------------------------------------------- SequenceDataset


def test_split_gives_both_parts_and_leaves_out_the_unused() -> None:
    dataset = small(used={"1": np.array([True, False, True])})
    train, test = dataset.split()
    assert (train.tolist(), test.tolist()) == ([0], [2])
    with pytest.raises(ValueError, match=r"split: expected one of \['1'\], got '7'"):
        dataset.split("7")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": {}}, "at least one stream"),
        (
            {"streams": {"a": [torch.ones(2, 3)] * 3, "b": [torch.ones(2, 3)] * 2}},
            "b holds 2 sequences, expected 3",
        ),
        ({"streams": {"a": [torch.ones(2, 3), torch.ones(2, 3), -torch.ones(1, 3)]}}, r"a\[2\].*negative"),
        ({"streams": {"a": [torch.ones(2, 3), torch.ones(2, 4), torch.ones(1, 3)]}}, r"a\[1\]: expected 3"),
        ({"raw": {"signal": [torch.ones(2, 3)]}}, "signal holds 1 sequences, expected 3"),
        ({"labels": [0, 1]}, r"labels: expected shape \(3,\)"),
        ({"labels": [0, 1, 2]}, r"labels\[2\] is 2, expected 0 to 1"),
        ({"labels": [0.0, 1.0, 0.0]}, "labels: expected integers"),
        ({"splits": {"1": np.array([1, 1, 0])}}, r"splits\['1'\]: expected a boolean"),
        ({"splits": {"1": np.array([True, False])}}, r"splits\['1'\].*shape \(3,\)"),
        ({"splits": {"1": np.zeros(3, bool)}}, "no sequence to train on"),
        ({"used": {"1": np.ones(2, bool)}}, r"used\['1'\]"),
    ],
)
def test_parts_that_do_not_fit_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_subset_keeps_order_and_drops_splits_that_cannot_train() -> None:
    dataset = small()
    part = dataset.subset([2, 0])
    torch.testing.assert_close(part.streams["features"][0], dataset.streams["features"][2])
    assert part.splits["1"].tolist() == [False, True]
    assert dataset.subset([2]).splits == {}
    assert dataset.subset([0, 1, 2]).fingerprint() == dataset.fingerprint()


def test_fingerprint_depends_on_content_alone() -> None:
    torch.manual_seed(0)
    frames = [torch.rand(n, 3, dtype=torch.float32) + 0.1 for n in (4, 2, 3)]
    first = small(streams={"a": frames})
    assert first.fingerprint() == small(streams={"a": frames}, name="other").fingerprint()
    changed = [frames[0].flip(0), *frames[1:]]
    others = [
        small(streams={"a": changed}),
        small(streams={"a": frames}, labels=np.array([1, 1, 0])),
        small(streams={"a": frames}, splits={"1": np.array([True, False, False])}),
    ]
    assert len({first.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_a_sequence_does_not_drag_the_others_along() -> None:
    frames = load("planted").streams["features"][3]
    assert frames.untyped_storage().nbytes() == frames.numel() * 4


def test_to_frame_has_a_row_for_each_sequence_and_stream() -> None:
    table = small(used={"1": np.array([True, False, True])}).to_frame()
    assert table["n_frames"].tolist() == [4, 2, 3]
    assert table["split 1"].tolist() == ["train", "unused", "test"]


# ---------------------------------------------------------------- planted


def test_planted_is_repeatable_and_seeds_differ() -> None:
    assert planted(random_state=3).fingerprint() == planted(random_state=3).fingerprint()
    assert planted(random_state=3).fingerprint() != planted(random_state=4).fingerprint()


def test_planted_takes_its_parameters() -> None:
    dataset = planted(n_sequences=40, n_pairs=2, dimension=30, length_range=(5, 9), n_splits=2, cue_size=4)
    check_features(dataset)
    lengths = {len(x) for x in dataset.streams["features"]}
    assert (len(dataset), len(dataset.class_names), list(dataset.splits)) == (40, 4, ["1", "2"])
    assert dataset.streams["features"][0].shape[1] == 30
    assert lengths <= set(range(5, 10))
    assert len(lengths) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_pairs": 0}, "n_pairs: expected an integer of at least 1, got 0"),
        ({"dimension": 20, "n_pairs": 3}, "dimension: expected an integer of at least 36"),
        ({"length_range": (9, 3)}, r"length_range\[1\]: expected an integer of at least 9, got 3"),
        ({"noise": float("nan")}, "noise: expected a finite non-negative number, got nan"),
        ({"n_sequences": 3}, "n_sequences: expected an integer of at least"),
    ],
)
def test_planted_names_a_parameter_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planted(**options)


def test_planted_pairs_are_each_others_time_reversal() -> None:
    """Energy along the pair's first cue grows in one class and falls in the other, by the same amount."""
    dataset = planted(n_sequences=120, n_pairs=1, noise=0.0, background=0.0, appearance=0.0)
    slope = {0: [], 1: []}
    for frames, label in zip(dataset.streams["features"], dataset.labels, strict=True):
        time = torch.linspace(-1, 1, len(frames), dtype=torch.float32)
        slope[int(label)].append(time @ frames)
    forwards, backwards = (torch.stack(slope[c]) / 20 for c in (0, 1))
    rising = forwards.mean(0)
    assert rising.max() > 0.1
    assert rising.min() < -0.1
    torch.testing.assert_close(backwards.mean(0), -rising, atol=0.05, rtol=0)


def accuracy(features: np.ndarray, dataset: SequenceDataset, split: str | None = None) -> float:
    """A linear SVM, its C chosen on the training sequences."""
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    train, test = dataset.split(split)
    search = GridSearchCV(SVC(kernel="linear"), {"C": [1, 10, 100]}, cv=3)
    search.fit(features[train], dataset.labels[train])
    return float(search.score(features[test], dataset.labels[test]))


def test_planted_order_free_descriptors_are_at_chance_between_partners() -> None:
    """Mean, maximum and principal direction see the pair, and guess which of the two it is."""
    right: dict[str, list[float]] = {"mean": [], "maximum": [], "principal": []}
    for seed in range(3):
        dataset = planted(random_state=seed)
        sequences = dataset.streams["features"]
        right["mean"].append(accuracy(np.stack([x.mean(0).numpy() for x in sequences]), dataset))
        right["maximum"].append(accuracy(np.stack([x.amax(0).numpy() for x in sequences]), dataset))
        vectors = [torch.linalg.svd(x.double(), full_matrices=False)[2][0].abs().numpy() for x in sequences]
        right["principal"].append(accuracy(np.stack(vectors), dataset))
    for name, values in right.items():
        assert np.mean(values) < 0.6, name  # 0.5 is what knowing the pair alone gives


def test_planted_order_tells_the_partners_apart() -> None:
    """The last third less the first: no order-free descriptor, and the classes are nearly plain."""
    dataset = planted()
    change = [x[-len(x) // 3 :].mean(0) - x[: len(x) // 3].mean(0) for x in dataset.streams["features"]]
    assert accuracy(torch.stack(change).numpy(), dataset) > 0.9


# ---------------------------------------------------------------- load


@pytest.mark.parametrize("name", SHIPPED)
def test_data_that_need_no_download(name: str) -> None:
    dataset = load(name)
    check_features(dataset)
    assert dataset.name == name
    assert len(set(dataset.labels.tolist())) == len(dataset.class_names)
    assert all(len(part) for part in dataset.split())


@pytest.mark.parametrize(
    ("name", "sizes", "classes", "channels"),
    [("basic-motions", (40, 40), 4, 6), ("japanese-vowels", (270, 370), 9, 12)],
)
def test_published_splits(name: str, sizes: tuple[int, int], classes: int, channels: int) -> None:
    dataset = load(name)
    assert tuple(len(part) for part in dataset.split("1")) == sizes
    assert len(dataset.class_names) == classes
    assert dataset.raw["signal"][0].shape[1] == channels
    lengths = {len(x) for x in dataset.raw["signal"]}
    assert (len(lengths) > 1) == (name == "japanese-vowels")


def test_same_arguments_give_the_same_object_and_seeds_differ() -> None:
    first = load("japanese-vowels", random_state=1)
    assert load("japanese-vowels", random_state=1) is first
    assert load("japanese-vowels", random_state=2).fingerprint() != first.fingerprint()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("jhmbd-pose", {}, "'jhmbd-pose': neither a data set .*jhmdb-pose"),
        ("x" * 5000, {}, "'xx.*xx': neither a data set"),
        ("planted", {"colour": 1}, "planted: unknown option 'colour'.*'noise'"),
        ("basic-motions", {"noise": 1}, "basic-motions: unknown option 'noise'"),
        ("planted", {"encoder": "vgg"}, "encoder: expected one of"),
        ("planted", {"split": "9"}, r"split: expected one of \['1', '2', '3'\], got '9'"),
        ("basic-motions", {"streams": ["flow"]}, r"streams: expected some of \['signal'\]"),
        ("basic-motions", {"window": 0}, "window: expected an integer of at least 1, got 0"),
        ("basic-motions", {"encoder": "none"}, r"signal\[0\].*negative"),
        ("hmdb-i3d", {"root": "/no/such/folder"}, "hmdb-i3d: root '/no/such/folder' does not exist"),
    ],
)
def test_bad_arguments_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name, **options)


def test_missing_data_say_where_they_are_expected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACOT_DATA", str(tmp_path / "absent"))
    assert data_root() is None
    with pytest.raises(ValueError, match=r"ACOT_DATA to the folder with jhmdb_pose/jhmdb_pose.npz"):
        load("jhmdb-pose")


def test_environment_variable_and_root_point_to_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jhmdb_pose").mkdir()
    poses = np.random.default_rng(0).normal(size=(9, 15, 2)).astype(np.float32)
    path = npz(tmp_path / "jhmdb_pose", features=None, poses=poses)
    path = path.rename(tmp_path / "jhmdb_pose" / "jhmdb_pose.npz")
    monkeypatch.setenv("ACOT_DATA", str(tmp_path))
    by_variable = load("jhmdb-pose").fingerprint()
    monkeypatch.delenv("ACOT_DATA")
    for root in (tmp_path, tmp_path / "jhmdb_pose", path):
        assert load("jhmdb-pose", root=root).fingerprint() == by_variable


def test_archive_round_trip(tmp_path: Path) -> None:
    frames = {
        s: [torch.rand(n, 3, dtype=torch.float32) + 0.1 for n in lengths]
        for s, lengths in {"a": (4, 2, 3), "b": (5, 1, 2)}.items()
    }
    dataset = small(streams=frames, used={"1": np.array([True, False, True])})
    back = load(save_dataset(tmp_path / "data.npz", dataset))
    assert back.fingerprint() == dataset.fingerprint()
    assert back.class_names == ["run", "sit"]


def test_archive_is_read_again_when_it_changes(tmp_path: Path) -> None:
    first = load(npz(tmp_path))
    assert load(tmp_path / "data.npz") is first
    second = load(npz(tmp_path, features=good()["features"][:, :3]))
    assert second.streams["features"][0].shape[1] == 3


def test_archive_without_splits_gets_a_stratified_one(tmp_path: Path) -> None:
    path = npz(tmp_path, splits=None, lengths=np.ones(9, int), labels=np.arange(9) % 2)
    train, test = load(path).split("random")
    assert (len(train), len(test)) == (6, 3) or (len(train), len(test)) == (7, 2)


def test_archive_of_signed_signals_is_encoded(tmp_path: Path) -> None:
    dataset = load(npz(tmp_path, features=good()["features"] - 0.6), n_features=32)
    check_features(dataset)
    assert dataset.config["encoder"] == "untrained"
    assert dataset.streams["features"][0].shape == (4, 32)
    assert (dataset.raw["features"][0] < 0).any()


def test_string_labels_become_classes(tmp_path: Path) -> None:
    dataset = load(npz(tmp_path, labels=np.array(["sit", "run", "sit"]), class_names=None))
    assert (dataset.class_names, dataset.labels.tolist()) == (["run", "sit"], [1, 0, 1])


def test_a_size_bound_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than the 100 accepted"):
        load(npz(tmp_path), max_bytes=100)


def test_folder_of_clips(tmp_path: Path) -> None:
    path = clips(tmp_path)
    np.save(path / "sit" / "2.npy", np.asfortranarray(np.arange(1.0, 16).reshape(3, 5)))
    dataset = load(path)
    assert dataset.class_names == ["run", "sit"]
    assert dataset.labels.tolist() == [0, 1, 1]
    expected = torch.arange(1.0, 16, dtype=torch.float32).reshape(3, 5)
    torch.testing.assert_close(dataset.raw["features"][2], expected / expected.norm(dim=1, keepdim=True))


# ---------------------------------------------------------------- JHMDB


def test_official_folders(tmp_path: Path) -> None:
    """Two classes, two clips each, three splits: what the publisher's archives unpack to."""
    root = jhmdb(tmp_path)
    rng = np.random.default_rng(1)
    joints = {}
    for name in ("run", "sit"):
        for clip, n in (("one", 6), ("two", 4)):
            folder = root / "joint_positions" / name / clip
            folder.mkdir(exist_ok=True)
            joints[name, clip] = rng.random((2, 15, n))
            savemat(
                folder / "joint_positions.mat",
                {"pos_world": joints[name, clip], "scale": 1.0},
                do_compression=True,
            )
        for split in (1, 2, 3):
            first, second = {1: (1, 2), 2: (2, 1), 3: (1, 0)}[split]
            lines = f"one.avi {first}\ntwo.avi {second}\n"
            (root / "splits" / f"{name}_test_split{split}.txt").write_text(lines)
    dataset = load("jhmdb-pose", root=root, split="2")
    assert dataset.class_names == ["run", "sit"]
    assert list(dataset.streams) == ["pose", "motion"]
    expected = torch.tensor(joints["sit", "two"], dtype=torch.float32).permute(2, 1, 0).flatten(1)
    torch.testing.assert_close(dataset.raw["joints"][3], expected)
    assert [part.tolist() for part in dataset.split("2")] == [[1, 3], [0, 2]]
    data = load(root, encoder="trained", split="3", n_features=8)
    assert [part.tolist() for part in data.split("3")] == [[0, 2], []]


def test_descriptors_ignore_place_and_size() -> None:
    joints = torch.randn(12, 15, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    moved = 3 * joints + torch.tensor([5.0, -2.0], dtype=torch.float32)
    assert pose_descriptor(joints).shape == (12, 30 + 105)
    assert motion_descriptor(joints).shape == (12, 4 * 30)
    torch.testing.assert_close(pose_descriptor(moved), pose_descriptor(joints), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(motion_descriptor(moved), motion_descriptor(joints), atol=1e-4, rtol=1e-4)


def test_motion_is_the_way_to_a_later_frame() -> None:
    joints = torch.zeros(3, 2, 2, dtype=torch.float32)
    joints[:, 1, 0] = 2.0  # a body of size one about its mean
    joints += torch.arange(3.0)[:, None, None]
    expected = torch.tensor([[1.0] * 4 + [2.0] * 4, [1.0] * 8, [0.0] * 8], dtype=torch.float32)
    torch.testing.assert_close(motion_descriptor(joints, lags=(1, 2)), expected)


@needs_data
def test_jhmdb_average_pooling_matches_what_is_known_of_the_data() -> None:
    """About 64 % by untrained features of the pose stream, 14 classes, on the one split."""
    dataset = load("jhmdb-pose")
    check_features(dataset)
    assert [len(part) for part in dataset.split("1")] == [433, 176]
    averages = np.stack([x.mean(0).numpy() for x in dataset.streams["pose"]])
    assert 0.58 < accuracy(averages, dataset) < 0.72


@needs_data
def test_hmdb_features_come_normalised_with_both_streams() -> None:
    dataset = load("hmdb-i3d")
    check_features(dataset)
    assert list(dataset.streams) == ["rgb", "flow"]
    assert dataset.config["encoder"] == "none"
    assert (len(dataset), dataset.streams["rgb"][0].shape[1]) == (10, 1024)


def test_every_named_set_says_what_it_is() -> None:
    assert set(DATASETS) == {*SHIPPED, "jhmdb-pose", "jhmdb-video", "msr-action3d", "hmdb-i3d"}
    assert all(info.title and info.description and info.source for info in DATASETS.values())


def test_features_do_not_depend_on_the_number_of_threads():
    # Of a size at which torch's matrix product gives other last bits on two threads than on one.
    small = {"n_sequences": 32, "n_pairs": 2, "dimension": 24, "length_range": (8, 14), "n_splits": 2}
    before = torch.get_num_threads()
    features = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            # max_bytes differs so that the second is not the first one's copy in memory.
            data = load("planted", random_state=0, max_bytes=10**8 + threads, **small)
            assert torch.get_num_threads() == threads
            features.append(torch.cat(data.streams["features"]))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*features)
