"""Do the adversary's curves stay the same in bfloat16? Both precisions on JHMDB poses, paired by seed.

    python -m benchmarks.precision --seeds 5

Writes benchmarks/results/precision.json: the last row of each history (training frames), and over seeds the
mean and standard deviation of both and of their paired difference.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from acot_core import Adversary
from acot_core._utils.files import atomic_write
from acot_core.datasets import load
from acot_core.experiments.record import environment

MEASURED = ("fooling_rate", "misclassification_rate", "noise_norm")


def last_row(precision: str, seed: int, n_iter: int, settings: dict[str, Any]) -> dict[str, float]:
    """Last row of the history on the training frames."""
    data = load("jhmdb-pose", streams=["pose"], random_state=seed)
    train, _ = data.split("1")
    sequences, labels = [data.streams["pose"][i] for i in train], data.labels[train]
    adversary = Adversary(precision=precision, n_iter=n_iter, random_state=seed, **settings)
    row = adversary.fit(sequences, labels).history_.query("split == 'train'").iloc[-1]
    return {name: float(row[name]) for name in MEASURED}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-iter", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "precision.json")
    options = parser.parse_args()
    settings = {
        "paper": {},
        "fast": {"lambda1": 1.0, "lambda2": 0.1, "learning_rate": 1e-3, "pivot": "frame"},
    }
    rows = [
        {"setting": name, "seed": seed, "precision": precision}
        | last_row(precision, seed, options.n_iter, values)
        for name, values in settings.items()
        for seed in range(options.seeds)
        for precision in ("float32", "bfloat16")
    ]
    table = pd.DataFrame(rows)
    summary = []
    for name in settings:
        wide = table[table["setting"] == name].pivot(index="seed", columns="precision")
        for measure in MEASURED:
            single, half = wide[measure]["float32"], wide[measure]["bfloat16"]
            summary.append(
                {
                    "setting": name, "measure": measure,
                    "float32": round(single.mean(), 4), "float32_std": round(single.std(), 4),
                    "bfloat16": round(half.mean(), 4), "bfloat16_std": round(half.std(), 4),
                    "difference": round((half - single).mean(), 4),
                    "difference_std": round((half - single).std(), 4),
                }
            )  # fmt: skip
    print(pd.DataFrame(summary).to_string(index=False))
    result = {
        "command": f"python -m benchmarks.precision --seeds {options.seeds} --n-iter {options.n_iter}",
        "environment": environment(),
        "summary": summary,
        "runs": rows,
    }
    atomic_write(options.output, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
