"""Real video to features: agreement with published features, speed, memory, a kill, and two hours of video.

    python -m benchmarks.video [--hours 2] [--seed 0] [--out benchmarks/results/video.json]

1. The 42 clips of ``jhmdb_video/clips`` are encoded in a process of its own, killed at a random moment and
   started again. Each clip is then sought in ``jhmdb_lite0.npz`` by class and split: the clip of equal
   length whose mean rgb feature is nearest. Speed is in frames, rgb and flow together, per second of the
   processor, on one thread.
2. A generated video of ``--hours`` hours (64 x 48, 25 frames per second) is encoded, frames and flow, by a
   network that costs nothing, and the memory of the process is sampled: it must not grow with the video.

Linux only: memory is read from /proc. Needs the data of ACOT_DATA for the first part.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from acot_core._utils.files import atomic_write
from acot_core.datasets import data_root
from acot_core.experiments.record import environment

RESULT = Path(__file__).parent / "results" / "video.json"

_CLIPS = """
import json, resource, sys, time
from acot_core.datasets.video import encode_videos
import torch
torch.set_num_threads(1)
torch.zeros(8, 8) @ torch.zeros(8, 8)
began = time.process_time()
report = encode_videos(sys.argv[1], sys.argv[2])
seconds = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([report.n_videos, report.n_frames, report.n_resumed, report.skipped, seconds, peak]))
"""

_LONG = """
import json, sys, time
import numpy as np
from pathlib import Path
from acot_core.datasets.video import encode_videos
class Colours:
    size, n_frames, stride, identity = (32, 32), 1, 1, "colours"
    def __call__(self, clips):
        cells = clips.reshape(len(clips), 4, 8, 4, 8, 3).mean((2, 4))
        return cells.reshape(len(clips), -1).astype(np.float32)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
samples = []
def sample(progress):
    share = progress.step / progress.total
    if not samples or share - samples[-1][0] > 0.01:
        samples.append((share, resident()))
began = time.process_time()
report = encode_videos(sys.argv[1], sys.argv[2], encoder=Colours(), callback=sample)
print(json.dumps([report.n_frames, time.process_time() - began, samples]))
"""


def clips(seed: int) -> dict[str, Any]:
    """Encode the 42 clips, killed once, and compare them with the published features."""
    root = data_root()
    if root is None or not (root / "jhmdb_video").is_dir():
        return {"skipped": "no jhmdb_video in ACOT_DATA"}
    source = root / "jhmdb_video" / "clips"
    with TemporaryDirectory() as folder:
        out = Path(folder) / "mine.npz"
        command = [sys.executable, "-c", _CLIPS, str(source), str(out)]
        done_before = _kill_at_random(command, out, random.Random(seed))
        n_videos, n_frames, n_resumed, skipped, seconds, peak = json.loads(_run(command))
        return {
            "videos": n_videos,
            "frames": n_frames,
            "skipped": skipped,
            "done when killed": len(done_before),
            "resumed": n_resumed,
            "frames per second of the processor": round((n_frames - sum(done_before)) / seconds, 1),
            "peak memory in MB": round(peak),
            "agreement": _agreement(out, root / "jhmdb_video" / "jhmdb_lite0.npz"),
        }


def _kill_at_random(command: list[str], out: Path, chance: random.Random) -> list[int]:
    """Start, kill when a random number of clips is done; the clips' numbers of frames."""
    parts = out.with_name(f".{out.name}.parts")
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    n_done = chance.randrange(3, 30)
    while len(list(parts.glob("*.json"))) < n_done and child.poll() is None:
        time.sleep(0.05)
    time.sleep(chance.random())
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    return [json.loads(file.read_text())["n_frames"] for file in parts.glob("*.json")]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.splitlines()[-1]


def _agreement(mine_path: Path, their_path: Path) -> dict[str, Any]:
    """Least cosine over clips of mean features, and over frames, per stream."""
    mine, theirs = np.load(mine_path), np.load(their_path)
    starts = [np.concatenate([[0], np.cumsum(archive["lengths"])]) for archive in (mine, theirs)]
    features = {s: (mine[s].astype(np.float32), theirs[s]) for s in ("rgb", "flow")}
    names = theirs["class_names"].tolist()
    least: dict[str, dict[str, float]] = {s: {"of means": 1.0, "of frames": 1.0} for s in features}
    for i, length in enumerate(mine["lengths"]):
        label = names.index(str(mine["class_names"][mine["labels"][i]]))
        same = (theirs["labels"] == label) & (theirs["splits"][0] == mine["splits"][0, i])
        candidates = np.flatnonzero(same & (theirs["lengths"] == length))

        def rows(stream: str, which: int, clip: int) -> np.ndarray:
            start = starts[which][clip]
            return _unit(features[stream][which][start : start + length].astype(np.float64))  # noqa: B023

        def cosine(clip: int) -> float:
            first, second = (_unit(x.mean(0)) for x in (rows("rgb", 0, i), rows("rgb", 1, clip)))  # noqa: B023
            return float(first @ second)

        best = max(candidates.tolist(), key=cosine)
        for stream, values in least.items():
            a, b = rows(stream, 0, i), rows(stream, 1, best)
            values["of means"] = min(values["of means"], float(_unit(a.mean(0)) @ _unit(b.mean(0))))
            values["of frames"] = min(values["of frames"], float((a * b).sum(1).min()))
    return {s: {k: round(v, 5) for k, v in values.items()} for s, values in least.items()}


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def long_video(hours: float) -> dict[str, Any]:
    """Encode a generated video; memory after 5 % of it and at its end."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "videos" / "long" / "film.mp4"
        path.parent.mkdir(parents=True)
        n = _generate(path, hours)
        command = [sys.executable, "-c", _LONG, str(path.parents[1]), str(Path(folder) / "long.npz")]
        n_frames, seconds, samples = json.loads(_run(command))
        early = max(memory for share, memory in samples if share <= 0.05)
        late = max(memory for share, memory in samples if share > 0.05)
        return {
            "hours": hours,
            "frames": n_frames,
            "all frames": n_frames == n,
            "memory in MB, first 5 %": round(early),
            "memory in MB, at most afterwards": round(late),
            "seconds of the processor": round(seconds),
        }


def _generate(path: Path, hours: float) -> int:
    """A square that wanders, 64 x 48, 25 frames per second."""
    import av

    n = round(hours * 3600 * 25)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = np.zeros((72, 64), np.uint8)
        picture[48:] = 128
        for t in range(n):
            picture[:48] = 20
            x, y = round(24 + 20 * np.sin(t / 9)), round(16 + 14 * np.cos(t / 7))
            picture[y : y + 16, x : x + 16] = 200
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = t
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return n


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0, help="when the first run is killed")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    result = {
        "clips": clips(options.seed),
        "long video": long_video(options.hours),
        "environment": environment(),
    }
    print(json.dumps({k: v for k, v in result.items() if k != "environment"}, indent=1))
    atomic_write(options.out, (json.dumps(result, indent=1, default=str) + "\n").encode())


if __name__ == "__main__":
    main()
