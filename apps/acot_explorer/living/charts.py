"""A chart for each figure of the steps, by the record that it shows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from acot_core.experiments.views.adversary import TrainingView
from acot_core.experiments.views.one_sequence import SubspaceStudy, TransportStudy
from acot_explorer.living.chart import Chart, Columns
from acot_explorer.living.curves import Curve, Curves, Panel

__all__ = ["energies", "ipot", "terms", "training"]


def energies() -> Chart:
    """Energy of each frame in the subspace, with order, without it, and for PCA (Sec. 3.4)."""
    curves = (
        Curve("pca", "PCA (start)", "muted", "dotted"),
        Curve("unordered", "without order (β₂ = 0)", "baseline", "dashed"),
        Curve("ordered", "ACOT", "subspace", width=2.6),
    )
    panel = Panel("frame", "frame t", "energy ‖U′xₜ‖²", curves, time=True)

    def read(record: SubspaceStudy) -> dict[str, Columns]:
        return {"lines": _columns(record.energies)}

    def retitle(record: SubspaceStudy) -> dict[str, str]:
        return {"ordered": f"ACOT (β₂ = {record.config['beta2']:g})"}

    return Curves((panel,), read, retitle=retitle)


def terms() -> Chart:
    """The weighted terms of Eq. (13) and their sum by iteration of conjugate gradient."""
    curves = (
        Curve("contrast", "− contrast", "negatives", marker="square"),
        Curve("distortion", "β₁ · distortion", "positives", marker="triangle"),
        Curve("order", "β₂ · order", "noise", marker="diamond"),
        Curve("objective", "objective", "foreground", width=2.6, marker="circle"),
    )
    levels = ((0.0, "", "muted"),)
    panel = Panel("iteration", "iteration of conjugate gradient", "value", curves, levels=levels)
    return Curves((panel,), lambda record: {"lines": _columns(record.terms)})


def ipot() -> Chart:
    """Distance of IPOT's cost from the exact cost, and its marginal error, by iteration (Sec. 3.5)."""
    curves = (
        Curve("gap", "gap to exact", "subspace", marker="circle", format="0.0e"),
        Curve("marginal_error", "marginal error", "noise", "dashed", marker="square", format="0.0e"),
    )
    options = {"x_axis_type": "log", "y_axis_type": "log"}
    panel = Panel("iteration", "iteration of IPOT", "relative error", curves, "IPOT here", options=options)

    def read(record: TransportStudy) -> dict[str, Columns]:
        table = record.trace
        gap = (table["value"] - record.exact).abs() / max(record.exact, 1e-12)
        floor = 1e-8  # below which rounding is shown
        columns = {"iteration": table["iteration"], "gap": gap.clip(lower=floor)}
        columns["marginal_error"] = table["marginal_error"].clip(lower=floor)
        return {"lines": {name: column.to_numpy(dtype=float) for name, column in columns.items()}}

    return Curves((panel,), read)


def training() -> Chart:
    """Fooling and misclassification rate on the left; noise norm and Wasserstein estimate on the right."""
    rates = (
        Curve("fooling_rate", "fooling rate, training", "negatives", width=2.4, format="0.0%"),
        Curve("fooling_rate", "fooling rate, held out", "negatives", "dashed", source="held_out",
              format="0.0%"),
        Curve("misclassification_rate", "misclassified", "baseline", "dotted", format="0.0%"),
    )  # fmt: skip
    norms = (
        Curve("noise_norm", "noise norm ‖x̂‖", "noise", width=2.4, format="0.000"),
        Curve("wasserstein", "Wasserstein estimate", "positives", "dashed", format="0.000"),
    )
    panels = (
        Panel("iteration", "iteration", "share of frames", rates, "Does it fool?",
              levels=((0.6, "the paper's average", "subspace"),), percent=True),
        Panel("iteration", "iteration", "value", norms, "Noise and distance"),
    )  # fmt: skip
    return Curves(panels, _training, extent=lambda record: max(record.n_iter, 1))


def _training(record: TrainingView) -> dict[str, Columns]:
    history = record.history
    names = ["iteration", "fooling_rate", "misclassification_rate", "noise_norm", "wasserstein"]
    train, held_out = (history[history["split"] == split] for split in ("train", "held_out"))
    return {"lines": _columns(train[names]), "held_out": _columns(held_out[names[:2]])}


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    return {str(name): table[name].to_numpy(dtype=float) for name in table}
