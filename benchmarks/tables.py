"""Lay out the records in benchmarks/results as Markdown tables, for the documentation site and for README.

    python -m benchmarks.tables

fills those of README, between ``<!-- name -->`` and ``<!-- end -->``; a test checks that they are current.
The site takes its tables at build time (docs/_extensions/measured.py).
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
    accuracies = table(["method", *streams], [[row["label"], *(row[s] for s in streams)] for row in rows])
    return "\n\n".join([accuracies, *_behind(result, streams)])


def _behind(result: dict[str, Any], streams: list[str]) -> list[str]:
    """Full ACOT minus each other method with intervals over test sequences and seeds, where there are any."""
    behind = result["tables"].get("Full ACOT minus each other method, points, over test sequences and seeds")
    if behind is None:
        return []
    gains: dict[str, dict[str, str]] = {}
    for r in behind:
        text = f"{r['mean']:+.1f} [{r['low']:+.1f}, {r['high']:+.1f}]"
        gains.setdefault(r["against"], {})[r["stream"]] = text
    words = (
        "Full ACOT minus each other row, points with 95 % intervals over test sequences (by group) and seeds."
    )
    lines = [[against, *(of[s] for s in streams)] for against, of in gains.items()]
    return [words, table(["against", *streams], lines)]


def images(result: dict[str, Any]) -> str:
    """Effect of the perturbations on test images."""
    summary = result["summary"]
    percent = {
        "classifier's accuracy on clean images": "accuracy",
        "images whose true class falls below 10 % confidence": "fooled",
        "of these and the others, critic's score within the real images' central 90 %": "accepted",
        "both at once": "fooled_and_accepted",
        "share of the noise on the classifier's salient quarter": "overlap",
        "the same noise, moved at random": "overlap_random",
    }
    rows = [[text, f"{100 * summary[name]:.1f} %"] for text, name in percent.items()]
    rows.append(["PSNR of the auto-encoder", f"{summary['psnr_reconstruction']:.1f} dB"])
    return table([f"on {result['measured_on']}", "measured"], rows)


def compared(result: dict[str, Any]) -> str:
    """A comparison: accuracy of each stream, and the differences to the baselines, paired by seed."""
    tables = result["tables"]
    rows = tables["Accuracy in %, mean ± standard deviation"]
    streams = [name for name in rows[0] if name != "label" and not name.startswith("paper")]
    ours = [row for row in rows if not row["label"].startswith("[paper]")]
    header, lines = ["method", *streams], [[row["label"], *(row[s] for s in streams)] for row in ours]
    if over_sequences := _behind(result, streams):
        return "\n\n".join([table(header, lines), *over_sequences])
    label = ours[-1]["label"]
    for title, differences in tables.items():
        if title.startswith("Paired differences to "):
            baseline = title.removeprefix("Paired differences to ").removesuffix(", points")
            by_stream = {r["stream"]: r for r in differences if r["label"] == label}
            lines.append([f"{label} minus {baseline}", *(difference(by_stream[s]) for s in streams)])
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
        of_method = [r for r in rows if r["label"] == label]
        means = sorted(r["mean"] for r in of_method)
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
        f"{labels[-1]} minus {t.removeprefix('Paired differences to ').split(',')[0]}" for t in baselines
    ]
    for condition in dict.fromkeys(r["condition"] for r in rows):
        by_label = {r["label"]: r for r in rows if r["condition"] == condition}
        line = [condition, *(f"{by_label[x]['mean']:.1f} ± {by_label[x]['std']:.1f}" for x in labels)]
        for title in baselines:
            both = {r["label"]: r for r in tables[title] if r["condition"] == condition}
            line.append(difference(both[labels[-1]]))
        lines.append(line)
    return table(header, lines)


def difference(row: dict[str, Any]) -> str:
    """Mean difference with its 95 % interval, in points."""
    return f"{row['mean']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"


def fooling(result: dict[str, Any]) -> str:
    """Fooling rates by setting, features, stream and sigma, and the most a generator could know."""
    header = ["setting", "features", "stream", "σ", "fooled", "on held-out sequences", "knowable"]
    return table(
        header,
        [
            [
                f"`{'FAITHFUL' if r['setting'] == 'paper' else r['setting'].upper()}`",
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
    """Seconds and values of pooling beside the baseline's, and how soon ours has the baseline's value."""
    header = [
        "workload",
        "k",
        "iterations",
        "ours, s",
        "baseline, s",
        "speed-up",
        "value",
        "baseline's value",
    ]
    header.append("to the baseline's value (1e-4): iterations, speed-up")
    rows = []
    for r in runs:
        sooner = "not reached"
        if r["iterations_to_baseline_value"] is not None:
            sooner = f"{r['iterations_to_baseline_value']}, {r['speedup_to_baseline_value']:.1f}x"
        cells = [f"{r['workload']} ({r['n']})", f"{r['k']}", f"{r['n_iter']}"]
        cells += [f"{r['seconds']:.2f}", f"{r['baseline_seconds']:.2f}", f"{r['speedup']:.1f}x"]
        rows.append([*cells, f"{r['value']:.4f}", f"{r['baseline_value']:.4f}", sooner])
    return table(header, rows)


def end_to_end(result: dict[str, Any]) -> str:
    """Pooling that samples its negatives, beside the loop that samples, too; stages' shares."""
    header = ["negatives", "alternations", "k", "seconds", "baseline", "speed-up", "aim", "floor, s"]
    header += ["sampling", "inner products", "plan", "descent", "lift"]
    rows = []
    for r in result["end_to_end"]:
        times = [f"{r['seconds']:.2f}", f"{r['baseline_seconds']:.2f}", f"{r['speedup']:.1f}x"]
        aim, floor = ("6x" if r["k"] == 1 else "10x", f"{r['floor']:.2f}") if "floor" in r else ("", "")
        shares = [f"{r['shares'][part]:.0%}" if "shares" in r else "" for part in header[8:]]
        rows.append([r["negatives"], f"{r['alternations']}", f"{r['k']}", *times, aim, floor, *shares])
    return table(header, rows)


