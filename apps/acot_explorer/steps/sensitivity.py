"""The step Sensitivity: accuracy against one parameter, over seeds (Sec. 4.1, Fig. 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from acot_core._utils.progress import Callback, Progress
from acot_core.experiments.figure2 import FIGURE2, SensitivityRecord, sensitivity
from acot_core.experiments.parameters import PARAMETERS
from acot_core.experiments.record import Record
from acot_core.figures.sensitivity import plot_sensitivity
from acot_explorer.cache_keys import AdversaryRequest, DataRequest
from acot_explorer.figure_panel import FigureSlot
from acot_explorer.living.bands import Sweep
from acot_explorer.render import FigureSpec
from acot_explorer.snippets import dataset_argument, file_name
from acot_explorer.steps.long import LongStep, Run, cached_record, results
from acot_explorer.store import cache_folder, load_dataset

__all__ = ["SensitivityStep"]

_POOLING = ("n_subspaces", "beta1", "beta2", "eta", "n_negatives", "transport")


@dataclass(frozen=True)
class _Request:
    """A sweep; without the swept parameter's own value, on which it does not depend."""

    data: DataRequest
    stream: str
    parameter: str
    seed: int
    n_seeds: int
    fixed: tuple[tuple[str, Any], ...]
    adversary: tuple[tuple[str, Any], ...]
    classifier: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class _Marked:
    """A sweep with the present value marked."""

    sweep: Run
    value: float


def _record(request: _Marked) -> SensitivityRecord:
    sweep = cached_record(request.sweep)
    assert isinstance(sweep, SensitivityRecord)
    return replace(sweep, config={**sweep.config, "current": request.value})


def _plot(sweep: SensitivityRecord, **style: Any) -> Figure:
    return plot_sensitivity(sweep, current=sweep.config["current"], **style)


def _means(sweep: SensitivityRecord) -> pd.Series:
    """Mean accuracy over the seeds, by value."""
    return sweep.scores[sweep.scores["value"].notna()].groupby("value")["accuracy"].mean()


def _describe(sweep: SensitivityRecord) -> str:
    ours = _means(sweep)
    return (
        f"Accuracy against {PARAMETERS[sweep.parameter].label}: best {ours.max():.0%} at {ours.idxmax():g}, "
        f"worst {ours.min():.0%} at {ours.idxmin():g}"
    )


SWEEP = FigureSpec("sensitivity", _record, _plot, _describe, wide=True)


class SensitivityStep(LongStep):
    """One parameter moved through its range, everything else as it is set."""

    name = "sensitivity"
    question = "How much does each choice matter?"
    method = (
        "One parameter runs through its range while the others stay as they are set; each point is trained "
        "and evaluated anew for every seed, by the kernel and penalty of the step Classification. The dotted "
        "line marks the present setting."
    )
    verb = "Run the sweep"
    title = "Sweeping"
    inputs = ("dataset", "stream", "encoder", "seed", "sigma", "lambda1", "lambda2", "pivot", "adversarial",
              "n_iter", "swept", "n_seeds", "gamma", "C", *_POOLING)  # fmt: skip
    shown = ("swept", "n_seeds", "n_subspaces", "beta1", "beta2", "eta", "n_negatives", "sigma", "gamma", "C")
    figures = (FigureSlot(SWEEP, "Accuracy against one parameter", lambda host: Sweep()),)

    def _parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        settings = self.settings
        fixed = settings.pick(*_POOLING)
        adversary = {**AdversaryRequest.of(settings).arguments(), "n_iter": settings.n_iter}
        adversary.pop("random_state")
        fixed.pop(settings.swept, None)
        adversary.pop(settings.swept, None)
        return fixed, adversary

    def wanted(self) -> _Request:
        """The sweep that is set."""
        fixed, adversary = self._parts()
        settings = self.settings
        return _Request(
            DataRequest.of(settings), settings.stream, settings.swept, settings.seed, settings.n_seeds,
            tuple(sorted(fixed.items())), tuple(sorted(adversary.items())),
            tuple(settings.pick("gamma", "C").items()),
        )  # fmt: skip

    def notice(self) -> str:
        """Result of the paper's Fig. 2, and how to read the band."""
        return (
            "The paper finds little from β₁ and much from β₂ (Fig. 2): an order weight that is too small is "
            "no order at all. A band that is wider than the curve is high says that the seeds disagree more "
            "than the settings."
        )

    def work(self, request: _Request, callback: Callback) -> SensitivityRecord:
        """Run the sweep value by value: those that are done are shown, and not computed again."""
        source, options = dataset_argument(request.data, load_dataset)
        values = FIGURE2[request.parameter]
        for n in range(1, len(values) + 1):

            def report(progress: Progress, n: int = n) -> None:
                callback(replace(progress, stage=f"value {n} of {len(values)}, {progress.stage}"))

            sweep = sensitivity(
                source, request.parameter, values=values[:n], stream=request.stream,
                seeds=[request.seed + i for i in range(request.n_seeds)], fixed=dict(request.fixed),
                adversary=dict(request.adversary), classifier={"kind": "kernel", **dict(request.classifier)},
                cache=cache_folder(request.data), n_jobs=1, callback=report, **options,
            )  # fmt: skip
            stopped = not sweep.config["complete"]
            sweep.config["complete"] = not stopped and n == len(values)
            if stopped:
                break
            results().put(request, sweep)
        return sweep

    def parts(self, record: Record) -> int:
        """Number of values that are done."""
        assert isinstance(record, SensitivityRecord)
        return 0 if record.scores.empty else int(record.scores["value"].nunique())

    def request_of(self, panel: Any, request: Any) -> _Marked:
        """The sweep with the present value."""
        return _Marked(request, float(getattr(self.settings, self.settings.swept)))

    def remark(self, request: Any) -> str:
        """The range of the curve."""
        sweep = cached_record(request)
        assert isinstance(sweep, SensitivityRecord)
        ours, values = _means(sweep), FIGURE2[sweep.parameter]
        base = sweep.scores.loc[sweep.scores["value"].isna(), "accuracy"].mean()
        seeds = sweep.scores["seed"].nunique()
        return (
            f"Between **{ours.min():.0%}** (at {ours.idxmin():g}) and **{ours.max():.0%}** (at "
            f"{ours.idxmax():g}); "
            f"average pooling {base:.0%}; {len(ours)} of {len(values)} values, {seeds} "
            f"{'seed' if seeds == 1 else 'seeds'}."
        )

    def code(self) -> str:
        """The sweep in a call."""
        settings = self.settings
        fixed, adversary = self._parts()
        data = f"{settings.dataset!r}, {settings.swept!r}"
        options = "" if settings.dataset == "planted" else f", encoder={settings.encoder!r}"
        if settings.dataset.startswith("upload:"):
            data, options = f"load({file_name(settings)!r}), {settings.swept!r}", ""
        seeds = [settings.seed + i for i in range(settings.n_seeds)]
        classifier = {"kind": "kernel", **settings.pick("gamma", "C")}
        return "\n".join(
            [
                "from acot_core.datasets import load",
                "from acot_core.experiments import sensitivity",
                "from acot_core.figures import plot_sensitivity",
                f"classifier = {classifier!r}",
                f"result = sensitivity({data}, stream={settings.stream!r}, seeds={seeds}, fixed={fixed!r}, "
                f"adversary={adversary!r}, classifier=classifier{options})",
                "plot_sensitivity(result, width='page').savefig('sensitivity.pdf')",
            ]
        )
