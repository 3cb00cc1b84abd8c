"""Upload of sequences: a file chosen in the browser, checked, and stored until its session ends.

An .npz is read by `acot_core.datasets` alone: nothing is unpickled, and sizes are checked before and after
inflation. A .zip of short videos, one folder per class, is encoded by `acot_core.datasets.video`. The data
set is stored under the hash of the file's content.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import tempfile
import zipfile
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import panel_material_ui as pmui

from acot_core._utils.progress import Callback
from acot_core.datasets import SequenceDataset, load
from acot_explorer._workarounds import hear_refusals
from acot_explorer.cache_keys import DataRequest
from acot_explorer.host import Host
from acot_explorer.state import Settings

__all__ = ["MAX_UPLOAD", "UploadBox", "file_to_explore", "read_upload", "template_file"]

MAX_UPLOAD = 200 * 2**20
_MAX_INFLATED = 512 * 2**20
_MAX_VIDEOS = 200
_LABEL = "Own data: .npz, or .zip of videos"
_Upload = tuple[DataRequest, SequenceDataset]


def read_upload(content: bytes, name: str, callback: Callback | None = None) -> _Upload:
    """The data set in an uploaded .npz file, or made of the videos in an uploaded .zip.

    Raises
    ------
    ValueError
        Not such a file, too large, or its arrays do not fit; the message says what was expected.
    """
    if len(content) > MAX_UPLOAD:
        raise ValueError(
            f"{name}: {len(content) / 2**20:.0f} MB, more than the {MAX_UPLOAD // 2**20} MB accepted here"
        )
    if not content.startswith(b"PK"):
        raise ValueError(f"{name}: not an .npz file (numpy.savez makes one), nor a .zip of videos")
    with tempfile.TemporaryDirectory(prefix="acot-upload-") as folder:
        path = Path(folder) / "upload.npz"
        try:
            if name.lower().endswith(".zip"):
                _encode(content, Path(folder) / "videos", path, callback)
            else:
                path.write_bytes(content)
            dataset = load(path, max_bytes=_MAX_INFLATED)
        except ImportError as error:
            raise ValueError(f"{name}: {error}") from error
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name).replace(folder, name)) from error
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return DataRequest(f"upload:{digest}", Settings.param["encoder"].default, 0), dataset


@cache
def file_to_explore() -> tuple[DataRequest, SequenceDataset, str] | None:
    """The data set that `acot explore FILE` named, read once per server; None where it named nothing."""
    named = os.environ.get("ACOT_EXPLORE")
    if not named:
        return None
    path = Path(named).resolve()
    digest = hashlib.blake2b(str(path).encode(), digest_size=12).hexdigest()
    return DataRequest(f"upload:{digest}", Settings.param["encoder"].default, 0), load(path), path.name


def _encode(content: bytes, folder: Path, out: Path, callback: Callback | None) -> None:
    """Extract the videos of a zip, by class, and encode their frames."""
    from acot_core.datasets.video import encode_videos  # which needs the extra "video"

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [
                m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")
            ]
            if len(members) > _MAX_VIDEOS or sum(m.file_size for m in members) > _MAX_INFLATED:
                limit = f"{_MAX_VIDEOS} videos and {_MAX_INFLATED // 2**20} MB"
                raise ValueError(f"{len(members)} files, expected at most {limit}")
            for member in members:
                place = PurePosixPath(member.filename)
                if len(place.parts) < 2 or ".." in place.parts:
                    raise ValueError(f"{place}: expected the videos of each class in a folder of its name")
                target = folder / place.parts[-2] / place.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as file:
                    target.write_bytes(file.read(member.file_size))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"not a readable .zip ({error})") from error
    encode_videos(folder, out, streams=("rgb",), errors="raise", callback=callback)


def template_file() -> bytes:
    """A small example in the documented format: 24 sequences of two classes, 16 features."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(8, 16, 24)
    labels = np.arange(24) % 2
    time = np.concatenate([np.linspace(0, 1, n) for n in lengths])
    rising = np.where(np.repeat(labels, lengths) == 0, time, 1 - time)
    features = rng.random((len(time), 16)) * 0.3 + 0.2
    features[:, 0] += rising
    features[:, 1] += 1 - rising
    splits = np.where(np.arange(24) % 4 < 2, 1, 2)[None]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        features=features.astype(np.float32),
        lengths=lengths,
        labels=labels,
        splits=splits,
        class_names=np.array(["rising", "falling"]),
    )
    return buffer.getvalue()


class UploadBox:
    """The upload's widgets: choose a file, or fetch the template."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.chooser = pmui.FileInput(
            label=_LABEL,
            uploaded_label=_LABEL,  # whether it was taken is said by the page, not by the widget
            accept=".npz,.zip",
            max_file_size=MAX_UPLOAD,
            variant="outlined",
            size="small",
            sizing_mode="stretch_width",
            margin=(8, 8, 2, 8),
            description="features, lengths, labels and, if you like, splits and class_names; or videos",
        )
        self.template = pmui.Button(
            label="Template file",
            icon="description",
            variant="text",
            size="small",
            margin=(0, 8),
        )
        self.note = pmui.Alert(
            "", severity="error", visible=False, sizing_mode="stretch_width", margin=(4, 8), closeable=False
        )
        self.chooser.param.watch(self._chosen, "value")
        hear_refusals(self.chooser, self._refuse)
        self.template.on_click(lambda _: host.send_file("acot_template.npz", template_file()))

    def controls(self) -> list[Any]:
        """The widgets."""
        return [self.chooser, self.template, self.note]

    async def _chosen(self, event: Any) -> None:
        if not event.new:
            return
        name = str(self.chooser.filename or "file")[:80]
        self.note.visible = False
        work = partial(read_upload, event.new, name)
        job = self._host.session.submit(("upload", name), f"Reading {name}", lambda report: work(report))
        while not job.settled:
            await asyncio.sleep(0.1)
        if job.state == "done":
            request, dataset = job.result
            await self._host.locked(lambda: self._host.adopt_upload(request, dataset, name))
        elif job.state == "failed":
            await self._host.locked(lambda: self._refuse(job.error))
        await self._host.locked(lambda: self.chooser.param.update(value=None))

    def _refuse(self, reason: str) -> None:
        self.note.param.update(object=reason, title="Not loaded", visible=True)
