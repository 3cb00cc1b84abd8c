"""Make the results that the explorer comes with: Figures 2 (a)-(d), 4, 5, Table 1, the landscape.

    python -m benchmarks.stored_results [NAME ...] [--cache FOLDER]

All are of the stick figures and drawn from seeds; a second run with the same cache repeats nothing.
"adversaries" are those of the explorer's default settings for three σ; "sensitivity" and "embedding" are what
these steps open with. "measured" are the records in benchmarks/results, laid out beside the paper's numbers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from acot_explorer.cache_keys import AdversaryRequest
from acot_explorer.page import Explorer
from acot_explorer.state import Settings
from acot_explorer.steps.long import LongStep
from acot_explorer.store import train_adversary
from acot_explorer.stored import ADVERSARIES, OPENINGS, RESULTS

from acot_core._utils.checkpoints import write_checkpoint
from acot_core.experiments.methods import METHODS
from acot_core.experiments.paper_numbers import TABLE1_PAPER, TABLE2_PAPER, paper_table1
from acot_core.gan._checkpoint import read_adversary
from benchmarks import tables

KINDS = {
    "table1": ("Table 1", "The paper's Table 1, accuracy in %"),
    "compare": ("Table 2", "The paper's Table 2: JHMDB, accuracy in % over 3 splits"),
    "evaluate": ("Classification", ""),
    "retrieval": ("Retrieval", ""),
    "factorial": ("What decides", ""),
    "landscape": ("Weights", ""),
    "conditions": ("When contrast helps", ""),
    "plans": ("Does the plan matter", ""),
    "fooling": ("Figure 5", ""),
    "images": ("Figure 3", ""),
}
"""The records that belong beside the paper, by the first word of their name: title, the paper's table."""


def measured() -> dict[str, dict[str, str]]:
    """Every record of these kinds: title, command, and its tables with the paper's below."""
    records = {}
    for name, lay_out in tables.SECTIONS.items():
        kind, _, rest = name.partition("_")
        file = tables.RESULTS / f"{name}.json"
        if kind not in KINDS or not file.exists():
            continue
        result = json.loads(file.read_text())
        title, paper = KINDS[kind]
        below = f"{paper} (other data and features than ours):\n\n{_paper(kind)}" if paper else _NO_NUMBERS
        records[name] = {
            "title": f"{title}: {_data(rest)}" if rest else title,
            "command": tables.command(name, result),
            "text": f"{lay_out(result)}\n\n{below}",
        }
    return records


def _data(rest: str) -> str:
    """Name of the data, and of what else tells a record from others, in words."""
    words = rest.replace("jhmdb", "JHMDB").replace("cifar10", "CIFAR-10").replace("msr_action", "MSR Action")
    return words.replace("_k4", ", k = 4,").replace("candidates4", ", 4 candidates").replace("_", " ")


_NO_NUMBERS = "The paper prints no numbers of this kind."


def _paper(kind: str) -> str:
    """Table 1 or 2 as the paper prints it."""
    if kind == "compare":
        return tables.table(["method", "JHMDB"], [[name, f"{x:.1f}"] for name, x in TABLE2_PAPER.items()])
    header = [", ".join(column) for column in paper_table1().columns]
    rows = [[METHODS[name].label, *(f"{x:.1f}" for x in row)] for name, row in TABLE1_PAPER.items()]
    return tables.table(["method", *header], rows)


def shortened(path: Path) -> Path:
    """Round the weights of a saved adversary to 15 bits of mantissa (2e-5 of their size): they zip well."""
    tensors, metadata = read_adversary(path)
    for name, tensor in tensors.items():
        bits = tensor.contiguous().view(torch.int32)
        tensors[name] = ((bits + 0x80) & ~0xFF).view(torch.float32)
    return write_checkpoint(path, "acot-adversary", tensors, metadata)


def make(name: str, cache: Path) -> Iterator[Path]:
    """Make one of them as the explorer does; yields the files."""
    if name in RESULTS:
        yield RESULTS[name].compute(cache=cache).save(RESULTS[name].file)
    elif name in OPENINGS:
        step = Explorer().steps[name]
        assert isinstance(step, LongStep)
        record = step.work(step.wanted(), lambda progress: None)
        yield record.save(next(iter(RESULTS.values())).file.with_name(f"{name}.zip"))
    elif name == "measured":
        file = next(iter(RESULTS.values())).file.with_name("measured.json")
        file.write_text(json.dumps(measured(), indent=1, ensure_ascii=False) + "\n")
        yield file
    else:
        for path in ADVERSARIES.values():
            path.unlink(missing_ok=True)  # else the explorer would take it for trained
        for sigma, path in ADVERSARIES.items():
            settings = Settings(sigma=sigma)
            request = AdversaryRequest.of(settings)
            adversary = train_adversary(request, settings.n_iter, lambda progress: None)
            yield shortened(adversary.save(path, resumable=False))


def main() -> None:
    """Make all, or those named."""
    every = [*RESULTS, *OPENINGS, "adversaries", "measured"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*every, []], metavar="NAME")
    parser.add_argument("--cache", type=Path, help="where finished parts are cached; by default nowhere")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        for name in arguments.names or every:
            start = time.perf_counter()
            for path in make(name, arguments.cache or Path(folder)):
                kilobytes = path.stat().st_size / 1000
                print(f"{path.name}: {time.perf_counter() - start:.0f} s, {kilobytes:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
