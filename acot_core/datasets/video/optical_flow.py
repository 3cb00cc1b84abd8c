"""Optical flow of neighbouring frames as pictures, by OpenCV's DIS (Kroeger et al., 2016): the FLOW stream.

Flow is computed on grey frames of 160 x 120 and stated in pixels of a frame of 320 x 240, whatever the
video's own size. Its components u and v, clipped to +-6 pixels, and its magnitude, clipped to 6, become the
three channels of a picture, from 0 to 255: no motion is (127.5, 127.5, 0). Pictures are not rounded: between
them and their nearest bytes the embedded network's features turn by 10 to 30 degrees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from acot_core._utils.extras import from_extra

CLIP = 6.0
"""Pixels of a frame of 320 x 240. Chosen on four classes of JHMDB's split 1: a small leak there."""

_SIZE = (160, 120)
_UNIT = 2.0  # 320 / 160


class FlowPictures:
    """Turn frames into float32 pictures of optical flow: the way to the next frame; the last is repeated.

    Parameters
    ----------
    size : (width, height)
        Of the pictures.
    """

    def __init__(self, size: tuple[int, int] = (128, 96)) -> None:
        with from_extra("video", "optical flow"):
            import cv2

        self.size = size
        self._solver = cv2.DISOpticalFlow_create(cv2.DISOpticalFlow_PRESET_FAST)  # type: ignore[attr-defined]
        self._previous: NDArray[np.uint8] | None = None
        self._picture: NDArray[np.float32] | None = None

    def push(self, frame: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Take the next frame (h, w, 3); give the picture of the frame before it, if there was one."""
        import cv2

        small = cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        previous, self._previous = self._previous, np.asarray(grey, np.uint8)
        if previous is None:
            return []
        flow = _UNIT * self._solver.calc(previous, grey, None)  # (120, 160, 2)
        self._picture = _picture(flow, self.size)
        return [self._picture]

    def finish(self) -> list[NDArray[np.float32]]:
        """The picture of the last frame: once more the one before it; none where there was one frame."""
        return [] if self._picture is None else [self._picture]


def _picture(flow: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Flow (h, w, 2) in pixels as a picture of ``size``: u, v and magnitude from 0 to 255."""
    import cv2

    length = np.linalg.norm(flow, axis=-1, keepdims=True).clip(0, CLIP)
    channels = np.concatenate([flow.clip(-CLIP, CLIP) / 2 + CLIP / 2, length], -1) * (255 / CLIP)
    picture = cv2.resize(channels.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.float32)


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Run OpenCV on one thread: DIS searches in stripes, one per thread, and finds other flow with others."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
