"""One video to features, frame by frame: no more than one batch of small pictures is ever held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acot_core._utils.threads import single_threaded
from acot_core.datasets.signed import Gamma, nonnegative, unit_features
from acot_core.datasets.video.decoding import Video, frames
from acot_core.datasets.video.encoders import ClipEncoder, EncoderError
from acot_core.datasets.video.optical_flow import FlowPictures, one_opencv_thread

STREAMS = ("rgb", "flow")
THUMBNAIL = (80, 60)
"""Width and height; a picture of other proportions gets black bars."""

_BATCH = 4  # measured on a CPU: larger batches leave its cache, and are slower
Picture = NDArray[Any]
Sink = Callable[[str, NDArray[np.float16]], None]


@dataclass
class ClipResult:
    """Result of encoding one video, but for its features.

    ``rows`` and ``widths`` are the number of rows and of features per stream, ``rate`` is the number of rows
    per second; ``thumbnails`` uint8 (m, 60, 80, 3) show the rows at ``thumbnail_rows``.
    """

    n_frames: int = 0
    rate: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    thumbnails: list[NDArray[np.uint8]] = field(default_factory=list)
    thumbnail_rows: list[int] = field(default_factory=list)


class _Stream:
    """Pictures to clips to batches to features, which go to the sink."""

    def __init__(self, name: str, encoder: ClipEncoder, gamma: Gamma | None, sink: Sink) -> None:
        self.name, self.encoder, self.gamma, self.sink = name, encoder, gamma, sink
        self.flow = FlowPictures(encoder.size) if name == "flow" else None
        self.rows = self.width = self._skip = 0
        self._raw_width: int | None = None
        self._window: list[Picture] = []
        self._batch: list[Picture] = []

    def push(self, frame: NDArray[np.uint8]) -> None:
        pictures = [_resized(frame, self.encoder.size)] if self.flow is None else self.flow.push(frame)
        for picture in pictures:
            self._take(picture)

    def finish(self) -> None:
        for picture in [] if self.flow is None else self.flow.finish():
            self._take(picture)
        if not self.rows and not self._batch and self._window:  # shorter than a clip: its last frame stays
            missing = self.encoder.n_frames - len(self._window)
            self._batch.append(np.stack(self._window + self._window[-1:] * missing))
        self._flush()

    def _take(self, picture: Picture) -> None:
        if self._skip:
            self._skip -= 1
            return
        self._window.append(picture)
        if len(self._window) == self.encoder.n_frames:
            self._batch.append(np.stack(self._window))
            done = min(self.encoder.stride, self.encoder.n_frames)
            self._skip = self.encoder.stride - done
            del self._window[:done]
            if len(self._batch) == _BATCH:
                self._flush()

    def _flush(self) -> None:
        if not self._batch:
            return
        out = np.asarray(self.encoder(np.stack(self._batch)))
        who = f"encoder {self.encoder.identity}"
        if out.ndim != 2 or len(out) != len(self._batch) or out.shape[1] != (self._raw_width or out.shape[1]):
            raise EncoderError(f"{who}: expected features ({len(self._batch)}, d), got {out.shape}")
        if not np.isfinite(out).all():
            raise EncoderError(f"{who}: gives a NaN or an infinity in row {self.rows} of {self.name}")
        features = torch.from_numpy(np.ascontiguousarray(out, dtype=np.float32))
        self._raw_width = out.shape[1]
        if self.gamma is not None:
            features = nonnegative(features, self.gamma)
        elif (features < 0).any():
            raise EncoderError(
                f"{who}: gives signed features; pass gamma='split' (positive and negative parts, twice as "
                "many features) or gamma='relu' (positive parts alone)"
            )
        self.sink(self.name, unit_features(features).numpy().astype(np.float16))
        self.rows += len(out)
        self.width = features.shape[1]
        self._batch.clear()


def encode_clip(
    video: Video,
    encoders: Mapping[str, ClipEncoder],
    sink: Sink,
    *,
    gamma: Gamma | None = None,
    frame_rate: float | None = None,
    n_thumbnails: int = 8,
    tick: Callable[[int], None] | None = None,
) -> ClipResult:
    """Encode one video in one pass.

    Parameters
    ----------
    video : Video
        From `probe`.
    encoders : dict of "rgb" and / or "flow" to ClipEncoder
    sink : callable
        Gets the stream's name and float16 rows (b, d), non-negative and of unit norm, in temporal order.
    gamma, frame_rate
        As in `encode_videos`.
    n_thumbnails : int
        Evenly spaced frames to keep.
    tick : callable, optional
        Called with the number of frames so far.

    Raises
    ------
    ValueError
        The video cannot be decoded to its end; names it.
    EncoderError
        The encoder's features are signed and ``gamma`` is None, are not finite or not (b, d).
    """
    streams = [_Stream(name, encoder, gamma, sink) for name, encoder in encoders.items()]
    stride = streams[0].encoder.stride
    expected = video.n_frames(frame_rate)
    sampled = set(np.linspace(0, expected - 1, n_thumbnails).round().astype(int).tolist())
    result = ClipResult()
    positions: list[int] = []
    with single_threaded(), one_opencv_thread():
        for t, frame in enumerate(frames(video.path, frame_rate=frame_rate, video=video)):
            for stream in streams:
                stream.push(frame)
            if n_thumbnails and t in sampled:
                result.thumbnails.append(_thumbnail(frame))
                positions.append(t)
            result.n_frames = t + 1
            if tick is not None:
                tick(t + 1)
        if result.n_frames < 2:
            raise ValueError(f"{video.path}: {result.n_frames} frame(s) can be decoded; a sequence needs two")
        for stream in streams:
            stream.finish()
    result.rows = {s.name: s.rows for s in streams}
    result.widths = {s.name: s.width for s in streams}
    result.rate = (video.frame_rate if frame_rate is None else frame_rate) / stride
    result.thumbnail_rows = [min(t // stride, streams[0].rows - 1) for t in positions]
    return result


def _resized(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    scale = min(THUMBNAIL[0] / width, THUMBNAIL[1] / height)
    small = _resized(frame, (max(1, round(width * scale)), max(1, round(height * scale))))
    out = np.zeros((THUMBNAIL[1], THUMBNAIL[0], 3), np.uint8)
    top, left = (out.shape[0] - small.shape[0]) // 2, (out.shape[1] - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out
