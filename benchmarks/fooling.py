"""Do the adversary's negatives fool, and are they close to the data? On JHMDB, over seeds (Figure 5).

    python -m benchmarks.fooling --seeds 5
    python -m benchmarks.fooling --seeds 5 --only paper faster    # some settings; the others stay as they are

Every setting is one of `acot_core.experiments.figure5`; "relative" is SURE at the paper's σ in standard
deviations of the features (0.6, 1.2, 12). Writes benchmarks/results/fooling.json: for each
setting, encoder, stream and σ the fooling and misclassification rates at the end of training, the highest
fooling rate on the way (its mean over seeds, and its lowest), the share of
frames that the generator could know (`knowable_rate`), and the closeness of negatives and
of random ones of equal norm by four measures, with the number of seeds in which the negatives were closer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from acot_core._utils.files import atomic_write
from acot_core.experiments.figure5 import (
    CLOSE,
    FASTER,
    PAPER,
    RELATIVE_SIGMAS,
    STRONG,
    SURE,
    FoolingRecord,
    fooling_curves,
)
from acot_core.experiments.record import environment

BOTH, ALL = ("pose", "motion"), (0.005, 0.01, 0.1)
EVERY = {"eval_every": 50}
RUNS: dict[str, list[tuple[str, dict[str, Any], tuple[str, ...], tuple[float, ...]]]] = {
    "paper": [(encoder, PAPER | EVERY, BOTH, (0.01,)) for encoder in ("untrained", "trained")],
    "faster": [(encoder, FASTER | EVERY, ("pose",), (0.01,)) for encoder in ("untrained", "trained")],
    "sure": [("trained", SURE | EVERY, ("pose",), ALL), ("untrained", SURE | EVERY, ("pose",), (0.01,))],
    "strong": [(encoder, STRONG | EVERY, ("motion",), (0.01,)) for encoder in ("trained", "untrained")],
    "relative": [("trained", SURE | EVERY, ("pose",), RELATIVE_SIGMAS)],
    "close": [("untrained", CLOSE | EVERY | {"n_iter": 400}, ("pose",), (0.01,))],
}
CLOSENESS = ("separability", "neighbour_separability", "distance", "energy")


def summary(setting: str, encoder: str, record: FoolingRecord) -> list[dict[str, Any]]:
    """One row per stream and σ: means and standard deviations over seeds."""
    rows = []
    for (stream, sigma), quality in record.quality.groupby(["stream", "sigma"]):
        curves = record.curves.query("stream == @stream and sigma == @sigma")
        last = curves[curves["iteration"] == curves["iteration"].max()]
        row: dict[str, Any] = {"setting": setting, "encoder": encoder, "stream": stream, "sigma": sigma}
        row |= {"n_iter": int(last["iteration"].iloc[0]), "seeds": len(quality)}
        for split, prefix in (("train", ""), ("held_out", "held_out_")):
            for column in ("fooling_rate", "misclassification_rate", "noise_norm"):
                values = last.loc[last["split"] == split, column]
                row |= {prefix + column: values.mean(), f"{prefix}{column}_std": values.std()}
        train = curves[curves["split"] == "train"]
        highest = train.groupby("seed")["fooling_rate"].max()
        row |= {"highest_fooling_rate": highest.mean(), "lowest_of_the_highest": highest.min()}
        row["knowable_rate"] = quality["knowable_rate"].mean()
        for name in CLOSENESS:
            columns = (name, f"random_{name}", f"data_{name}")
            row |= {column: quality[column].mean() for column in columns}
            row[f"seeds_closer_by_{name}"] = int((quality[name] < quality[f"random_{name}"]).sum())
        rows.append({key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()})
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument(
        "--cache", type=Path, help="folder where finished adversaries' results are found again"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "fooling.json")
    options = parser.parse_args()
    old = json.loads(options.output.read_text())["summary"] if options.output.is_file() else []
    rows = [row for row in old if row["setting"] not in options.only]
    for setting in options.only:
        for encoder, adversary, streams, sigmas in RUNS[setting]:
            record = fooling_curves(
                "jhmdb-pose", encoder=encoder, adversary=adversary, streams=streams, sigmas=sigmas,
                seeds=options.seeds, accuracy_at=(), cache=options.cache, n_jobs=1,
                relative=setting == "relative",
            )  # fmt: skip
            rows += summary(setting, encoder, record)
            print(pd.DataFrame(rows[-len(streams) * len(sigmas) :]).T.to_string(header=False), flush=True)
        written = {
            "command": f"python -m benchmarks.fooling --seeds {options.seeds}",
            "settings": {name: [run[:2] for run in runs] for name, runs in RUNS.items()},
            "environment": environment(),
            "summary": rows,
        }
        atomic_write(options.output, (json.dumps(written, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
