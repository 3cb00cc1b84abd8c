"""Results that come with the package, made from seeds, so that no step of the explorer opens empty.

Full-size results (Figures 2 (a)-(d), 4, 5, Table 1, the landscape), each a `Result`: how it is made, what it
is shown with, and what the paper says of it; what two long steps open with; adversaries of the default data
set. All lie beside this file; ``python -m benchmarks.stored_results`` makes them, and a test holds them
against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from acot_core._utils.progress import Callback
from acot_core.experiments.beyond.landscape import LandscapeRecord, landscape
from acot_core.experiments.figure2 import FIGURE2, SensitivityRecord, sensitivity
from acot_core.experiments.figure4 import EmbeddingRecord, embedding
from acot_core.experiments.figure5 import FoolingRecord, fooling_curves
from acot_core.experiments.record import Record
from acot_core.experiments.table1 import AblationRecord, ablation

__all__ = [
    "ADVERSARIES", "DATA", "DATASET", "MEASURED", "OPENINGS", "RESULTS", "SIGMAS", "STREAMS", "Measured",
    "Result", "opening", "stored",
]  # fmt: skip

DATASET = "stick-figures"
DATA = "generated stick figures"
STREAMS = ("pose", "motion")
SIGMAS = (0.005, 0.01, 0.1)
_DRAWN = "It draws a curve and prints no numbers, so there are none beside ours."
_HERE = Path(__file__).parent
ADVERSARIES = {sigma: _HERE / f"adversary_{sigma:g}.safetensors" for sigma in SIGMAS}
"""Adversaries of the explorer's default settings by σ, so that no step waits for their training."""


@dataclass(frozen=True)
class Measured:
    """A record of benchmarks/results, laid out as on the documentation's site.

    Attributes
    ----------
    title, command, text : str
        What it is of; how it is made; its tables, with the paper's numbers where it prints any (Markdown).
    """

    title: str
    command: str
    text: str


MEASURED: dict[str, Measured] = {
    name: Measured(**fields) for name, fields in json.loads((_HERE / "measured.json").read_text()).items()
}
"""Measurements on real data and on `planted`, by the name of their record."""

OPENINGS: dict[str, type[Record]] = {"sensitivity": SensitivityRecord, "embedding": EmbeddingRecord}
"""Long steps whose result at the default settings is stored, and the kind of its record."""


@dataclass(frozen=True)
class Result:
    """A figure or table of the paper, on generated data.

    Attributes
    ----------
    name, title : str
        Of the file; on the button.
    kind : type
        Of its record.
    make : callable
        The experiment; ``arguments`` are passed to it.
    paper : str
        What the paper's own figure shows, on other data.
    settings : mapping
        Settings of the explorer that the result was made with.
    """

    name: str
    title: str
    kind: type[Record]
    make: Callable[..., Record] = field(compare=False)
    arguments: Mapping[str, Any] = field(compare=False)
    paper: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def file(self) -> Path:
        """Path of the record."""
        return _HERE / f"{self.name}.zip"

    def compute(
        self, *, cache: Path | None = None, callback: Callback | None = None, **changes: Any
    ) -> Record:
        """Make the record; ``changes`` to the arguments make part of it."""
        return self.make(DATASET, **{**self.arguments, "cache": cache, "callback": callback, **changes})


def _sweep(letter: str, parameter: str, beta1: float | None, paper: str) -> Result:
    fixed = {"n_subspaces": 1, "n_negatives": 50, **({} if beta1 is None else {"beta1": beta1})}
    fixed.pop(parameter, None)
    return Result(
        f"figure2{letter}", f"Figure 2 ({letter})", SensitivityRecord, sensitivity,
        {"parameter": parameter, "values": FIGURE2[parameter], "stream": "pose", "seeds": 5, "fixed": fixed,
         "n_jobs": 1},
        paper,
        {"beta1": 1.0, "beta2": 10.0, **fixed, "swept": parameter},
    )  # fmt: skip


RESULTS: dict[str, Result] = {
    result.name: result
    for result in (
        _sweep(
            "a", "n_subspaces", 0.1,
            "The paper (HMDB-51, β₁ = 0.1, m = 50): accuracy rises with k, no further beyond 8 subspaces. "
            + _DRAWN,
        ),
        _sweep(
            "b", "beta1", None,
            "The paper (HMDB-51, k = 1, m = 50): a marginal gain as β₁ grows to 2. " + _DRAWN,
        ),
        _sweep(
            "c", "n_negatives", None,
            "The paper (JHMDB): 40 to 100 negatives are adequate; at 200 accuracy drops. " + _DRAWN,
        ),
        _sweep(
            "d", "beta2", 0.1,
            "The paper (JHMDB, β₁ = 0.1, k = 1, m = 50): smaller values of β₂ are ineffective. " + _DRAWN,
        ),
        Result(
            "figure4", "Figure 4 (a)-(d)", EmbeddingRecord, embedding,
            {"stream": "pose", "seed": 0, "sequences": "all"},
            "The paper (JHMDB, I3D): negatives lie close to the data; adversarial contrast separates the "
            "classes more than averages and more than random contrast. It gives no number for how well; the "
            "silhouettes above each panel are ours.",
        ),
        Result(
            "figure5", "Figure 5 (a)-(c)", FoolingRecord, fooling_curves,
            {"sigmas": SIGMAS, "streams": STREAMS, "seeds": 5, "n_jobs": 1},
            "The paper (HMDB-51, I3D): with σ = 0.005 and 0.01 all frames fool after about 1000 iterations, "
            "with σ = 0.1 about half of them. Its features' standard deviation is 0.008. " + _DRAWN,
        ),
        Result(
            "table1", "Table 1", AblationRecord, ablation,
            {"seeds": 5, "classifier": {"kind": "linear", "C": 10.0}, "n_jobs": 1},
            "The paper's rows for JHMDB (vgg), RGB, FLOW and both, stand beside ours: other data, other "
            "features. They are hollow.",
        ),
        Result(
            "landscape", "β₁ × β₂", LandscapeRecord, landscape,
            {"stream": "pose", "seeds": 3, "n_jobs": 1},
            "Not in the paper: both weights at once, beside order without contrast (GRP), and order alone. "
            "The paper's weights are framed.",
            {"beta1": 1.0, "beta2": 10.0, "n_subspaces": 1, "n_negatives": 50},
        ),
    )
}  # fmt: skip
"""What is stored, by name."""


@cache
def stored(name: str) -> Record:
    """The record of a result, read once.

    Raises
    ------
    ValueError
        No such result, or a file that is no record of its kind.
    """
    if name not in RESULTS:
        raise ValueError(f"name: expected one of {list(RESULTS)}, got {name!r}")
    result = RESULTS[name]
    return result.kind.load(result.file)


@cache
def opening(step: str) -> Record:
    """What a long step shows at the default settings, read once."""
    return OPENINGS[step].load(_HERE / f"{step}.zip")
