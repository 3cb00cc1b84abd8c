"""One's own sequences: a file chosen in the browser, checked before it is believed, kept for its session.

The file is read by `acot_core.datasets` alone: nothing is unpickled, and sizes are checked before and after
inflation. What it holds is kept under the hash of its content and dropped when the session ends.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import panel_material_ui as pmui

from acot_core.datasets import SequenceDataset, load
from acot_explorer.requests import DataRequest
from acot_explorer.state import Settings

__all__ = ["MAX_UPLOAD", "UploadBox", "read_upload", "template_file"]

MAX_UPLOAD = 200 * 2**20
_MAX_INFLATED = 512 * 2**20


def read_upload(content: bytes, name: str) -> tuple[DataRequest, SequenceDataset]:
    """The data set in an uploaded .npz file.

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
        raise ValueError(f"{name}: not an .npz file (numpy.savez makes one)")
    with tempfile.TemporaryDirectory(prefix="acot-upload-") as folder:
        path = Path(folder) / "upload.npz"
        path.write_bytes(content)
        try:
            dataset = load(path, max_bytes=_MAX_INFLATED)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), name)) from error
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return DataRequest(f"upload:{digest}", Settings.param["encoder"].default, 0), dataset


def template_file() -> bytes:
    """A small example in the documented format: 24 clips of two classes, 16 features."""
    import io

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

    def __init__(self, explorer: Any) -> None:
        self._explorer = explorer
        self.chooser = pmui.FileInput(
            label="Own sequences (.npz)",
            accept=".npz",
            max_file_size=MAX_UPLOAD,
            variant="outlined",
            size="small",
            sizing_mode="stretch_width",
            margin=(8, 8, 2, 8),
            description="features, lengths, labels and, if you like, splits and class_names",
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
        self._heard = self.chooser._handle_msg
        self.chooser._handle_msg = self._hear
        self.template.on_click(lambda _: explorer.send_file("acot_template.npz", template_file()))

    def controls(self) -> list[Any]:
        """The widgets."""
        return [self.chooser, self.template, self.note]

    def _hear(self, message: dict[str, Any]) -> None:
        """Show what the browser refused to send; the widget itself has no word for it."""
        if message.get("status") == "error":
            self._refuse(f"{str(message.get('error', 'The file could not be sent'))[:300]}.")
        else:
            self._heard(message)

    async def _chosen(self, event: Any) -> None:
        if not event.new:
            return
        name = str(self.chooser.filename or "file")[:80]
        self.note.visible = False
        try:
            found = await self._explorer.in_background(read_upload, event.new, name)
        except ValueError as error:
            reason = str(error)
            await self._explorer.locked(lambda: self._refuse(reason))
        else:
            await self._explorer.locked(lambda: self._explorer.adopt_upload(*found, name))
        await self._explorer.locked(lambda: self.chooser.param.update(value=None))

    def _refuse(self, reason: str) -> None:
        self.note.param.update(object=reason, title="Not loaded", visible=True)