def solvers(result: dict[str, Any]) -> str:
    """Pooling and IPOT beside their baselines (on a GPU, too, if measured), growth, memory, eigensolver."""
    pooled = pooling(result["pooling"])
    if "gpu" in result:
        pooled += "\n\nOn a GPU, the baseline on that machine's CPU:\n\n" + pooling(result["gpu"])
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
            if measured := run.get(name):
                times = [f"{plain:.1f}", f"{measured['wall_ms']:.1f}", f"{measured['speedup_wall']:.2f}x"]
                rows.append([run["device"], str(run["threads"]), str(run["d"]), name, *times])
    return table(["device", "threads", "d", "products in", "plain, ms", "ours, ms", "speed-up"], rows)


def explorer(result: dict[str, Any]) -> str:
    """Waits of a session: alone, beside a training, among many; then memory and errors."""
    paint, many = result["first_paint_s"], result.get("many")
    waits = {
        "page opened to its words": {k: 1000 * v for k, v in paint["words"].items()},
        "page opened to its first figure": {k: 1000 * v for k, v in paint["figure"].items()},
        "slider to new figure, Subspace": result["slider_ms"],
        "slider to new figure, Transport": result["transport_slider_ms"],
        "slider to new solution, Play": result["play"]["slider_ms"],
        "slider to new figure, another session trains": result["slider_ms_while_another_trains"],
    }
    if many:
        waits[f"slider to new figure, {many['sessions']} sessions, two more train"] = many["times_ms"]
    rows = [[name, f"{wait['median']:.0f}", f"{wait['p95']:.0f}"] for name, wait in waits.items()]
    play = result["play"]
    rates = (
        f"In Play {play['hover_per_second']:.0f} pictures per second under the pointer, "
        f"{play['scrub_per_second']:.0f} while scrubbing, {play['playing_per_second']:.0f} while playing; "
        f"while a frame is dragged {play['drag_landscapes_per_second']:.0f} landscapes and "
        f"{play['drag_solutions_per_second']:.1f} solutions per second. In Subspace "
        f"{result['drag_figures_per_second']:.1f} figures per second while a slider is dragged. Processes "
        f"that waited for the machine's {result['environment']['cpus']} cores, on average of a minute: "
        f"{result['load_before'][0]:.1f} before, {result['load_after'][0]:.1f} after."
    )
    text = [table(["wait", "median, ms", "95th percentile, ms"], rows), rates]
    if many:
        first, last = many["memory_MB"][0], many["memory_MB"][-1]
        n_errors = len(many["errors"]) + len(result["errors_of_the_server"])
        text.append(
            f"The {many['sessions']} sessions moved {many['moves']} sliders, in {len(many['memory_MB'])} "
            f"x {many['seconds']:.0f} s: {n_errors} errors, {many['figures_not_of_their_session']} "
            f"figures of another session; server memory {first:.0f} MB after the first round, {last:.0f} MB "
            f"after the last, {many['memory_when_all_are_gone_MB']:.0f} MB when all had left."
        )
    return "\n\n".join(text)


