"""Decode a video frame by frame in constant memory, upright and at its own or a uniform frame rate.

PyAV's wheels carry FFmpeg. Only containers that hold pictures themselves are opened: a playlist, which may
name other files and addresses, is refused, whatever it is called. A folder of numbered pictures (JHMDB's
``Rename_Images/<class>/<clip>/00001.png``) is a video, too, of 30 frames per second as HMDB-51's.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acot_core._utils.extras import from_extra
from acot_core.datasets.folders import by_number, visible

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_PICTURES_PER_SECOND = 30.0
MAX_PIXELS = 40_000_000  # 8K is 33 million; decoder and conversion hold about 25 bytes for each
_FORMATS = "avi,gif,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
_UNEVEN = 2.5  # a step this much longer than the usual one makes the frame rate variable
_MAX_GAP = 60.0  # seconds
_SHORT = 0.9  # share of the stated duration that must be there


@dataclass(frozen=True)
class Video:
    """Size and frame times of a video, from its headers and packets, without decoding it.

    ``times`` (n,) are the frames' times in seconds, the first 0; ``frame_rate`` is the number of frames per
    second; ``uneven`` says that steps in time differ so much that frames are best sampled uniformly.
    """

    path: Path
    width: int
    height: int
    times: NDArray[np.float64]
    frame_rate: float
    uneven: bool

    def n_frames(self, frame_rate: float | None = None) -> int:
        """Frames that `frames` yields."""
        rate = frame_rate if frame_rate is not None else (self.frame_rate if self.uneven else None)
        return len(self.times) if rate is None else math.ceil((self.times[-1] + self.tolerance) * rate)

    @property
    def tolerance(self) -> float:
        """Half a usual step, in seconds: a frame that is late by less is on time."""
        steps = np.diff(self.times)
        return float(np.median(steps[steps > 0])) / 2


def probe(path: str | os.PathLike[str]) -> Video:
    """Read a video's size and the times of its frames.

    Raises
    ------
    ImportError
        PyAV is not installed.
    ValueError
        No video, no pictures in it, too large, fewer than two frames, cut off, or with a gap of over a
        minute; the message names the file.
    """
    if Path(path).is_dir():
        files = pictures_in(Path(path))
        if len(files) < 2:
            raise ValueError(f"{path}: holds {len(files)} frame(s); a sequence needs two at least")
        height, width = _read_picture(files[0]).shape[:2]
        times = np.arange(len(files)) / _PICTURES_PER_SECOND
        return Video(Path(path), width, height, times, _PICTURES_PER_SECOND, uneven=False)
    with _opened(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        base = float(stream.time_base or 0)
        stamps = [(p.pts if p.pts is not None else p.dts) for p in container.demux(stream) if p.size]
        stated = _stated_seconds(container, stream)
        nominal = float(stream.average_rate or stream.guessed_rate or 25)
    if len(stamps) < 2:
        raise ValueError(f"{path}: holds {len(stamps)} frame(s); a sequence needs two at least")
    if base <= 0 or any(stamp is None for stamp in stamps):
        times = np.arange(len(stamps)) / nominal
    else:
        times = np.sort(np.array(stamps, np.float64)) * base
        times -= times[0]
    steps = np.diff(times)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1 / nominal
    if not (steps > 0).any():
        times = np.arange(len(stamps)) / nominal
        steps = np.diff(times)
    if steps.max() > max(_MAX_GAP, _UNEVEN * usual):
        raise ValueError(
            f"{path}: nothing is shown for {steps.max():.0f} s after {times[int(steps.argmax())]:.1f} s"
        )
    if stated is not None and times[-1] + _UNEVEN * usual < _SHORT * stated:
        raise ValueError(f"{path}: ends after {times[-1]:.1f} of {stated:.1f} s; the file is cut off")
    uneven = bool(steps.max() > _UNEVEN * usual)
    rate = 1 / usual if uneven else (len(times) - 1) / float(times[-1])
    return Video(Path(path), width, height, times, rate, uneven)


def frames(
    path: str | os.PathLike[str], *, frame_rate: float | None = None, video: Video | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield a video's frames, uint8 (height, width, 3), turned as the file says.

    Parameters
    ----------
    path : str or path-like
    frame_rate : float, optional
        Sample at so many frames per second, each time the frame that is shown then: frames are repeated or
        dropped. By default each frame is yielded once, but for videos of variable frame rate
        (`Video.uneven`), which are sampled at their usual rate.
    video : Video, optional
        From `probe`, to spare reading the file once more.

    Raises
    ------
    ValueError
        As in `probe`; or a frame is damaged, or differs in size from the first.
    """
    video = probe(path) if video is None else video
    if frame_rate is not None and not 0 < frame_rate < math.inf:
        raise ValueError(f"frame_rate: expected a positive number, got {frame_rate!r}")
    rate = frame_rate if frame_rate is not None else (video.frame_rate if video.uneven else None)
    pictures = _decode(path)
    if rate is None:
        yield from (picture for _, picture in pictures)
        return
    tolerance = video.tolerance
    shown: NDArray[np.uint8] | None = None
    n, end = 0, 0.0
    for position, (time, picture) in enumerate(pictures):
        end = float(video.times[min(position, len(video.times) - 1)]) if time is None else time
        while shown is not None and n / rate < end - tolerance:
            yield shown
            n += 1
        shown = picture
    while shown is not None and n / rate < end + tolerance:
        yield shown
        n += 1


