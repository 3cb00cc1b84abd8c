"""Fill the measured tables of README from the JSON files in benchmarks/results.

    python -m benchmarks.readme

Each table stands between ``<!-- name -->`` and ``<!-- end -->``; a test checks that README is in date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
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


def compared(result: dict[str, Any]) -> str:
    """A comparison: accuracy of each stream, and the differences to the baselines, paired by seed."""
    tables = result["tables"]
    rows = tables["Accuracy in %, mean ± standard deviation"]
    streams = [name for name in rows[0] if name != "label" and not name.startswith("paper")]
    own = [row for row in rows if not row["label"].startswith("[paper]")]
    header, lines = ["method", *streams], [[row["label"], *(row[s] for s in streams)] for row in own]
    label = own[-1]["label"]
    for title, found in tables.items():
        if title.startswith("Paired differences to "):
            baseline = title.removeprefix("Paired differences to ").removesuffix(", points")
            by_stream = {r["stream"]: r for r in found if r["label"] == label}
            lines.append([f"{label} less {baseline}", *(difference(by_stream[s]) for s in streams)])
    return table(header, lines)


def evaluated(result: dict[str, Any]) -> str:
    """Average pooling, order-constrained PCA and full ACOT: rows by k and classifier, columns by features."""
    rows = result["tables"]["Accuracy in %, over seeds"]
    columns = list(dict.fromkeys((r["encoder"], r["stream"]) for r in rows))
    lines: dict[tuple[str, str, str], dict[tuple[str, str], str]] = {}
    for r in rows:
        k = "" if r["k"] is None else f"{r['k']:.0f}"
        line = lines.setdefault((r["label"], k, r["kind"]), {})
        line[r["encoder"], r["stream"]] = f"{r['mean']:.1f} ± {r['std']:.1f}"
    header = ["method", "k", "classifier", *(" ".join(c) for c in columns)]
    return table(header, [[*key, *(line[c] for c in columns)] for key, line in lines.items()])


def plans(result: dict[str, Any]) -> str:
    """Accuracy, transport cost and angle to the exact plan's subspace, by plan."""
    rows = result["tables"]["By plan"]
    header = ["plan", "accuracy in %, 95 % interval", "transport cost", "angle to the exact plan's subspace"]
    return table(
        header,
        [
            [
                r["plan"],
                f"{r['accuracy']:.1f} [{r['accuracy_low']:.1f}, {r['accuracy_high']:.1f}]",
                f"{r['cost']:.4f}",
                f"{r['angle']:.1f}°",
            ]
            for r in rows
        ],
    )


def landscape(result: dict[str, Any]) -> str:
    """The range of accuracies over the grid of weights, by method."""
    rows = result["tables"]["Accuracy in %"]
    lines = []
    for label in dict.fromkeys(r["label"] for r in rows):
        own = [r for r in rows if r["label"] == label]
        means = sorted(r["mean"] for r in own)
        above = sum(m >= 95 for m in means)
        lines.append(
            [label, f"{means[0]:.1f}", f"{median(means):.1f}", f"{means[-1]:.1f}", f"{above} of {len(means)}"]
        )
    return table(["method", "worst weights", "median", "best weights", "at 95 % or above"], lines)


def conditions(result: dict[str, Any]) -> str:
    """Accuracy by condition and method, and what full ACOT has over the baselines, paired by seed."""
    tables = result["tables"]
    rows = tables["Accuracy in %"]
    labels = list(dict.fromkeys(r["label"] for r in rows))
    header, lines = ["condition", *labels], []
    baselines = [t for t in tables if t.startswith("Paired differences to ")]
    header += [
        f"{labels[-1]} less {t.removeprefix('Paired differences to ').split(',')[0]}" for t in baselines
    ]
    for condition in dict.fromkeys(r["condition"] for r in rows):
        own = {r["label"]: r for r in rows if r["condition"] == condition}
        line = [condition, *(f"{own[x]['mean']:.1f} ± {own[x]['std']:.1f}" for x in labels)]
        for title in baselines:
            both = {r["label"]: r for r in tables[title] if r["condition"] == condition}
            line.append(difference(both[labels[-1]]))
        lines.append(line)
    return table(header, lines)


def difference(found: dict[str, Any]) -> str:
    """Mean difference with its 95 % interval, in points."""
    return f"{found['mean']:+.1f} [{found['low']:+.1f}, {found['high']:+.1f}]"


def fooling(result: dict[str, Any]) -> str:
    """Fooling rates by setting, features, stream and sigma, and the most a generator could know."""
    header = ["setting", "features", "stream", "σ", "fooled", "on held-out clips", "knowable"]
    return table(
        header,
        [
            [
                f"`{r['setting'].upper()}`",
                r["encoder"],
                r["stream"],
                f"{r['sigma']:g}",
                f"{100 * r['fooling_rate']:.1f} ± {100 * r['fooling_rate_std']:.1f} %",
                f"{100 * r['held_out_fooling_rate']:.1f} ± {100 * r['held_out_fooling_rate_std']:.1f} %",
                f"{100 * r['knowable_rate']:.1f} %",
            ]
            for r in result["summary"]
        ],
    )


