"""Folders of arrays: layouts of clips, MATLAB files, skeletons, frames; what is ambiguous is asked for."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from acot_core.datasets import load
from acot_core.datasets.folders import read_folder
from acot_core.datasets.schemes import source_of

LENGTHS = (4, 6, 3)


def clips(d: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((n, d)).astype(np.float32) + 0.1 for n in LENGTHS]


def save(root: Path, arrays: list[np.ndarray]) -> Path:
    for i, array in enumerate(arrays):
        file = root / ("run", "run", "sit")[i] / f"clip{i}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)
    return root


def unit(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x / np.linalg.norm(x, axis=1, keepdims=True))


@pytest.mark.parametrize("layout", ["(T, d)", "(d, T)", "(T, 1, 1, d)"])
def test_layouts_of_a_clip(tmp_path: Path, layout: str) -> None:
    change = {"(T, d)": lambda x: x, "(d, T)": lambda x: x.T, "(T, 1, 1, d)": lambda x: x[:, None, None]}[
        layout
    ]
    save(tmp_path, [change(x) for x in clips()])
    data = load(tmp_path, time_axis=1 if layout == "(d, T)" else None)
    for frames, expected in zip(data.streams["features"], clips(), strict=True):
        torch.testing.assert_close(frames, unit(expected))
    assert data.shown.names == ["run/clip0", "run/clip1", "sit/clip2"]


def test_the_axis_of_time_is_asked_for_where_it_is_not_plain(tmp_path: Path) -> None:
    save(tmp_path / "a", [x.T for x in clips()])
    with pytest.raises(
        ValueError, match=r"clip1\.npy: .*if columns are frames, 5 features each, pass time_axis=1"
    ):
        load(tmp_path / "a")
    same = save(tmp_path / "b", [x[:3] for x in clips()])
    with pytest.warns(UserWarning, match=r"all clips are of shape \(3, 5\): rows were taken for frames"):
        load(same)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*all clips are of shape")
        assert load(same, time_axis=1).streams["features"][0].shape == (5, 3)
        assert load(same, time_axis=0).streams["features"][0].shape == (3, 5)
    with pytest.raises(ValueError, match="time_axis: expected 0, 1 or None, got 2"):
        load(same, time_axis=2)  # type: ignore[arg-type]


def test_skeletons_are_flattened_and_kept_for_showing(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    joints = [rng.normal(size=(n, 20, 3)) for n in LENGTHS]
    with pytest.warns(UserWarning, match="frame 0 has a negative entry, so taken for signals"):
        data = load(save(tmp_path, joints), n_features=16)
    assert data.streams["features"][1].shape == (6, 16)
    np.testing.assert_allclose(data.raw["joints"][2], joints[2].reshape(3, 60), rtol=1e-6)
    np.testing.assert_allclose(data.raw["features"][2], joints[2].reshape(3, 60), rtol=1e-6)


def test_frames_of_their_own_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for clip in ("run/a", "sit/b"):
        (tmp_path / clip).mkdir(parents=True)
        for t in range(12):
            np.save(tmp_path / clip / f"frame{t}.npy", rng.random(5) + 10 * np.eye(5)[t % 5])
        (tmp_path / clip / "._frame3.npy").write_bytes(b"\0\5\26\7")
    data = load(tmp_path)
    assert [len(x) for x in data.streams["features"]] == [12, 12]
    assert data.streams["features"][0].argmax(1).tolist() == [t % 5 for t in range(12)]
    np.save(tmp_path / "sit" / "b" / "frame5.npy", np.ones(4))
    with pytest.raises(ValueError, match=r"sit/b: frames differ in shape: \[\(4,\), \(5,\)\]"):
        load(tmp_path)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_files_of_both_versions(tmp_path: Path, version: str) -> None:
    for i, x in enumerate(clips()):
        file = tmp_path / ("run", "run", "sit")[i] / f"clip{i}.mat"
        file.parent.mkdir(exist_ok=True)
        if version == "5":
            savemat(file, {"feat": x, "fps": 25.0}, do_compression=True)
        else:
            h5py = pytest.importorskip("h5py")
            with h5py.File(file, "w") as hdf:
                hdf["feat"] = x.T  # as MATLAB stores it
                hdf["fps"] = np.array([[25.0]])
    data = load(tmp_path)
    for frames, expected in zip(data.streams["features"], clips(), strict=True):
        torch.testing.assert_close(frames, unit(expected))
    savemat(tmp_path / "run" / "clip0.mat", {"a": np.ones((2, 5)), "b": np.ones((3, 5))})
    with pytest.raises(
        ValueError, match=r"clip0\.mat: expected one array of numbers, or 'features', got .*'a'"
    ):
        load(tmp_path)
    (tmp_path / "run" / "clip0.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(ValueError, match=r"clip0\.mat: no readable MATLAB 7\.3"):
        load(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_file_is_named(tmp_path: Path, value: float) -> None:
    arrays = clips()
    arrays[1][2, 3] = value
    save(tmp_path, arrays)
    with pytest.raises(ValueError, match=r"run/clip1\.npy: holds a NaN or an infinity at \[2, 3\]"):
        load(tmp_path)


def test_groups_and_splits_come_from_names_and_lists(tmp_path: Path) -> None:
    names = {"brush_hair": ("April_09_brush_hair_u_nm_np1_ba_goo_0", "April_09_brush_hair_u_nm_np1_ba_goo_1"),
             "catch": ("Torwart_1_catch_f_cm_np1_le_med_2",)}  # fmt: skip
    for label, members in names.items():
        (tmp_path / label).mkdir()
        for i, name in enumerate(members):
            np.save(tmp_path / label / f"{name}.npy", clips()[i])
    (tmp_path / "splits").mkdir()
    lines = "".join(f"{n}.avi {1 if n.endswith('0') else 2}\n" for n in names["brush_hair"])
    (tmp_path / "splits" / "brush_hair_test_split1.txt").write_text(lines)
    (tmp_path / "splits" / "catch_test_split1.txt").write_text(f"{names['catch'][0]}.avi 2\nother.avi 1\n")
    (tmp_path / "splits" / "._catch_test_split1.txt").write_bytes(b"\0\5\26\7")
    with pytest.warns(UserWarning, match="1 clips of split lists are not here: catch/other"):
        data = load(tmp_path)
    assert data.groups is not None
    assert data.groups.tolist() == ["April_09", "April_09", "Torwart_1"]
    assert [part.tolist() for part in data.split("1")] == [[0], [1, 2]]


def test_ucf_lists(tmp_path: Path) -> None:
    names = ["v_Archery_g01_c01", "v_Archery_g08_c02"]
    (tmp_path / "Archery").mkdir()
    for name, x in zip(names, clips(), strict=False):
        np.save(tmp_path / "Archery" / f"{name}.npy", x)
    (tmp_path / "testlist01.txt").write_text("Archery/v_Archery_g01_c01.avi\n")
    (tmp_path / "trainlist01.txt").write_text("Archery/v_Archery_g08_c02.avi 3\n")
    data = load(tmp_path)
    assert [part.tolist() for part in data.split("1")] == [[1], [0]]
    assert data.groups is not None
    assert data.groups.tolist() == ["v_Archery_g01", "v_Archery_g08"]
    (tmp_path / "trainlist01.txt").write_text("v_Archery_g08_c02.avi\n")
    with pytest.raises(ValueError, match=r"trainlist01\.txt: line 1: expected '<class>/<clip>\.avi'"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "label", "source"),
    [
        ("50_FIRST_DATES_kick_f_cm_np1_ba_med_19", "kick", "50_FIRST_DATES"),
        ("Two_kick_balls_kick_ball_f_cm_np1_ba_bad_0", "kick_ball", "Two_kick_balls"),
        ("#20_Rhythm_clap_u_nm_np1_fr_goo_4", "clap", "#20_Rhythm"),
        ("v_Basketball_g25_c07", "Basketball", "v_Basketball_g25"),
        ("v_Basketball", "Basketball", None),
        ("clip_u_nm_np1", "clip", None),
    ],
)
def test_source_of_a_name(name: str, label: str, source: str | None) -> None:
    assert source_of(name, label) == source


def _recording(people: list[list[str]]) -> str:
    """An NTU recording: in each frame these people, who stand at the frame's number."""
    lines = [str(len(people))]
    for t, names in enumerate(people):
        lines.append(str(len(names)))
        for name in names:
            lines += [f"{name} 0 1 1 0 0 0 0.1 -0.2 2", "25"]
            lines += [f"{t} {j} {len(name)} 1 2 3 4 0 0 0 0 2" for j in range(25)]
    return "\n".join(lines) + "\n"