def _decode(path: str | os.PathLike[str]) -> Iterator[tuple[float | None, NDArray[np.uint8]]]:
    """Each frame with its time in seconds after the first."""
    if Path(path).is_dir():
        yield from _decode_pictures(Path(path))
        return
    with from_extra("video", "video"):
        import av

    with _opened(path) as (container, stream):
        start: float | None = None
        shape: tuple[int, ...] | None = None
        n = 0
        try:
            for n, frame in enumerate(container.decode(stream)):
                if frame.is_corrupt:
                    raise ValueError(f"{path}: frame {n} is damaged")
                picture = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                shape = shape or picture.shape
                if picture.shape != shape:
                    raise ValueError(
                        f"{path}: frame {n} is of {picture.shape[1]} x {picture.shape[0]} pixels, "
                        f"frame 0 of {shape[1]} x {shape[0]}"
                    )
                start = frame.time if start is None else start
                time = None if frame.time is None or start is None else frame.time - start
                yield time, np.ascontiguousarray(picture)
        except (av.FFmpegError, OSError, MemoryError) as error:
            raise ValueError(f"{path}: cannot be decoded beyond frame {n} ({_reason(error)})") from error
    if shape is None:
        raise ValueError(f"{path}: no frame can be decoded")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of the numbers in their names; links are passed over."""
    files = (p for p in visible(folder) if p.suffix.lower() in PICTURE_SUFFIXES and not p.is_symlink())
    return sorted(files, key=by_number)


def file_state(path: Path) -> tuple[int, int]:
    """Bytes and time of the last change (ns) of a video's file, or of its pictures together."""
    states = [p.stat() for p in (pictures_in(path) if path.is_dir() else [path])]
    return sum(s.st_size for s in states), max((s.st_mtime_ns for s in states), default=0)


def _read_picture(file: Path) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                size = f"{picture.width} x {picture.height}"
                raise ValueError(f"{file}: {size} pixels; up to {MAX_PIXELS} are accepted")
            return np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: is no picture that can be read ({_reason(error)})") from error


def _decode_pictures(folder: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    shape: tuple[int, ...] | None = None
    for n, file in enumerate(pictures_in(folder)):
        picture = _read_picture(file)
        shape = shape or picture.shape
        if picture.shape != shape:
            sizes = f"{picture.shape[1]} x {picture.shape[0]} pixels, frame 0 of {shape[1]} x {shape[0]}"
            raise ValueError(f"{file}: is of {sizes}")
        yield n / _PICTURES_PER_SECOND, picture


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[Any, Any]]:
    """The container and its first stream of pictures, decoded on one thread."""
    with from_extra("video", "video"):
        import av
    if not Path(path).is_file():
        raise ValueError(f"{path}: expected a video file")
    try:
        container = av.open(os.fspath(path), options=_OPTIONS)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ValueError(f"{path}: is no video that can be read ({_reason(error)})") from error
    with container:
        streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
        if not streams:
            raise ValueError(f"{path}: holds no pictures, only {[s.type for s in container.streams]}")
        stream = streams[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < width * height <= MAX_PIXELS:  # 0 where FFmpeg refused such a size itself
            size = f"{width} x {height}" if width else "no or too many"
            raise ValueError(f"{path}: {size} pixels; up to {MAX_PIXELS} are accepted")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield container, stream


def _stated_seconds(container: Any, stream: Any) -> float | None:
    """How long the pictures should last; None where the file does not say."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration and not container.streams.audio:
        return float(container.duration) / 1e6
    return None


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
