"""Fill the measured tables of README from the JSON files in benchmarks/results.

    python -m benchmarks.readme

Each table stands between ``<!-- name -->`` and ``<!-- end -->``; a test checks that README is in date.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = Path(__file__).parent / "results"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def table1(result: dict[str, Any]) -> str:
    """Rows of Table 1: accuracy of each stream."""
    rows = result["tables"]["Table 1, accuracy in %, mean ± standard deviation"]
    streams = [name for name in rows[0] if name != "label"]
    return table(["method", *streams], [[row["label"], *(row[s] for s in streams)] for row in rows])


def images(result: dict[str, Any]) -> str:
    """What the perturbations do, on test images."""
    found = result["summary"]
    percent = {
        "classifier's accuracy on clean images": "accuracy",
        "images whose true class falls below 10 % confidence": "fooled",
        "of these and the others, critic's score within the real images' central 90 %": "accepted",
        "both at once": "fooled_and_accepted",
        "share of the noise on the classifier's salient quarter": "overlap",
        "the same noise, moved at random": "overlap_random",
    }
    rows = [[text, f"{100 * found[name]:.1f} %"] for text, name in percent.items()]
    rows.append(["PSNR of the auto-encoder", f"{found['psnr_reconstruction']:.1f} dB"])
    return table([f"on {result['measured_on']}", "measured"], rows)


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "table1_planted_linear": table1,
    "table1_jhmdb_untrained_k4_kernel": table1,
    "images_cifar10": images,
}


def filled(text: str) -> str:
    """README's text with every table made anew."""
    for name, render in SECTIONS.items():
        result = json.loads((RESULTS / f"{name}.json").read_text())
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (mark and end):
            raise ValueError(f"README.md: expected a section between <!-- {name} --> and <!-- end -->")
        text = f"{before}{mark}{render(result)}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
