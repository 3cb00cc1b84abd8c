"""The small studies that notebooks draw: gradient, angles, batches, rounds, Theorem 1, plans in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from acot_core import Adversary, figures
from acot_core.datasets import load
from acot_core.experiments import (
    angle_study,
    batch_study,
    bound_study,
    bounds_hold,
    fooling_record,
    gradient_check,
    round_study,
    transport_study,
)
from acot_core.experiments.views.one_sequence import subspace_study
from acot_core.figures.style import WIDTHS
from acot_core.gan.negatives import random_negatives
from acot_core.riemannian.grassmann import retract_polar
from acot_core.sequences import PaddedSequences, pad
from acot_core.subspace.alternation import alternate
from acot_core.subspace.objective import ACOTObjective
from acot_core.transport import cost_matrix, ipot


@pytest.fixture(scope="module")
def sequences() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    frames = [torch.rand(n, 8, generator=generator) for n in (9, 12, 7)]
    return [x / x.norm(dim=1, keepdim=True) for x in frames]


@pytest.fixture(scope="module")
def negatives(sequences: list[Tensor]) -> PaddedSequences:
    return random_negatives(sequences, 10, 0)


@pytest.mark.parametrize("retract", [{}, {"retract": retract_polar}], ids=["qr", "polar"])
def test_the_gradient_passes_its_check(sequences: Any, negatives: Any, retract: Any) -> None:
    assert gradient_check(sequences, negatives, **retract).numbers["slope"] == pytest.approx(2, abs=0.02)


def test_a_wrong_gradient_fails_its_check(sequences: Any, negatives: Any, monkeypatch: Any) -> None:
    right = ACOTObjective.gradient
    monkeypatch.setattr(ACOTObjective, "gradient", lambda self, U: 1.01 * right(self, U))
    assert gradient_check(sequences, negatives).numbers["slope"] < 1.5


def test_angles_go_to_the_end(sequences: Any, negatives: Any) -> None:
    table = angle_study(sequences, negatives, n_iter=4, n_far=4).table
    assert table.groupby("start")["iteration"].max().to_dict() == {"principal": 4, "random": 4}
    last = table[table["iteration"] == 4]
    assert last["angle"].max() < 1e-4
    assert last["value"].abs().max() == 0
    assert (table["value"] >= -1e-12).all()
    assert table[(table["start"] == "random") & (table["iteration"] == 0)]["angle"].min() > 5


def test_batch_and_loop_agree_and_every_way_descends(sequences: Any, negatives: Any) -> None:
    table = batch_study(sequences, negatives, n_subspaces=1, n_iter=(1, 30)).table.set_index(
        ["iterations", "way"]
    )
    assert table.loc[(30, "one by one"), "difference"] < 1e-9
    for way in ("batch", "one by one", "pymanopt"):
        assert table.loc[(30, way), "median"] < table.loc[(1, way), "median"]
    assert (table["seconds"] > 0).all()


def test_rounds_rise_with_subspaces_and_fall_with_plans(sequences: Any, negatives: Any) -> None:
    table = round_study(sequences[0], negatives.frames[0], n_alternations=3, ground_cost="sqeuclidean").table
    assert list(table["step"]) == ["plan", "subspace"] * 3
    change = table["objective"].diff()[1:]
    assert (change[table["step"] == "subspace"] >= -1e-6).all()
    assert (change[table["step"] == "plan"] <= 1e-6).all()


def test_theorem_1_holds_and_all_meet_at_k_equal_to_d(sequences: Any, negatives: Any) -> None:
    record = bound_study(sequences[0], negatives.frames[0], dimensions=(1, 3, 8))
    assert bounds_hold(record)
    last = record.table.iloc[-1]
    assert np.ptp(last.drop("k").to_numpy(dtype=float)) < 1e-6
    record.table.loc[1, "contrastive"] = 9.0
    assert not bounds_hold(record)


def test_options_of_the_method_go_through(sequences: Any, negatives: Any) -> None:
    few, many = (
        transport_study(sequences[0], negatives.frames[0], method="ipot", n_iter=n, tol=0.0) for n in (1, 500)
    )
    assert abs(many.value - many.exact) < abs(few.value - few.exact)


def test_a_record_of_trained_adversaries_has_their_curves(sequences: Any) -> None:
    adversary = Adversary(n_iter=2, classifier_iter=5, hidden=8, random_state=0).fit(sequences, [0, 1, 0])
    record = fooling_record({0.01: adversary, 0.1: adversary}, "pose")
    assert set(record.curves["sigma"]) == {0.01, 0.1}
    assert len(record.curves) == 2 * len(adversary.history_)
    assert len(figures.plot_fooling_curves(record).axes) == 1


def test_every_study_has_its_figure(sequences: Any, negatives: Any) -> None:
    x, y = sequences[0], negatives.frames[0]
    drawn: list[Any] = [
        (figures.plot_gradient_check, gradient_check(sequences, negatives)),
        (figures.plot_angles, angle_study(sequences, negatives, n_iter=2, n_far=3)),
        (figures.plot_rounds, round_study(x, y, n_alternations=2)),
        (figures.plot_bounds, bound_study(x, y, dimensions=(1, 8))),
        (figures.plot_plan_row, [transport_study(x, y, method=m) for m in ("emd", "sinkhorn", "ipot")]),
    ]
    for plot, record in drawn:
        for theme in ("light", "dark"):
            for width in WIDTHS:
                figure = plot(record, theme=theme, width=width)
                assert figure.get_figwidth() == WIDTHS[width]
    row = figures.plot_plan_row(drawn[-1][1])
    assert [ax.get_title(loc="left").split(":")[0] for ax in row.axes[:3]] == [
        "Exact plan",
        "Sinkhorn",
        "IPOT",
    ]
    image = row.axes[0].images[0].get_array()
    np.testing.assert_allclose(np.asarray(image).sum(1), 1, atol=1e-6)  # shares of what a frame sends


# ------------------------------------------------------------------ one sequence


@pytest.mark.parametrize("k", [1, 3])
def test_subspace_study_is_the_pooling_with_and_without_order(k: int) -> None:
    """Solved together, they are those that the alternation gives one by one, after each iteration."""
    frames = load("planted", n_sequences=12).streams["features"][1]
    negatives = random_negatives([frames], 30, 0).frames[0]
    study = subspace_study(frames, negatives, n_subspaces=k, beta2=10.0, n_iter=4)

    def pooled(beta2: float, n_iter: int) -> Tensor:
        weights = {"n_subspaces": k, "beta2": beta2, "n_iter": n_iter, "transport": "emd"}
        return alternate(pad([frames]), pad([negatives]), **weights).subspace[0]  # type: ignore[arg-type]

    for name, beta2 in (("ordered", 10.0), ("unordered", 0.0)):
        kept = (frames @ pooled(beta2, 4)).square().sum(1)
        np.testing.assert_allclose(study.energies[name], kept, atol=2e-6)
    plan = alternate(pad([frames]), pad([negatives]), transport="emd").transport.plan
    objective = ACOTObjective(frames[None], plan=plan, negatives=negatives[None], beta2=10.0)
    for step in (1, 2, 4):
        value = float(objective.value(pooled(10.0, step)[None]))
        assert study.terms["objective"][step] == pytest.approx(value, abs=2e-6)


def test_ipot_trace_is_ipot_stopped_there() -> None:
    generator = torch.Generator().manual_seed(0)
    frames, negatives = (
        torch.nn.functional.normalize(torch.rand(n, 8, generator=generator), dim=1) for n in (9, 14)
    )
    trace = transport_study(frames, negatives, trace=120).trace
    assert trace["iteration"].tolist() == [1, 2, 5, 10, 20, 50, 100]
    alone = ipot(cost_matrix(frames[None], negatives[None], "euclidean"), n_iter=20, tol=0.0)
    assert trace["value"][4] == pytest.approx(float(alone.value), rel=1e-5)
    assert transport_study(frames, negatives, trace=0).trace.empty