def pooling(runs: list[dict[str, Any]]) -> str:
    """Seconds and values of pooling beside the peer's, and how soon ours has the peer's value."""
    header = ["workload", "k", "iterations", "ours, s", "peer, s", "speed-up", "value", "peer's value"]
    header.append("to the peer's value (1e-4): iterations, speed-up")
    rows = []
    for r in runs:
        sooner = "not reached"
        if r["iterations_to_peer_value"] is not None:
            sooner = f"{r['iterations_to_peer_value']}, {r['speedup_to_peer_value']:.1f}x"
        cells = [f"{r['workload']} ({r['n']})", f"{r['k']}", f"{r['n_iter']}"]
        cells += [f"{r['seconds']:.2f}", f"{r['peer_seconds']:.2f}", f"{r['speedup']:.1f}x"]
        rows.append([*cells, f"{r['value']:.4f}", f"{r['peer_value']:.4f}", sooner])
    return table(header, rows)


def solvers(result: dict[str, Any]) -> str:
    """Pooling and IPOT beside their peers (and on a GPU, if measured), growth, memory, the eigensolver."""
    pooled = pooling(result["pooling"])
    if "gpu" in result:
        pooled += "\n\nOn a GPU, the peer on that machine's CPU:\n\n" + pooling(result["gpu"])
    header = ["IPOT", "seconds", "largest relative gap to exact", "beside plain"]
    transport = table(
        header,
        [
            [
                r["solver"],
                f"{r['seconds']:.2f}",
                f"{r['relative_gap']:.0e}",
                f"{r['speedup_over_plain']:.1f}x",
            ]
            for r in result["transport"]
        ],
    )
    parts = ("inner products", "plan", "descent")
    growth = table(
        ["grown", *(f"{part}, ms" for part in parts)],
        [
            [f"{r['grown']} = {r[r['grown']]}", *(f"{1e3 * r[part]:.0f}" for part in parts)]
            for r in result["growth"]
        ],
    )
    m, e = result["memory"], result["eigen"]
    words = (
        f"{m['sequences']} sequences ({m['frames']} frames, d = {m['d']}, {m['data_gb']:.2f} GB): "
        f"{m['seconds']:.0f} s, {m['beyond_data_gb']:.2f} GB beyond the data. Eigenvectors instead of descent"
        f" ({e['eigen_iterations']} rounds on {e['problems']} problems, k = {e['k']}): value "
        f"{e['eigen_value']:.4f} in {e['eigen_seconds']:.2f} s; conjugate gradient {e['cg_value_5']:.4f} in "
        f"{e['cg_seconds_5']:.2f} s (5 iterations) and {e['cg_value_100']:.4f} in {e['cg_seconds_100']:.2f} s"
        " (100)."
    )
    return "\n\n".join([pooled, transport, growth, words])


def adversary(result: dict[str, Any]) -> str:
    """Time of a training iteration beside the plain loop's."""
    rows = []
    for run in result["results"]:
        plain = run["plain"]["wall_ms"]
        for name in ("float32", "bfloat16"):
            if found := run.get(name):
                times = [f"{plain:.1f}", f"{found['wall_ms']:.1f}", f"{found['speedup_wall']:.2f}x"]
                rows.append([run["device"], str(run["threads"]), str(run["d"]), name, *times])
    return table(["device", "threads", "d", "products in", "plain, ms", "ours, ms", "speed-up"], rows)


def explorer(result: dict[str, Any]) -> str:
    """How long a visitor waits: alone, beside a training, among many; then memory and errors."""
    paint, many = result["first_paint_s"], result["many"]
    waits = {
        "page opened to its words": {k: 1000 * v for k, v in paint["words"].items()},
        "page opened to its first figure": {k: 1000 * v for k, v in paint["figure"].items()},
        "slider to new figure": result["slider_ms"],
        "slider to new figure, another session trains": result["slider_ms_while_another_trains"],
        f"slider to new figure, {many['sessions']} sessions, two more train": many["times_ms"],
    }
    rows = [[name, f"{found['median']:.0f}", f"{found['p95']:.0f}"] for name, found in waits.items()]
    first, last = many["memory_MB"][0], many["memory_MB"][-1]
    n_errors = len(many["errors"]) + len(result["errors_of_the_server"])
    words = (
        f"The {many['sessions']} sessions moved {many['moves']} sliders, in {len(many['memory_MB'])} rounds "
        f"of {many['seconds']:.0f} s: {n_errors} errors, {many['figures_not_of_their_session']} figures of "
        f"another session; server memory {first:.0f} MB after the first round, {last:.0f} MB after the last, "
        f"{many['memory_when_all_are_gone_MB']:.0f} MB when all had left."
    )
    return "\n\n".join([table(["wait", "median, ms", "95th percentile, ms"], rows), words])


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "table1_planted_linear": table1,
    "table1_jhmdb_untrained_k4_kernel": table1,
    "table1_jhmdb_untrained_tuned": table1,
    "compare_jhmdb_untrained": compared,
    "compare_jhmdb_trained": compared,
    "compare_planted": compared,
    "evaluate_jhmdb": evaluated,
    "plans_jhmdb": plans,
    "landscape_planted": landscape,
    "conditions_planted": conditions,
    "images_cifar10": images,
    "solvers": solvers,
    "fooling": fooling,
    "adversary": adversary,
    "explorer": explorer,
}
"""How the results of each file become a table; a file is read only where README has its marks."""


def filled(text: str) -> str:
    """README's text with every table made anew."""
    for name in re.findall(r"<!-- (?!end )(\w+) -->", text):
        if name not in SECTIONS:
            raise ValueError(f"README.md: expected one of {list(SECTIONS)}, got <!-- {name} -->")
        result = json.loads((RESULTS / f"{name}.json").read_text())
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        old, end, after = rest.partition("<!-- end -->")
        if not end or "<!-- " in old:
            raise ValueError(f"README.md: expected <!-- end --> after <!-- {name} -->")
        text = f"{before}<!-- {name} -->\n{SECTIONS[name](result)}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
