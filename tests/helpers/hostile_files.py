"""Makers of hostile and broken files, by kind; `test_hostile_files` feeds each to `acot_core.datasets.load`.

A maker writes into its own empty folder and returns what to load. Beside it stands what the reason must say.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

Maker = Callable[[Path], Path]
CASES: dict[str, tuple[Maker, str]] = {}


def case(reason: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        CASES[maker.__name__] = (maker, reason)
        return maker

    return register


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.command = f"touch {folder / 'EXECUTED'}"

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self.command,)


def good() -> dict[str, np.ndarray]:
    """Three sequences of four, two and three frames, in two classes, with one split."""
    return {
        "features": np.random.default_rng(0).random((9, 5)).astype(np.float32) + 0.1,
        "lengths": np.array([4, 2, 3]),
        "labels": np.array([0, 1, 0]),
        "splits": np.array([[1, 1, 2]]),
        "class_names": np.array(["run", "sit"]),
    }


def npz(folder: Path, **changes: np.ndarray | None) -> Path:
    """A good archive with some arrays changed, added or (None) left out."""
    arrays = {name: array for name, array in (good() | changes).items() if array is not None}
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: str, data: bytes = b"", version: bytes = b"\x01\x00", length: int | None = None) -> bytes:
    """An .npy with any header."""
    width = "<H" if version == b"\x01\x00" else "<I"
    stated = len(text) if length is None else length
    return b"\x93NUMPY" + version + struct.pack(width, stated) + text.encode() + data


def zipped(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(folder / "data.npz", "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "data.npz"


def features_as(folder: Path, data: bytes) -> Path:
    """A good archive in which ``features.npy`` consists of these bytes."""
    members = {f"{name}.npy": npy(array) for name, array in good().items()}
    return zipped(folder, members | {"features.npy": data})


def patch(path: Path, find: bytes, offset: int, value: bytes, *, last: bool = True) -> Path:
    """Overwrite bytes at an offset from a signature."""
    content = bytearray(path.read_bytes())
    place = (content.rfind(find) if last else content.find(find)) + offset
    content[place : place + len(value)] = value
    path.write_bytes(bytes(content))
    return path


_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


# ---------------------------------------------------------------- no archive at all


@case("not a readable .npz")
def empty_file(folder: Path) -> Path:
    (folder / "data.npz").touch()
    return folder / "data.npz"


@case("not a readable .npz")
def text_file(folder: Path) -> Path:
    (folder / "data.npz").write_text("1,2,3\n4,5,6\n")
    return folder / "data.npz"


@case("is a pickle, which is never read")
def pickle_file(folder: Path) -> Path:
    (folder / "data.npz").write_bytes(pickle.dumps(good()))
    return folder / "data.npz"


@case("is a pickle, which is never read")
def pickle_that_runs_a_command(folder: Path) -> Path:
    (folder / "data.npz").write_bytes(pickle.dumps(Evil(folder)))
    return folder / "data.npz"


@case("not a readable .npz")
def single_npy_called_npz(folder: Path) -> Path:
    (folder / "data.npz").write_bytes(npy(good()["features"]))
    return folder / "data.npz"


@case("neither a data set .* nor an existing file")
def missing_file(folder: Path) -> Path:
    return folder / "nowhere.npz"


@case("neither a data set .* nor an existing file")
def name_with_a_nul(folder: Path) -> Path:
    return folder / "da\0ta.npz"


@case("regular file")
def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "data.npz")
    return folder / "data.npz"


@case("regular file")
def endless_device(folder: Path) -> Path:
    (folder / "data.npz").symlink_to("/dev/zero")
    return folder / "data.npz"


# ---------------------------------------------------------------- the archive


@case("not a readable .npz")
def truncated_archive(folder: Path) -> Path:
    path = npz(folder)
    path.write_bytes(path.read_bytes()[:700])
    return path


@case("Bad CRC")
def wrong_checksum(folder: Path) -> Path:
    path = npz(folder)
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF  # within the numbers of the first array
    path.write_bytes(bytes(content))
    return path


@case("would inflate from")
def bomb(folder: Path) -> Path:
    array = header("{'descr': '|u1', 'fortran_order': False, 'shape': (300000000, 1)}")
    with zipfile.ZipFile(folder / "data.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in good().items():
            if name != "features":
                archive.writestr(f"{name}.npy", npy(values))
        with archive.open("features.npy", "w") as member:
            member.write(array)
            for _ in range(300):
                member.write(bytes(10**6))
    return folder / "data.npz"


@case("would inflate from")
def bomb_in_many_members(folder: Path) -> Path:
    data = npy(np.zeros((500_000, 1)))
    return zipped(folder, {f"s{i}.npy": data for i in range(80)}, zipfile.ZIP_DEFLATED)


@case("not a readable .npz|has more data|but has")
def bomb_that_states_a_small_size(folder: Path) -> Path:
    path = bomb(folder)
    return patch(path, _CENTRAL, 24, struct.pack("<I", 1000))


@case("more than the|would inflate")
def stated_size_of_four_gigabytes(folder: Path) -> Path:
    return patch(npz(folder), _CENTRAL, 24, struct.pack("<I", 0xFFFFFFF0))


@case("1 to 1000 arrays, got 1200")
def too_many_members(folder: Path) -> Path:
    return zipped(folder, {f"a{i}.npy": b"" for i in range(1200)})


@case("arrays, got 0")
def no_member(folder: Path) -> Path:
    return zipped(folder, {})


@case("'features.npy' is there twice")
def same_member_twice(folder: Path) -> Path:
    path = npz(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("features_.npy", npy(good()["features"]))
    content = path.read_bytes().replace(b"features_.npy", b"features.npy\0")
    path.write_bytes(content)  # zipfile cuts a name at the NUL
    return path


@case("has a path for a name")
def member_that_climbs_out(folder: Path) -> Path:
    return zipped(folder, {"../../evil.npy": npy(np.ones((2, 2)))})


@case("has a path for a name")
def member_with_an_absolute_path(folder: Path) -> Path:
    return zipped(folder, {"/etc/evil.npy": npy(np.ones((2, 2)))})


@case("is no array")
def member_that_is_no_array(folder: Path) -> Path:
    return zipped(folder, {"__main__.py": b"print('hello')"})


@case("encrypted")
def encrypted_member(folder: Path) -> Path:
    return patch(patch(npz(folder), _CENTRAL, 8, b"\x01\x00", last=False), _LOCAL, 6, b"\x01\x00", last=False)


@case("not a readable .npz .*compression")
def unknown_compression(folder: Path) -> Path:
    return patch(npz(folder), _CENTRAL, 10, struct.pack("<H", 77), last=False)


# ---------------------------------------------------------------- one array of it


@case("features: holds pickled objects")
def array_of_objects(folder: Path) -> Path:
    return npz(folder, features=np.array([[1, None], [2, "x"]], dtype=object))


@case("labels: holds pickled objects")
def objects_that_run_a_command(folder: Path) -> Path:
    return npz(folder, labels=np.array([Evil(folder)] * 3, dtype=object))


@case("features: is a pickle")
def pickle_called_npy(folder: Path) -> Path:
    return features_as(folder, pickle.dumps(Evil(folder)))


@case("features: not an .npy array")
def noise_called_npy(folder: Path) -> Path:
    return features_as(folder, bytes(range(100)))


@case(r"features: states shape \(1000000000000, 5\)")
def shape_of_terabytes(folder: Path) -> Path:
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 5)}"
    return features_as(folder, header(text, bytes(180)))


@case("features: states the impossible shape")
def shape_that_overflows(folder: Path) -> Path:
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}"
    return features_as(folder, header(text))


@case("features: states the impossible shape")
def negative_shape(folder: Path) -> Path:
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (-9, -5)}"
    return features_as(folder, header(text, bytes(180)))


@case("features: its header cannot be understood")
def shape_of_fractions(folder: Path) -> Path:
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (9.0, 5.0)}"
    return features_as(folder, header(text, bytes(180)))


@case("features: its header cannot be understood")
def header_that_is_a_program(folder: Path) -> Path:
    text = f"__import__('os').system('touch {folder / 'EXECUTED'}')"
    return features_as(folder, header(text))


@case("features: its header cannot be understood")
def header_nested_deeply(folder: Path) -> Path:
    return features_as(folder, header("(" * 9000))


@case("features: its header cannot be understood")
def header_of_gigabytes(folder: Path) -> Path:
    return features_as(folder, header("{", version=b"\x02\x00", length=2**32 - 1))


@case("features: not an .npy array")
def unknown_npy_version(folder: Path) -> Path:
    return features_as(folder, header("{}", version=b"\x09\x00"))


@case("features: expected real numbers or strings")
def array_of_records(folder: Path) -> Path:
    return npz(folder, features=np.zeros(9, dtype=[("x", "f4"), ("y", "f4")]))


@case("features: expected real numbers or strings")
def array_of_dates(folder: Path) -> Path:
    return npz(folder, features=np.zeros((9, 5), dtype="datetime64[s]"))


@case("features: expected real numbers or strings")
def complex_numbers(folder: Path) -> Path:
    return npz(folder, features=np.ones((9, 5), dtype=complex))


@case("features: states shape")
def one_string_of_gigabytes(folder: Path) -> Path:
    text = "{'descr': '<U500000000', 'fortran_order': False, 'shape': (1,)}"
    return features_as(folder, header(text))


@case("features: states shape .* but has")
def array_cut_short(folder: Path) -> Path:
    return features_as(folder, npy(good()["features"])[:-7])


@case("features: states shape .* but has")
def array_with_a_tail(folder: Path) -> Path:
    return features_as(folder, npy(good()["features"]) + bytes(7))


# ---------------------------------------------------------------- arrays that do not fit one another


@case("lengths sum to 10, but features has 9 rows")
def lengths_that_do_not_sum(folder: Path) -> Path:
    return npz(folder, lengths=np.array([4, 3, 3]))


@case(r"lengths\[1\] is -2, expected at least one frame")
def negative_length(folder: Path) -> Path:
    return npz(folder, lengths=np.array([6, -2, 5]))


@case(r"lengths\[2\] is 0")
def clip_without_frames(folder: Path) -> Path:
    return npz(folder, lengths=np.array([4, 5, 0]))


@case("lengths sum to 18446744073709551625")
def lengths_that_overflow(folder: Path) -> Path:
    return npz(folder, lengths=np.array([2**64 - 1, 9, 1], dtype=np.uint64))


@case("lengths: expected integers")
def fractional_lengths(folder: Path) -> Path:
    return npz(folder, lengths=np.array([4.0, 2.0, 3.0]))


@case("expected an array 'lengths'")
def no_lengths(folder: Path) -> Path:
    return npz(folder, lengths=None)


@case(r"labels: expected shape \(3,\), one per sequence, got \(2,\)")
def labels_too_short(folder: Path) -> Path:
    return npz(folder, labels=np.array([0, 1]))


@case(r"labels\[1\] is not a number")
def label_that_is_no_number(folder: Path) -> Path:
    return npz(folder, labels=np.array([0.0, np.nan, 1.0]))


@case("labels: expected positions 0 to 1 in class_names, got int64 0 to 7")
def label_beyond_the_class_names(folder: Path) -> Path:
    return npz(folder, labels=np.array([0, 7, 1]))


@case("labels: 'fly' is not among class_names")
def label_of_no_class(folder: Path) -> Path:
    return npz(folder, labels=np.array(["run", "fly", "sit"]))


@case("expected an array 'labels'")
def no_labels(folder: Path) -> Path:
    return npz(folder, labels=None)


@case("class_names: expected distinct names")
def class_name_twice(folder: Path) -> Path:
    return npz(folder, class_names=np.array(["run", "run"]))


@case(r"splits: expected integers \(S, 3\), got int64 \(1, 2\)")
def splits_too_short(folder: Path) -> Path:
    return npz(folder, splits=np.array([[1, 2]]))


@case("splits: expected 1 = train, 2 = test, 0 = unused")
def split_of_three_parts(folder: Path) -> Path:
    return npz(folder, splits=np.array([[1, 2, 3]]))


@case(r"splits\[0\]: no sequence to train on")
def split_without_training(folder: Path) -> Path:
    return npz(folder, splits=np.array([[2, 2, 0]]))


@case("expected an array 'features'")
def no_features(folder: Path) -> Path:
    return npz(folder, features=None)


@case(r"features: expected numbers \(sum n_i, d\), got float32 \(9,\)")
def features_of_one_dimension(folder: Path) -> Path:
    return npz(folder, features=np.ones(9, np.float32))


@case("features: expected numbers")
def features_that_are_strings(folder: Path) -> Path:
    return npz(folder, features=np.full((9, 5), "x"))


@case("features: expected numbers")
def features_without_columns(folder: Path) -> Path:
    return npz(folder, features=np.ones((9, 0)))


@case("features: row 3 holds a NaN")
def nan_among_the_features(folder: Path) -> Path:
    features = good()["features"]
    features[3, 2] = np.nan
    return npz(folder, features=features)


@case("features: holds numbers beyond the range of float32")
def numbers_beyond_float32(folder: Path) -> Path:
    return npz(folder, features=np.full((9, 5), 1e300))


@case("streams differ in their number of sequences")
def streams_of_different_clips(folder: Path) -> Path:
    return npz(folder, flow=np.ones((9, 2)), lengths_flow=np.array([4, 5]))


# ---------------------------------------------------------------- folders


def clips(folder: Path) -> Path:
    for name in ("run", "sit"):
        (folder / "data" / name).mkdir(parents=True)
        np.save(folder / "data" / name / "1.npy", np.ones((4, 5)))
    return folder / "data"


@case("expected clips <class>/<clip>.npy")
def empty_folder(folder: Path) -> Path:
    return folder


@case("2.npy: leads out of")
def clip_linked_from_outside(folder: Path) -> Path:
    np.save(folder / "secret.npy", np.ones((4, 5)))
    path = clips(folder)
    (path / "run" / "2.npy").symlink_to(folder / "secret.npy")
    return path


@case("leads out of")
def class_linked_from_outside(folder: Path) -> Path:
    (folder / "elsewhere").mkdir()
    np.save(folder / "elsewhere" / "1.npy", np.ones((4, 5)))
    path = clips(folder)
    (path / "walk").symlink_to(folder / "elsewhere")
    return path


@case("2.npy: holds pickled objects")
def clip_of_objects(folder: Path) -> Path:
    path = clips(folder)
    np.save(path / "run" / "2.npy", np.array([[Evil(folder)]], dtype=object))
    return path


@case("2.npy: .*regular file")
def clip_that_is_a_pipe(folder: Path) -> Path:
    path = clips(folder)
    os.mkfifo(path / "run" / "2.npy")
    return path


@case("2.npy: states shape")
def clip_of_terabytes(folder: Path) -> Path:
    path = clips(folder)
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000)}"
    (path / "run" / "2.npy").write_bytes(header(text, bytes(80)))
    return path


@case("2.npy: .* more than the")
def sparse_clip_of_gigabytes(folder: Path) -> Path:
    path = clips(folder)
    start = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1)}")
    (path / "run" / "2.npy").write_bytes(start)
    os.truncate(path / "run" / "2.npy", len(start) + 8 * 10**9)  # takes no room on the disk
    return path


@case(r"2.npy: expected frames of shape \(5,\) as in .*1.npy, got an array of shape \(4, 6\)")
def clips_of_different_width(folder: Path) -> Path:
    path = clips(folder)
    np.save(path / "run" / "2.npy", np.ones((4, 6)))
    return path


@case(r"2.npy: expected frames of shape \(5,\)")
def clip_of_three_dimensions(folder: Path) -> Path:
    path = clips(folder)
    np.save(path / "run" / "2.npy", np.ones((4, 5, 2)))
    return path


# ---------------------------------------------------------------- the official folders of JHMDB


def jhmdb(folder: Path) -> Path:
    for name in ("run", "sit"):
        clip = folder / "joint_positions" / name / "one"
        clip.mkdir(parents=True)
        savemat(clip / "joint_positions.mat", {"pos_world": np.random.default_rng(0).random((2, 15, 6))})
    (folder / "splits").mkdir()
    (folder / "splits" / "run_test_split1.txt").write_text("one.avi 1\n")
    return folder


def joints_of(folder: Path) -> Path:
    return jhmdb(folder) / "joint_positions" / "run" / "one" / "joint_positions.mat"


@case("joint_positions.mat: no readable MATLAB file")
def joints_of_noise(folder: Path) -> Path:
    joints_of(folder).write_bytes(np.random.default_rng(0).bytes(5000))
    return folder


@case("joint_positions.mat: no readable MATLAB file")
def joints_in_another_format(folder: Path) -> Path:
    joints_of(folder).write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(3000))
    return folder


@case("joint_positions.mat: .*inflates to more than 8388608 bytes")
def joints_that_inflate(folder: Path) -> Path:
    savemat(joints_of(folder), {"pos_world": np.zeros((2, 15, 900_000))}, do_compression=True)
    return folder


@case("joint_positions.mat: expected one array of numbers, or .pos_world., got .*positions")
def joints_of_another_name(folder: Path) -> Path:
    savemat(joints_of(folder), {"positions": np.zeros((2, 15, 4))}, do_compression=True)
    return folder


@case("joint_positions.mat: more than 1048576 bytes")
def joints_of_megabytes(folder: Path) -> Path:
    joints_of(folder).write_bytes(bytes(2 * 10**6))
    return folder


@case("joint_positions.mat: leads out of")
def joints_linked_from_outside(folder: Path) -> Path:
    inside = folder / "data"
    file = joints_of(inside)
    file.rename(folder / "secret.mat")
    file.symlink_to(folder / "secret.mat")
    return inside


@case("run_test_split1.txt: line 2: there is no clip run/../../sit/one")
def split_of_a_foreign_clip(folder: Path) -> Path:
    (jhmdb(folder) / "splits" / "run_test_split1.txt").write_text("one.avi 1\n../../sit/one.avi 2\n")
    return folder


@case("run_test_split1.txt: line 1: expected")
def split_that_is_no_list(folder: Path) -> Path:
    (jhmdb(folder) / "splits" / "run_test_split1.txt").write_text("<html>not found</html>\n")
    return folder
