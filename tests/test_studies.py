"""The small studies that notebooks draw: gradient, angles, batches, rounds, Theorem 1, plans side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from acot_core import Adversary, figures
from acot_core.experiments import (
    angle_study,
    batch_study,
    bound_study,
    fooling_record,
    gradient_check,
    round_study,
    transport_study,
)
from acot_core.figures.style import WIDTHS
from acot_core.grassmann import retract_polar
from acot_core.negatives import random_negatives
from acot_core.objective import ACOTObjective
from acot_core.sequences import PaddedSequences


@pytest.fixture(scope="module")
def clips() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    frames = [torch.rand(n, 8, generator=generator) for n in (9, 12, 7)]
    return [x / x.norm(dim=1, keepdim=True) for x in frames]


@pytest.fixture(scope="module")
def negatives(clips: list[Tensor]) -> PaddedSequences:
    return random_negatives(clips, 10, 0)


@pytest.mark.parametrize("retract", [{}, {"retract": retract_polar}], ids=["qr", "polar"])
def test_the_gradient_passes_its_check(clips: Any, negatives: Any, retract: Any) -> None:
    assert gradient_check(clips, negatives, **retract).slope == pytest.approx(2, abs=0.02)


def test_a_wrong_gradient_fails_its_check(clips: Any, negatives: Any, monkeypatch: Any) -> None:
    right = ACOTObjective.gradient
    monkeypatch.setattr(ACOTObjective, "gradient", lambda self, U: 1.01 * right(self, U))
    assert gradient_check(clips, negatives).slope < 1.5


def test_angles_go_to_the_end(clips: Any, negatives: Any) -> None:
    table = angle_study(clips, negatives, n_iter=4, n_far=4).table
    assert table.groupby("start")["iteration"].max().to_dict() == {"principal": 4, "random": 4}
    last = table[table["iteration"] == 4]
    assert last["angle"].max() < 1e-4
    assert last["value"].abs().max() == 0
    assert (table["value"] >= -1e-12).all()
    assert table[(table["start"] == "random") & (table["iteration"] == 0)]["angle"].min() > 5


def test_batch_and_loop_agree_and_every_way_descends(clips: Any, negatives: Any) -> None:
    table = batch_study(clips, negatives, n_subspaces=1, n_iter=(1, 30)).table.set_index(
        ["iterations", "way"]
    )
    assert table.loc[(30, "one by one"), "difference"] < 1e-9
    for way in ("batch", "one by one", "pymanopt"):
        assert table.loc[(30, way), "median"] < table.loc[(1, way), "median"]
    assert (table["seconds"] > 0).all()


def test_rounds_rise_with_subspaces_and_fall_with_plans(clips: Any, negatives: Any) -> None:
    table = round_study(clips[0], negatives.frames[0], n_alternations=3, ground_cost="sqeuclidean").table
    assert list(table["step"]) == ["plan", "subspace"] * 3
    change = table["objective"].diff()[1:]
    assert (change[table["step"] == "subspace"] >= -1e-6).all()
    assert (change[table["step"] == "plan"] <= 1e-6).all()


def test_theorem_1_holds_and_all_meet_at_k_equal_to_d(clips: Any, negatives: Any) -> None:
    record = bound_study(clips[0], negatives.frames[0], dimensions=(1, 3, 8))
    assert record.holds()
    last = record.table.iloc[-1]
    assert np.ptp(last.drop("k").to_numpy(dtype=float)) < 1e-6
    record.table.loc[1, "contrastive"] = 9.0
    assert not record.holds()


def test_options_of_the_method_go_through(clips: Any, negatives: Any) -> None:
    few, many = (
        transport_study(clips[0], negatives.frames[0], method="ipot", n_iter=n, tol=0.0) for n in (1, 500)
    )
    assert abs(many.value - many.exact) < abs(few.value - few.exact)


def test_a_record_of_trained_adversaries_has_their_curves(clips: Any) -> None:
    own = Adversary(n_iter=2, classifier_iter=5, hidden=8, random_state=0).fit(clips, [0, 1, 0])
    record = fooling_record({0.01: own, 0.1: own}, "pose")
    assert set(record.curves["sigma"]) == {0.01, 0.1}
    assert len(record.curves) == 2 * len(own.history)
    assert len(figures.plot_fooling_curves(record).axes) == 1


def test_every_study_has_its_figure(clips: Any, negatives: Any) -> None:
    x, y = clips[0], negatives.frames[0]
    drawn: list[Any] = [
        (figures.plot_gradient_check, gradient_check(clips, negatives)),
        (figures.plot_angles, angle_study(clips, negatives, n_iter=2, n_far=3)),
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
