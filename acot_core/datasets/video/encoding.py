"""A folder of videos to one file of features: resumable, in several processes, in constant memory."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import joblib
import numpy as np

from acot_core._utils.progress import Callback, Clock
from acot_core.datasets.signed import Gamma, check_gamma
from acot_core.datasets.video.clip_features import STREAMS, encode_clip
from acot_core.datasets.video.decoding import file_state, probe
from acot_core.datasets.video.encoders import ClipEncoder, EfficientNetLite0, EncoderError
from acot_core.datasets.video.listing import Listing, list_videos
from acot_core.datasets.video.parts import PartWriter, read_result, write_archive

_VERSION = 2  # of the preprocessing: what older versions left is not used
_Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class EncodingReport:
    """Result of `encode_videos`.

    Attributes
    ----------
    path : Path
        The .npz; `acot_core.datasets.load` reads it.
    n_videos, n_frames : int
        Encoded in all, those of an earlier run counted.
    n_resumed : int
        Videos that an earlier run had encoded.
    skipped : list of (what, reason)
    seconds : float
    """

    path: Path
    n_videos: int
    n_frames: int
    n_resumed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class _Settings:
    encoders: Mapping[str, ClipEncoder]
    gamma: Gamma | None
    frame_rate: float | None
    n_thumbnails: int

    def key(self, name: str, path: Path) -> str:
        """Names a clip's result: another file, encoder or setting has another key."""
        state = file_state(path)
        identities = {stream: encoder.identity for stream, encoder in self.encoders.items()}
        what = (_VERSION, name, *state, identities, self.gamma, self.frame_rate)
        return hashlib.blake2b(repr((*what, self.n_thumbnails)).encode(), digest_size=12).hexdigest()


def encode_videos(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    encoder: ClipEncoder | None = None,
    streams: Mapping[str, ClipEncoder] | tuple[str, ...] = STREAMS,
    gamma: Gamma | None = None,
    frame_rate: float | None = None,
    thumbnails: int = 8,
    n_jobs: int = 1,
    errors: Literal["skip", "raise"] = "skip",
    callback: Callback | None = None,
) -> EncodingReport:
    """Encode the videos of a folder or CSV as an .npz in the sequence file format.

    Parameters
    ----------
    source : str or path-like
        See `acot_core.datasets.video.list_videos`.
    out : str or path-like
        The .npz. While it is being made, ``.<out>.parts`` holds the videos that are done: started again
        after an interruption, whatever its kind, the work goes on with the video it was at.
    encoder : ClipEncoder, optional
        Encodes all streams; the embedded `EfficientNetLite0` by default.
    streams : tuple of "rgb" and "flow", or dict of them to ClipEncoder
        Frames, and optical flow of neighbouring frames as pictures.
    gamma : {None, "split", "relu"}
        What is done to signed features (see `acot_core.datasets.signed`); None refuses them.
    frame_rate : float, optional
        Frames per second to sample; by default each frame is taken, and videos of variable frame rate are
        sampled at their usual one.
    thumbnails : int
        Frames of each video to store, for showing.
    n_jobs : int
        Processes, each on one thread; -1: one per core.
    errors : {"skip", "raise"}
        Whether a video that cannot be encoded is left out and named in the report, or stops the work.
    callback : callable, optional
        Gets `Progress` reports in bytes of video, with videos, frames and skipped ones so far. It may raise
        `Cancelled`; videos that are done stay done.

    Returns
    -------
    EncodingReport

    Raises
    ------
    ImportError
        The extra ``video`` is not installed.
    ValueError
        Nothing to encode, an option out of range, or a video that cannot be encoded (``errors="raise"``);
        an `EncoderError` where the encoder is to blame: signed features and ``gamma=None``, for example.
    """
    began = perf_counter()
    if errors not in ("skip", "raise"):
        raise ValueError(f"errors: expected 'skip' or 'raise', got {errors!r}")
    if isinstance(thumbnails, bool) or not isinstance(thumbnails, int) or not 0 <= thumbnails <= 100:
        raise ValueError(f"thumbnails: expected an integer from 0 to 100, got {thumbnails!r}")
    if frame_rate is not None and not 0 < frame_rate <= 1000:
        raise ValueError(f"frame_rate: expected a number above 0 and up to 1000, got {frame_rate!r}")
    check_gamma(gamma)
    target = Path(out)
    if target.suffix != ".npz" or not target.parent.is_dir():
        raise ValueError(f"out: expected a file .npz in a folder that exists, got {str(out)!r}")
    settings = _Settings(_choose_encoders(encoder, streams), gamma, frame_rate, thumbnails)
    listing = list_videos(source)
    if errors == "raise" and listing.skipped:
        what, reason = listing.skipped[0]
        raise ValueError(f"{what}: {reason}")
    folder = target.with_name(f".{target.name}.parts")  # hidden: it may lie among the videos
    folder.mkdir(exist_ok=True)
    keys = [settings.key(*item) for item in zip(listing.names, listing.paths, strict=True)]
    names = tuple(settings.encoders)
    ready = {i for i, key in enumerate(keys) if read_result(folder, key, names) is not None}
    failed = _encode_all(listing, keys, ready, folder, settings, n_jobs, errors, callback)
    skipped = [*listing.skipped, *((str(listing.paths[i]), why) for i, why in sorted(failed.items()))]
    results = [read_result(folder, key, names) for key in keys]
    done = [i for i, result in enumerate(results) if result is not None]
    if not done:
        reasons = "".join(f"; {what}: {reason}" for what, reason in skipped[:5])
        raise ValueError(f"{source}: no video could be encoded{reasons}")
    encoded = [result for result in results if result is not None]
    arrays = _arrays(listing, done, encoded, settings)
    write_archive(target, folder, [keys[i] for i in done], encoded, names, arrays)
    shutil.rmtree(folder, ignore_errors=True)
    n_frames = sum(result["n_frames"] for result in encoded)
    return EncodingReport(target, len(done), n_frames, len(ready), skipped, perf_counter() - began)


