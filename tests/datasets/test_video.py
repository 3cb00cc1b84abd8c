"""From video to features: decoding, flow, clips, the file that comes out, and what is skipped and why."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from acot_core._utils.progress import Cancelled, Progress
from acot_core.datasets import data_root, load

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from videos import Colours, picture, rotate, truncate, write_audio, write_video  # noqa: E402

from acot_core.datasets.video import (  # noqa: E402
    EfficientNetLite0,
    FlowPictures,
    TorchEncoder,
    encode_videos,
    frames,
    list_videos,
    probe,
)
from acot_core.datasets.video.clip_features import encode_clip  # noqa: E402

CLIPS = data_root() / "jhmdb_video" if data_root() else Path("nowhere")  # type: ignore[operator]
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="needs jhmdb_video in ACOT_DATA")


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def rows_of(path: Path, encoder: Colours, stream: str = "rgb", **options: object) -> np.ndarray:
    got: list[np.ndarray] = []
    encode_clip(probe(path), {stream: encoder}, lambda _, rows: got.append(rows.copy()), **options)  # type: ignore[arg-type]
    return np.concatenate(got)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five videos of two classes."""
    for i, name in enumerate(("run/a.mp4", "run/b.avi", "sit/a.mkv", "sit/b.mov", "sit/c.gif")):
        write_video(
            tmp_path / "videos" / name, 10 + i, seed=i, codec="gif" if name[-3:] == "gif" else "mpeg4"
        )
    return tmp_path / "videos"


# ---------------------------------------------------------------- decoding


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.avi", "mjpeg"), ("a.mkv", "mpeg4"), ("a.gif", "gif")]
)
def test_frames_come_in_order_and_all_of_them(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 12, codec=codec)
    video = probe(path)
    assert (video.width, video.height, video.n_frames(), video.uneven) == (64, 48, 12, False)
    assert video.frame_rate == pytest.approx(25, rel=0.02)
    decoded = list(frames(path))
    assert len(decoded) == 12
    for t, frame in enumerate(decoded):
        assert np.abs(frame.astype(int) - picture(t)).mean() < (30 if codec == "gif" else 12)
        errors = [np.abs(frame.astype(int) - picture(s)).mean() for s in range(12)]
        assert int(np.argmin(errors)) == t


def test_a_rotated_video_is_turned_upright(tmp_path: Path) -> None:
    plain = next(frames(write_video(tmp_path / "a.mp4", 3)))
    turned = next(frames(rotate(write_video(tmp_path / "b.mp4", 3))))
    assert turned.shape == (64, 48, 3)
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))
    assert turned[:6, -6:].mean() > 200  # the white corner went from top left to top right


def test_variable_frame_rate_is_sampled_by_time(tmp_path: Path) -> None:
    times = [0, 4, 8, 12, 52, 56, 60]  # the fourth frame stays for 0.4 s
    path = write_video(tmp_path / "a.mkv", 7, times=times)
    video = probe(path)
    assert video.uneven
    assert video.frame_rate == pytest.approx(25)
    shown = [
        int(np.argmin([np.abs(f.astype(int) - picture(s)).mean() for s in range(7)])) for f in frames(path)
    ]
    assert shown == [0, 1, 2, *[3] * 10, 4, 5, 6]
    assert video.n_frames() == len(shown)
    half = [
        int(np.argmin([np.abs(f.astype(int) - picture(s)).mean() for s in range(7)]))
        for f in frames(path, frame_rate=12.5)
    ]
    assert half == [0, 2, 3, 3, 3, 3, 3, 5]  # what is shown at 0, 0.08, 0.16, ... 0.56 s
    assert probe(path).n_frames(12.5) == len(half)


# ---------------------------------------------------------------- flow and clips


