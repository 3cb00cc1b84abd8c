"""Step 6, Sensitivity: accuracy against one parameter, over seeds (Sec. 4.1, Fig. 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from acot_core.experiments.sensitivity import FIGURE2, SensitivityRecord, sensitivity
from acot_core.figures.sensitivity import plot_sensitivity
from acot_core.parameters import PARAMETERS
from acot_core.progress import Callback
from acot_explorer.render import FigureSpec
from acot_explorer.requests import AdversaryRequest, DataRequest
from acot_explorer.snippets import dataset_argument, file_name
from acot_explorer.steps.long import LongStep, kept, results
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


@dataclass(frozen=True)
class _Marked:
    """A sweep with the present value marked."""

    sweep: _Request
    value: float


def _record(request: _Marked) -> SensitivityRecord:
    found = kept(request.sweep)
    assert isinstance(found, SensitivityRecord)
    return SensitivityRecord(**{**vars(found), "config": {**found.config, "current": request.value}})


def _plot(found: SensitivityRecord, **style: Any) -> Figure:
    return plot_sensitivity(found, current=found.config["current"], **style)


def _describe(found: SensitivityRecord) -> str:
    ours = found.scores[found.scores["value"].notna()].groupby("value")["accuracy"].mean()
    return (
        f"Accuracy against {PARAMETERS[found.parameter].label}: best {ours.max():.0%} at {ours.idxmax():g}, "
        f"worst {ours.min():.0%} at {ours.idxmin():g}"
    )


SWEEP = FigureSpec("sensitivity", _record, _plot, _describe, wide=True)


class SensitivityStep(LongStep):
    """One parameter moved through its range, everything else as it is set."""

    name = "sensitivity"
    question = "How much does each choice matter?"
    method = (
        "One parameter runs through its range while the others stay as they are set; each point is "
        "trained and "
        "judged anew for every seed. The dotted line marks the present setting."
    )
    notice = (
        "The paper finds little from β₁ and much from β₂ (Fig. 2): an order weight that is too small is "
        "no order at "
        "all. A band that is wider than the curve is high says that the seeds disagree more than the "
        "settings."
    )
    verb = "Run the sweep"
    title = "Sweeping"
    invitation = "Choose a parameter and press Run the sweep.\nFinished points are kept when it is stopped."
    inputs = ("dataset", "stream", "encoder", "seed", "sigma", "lambda1", "lambda2", "pivot", "adversarial",
              "n_iter", "swept", "n_seeds", *_POOLING)  # fmt: skip
    shown = ("swept", "n_seeds", "n_subspaces", "beta1", "beta2", "eta", "n_negatives", "sigma")
    figures = ((SWEEP, "Accuracy against one parameter"),)

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
        )  # fmt: skip

    def work(self, request: _Request, callback: Callback) -> SensitivityRecord:
        """Run the sweep, or what is missing of it."""
        source, options = dataset_argument(request.data, load_dataset)
        return sensitivity(
            source, request.parameter, stream=request.stream,
            seeds=[request.seed + i for i in range(request.n_seeds)], fixed=dict(request.fixed),
            adversary=dict(request.adversary), cache=cache_folder(request.data), n_jobs=1,
            callback=callback, **options,
        )  # fmt: skip

    def request_of(self, panel: Any, request: Any) -> _Marked:
        """The sweep with the present value."""
        return _Marked(request, float(getattr(self.settings, self.settings.swept)))

    def remark(self, request: Any) -> str:
        """The range of the curve."""
        found = results().get(request)
        if not isinstance(found, SensitivityRecord):
            return ""
        ours = found.scores[found.scores["value"].notna()].groupby("value")["accuracy"].mean()
        base = found.scores.loc[found.scores["value"].isna(), "accuracy"].mean()
        return (
            f"Between **{ours.min():.0%}** (at {ours.idxmin():g}) and **{ours.max():.0%}** (at "
            f"{ours.idxmax():g}); "
            f"average pooling {base:.0%}; {len(FIGURE2[request.parameter])} values, {request.n_seeds} "
            f"{'seed' if request.n_seeds == 1 else 'seeds'}."
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
        return "\n".join(
            [
                "from acot_core.datasets import load",
                "from acot_core.experiments import sensitivity",
                "from acot_core.figures import plot_sensitivity",
                f"result = sensitivity({data}, stream={settings.stream!r}, seeds={seeds}, fixed={fixed!r}, "
                f"adversary={adversary!r}{options})",
                "plot_sensitivity(result, width='page').savefig('sensitivity.pdf')",
            ]
        )