def newcomer(result: dict[str, Any]) -> str:
    """From a clean clone to the first picture."""
    environment = result["environment"]
    rows = [
        ["the page answers", f"{result['seconds_to_page']:.0f}"],
        ["its first figure stands in the browser", f"{result['seconds_to_picture']:.0f}"],
    ]
    words = (
        f"Python {environment['python']}, {environment['cpus']} cores, for which {result['load_before']:.1f} "
        f"other processes waited; packages from a mirror, torch {environment['torch']}."
    )
    return table(["from `git clone` and `make explore` until", "seconds"], rows) + "\n\n" + words


_MEASURES = ("1-NN accuracy", "mean average precision", "precision at 10")


def retrieval(result: dict[str, Any]) -> str:
    """Each measure by method, and by how many points full ACOT is ahead of each other method."""
    rows = result["tables"]["Retrieval, in % (silhouette x 100), mean over seeds"]
    measured = [name for name in rows[0] if name not in ("stream", "label")]
    streams = {row["stream"] for row in rows}
    first = ["stream"] if len(streams) > 1 else []
    header = [*first, "method", *(name.replace("_", " ") for name in measured)]
    lines = [[*(r[f] for f in first), r["label"], *(f"{r[m]:.1f}" for m in measured)] for r in rows]
    gains: dict[tuple[str, ...], list[str]] = {}
    for name in _MEASURES:
        for r in result["tables"].get(f"Full ACOT minus each other method, points of {name}", []):
            key = (*(r[f] for f in first), r["against"] + ("" if r["ordered"] else " (no order)"))
            all_of_them = f"{r['mean']:+.1f} [{r['low']:.1f}, {r['high']:.1f}]"
            gains.setdefault(key, []).append(f"**{all_of_them}**" if r["low_all"] > 0 else all_of_them)
    words = (
        "Full ACOT minus each other method, points with 95 % intervals over groups and seeds; bold: "
        "above zero for all methods and one measure together (Bonferroni)."
    )
    behind = table([*first, "against", *_MEASURES], [[*key, *line] for key, line in gains.items()])
    return "\n\n".join([table(header, lines), words, behind])


def few_labels(result: dict[str, Any]) -> str:
    """Mean average precision with 1, 2, 5 and 10 sequences a class, and full ACOT minus each other method."""
    records = {n: json.loads((RESULTS / f"retrieval_jhmdb_pose_few_{n}.json").read_text()) for n in (1, 2)}
    records |= {5: result, 10: json.loads((RESULTS / "retrieval_jhmdb_pose_few_10.json").read_text())}
    values: dict[str, list[str]] = {}
    gains: dict[str, list[str]] = {}
    for record in records.values():
        for r in record["tables"]["Retrieval, in % (silhouette x 100), mean over seeds"]:
            values.setdefault(r["label"], []).append(f"{r['average_precision']:.1f}")
        for r in record["tables"][f"Full ACOT minus each other method, points of {_MEASURES[1]}"]:
            gain = f"{r['mean']:+.1f} [{r['low']:.1f}, {r['high']:.1f}]"
            gains.setdefault(r["against"], []).append(f"**{gain}**" if r["low_all"] > 0 else gain)
    each = [f"{n} a class" for n in records]
    return "\n\n".join(
        [
            table(["mean average precision", *each], [[name, *cells] for name, cells in values.items()]),
            "The command's N is 1, 2, 5 and 10. Full ACOT minus each, points, intervals as above:",
            table(["against", *each], [[name, *cells] for name, cells in gains.items()]),
        ]
    )


