"""`acot encode`: a folder of videos to one .npz of features, which `acot explore` and `load` read.

    acot encode videos --out mine.npz                 # <class>/<clip>.mp4; frames and optical flow
    acot encode clips.csv --out mine.npz --jobs 4     # columns path, class, and split, group if wanted
    acot encode videos --out mine.npz --onnx net.onnx --frames 8 --stride 2 --gamma split

Interrupted, even killed, and started again with the same options, it goes on with the video it was at.
Exit status: 0 all encoded; 1 some videos were skipped (named on stderr); 2 nothing was written; 130 stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from acot_core._commands._options import command_parser, duration, end_line, progress
from acot_core._utils.progress import Progress

if TYPE_CHECKING:
    from acot_core.datasets.video import ClipEncoder, EncodingReport


def main(arguments: Sequence[str] | None = None) -> int:
    """Encode videos and say what was done."""
    options = parser().parse_args(arguments)
    from acot_core.datasets.video import encode_videos

    try:
        report = encode_videos(
            options.videos,
            options.out,
            encoder=_encoder(options),
            streams=tuple(options.stream or ("rgb", "flow")),
            gamma=options.gamma,
            frame_rate=options.frame_rate,
            thumbnails=options.thumbnails,
            n_jobs=options.jobs,
            errors="raise" if options.strict else "skip",
            callback=None if options.quiet else progress(_told),
        )
    except KeyboardInterrupt:
        print("\nacot encode: stopped; the same command goes on from there", file=sys.stderr)
        return 130
    except (ValueError, ImportError, OSError) as error:
        print(f"acot encode: {error}", file=sys.stderr)
        return 2
    _tell(report, options.quiet)
    return 1 if report.skipped else 0


def parser() -> argparse.ArgumentParser:
    taken = command_parser("encode", __doc__)
    taken.add_argument("videos", type=Path, help="a folder <class>/<clip>.mp4, or a CSV of path and class")
    taken.add_argument("--out", type=Path, required=True, help="the .npz to write")
    taken.add_argument(
        "--stream", action="append", choices=("rgb", "flow"), help="one of them; default: both"
    )
    taken.add_argument("--onnx", type=Path, help="a network of your own (default: EfficientNet-Lite0)")
    taken.add_argument(
        "--model", help="torchvision:NAME or transformers:NAME, where that is installed and its weights are"
    )
    taken.add_argument(
        "--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="of the network's input"
    )
    taken.add_argument("--frames", type=int, default=1, help="frames in a clip (the paper's networks: 8)")
    taken.add_argument("--stride", type=int, default=1, help="frames from clip to clip (the paper's: 2)")
    taken.add_argument("--mean", type=float, default=127.5, help="pixels enter as (pixel - MEAN) / STD")
    taken.add_argument("--std", type=float, default=127.5)
    taken.add_argument("--gamma", choices=("split", "relu"), help="for signed features: both parts, or one")
    taken.add_argument("--frame-rate", type=float, help="sample so many frames per second (default: all)")
    taken.add_argument("--thumbnails", type=int, default=8, help="pictures per video, for showing")
    taken.add_argument("--jobs", type=int, default=1, help="processes; -1: one per core")
    taken.add_argument("--strict", action="store_true", help="stop at the first video that cannot be encoded")
    taken.add_argument("--quiet", action="store_true", help="no progress, no summary")
    return taken


def _encoder(options: argparse.Namespace) -> ClipEncoder | None:
    """The encoder that the options name; None for the embedded one."""
    from acot_core.datasets.video import OnnxEncoder

    if options.onnx is not None and options.model is not None:
        raise ValueError("--onnx and --model name two encoders; expected one")
    size = tuple(options.size) if options.size else None
    if options.onnx is not None:
        if not options.onnx.is_file():
            raise ValueError(f"{options.onnx}: expected an ONNX file")
        return OnnxEncoder(
            options.onnx, size, n_frames=options.frames, stride=options.stride, mean=options.mean,
            std=options.std,
        )  # fmt: skip
    if options.model is not None:
        from acot_core.datasets.video.named_models import named_encoder

        return named_encoder(options.model, stride=options.stride)
    if size is not None or options.frames != 1 or options.stride != 1:
        raise ValueError("--size, --frames and --stride belong to --onnx; the embedded network takes frames")
    return None


def _told(progress: Progress) -> str:
    values = progress.values
    return (
        f"{100 * progress.step / progress.total:3.0f} %  {values['videos']:.0f} videos, "
        f"{values['frames']:.0f} new frames, {values['skipped']:.0f} skipped"
    )


def _tell(report: EncodingReport, quiet: bool) -> None:
    end_line(quiet)
    for what, reason in report.skipped:
        print(f"skipped {what}: {reason}", file=sys.stderr)
    if not quiet:
        earlier = f" ({report.n_resumed} by an earlier run)" if report.n_resumed else ""
        print(
            f"{report.path}: {report.n_videos} videos{earlier}, {report.n_frames} frames, "
            f"{len(report.skipped)} skipped, {duration(report.seconds)}"
        )