def test_flow_shows_the_way_to_the_next_frame() -> None:
    rng = np.random.default_rng(0)
    import cv2

    ground = cv2.GaussianBlur(rng.integers(0, 255, (240, 400, 3), dtype=np.uint8), (0, 0), 3)
    flow = FlowPictures((128, 96))
    out = [p for t in range(4) for p in flow.push(np.ascontiguousarray(ground[:, 40 - 4 * t : 360 - 4 * t]))]
    out += flow.finish()
    assert len(out) == 4
    np.testing.assert_array_equal(out[3], out[2])
    middle = out[0][20:-20, 20:-20].reshape(-1, 3)
    # 4 pixels to the right: (4 + 6) / 12 of the range, no way down, length 4 / 6 of the range
    np.testing.assert_allclose(np.median(middle, 0), [212.5, 127.5, 170], atol=6)
    still = FlowPictures()
    pictures = [p for _ in range(2) for p in still.push(ground[:, :320].copy())]
    np.testing.assert_allclose(pictures[0].reshape(-1, 3).mean(0), [127.5, 127.5, 0], atol=0.5)


def test_clips_of_frames_with_a_stride(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 12)
    single = rows_of(path, Colours())
    assert single.shape == (12, 48)
    np.testing.assert_allclose(np.linalg.norm(single.astype(float), axis=1), 1, atol=1e-3)
    for n_frames, stride, expected in ((8, 2, 3), (2, 5, 3), (3, 1, 10), (20, 2, 1)):
        rows = rows_of(path, Colours(n_frames, stride))
        assert rows.shape == (expected, 48)
    raw = [Colours()(picture_of(f))[0] for f in frames(path)]
    second = unit(np.mean(raw[2:10], 0))  # frames 2 ... 9
    np.testing.assert_allclose(rows_of(path, Colours(8, 2))[1], second, atol=2e-3)