def test_recordings_of_a_kinect_give_the_person_who_is_there_longest(tmp_path: Path) -> None:
    (tmp_path / "wave").mkdir()
    (tmp_path / "sit").mkdir()
    (tmp_path / "wave" / "S001A023.skeleton").write_text(_recording([["7"], ["7", "12"], [], ["12"], ["12"]]))
    (tmp_path / "sit" / "S001A008.skeleton").write_text(_recording([["7"]] * 4))
    signals = read_folder(tmp_path)
    assert signals.class_names == ["sit", "wave"]
    sit, wave = signals.streams["features"]
    assert (tuple(sit.shape), tuple(wave.shape)) == ((4, 25, 3), (3, 25, 3))
    assert wave[:, 0, 0].tolist() == [1, 3, 4]  # the frames with the second person
    assert wave[0, 3].tolist() == [1, 3, 2]
    assert load(tmp_path).streams["features"][1].shape[0] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the number of frames"),
        ("0\n", "holds nobody"),
        (_recording([["7"], ["7"]])[:-60], "expected x y z"),
        (_recording([["7"]]).replace("0 3 1", "0 three 1"), "line 8: expected x y z of a joint"),
    ],
)
def test_a_damaged_recording_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "wave").mkdir()
    (tmp_path / "wave" / "a.skeleton").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.skeleton: .*{message}"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["one.npy", "one.mat", "list.csv"])
def test_one_array_alone_is_told_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"0")
    with pytest.raises(ValueError, match=rf"{name}: expected an \.npz archive, or a folder"):
        load(tmp_path / name)


def test_a_folder_may_be_named_like_a_file(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "my.mat" / label).mkdir(parents=True)
        np.save(tmp_path / "my.mat" / label / "one.npy", np.random.default_rng(0).random((6, 3)))
    assert load(tmp_path / "my.mat", encoder="untrained", random_state=0).class_names == ["a", "b"]
