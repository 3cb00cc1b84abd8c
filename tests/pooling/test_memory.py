"""`batch_bytes` is what pooling takes beyond the data; long sequences take memory and time linear in n."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import resource, sys, time
import numpy as np, torch
from acot_core import ACOTPooling
from acot_core.baselines import *
n, count, d, name = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(2)
poolings = {
    "ACOT": ACOTPooling(3, negatives="random", random_state=0), "GRP": GRP(3), "PCA": PCASubspace(3),
    "KRP": KRP(3, n_landmarks=32), "average": AveragePooling(), "discriminative": DiscriminativePooling(2),
    "max": MaxPooling(), "rank": RankPooling(), "supervised": SupervisedPooling("lda"),
    "supervised, ordered": SupervisedPooling("lda", order=True),
}
rng = np.random.default_rng(0)
def frames(n):
    rising = np.linspace(0, 1, n)[:, None] * rng.random(d)
    return (rng.random((n, d)) * 0.3 + rising).astype(np.float32)
pooling = poolings[name].fit([frames(8) for _ in range(8)], np.arange(8) % 2)
pooling.transform([frames(40) for _ in range(4)])  # libraries are loaded now
X = [frames(n) for _ in range(count)]
most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, start = most(), time.process_time()
pooling.transform(X)
print((most() - before) / 1024, time.process_time() - start)
"""


def measured(n: int, count: int, d: int, name: str) -> tuple[float, float]:
    """Megabytes beyond what there was, and processor seconds, of pooling ``count`` sequences (n, d)."""
    command = [sys.executable, "-c", CODE, *map(str, (n, count, d)), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, seconds = map(float, done.stdout.split())
    return megabytes, seconds


@pytest.mark.skipif(sys.platform == "win32", reason="getrusage")
@pytest.mark.parametrize(
    "name",
    ["ACOT", "GRP", "PCA", "KRP", "average", "discriminative", "max", "rank", "supervised",
     "supervised, ordered"],
)  # fmt: skip
def test_a_long_sequence_takes_memory_and_time_linear_in_its_length(name: str) -> None:
    megabytes, seconds = measured(10_000, 1, 64, name)
    assert megabytes < 128
    assert seconds < 4  # 2 on a quiet core


@pytest.mark.skipif(sys.platform == "win32", reason="getrusage")
@pytest.mark.parametrize(("n", "count", "d"), [(5000, 8, 64), (60, 400, 256)])
@pytest.mark.parametrize("name", ["ACOT", "GRP", "discriminative", "KRP", "rank", "supervised, ordered"])
def test_many_sequences_take_no_more_than_promised(n: int, count: int, d: int, name: str) -> None:
    data = 4 * n * count * d / 2**20
    assert measured(n, count, d, name)[0] < 256 + data  # the data as checked tensors, too