def _choose_encoders(
    encoder: ClipEncoder | None, streams: Mapping[str, ClipEncoder] | tuple[str, ...]
) -> dict[str, ClipEncoder]:
    names = list(streams)
    if not names or isinstance(streams, str) or not set(names) <= set(STREAMS):
        raise ValueError(f"streams: expected some of {list(STREAMS)}, got {streams!r}")
    if isinstance(streams, Mapping):
        chosen = dict(streams)
    elif encoder is not None:
        chosen = dict.fromkeys(names, encoder)
    else:
        sizes = {"rgb": (224, 160), "flow": (128, 96)}
        chosen = {name: EfficientNetLite0(sizes[name]) for name in names}
    for name, one in chosen.items():
        if not isinstance(one, ClipEncoder):
            raise ValueError(f"streams: {name}: expected a ClipEncoder, got {type(one).__name__}")
    if len({(e.n_frames, e.stride) for e in chosen.values()}) > 1:
        raise ValueError("streams: the encoders take clips of different lengths or strides")
    return chosen


def _encode_all(
    listing: Listing,
    keys: list[str],
    ready: set[int],
    folder: Path,
    settings: _Settings,
    n_jobs: int,
    errors: str,
    callback: Callback | None,
) -> dict[int, str]:
    """Encode what is not ready; the reasons of those that cannot be, by position."""
    sizes = [file_state(path)[0] for path in listing.paths]
    todo = [i for i in range(len(keys)) if i not in ready]
    bytes_done, n_frames = sum(sizes[i] for i in ready), 0
    clock = Clock("encode", max(1, sum(sizes)), callback, start=bytes_done)
    skipped: dict[int, str] = {}

    def report(more: float, frames_more: int = 0) -> None:
        done = len(ready) + position
        clock.report(int(bytes_done + more), videos=done, frames=n_frames + frames_more, skipped=len(skipped))

    position = 0
    report(0)
    tick: _Tick = lambda t, n: report(sizes[todo[position]] * min(1, t / n), t)  # noqa: E731
    for i, frames, reason in _run(listing, keys, todo, folder, settings, n_jobs, tick):
        position += 1
        bytes_done += sizes[i]
        n_frames += frames
        if reason is not None:
            if errors == "raise":
                raise ValueError(reason)
            skipped[i] = reason.removeprefix(f"{listing.paths[i]}: ")
        report(0)
    return skipped


def _run(
    listing: Listing,
    keys: list[str],
    todo: list[int],
    folder: Path,
    settings: _Settings,
    n_jobs: int,
    tick: _Tick,
) -> Iterator[tuple[int, int, str | None]]:
    """Position, number of frames and reason of failure of each video, as they are done."""
    jobs = min(joblib.effective_n_jobs(n_jobs), max(1, len(todo)))
    if jobs == 1:
        for i in todo:
            yield _encode_one(i, listing.paths[i], keys[i], folder, settings, tick)
        return
    parallel = joblib.Parallel(jobs, backend="loky", batch_size=1, return_as="generator_unordered")
    yield from parallel(
        joblib.delayed(_encode_one)(i, listing.paths[i], keys[i], folder, settings) for i in todo
    )


def _encode_one(
    i: int, path: Path, key: str, folder: Path, settings: _Settings, tick: _Tick | None = None
) -> tuple[int, int, str | None]:
    try:
        video = probe(path)
        expected = max(1, video.n_frames(settings.frame_rate))
        with PartWriter(folder, key, tuple(settings.encoders)) as part:
            result = encode_clip(
                video,
                settings.encoders,
                part.write,
                gamma=settings.gamma,
                frame_rate=settings.frame_rate,
                n_thumbnails=settings.n_thumbnails,
                tick=None if tick is None else lambda t: tick(t, expected),
            )
            part.complete(result)
    except EncoderError:
        raise
    except ValueError as error:
        return i, 0, str(error)
    return i, result.n_frames, None


def _arrays(
    listing: Listing, done: list[int], results: list[dict[str, Any]], settings: _Settings
) -> dict[str, np.ndarray]:
    """All but features and thumbnails of the sequence file format."""
    classes = sorted({listing.labels[i] for i in done})
    arrays: dict[str, np.ndarray] = {
        "labels": np.array([classes.index(listing.labels[i]) for i in done], np.int64),
        "class_names": np.array(classes),
        "names": np.array([listing.names[i] for i in done]),
        "frame_rate": np.array([result["rate"] for result in results], np.float64),
        "encoder": np.array([f"{s}: {e.identity}" for s, e in settings.encoders.items()]),
    }
    rows = {s: np.array([result["rows"][s] for result in results], np.int64) for s in settings.encoders}
    first = next(iter(rows.values()))
    if all((row == first).all() for row in rows.values()):
        arrays["lengths"] = first
    else:
        arrays |= {f"lengths_{s}": row for s, row in rows.items()}
    splits = listing.splits[:, done] if len(listing.splits) else listing.splits
    splits = splits[(splits == 1).any(1)] if len(splits) else splits
    if len(splits):
        arrays["splits"] = splits
    if listing.groups is not None:
        arrays["groups"] = listing.groups[done]
    if settings.n_thumbnails:
        arrays["thumbnail_lengths"] = np.array([result["thumbnails"] for result in results], np.int64)
        arrays["thumbnail_rows"] = np.concatenate(
            [np.array(result["thumbnail_rows"], np.int64) for result in results]
        )
    return arrays