def picture_of(frame: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(frame, Colours.size, interpolation=cv2.INTER_AREA)[None, None]


def test_signed_features_are_refused_split_or_cut(tmp_path: Path) -> None:
    path = write_video(tmp_path / "videos" / "run" / "a.mp4", 5)
    with pytest.raises(ValueError, match="signed features; pass gamma='split'"):
        encode_videos(tmp_path / "videos", tmp_path / "o.npz", encoder=Colours(signed=True))
    plain = unit(np.stack([Colours(signed=True)(picture_of(f))[0] for f in frames(path)]))
    split = rows_of(path, Colours(signed=True), gamma="split").astype(float)
    np.testing.assert_allclose(split[:, :48] - split[:, 48:], plain, atol=2e-3)
    assert (split >= 0).all()
    assert rows_of(path, Colours(signed=True), gamma="relu").shape == (5, 48)


# ---------------------------------------------------------------- the file


def test_encoded_videos_load_with_all_that_is_known(folder: Path, tmp_path: Path) -> None:
    (folder / "run_test_split1.txt").write_text("a.mp4 1\nb.avi 2\n")
    (folder / "sit_test_split1.txt").write_text("a.mkv 1\nb.mov 2\nc.gif 0\n")
    report = encode_videos(folder, tmp_path / "o.npz", encoder=Colours())
    assert (report.n_videos, report.n_frames, report.skipped) == (5, 10 + 11 + 12 + 13 + 14, [])
    data = load(report.path)
    assert list(data.streams) == ["rgb", "flow"]
    assert [len(x) for x in data.streams["flow"]] == [10, 11, 12, 13, 14]
    assert data.config["encoder"] == "none"
    assert [data.class_names[c] for c in data.labels] == ["run", "run", "sit", "sit", "sit"]
    train, test = data.split("1")
    assert (train.tolist(), test.tolist()) == ([0, 2], [1, 3])
    expected = rows_of(folder / "sit" / "a.mkv", Colours())
    np.testing.assert_allclose(data.streams["rgb"][2], unit(expected.astype(np.float32)), atol=1e-5)
    assert not list(tmp_path.glob(".*.parts"))
    assert data.groups is None


def test_csv_with_splits_and_groups(folder: Path, tmp_path: Path) -> None:
    lines = [
        ["path", "class", "split1", "group"],
        ["run/a.mp4", "go", "train", "x"],
        ["run/b.avi", "go", "test", "y"],
    ]
    lines += [["sit/a.mkv", "rest", "train", "z"], ["nowhere.mp4", "rest", "test", "z"]]
    with (folder / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    report = encode_videos(folder / "list.csv", tmp_path / "o.npz", encoder=Colours(), streams=("rgb",))
    assert [Path(what).name for what, _ in report.skipped] == ["nowhere.mp4"]
    data = load(report.path)
    assert data.groups is not None
    assert (data.groups.tolist(), data.class_names) == (["x", "y", "z"], ["go", "rest"])
    assert data.splits["1"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,kind\na,b\n", "expected a column 'class'"),
        (
            "path,class,split\nrun/a.mp4,run,maybe\n",
            "line 2: split: expected train, test or unused, got 'maybe'",
        ),
        ("path,class\nrun/a.mp4,\n", "line 2: expected a path and a class"),
        ("path,class\nx.mp4,run\n", "lists no video that is there"),
        ("path,class,split\nrun/a.mp4,run,test\n", "split: no video to train on"),
        ("path,class,group\nrun/a.mp4,run,g\nrun/b.avi,run,\n", "run/b has none"),
    ],
)
def test_a_csv_that_cannot_be_understood_is_named(folder: Path, text: str, message: str) -> None:
    (folder / "list.csv").write_text(text)
    with pytest.raises(ValueError, match=f"list.csv: .*{message}"):
        list_videos(folder / "list.csv")


def test_sources_are_read_from_the_names_of_hmdb_and_ucf(tmp_path: Path) -> None:
    names = ("sit/Best_Film_sit_u_nm_np1_fr_med_3.avi", "sit/Best_Film_sit_f_cm_np2_ba_goo_11.avi",
             "run/v_run_g04_c01.avi")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = list_videos(tmp_path)
    assert listing.groups is not None
    assert listing.groups.tolist() == ["v_run_g04", "Best_Film", "Best_Film"]
    (tmp_path / "run" / "holiday.avi").touch()
    assert list_videos(tmp_path).groups is None


def test_jhmdbs_folders_of_pictures_are_videos(tmp_path: Path) -> None:
    from PIL import Image

    root = tmp_path / "JHMDB"
    names = {
        "sit": ("Film_sit_u_nm_np1_fr_med_1", "Film_sit_u_nm_np1_fr_med_2"),
        "run": ("Talk_run_f_cm_np1_ba_goo_1",),
    }
    for label, clips in names.items():
        for name in clips:
            clip = root / "Rename_Images" / label / name
            clip.mkdir(parents=True)
            for t in range(11):
                Image.fromarray(picture(t)).save(clip / f"{t + 1}.png")
            (clip / ".DS_Store").write_text("macOS")
    (root / "splits").mkdir()
    (root / "splits" / "sit_test_split1.txt").write_text(
        f"{names['sit'][0]}.avi 1\n{names['sit'][1]}.avi 2\n"
    )
    (root / "splits" / "run_test_split1.txt").write_text(f"{names['run'][0]}.avi 1\n")
    report = encode_videos(root, tmp_path / "o.npz", encoder=Colours())
    assert (report.n_videos, report.n_frames, report.skipped) == (3, 33, [])
    data = load(report.path)
    assert data.class_names == ["run", "sit"]
    assert data.groups is not None
    assert data.groups.tolist() == ["Talk", "Film", "Film"]
    assert data.splits["1"].tolist() == [True, True, False]
    clip = root / "Rename_Images" / "sit" / names["sit"][0]
    shown = list(frames(clip))
    assert len(shown) == 11  # 2.png before 10.png
    for t, frame in enumerate(shown):
        np.testing.assert_array_equal(frame, picture(t))
    # A picture that changes makes another clip of it; a damaged or missing one skips it.
    (clip / "5.png").write_bytes((clip / "5.png").read_bytes()[:60])
    for t in range(10):
        (root / "Rename_Images" / "run" / names["run"][0] / f"{t + 1}.png").unlink()
    report = encode_videos(root / "Rename_Images", tmp_path / "o.npz", encoder=Colours())
    reasons = dict(report.skipped)
    assert "5.png: is no picture that can be read" in reasons[str(clip)]
    assert "holds 1 frame(s)" in reasons[str(root / "Rename_Images" / "run" / names["run"][0])]


# ---------------------------------------------------------------- what cannot be encoded


def hostile(folder: Path) -> dict[str, str]:
    """Fills a folder with files that are no good videos; the reason for each."""
    import av

    write_video(folder / "run" / "good.mp4", 10)
    truncate(write_video(folder / "run" / "cut.avi", 40, codec="mjpeg"))
    truncate(write_video(folder / "run" / "half.mp4", 40))
    (folder / "run" / "empty.mp4").touch()
    (folder / "run" / "text.mp4").write_text("not a video " * 50)
    (folder / "run" / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    (folder / "run" / "concat.mov").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    write_audio(folder / "run" / "sound.mkv")
    write_video(folder / "run" / "single.mp4", 1)
    write_video(folder / "run" / "good.mkv", 5)
    (folder / "run" / "notes.txt").write_text("?")
    (folder / "run" / "._good.mp4").write_text("macOS puts these everywhere")
    (folder / "empty").mkdir()
    (folder / "run" / "folder.mp4").mkdir()
    with av.open(str(folder / "run" / "huge.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = 10_000
        stream.pix_fmt = "gray"
        for t in range(2):
            frame = av.VideoFrame.from_ndarray(np.zeros((10_000, 10_000), np.uint8), format="gray")
            frame.pts = t
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return {
        "cut.avi": "cut off|cannot be decoded|damaged",
        "half.mp4": "no video that can be read",
        "empty.mp4": "no video that can be read",
        "text.mp4": "no video that can be read",
        "list.mp4": "no video that can be read",
        "concat.mov": "no video that can be read",
        "sound.mkv": "holds no pictures, only .'audio'.",
        "single.mp4": r"holds 1 frame\(s\)",
        "good.mkv|good.mp4": "has the same name as",
        "notes.txt": "is none of .avi",
        "empty/": "no video in this folder",
        "huge.mkv": "(10000 x 10000|no or too many) pixels; up to",
    }


def test_what_is_no_good_video_is_skipped_with_its_reason(tmp_path: Path) -> None:
    import re

    expected = hostile(tmp_path / "videos")
    report = encode_videos(tmp_path / "videos", tmp_path / "o.npz", encoder=Colours())
    for name, reason in expected.items():
        reasons = [why for what, why in report.skipped if re.search(f"({name})$", what)]
        assert len(reasons) == 1, (name, report.skipped)
        assert re.search(reason, reasons[0]), (name, reasons)
    assert len(report.skipped) == len(expected)
    data = load(report.path)
    assert [len(x) for x in data.streams["rgb"]] in ([10], [5])  # the one that is good


def test_errors_raise_names_the_first(tmp_path: Path) -> None:
    write_video(tmp_path / "run" / "a.mp4", 5)
    (tmp_path / "run" / "b.mp4").touch()
    with pytest.raises(ValueError, match=r"b\.mp4: is no video"):
        encode_videos(tmp_path, tmp_path / "o.npz", encoder=Colours(), errors="raise")
    (tmp_path / "run" / "a.mp4").unlink()
    with pytest.raises(ValueError, match=r"no video could be encoded; .*b\.mp4"):
        encode_videos(tmp_path, tmp_path / "o.npz", encoder=Colours())
    assert not (tmp_path / "o.npz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streams": ("depth",)}, "streams: expected some of"),
        ({"streams": {"rgb": Colours(), "flow": Colours(4)}}, "clips of different lengths"),
        ({"streams": {"rgb": len}}, "rgb: expected a ClipEncoder"),
        ({"errors": "ignore"}, "errors: expected 'skip' or 'raise'"),
        ({"thumbnails": -1}, "thumbnails: expected"),
        ({"frame_rate": 0}, "frame_rate: expected"),
        ({"gamma": "abs"}, "gamma: expected one of"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, options: dict, message: str) -> None:
    write_video(tmp_path / "run" / "a.mp4", 3)
    with pytest.raises(ValueError, match=message):
        encode_videos(tmp_path, tmp_path / "o.npz", **({"encoder": Colours()} | options))
    with pytest.raises(ValueError, match=r"out: expected a file \.npz"):
        encode_videos(tmp_path, tmp_path / "nowhere" / "o.npz", encoder=Colours())


# ---------------------------------------------------------------- progress, interruption, processes


def test_progress_and_cancelling_keep_what_is_done(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    encode_videos(folder, tmp_path / "all.npz", encoder=Colours(), callback=seen.append)
    assert [p.step for p in seen] == sorted(p.step for p in seen)
    assert seen[-1].step == seen[-1].total
    assert seen[-1].values["videos"] == 5
    assert seen[-2].remaining is not None

    def stop(progress: Progress) -> None:
        if progress.values["videos"] == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        encode_videos(folder, tmp_path / "o.npz", encoder=Colours(), callback=stop)
    assert not (tmp_path / "o.npz").exists()
    report = encode_videos(folder, tmp_path / "o.npz", encoder=Colours())
    assert (report.n_resumed, report.n_videos) == (2, 5)
    assert load(tmp_path / "o.npz").fingerprint() == load(tmp_path / "all.npz").fingerprint()


def test_other_settings_and_changed_videos_are_not_taken_from_an_earlier_run(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.npz"

    def interrupted(**options: object) -> int:
        """Clips that the run began with, stopped before the last one."""
        begun: list[int] = []

        def stop(progress: Progress) -> None:
            begun.append(int(progress.values["videos"]))
            if begun[-1] == 4:
                raise Cancelled

        with pytest.raises(Cancelled):
            encode_videos(folder, out, **({"encoder": Colours(), "callback": stop} | options))  # type: ignore[arg-type]
        return begun[0]

    assert interrupted() == 0
    assert interrupted() == 4
    assert interrupted(encoder=Colours(2)) == 0
    write_video(folder / "run" / "a.mp4", 9, seed=7)
    report = encode_videos(folder, out, encoder=Colours())
    assert report.n_resumed == 3
    assert len(load(out).streams["rgb"][0]) == 9


def test_several_processes_give_the_same_file(folder: Path, tmp_path: Path) -> None:
    (folder / "sit" / "broken.mp4").touch()
    one = encode_videos(folder, tmp_path / "a.npz", encoder=Colours())
    two = encode_videos(folder, tmp_path / "b.npz", encoder=Colours(), n_jobs=2)
    assert (one.skipped, one.n_frames) == (two.skipped, two.n_frames)
    assert load(one.path).fingerprint() == load(two.path).fingerprint()


_ENCODE = """
import sys, time
sys.path.insert(0, {helpers!r})
from videos import Colours
from acot_core.datasets.video import encode_videos
class Slow(Colours):
    def __call__(self, clips):
        time.sleep(0.05)
        return super().__call__(clips)
encode_videos({folder!r}, {out!r}, encoder=Slow())
"""


def test_a_killed_run_loses_at_most_the_clip_in_hand(folder: Path, tmp_path: Path) -> None:
    """SIGKILL while the third or a later video is encoded; all videos before it are there again."""
    if not hasattr(signal, "SIGKILL"):
        pytest.skip("needs SIGKILL")
    out, parts = tmp_path / "o.npz", tmp_path / ".o.npz.parts"
    code = _ENCODE.format(
        helpers=str(Path(__file__).parents[1] / "helpers"), folder=str(folder), out=str(out)
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while len(list(parts.glob("*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = [json.loads(p.read_text()) for p in parts.glob("*.json")]
    assert 2 <= len(done) < 5
    assert not out.exists()
    report = encode_videos(folder, out, encoder=Colours())
    assert report.n_resumed == len(done)
    assert (
        load(out).fingerprint()
        == load(encode_videos(folder, tmp_path / "b.npz", encoder=Colours()).path).fingerprint()
    )


# ---------------------------------------------------------------- encoders


def test_a_module_and_its_onnx_file_agree(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="writes the ONNX file by hand")
    pytest.importorskip("onnxruntime")
    from acot_core.datasets.video import OnnxEncoder

    weight = np.random.default_rng(0).random((5, 3, 3, 3)).astype(np.float32)
    nodes = [onnx.helper.make_node("Conv", ["x", "w"], ["y"]), onnx.helper.make_node("Relu", ["y"], ["z"])]
    value, float32 = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "g", [value("x", float32, ["b", 3, 32, 24])], [value("z", float32, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(tmp_path / "net.onnx"))
    conv = torch.nn.Conv2d(3, 5, 3, bias=False)
    conv.weight.data = torch.from_numpy(weight)
    module = TorchEncoder(torch.nn.Sequential(conv, torch.nn.ReLU()), (24, 32))
    file = OnnxEncoder(tmp_path / "net.onnx")
    assert file.size == (24, 32)
    clips = np.random.default_rng(1).integers(0, 255, (3, 1, 32, 24, 3), dtype=np.uint8)
    np.testing.assert_allclose(file(clips), module(clips), rtol=1e-4, atol=1e-4)


def test_a_video_network_gets_its_axes() -> None:
    class Network(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.shape = tuple(x.shape)
            return x.mean((2, 3, 4))

    clips = np.zeros((2, 8, 10, 12, 3), np.uint8)
    clips[..., 0] = 255
    for layout, shape in (("auto", (2, 3, 8, 10, 12)), ("NTCHW", (2, 8, 3, 10, 12))):
        network = Network()
        encoder = TorchEncoder(network, (12, 10), n_frames=8, stride=2, layout=layout, mean=0.0, std=255.0)  # type: ignore[arg-type]
        out = encoder(clips)
        assert network.shape == shape
    assert out.shape == (2, 8)
    with pytest.raises(ValueError, match="layout: expected"):
        TorchEncoder(Network(), (12, 10), n_frames=8, layout="NCHW")


def test_weights_and_sizes_are_part_of_an_encoders_identity() -> None:
    def encoder(seed: int, size: tuple[int, int] = (12, 10)) -> str:
        torch.manual_seed(seed)
        return TorchEncoder(torch.nn.Conv2d(3, 2, 3), size).identity

    assert encoder(0) == encoder(0)
    assert len({encoder(0), encoder(1), encoder(0, (14, 10))}) == 3


@needs_clips
def test_real_clips_agree_with_the_published_features(tmp_path: Path) -> None:
    """Two of the 42 clips, frame by frame and stream by stream; `benchmarks/video.py` does all of them."""
    pytest.importorskip("efficientnet_lite_pytorch")
    (tmp_path / "two.csv").write_text(
        "path,class,split\n"
        + "".join(f"{CLIPS}/clips/{c}_train.avi,{c},train\n" for c in ("shoot_ball", "pick"))
    )
    report = encode_videos(tmp_path / "two.csv", tmp_path / "o.npz")
    mine = np.load(report.path)
    theirs = np.load(CLIPS / "jhmdb_lite0.npz")
    start = np.concatenate([[0], np.cumsum(theirs["lengths"])])
    names = theirs["class_names"].tolist()
    offset = 0
    for label, length in zip(("shoot_ball", "pick"), mine["lengths"], strict=True):
        mine_rgb, mine_flow = (unit(mine[s][offset : offset + length].astype(float)) for s in ("rgb", "flow"))
        offset += length
        same = (
            (theirs["labels"] == names.index(label))
            & (theirs["splits"][0] == 1)
            & (theirs["lengths"] == length)
        )
        rgb, flow = theirs["rgb"], theirs["flow"]
        candidates = [slice(start[i], start[i + 1]) for i in np.flatnonzero(same)]
        best = max(candidates, key=lambda s: (unit(rgb[s].astype(float)) * mine_rgb).sum(1).mean())
        assert (unit(rgb[best].astype(float)) * mine_rgb).sum(1).min() > 0.9999
        assert (unit(flow[best].astype(float)) * mine_flow).sum(1).min() > 0.99


def test_the_embedded_network_survives_pickling() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    import pickle

    encoder = EfficientNetLite0((64, 48))
    blob = pickle.dumps(encoder)
    assert len(blob) < 1000  # not the weights
    clips = np.random.default_rng(0).integers(0, 255, (1, 1, 48, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pickle.loads(blob)(clips), encoder(clips))
    assert (encoder(clips) >= 0).all()


def test_a_model_of_transformers_by_its_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from acot_core.datasets.video import named_encoder

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.ViTConfig(**small, image_size=32, patch_size=8).save_pretrained(tmp_path / "vit")
    encoder = named_encoder(f"transformers:{tmp_path / 'vit'}", pretrained=False)
    assert encoder.size == (32, 32)
    assert encoder(np.zeros((2, 1, 32, 32, 3), np.uint8)).shape == (2, 32)


@pytest.mark.parametrize(("model", "video", "n_frames"), [("resnet18", False, 1), ("r3d_18", True, 8)])
def test_a_model_of_torchvision_by_its_name(
    monkeypatch: pytest.MonkeyPatch, model: str, video: bool, n_frames: int
) -> None:
    """torchvision is not needed here: a stand-in with its functions, as its documentation names them."""
    from types import ModuleType, SimpleNamespace

    from acot_core.datasets.video import named_encoder

    asked: list[object] = []

    def build(*, weights: object) -> torch.nn.Module:
        asked.append(weights)
        torch.manual_seed(0)
        pool = torch.nn.AdaptiveAvgPool3d(1) if video else torch.nn.AdaptiveAvgPool2d(1)
        return torch.nn.Sequential(pool, torch.nn.Flatten(), torch.nn.Linear(3, 400))

    build.__module__ = "torchvision.models.video.resnet" if video else "torchvision.models.resnet"
    crop = {"crop_size": (12, 16)} if video else {"crop_size": [16]}
    transform = SimpleNamespace(mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25], **crop)
    weights = SimpleNamespace(transforms=lambda: transform)
    models = ModuleType("torchvision.models")
    models.get_model_builder = lambda name: {model: build}[name]  # type: ignore[attr-defined]
    models.get_model_weights = lambda _: SimpleNamespace(DEFAULT=weights)  # type: ignore[attr-defined]
    library = ModuleType("torchvision")
    library.models = models  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", library)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    encoder = named_encoder(f"torchvision:{model}", stride=2)
    assert asked == [weights]
    assert (encoder.n_frames, encoder.stride) == (n_frames, 2)
    assert encoder.size == ((16, 12) if video else (16, 16))
    clips = np.random.default_rng(0).integers(0, 255, (2, n_frames, *encoder.size[::-1], 3), dtype=np.uint8)
    # What enters the last linear layer: the mean of the standardised pixels.
    expected = (clips.astype(np.float32) / 255 - 0.5).mean((1, 2, 3)) / 0.25
    np.testing.assert_allclose(encoder(clips), expected, atol=1e-5)
    with pytest.raises(ValueError, match="torchvision:resnet0: cannot be had from torchvision"):
        named_encoder("torchvision:resnet0")
    named_encoder(f"torchvision:{model}", pretrained=False)
    assert asked[-1] is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("resnet18", "expected torchvision:<model>"), ("keras:vgg", "expected torchvision:<model>")],
)
def test_a_name_of_no_library_is_refused(name: str, message: str) -> None:
    from acot_core.datasets.video import named_encoder

    with pytest.raises(ValueError, match=message):
        named_encoder(name)


# ---------------------------------------------------------------- the command


def acot(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "acot_core", "encode", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_encodes_tells_and_exits(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    write_video(tmp_path / "v" / "run" / "a.mp4", 3)
    done = acot(tmp_path / "v", "--out", tmp_path / "o.npz", "--stream", "rgb")
    assert done.returncode == 0, done.stderr
    assert "1 videos, 3 frames, 0 skipped" in done.stdout
    assert " new frames, 0 skipped" in done.stderr
    assert load(tmp_path / "o.npz").streams["rgb"][0].shape == (3, 1280)
    (tmp_path / "v" / "run" / "b.mp4").touch()
    some = acot(tmp_path / "v", "--out", tmp_path / "o.npz", "--stream", "rgb", "--quiet")
    assert (some.returncode, some.stdout) == (1, "")
    assert "b.mp4: is no video" in some.stderr
    none = acot(tmp_path / "nowhere", "--out", tmp_path / "o.npz")
    assert none.returncode == 2
    assert none.stderr.startswith("acot encode: ")
    assert "Traceback" not in none.stderr
