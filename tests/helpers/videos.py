"""Videos for tests: made by PyAV, good, odd and broken; and an encoder that costs nothing."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Colours:
    """Encodes a clip by the mean colours of a grid of its pictures: (b, 3 * 4 * 4), non-negative."""

    size = (32, 32)

    def __init__(self, n_frames: int = 1, stride: int = 1, *, signed: bool = False, width: int = 48) -> None:
        self.n_frames, self.stride, self.signed, self.width = n_frames, stride, signed, width
        self.identity = f"colours {n_frames} {stride} {signed} {width}"

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert clips.shape[1:] == (self.n_frames, 32, 32, 3)
        cells = clips.reshape(len(clips), self.n_frames, 4, 8, 4, 8, 3).mean((1, 3, 5))
        features = cells.reshape(len(clips), -1)[:, : self.width].astype(np.float32)
        return features - 100 if self.signed else features


def picture(t: int, size: tuple[int, int] = (64, 48), seed: int = 0) -> NDArray[np.uint8]:
    """A textured square that moves to the right over a dark ground, its corner top left white."""
    width, height = size
    texture = np.random.default_rng(seed).integers(60, 255, (16, 16, 3), dtype=np.uint8)
    out = np.full((height, width, 3), 20, np.uint8)
    left = (3 * t) % max(1, width - 16)
    out[height // 2 - 8 : height // 2 + 8, left : left + 16] = texture[: min(16, height), : min(16, width)]
    out[:6, :6] = 255
    return out


def write_video(
    path: Path,
    n: int = 12,
    size: tuple[int, int] = (64, 48),
    *,
    codec: str = "mpeg4",
    rate: int = 25,
    times: list[int] | None = None,
    seed: int = 0,
) -> Path:
    """Write ``n`` frames; ``times`` in hundredths of a second make the frame rate variable."""
    from fractions import Fraction

    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=100 if times else rate)
        stream.width, stream.height = size
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        if codec == "mpeg4":
            stream.bit_rate = 2_000_000
        stream.codec_context.time_base = Fraction(1, 100 if times else rate)
        for t in range(n):
            frame = av.VideoFrame.from_ndarray(picture(t, size, seed), format="rgb24")
            frame.pts = times[t] if times else t
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rotate(path: Path) -> Path:
    """Turn an mp4 by 90 degrees clockwise, as a phone does: by the matrix in its header."""
    content = bytearray(path.read_bytes())
    place = content.find(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(content))
    return path


def write_audio(path: Path) -> Path:
    """A file that holds sound alone."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le" if path.suffix == ".avi" else "aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def truncate(path: Path, share: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path