_STUDIED = {
    "retrieval_jhmdb_video": "JHMDB video", "retrieval_jhmdb_pose": "JHMDB poses",
    "retrieval_japanese_vowels": "Japanese vowels", "retrieval_msr_action3d": "MSR Action3D",
    "retrieval_planted": "generated",
}  # fmt: skip
_RANDOM = "COT + Random + PCA + order"


def contrast(suffix: str = "") -> str:
    """What adversarial negatives buy on all data: full ACOT minus random negatives, and minus rivals."""
    lines = []
    for name, data in _STUDIED.items():
        tables = json.loads((RESULTS / f"{name}{suffix}.json").read_text())["tables"]
        by_label = {r["label"]: r for r in tables["Retrieval, in % (silhouette x 100), mean over seeds"]}
        one, mean = (
            {r["against"]: r for r in tables[f"Full ACOT minus each other method, points of {measure}"]}
            for measure in _MEASURES[:2]
        )
        in_order = [r for r in mean.values() if r["ordered"] and r["against"] != _RANDOM]
        blind = min((r for r in in_order if "after" not in r["against"]), key=lambda r: r["mean"])
        labels = (r for label, r in mean.items() if label.startswith(("LDA", "NCA", "Class")))
        rivals = (mean[_RANDOM], blind, min(labels, key=lambda r: r["mean"]), one[_RANDOM])
        gains = [f"{r['mean']:+.1f} [{r['low']:+.1f}, {r['high']:+.1f}]" for r in rivals]
        gains[1] += f" ({blind['against'].removesuffix(' (raw signals)')})"
        shares = [f"{by_label[label]['average_precision']:.1f}" for label in (_RANDOM, "ACOT + PCA + order")]
        lines.append([data, *shares, *gains])
    header = [
        "",
        "random",
        "adversarial",
        "gain",
        "over the best that knows order",
        "over the best that knows labels",
    ]
    return table([*header, "gain in 1-NN accuracy"], lines)


_RIVALS = (
    "Avg. Pool", "GRP", "KRP", "1-NN DTW (raw signals)", "MiniRocket (raw signals)", "GRP after LDA",
    "Class probabilities of averages", "COT + Random + PCA + order", "ACOT + PCA + order",
)  # fmt: skip


def retrieval_short(result: dict[str, Any]) -> str:
    """1-NN accuracy and mean average precision of a few methods, and full ACOT minus each in the latter."""
    rows = result["tables"]["Retrieval, in % (silhouette x 100), mean over seeds"]
    behind = {
        r["against"]: f"{r['mean']:+.1f} [{r['low']:+.1f}, {r['high']:+.1f}]"
        for r in result["tables"][f"Full ACOT minus each other method, points of {_MEASURES[1]}"]
    }
    lines = [
        [r["label"], f"{r['nearest']:.1f}", f"{r['average_precision']:.1f}", behind.get(r["label"], "")]
        for r in rows if r["label"] in _RIVALS
    ]  # fmt: skip
    return table(["method", *_MEASURES[:2], "ACOT minus it, mean average precision"], lines)


def factorial(result: dict[str, Any]) -> str:
    """Share of the variance that each factor and pair explains, and the mean response at each level."""
    names = {"nearest": _MEASURES[0], "average_precision": _MEASURES[1], "accuracy": "SVM accuracy"}
    shares: dict[str, list[str]] = {}
    for name in names:
        for r in result["tables"][f"Analysis of variance: {name}"]:
            star = "" if r["p"] is None or r["p"] > 0.001 else "*"
            shares.setdefault(r["term"], []).append(f"{r['share']:.1f}{star}")
    levels = result["tables"]["Mean response in % at each level"]
    lines = [[r["factor"], r["level"], *(f"{r[name]:.1f}" for name in names)] for r in levels]
    explained = table(["explains, in %", *names.values()], [[term, *line] for term, line in shares.items()])
    return "\n\n".join([explained, "\\*: p < 0.001.", table(["factor", "level", *names.values()], lines)])


def better(result: dict[str, Any]) -> str:
    """Each variant's measures, and how far they are from those of the paper's settings."""
    variants: dict[str, list[str]] = {}
    for r in result["rows"]:
        gain = f"{r['difference_mean']:+.1f} [{r['difference_low']:.1f}, {r['difference_high']:.1f}]"
        own = r["variant"] == result["rows"][0]["variant"]
        variants.setdefault(r["variant"], []).append(f"{r['value']:.1f}" + ("" if own else f": {gain}"))
    measures = list(dict.fromkeys(r["measure"] for r in result["rows"]))
    return table(["variant", *measures], [[name, *cells] for name, cells in variants.items()])


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "table1_planted_linear": table1,
    "table1_jhmdb_untrained_k4_kernel": table1,
    "table1_jhmdb_untrained_tuned": table1,
    "compare_jhmdb_untrained": compared,
    "compare_jhmdb_trained": compared,
    "compare_jhmdb_trained_candidates4": compared,
    "compare_jhmdb_trained_with_mean": compared,
    "compare_planted": compared,
    "compare_jhmdb_video": compared,
    "evaluate_jhmdb": evaluated,
    "plans_jhmdb": plans,
    "retrieval_jhmdb_pose": retrieval,
    "retrieval_jhmdb_pose_reversals": retrieval,
    "retrieval_jhmdb_video": retrieval,
    "retrieval_jhmdb_video_any_k": retrieval,
    "retrieval_jhmdb_pose_unseen": retrieval,
    "retrieval_jhmdb_pose_few": few_labels,
    "retrieval_planted": retrieval,
    "retrieval_jhmdb_pose_wide": retrieval,
    "retrieval_jhmdb_video_wide": retrieval,
    "retrieval_japanese_vowels_wide": retrieval,
    "retrieval_msr_action3d_wide": retrieval,
    "retrieval_planted_wide": retrieval,
    "compare_jhmdb_video_wide": compared,
    "compare_jhmdb_video_cross_fit": compared,
    "better": better,
    "retrieval_msr_action3d": retrieval,
    "retrieval_japanese_vowels": retrieval,
    "factorial_jhmdb_pose": factorial,
    "factorial_planted": factorial,
    "factorial_msr_action3d": factorial,
    "factorial_japanese_vowels": factorial,
    "factorial_jhmdb_video": factorial,
    "table1_jhmdb_video": table1,
    "table1_jhmdb_video_tuned": table1,
    "landscape_planted": landscape,
    "conditions_planted": conditions,
    "images_cifar10": images,
    "solvers": solvers,
    "solvers_again": solvers,
    "end_to_end": end_to_end,
    "fooling": fooling,
    "adversary": adversary,
    "explorer": explorer,
    "newcomer": newcomer,
}
"""How the results of each file become a table."""

SUMMARIES: dict[str, Callable[[], str]] = {
    "contrast": contrast, "contrast_wide": lambda: contrast("_wide"),
}  # fmt: skip
"""Tables of several records, whose commands stand where each is shown by itself."""

SHORT = {"retrieval_jhmdb_pose": retrieval_short}
"""How they do in README, where that is another."""

COMMANDS = {
    "better": "python -m benchmarks.better --seeds 5",
    "adversary": "python -m benchmarks.adversary --threads 2",
    "explorer": "python -m benchmarks.explorer --moves 8 --sessions 20 --seconds 60 --rounds 1",
    "images_cifar10": "python benchmarks/train_images.py cifar10 --measure --n-images 800",
    "solvers": "python -m benchmarks.solvers",
    "solvers_again": "python -m benchmarks.solvers --output benchmarks/results/solvers_again.json",
    "end_to_end": "python -m benchmarks.solvers --only end_to_end"
    " --output benchmarks/results/end_to_end.json",
}
"""The commands of those records that do not hold their own."""


def command(name: str, result: dict[str, Any]) -> str:
    """The command that made a record."""
    text = str(result.get("command") or COMMANDS[name])
    return text.replace("python -m acot_core.experiments", "acot experiments")  # its name until 0.2.0


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
        text = f"{before}<!-- {name} -->\n{SHORT.get(name, SECTIONS[name])(result)}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
