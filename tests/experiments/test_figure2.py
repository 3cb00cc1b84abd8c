"""Figure 2, the landscape and the plans."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny_studies import FAST, TINY, tiny

from acot_core._utils.progress import Callback, Cancelled, Progress
from acot_core.experiments import SensitivityRecord, landscape, plan_matters, sensitivity
from acot_core.experiments._protocol.parts import Source, load_part, share_adversary
from acot_core.figures import plot_sensitivity
from acot_core.gan.adversary import Adversary


def test_a_stopped_adversary_resumes_to_the_same_result(tmp_path: Path) -> None:
    """Stopped in the middle of an adversary, a sweep goes on from there to the same result."""
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    uninterrupted = share_adversary(part, "features", 0, {**FAST, "n_iter": 60}, None)
    reports: list[Progress] = []

    def stop(event: Progress) -> None:
        reports.append(event)
        if event.stage.endswith("adversary") and event.step == 40:
            raise Cancelled

    def run(callback: Callback) -> SensitivityRecord:
        return sensitivity(
            tiny(), "beta2", values=(1.0,), seeds=(0,), adversary={**FAST, "n_iter": 60}, cache=tmp_path,
            n_jobs=1, callback=callback,
        )  # fmt: skip

    with pytest.raises(ValueError, match="no scores"):
        plot_sensitivity(run(stop))
    assert reports[-1].stage == "adversaries 1 of 1, adversary"
    (half,) = (tmp_path / "adversaries").iterdir()
    assert Adversary.load(half).n_iter_ == 40
    reports.clear()
    assert run(reports.append).config["complete"]
    assert next(e.step for e in reports if e.stage.endswith("adversary")) == 40
    (file,) = (tmp_path / "adversaries").iterdir()
    pd.testing.assert_frame_equal(Adversary.load(file).history_, uninterrupted.history_)


def test_sensitivity_landscape_and_plans(tmp_path: Path) -> None:
    common = {"seeds": 2, "adversary": FAST, "cache": tmp_path, **TINY}
    curve = sensitivity("planted", "n_subspaces", values=(1, 3), **common)
    assert curve.scores["value"].dropna().unique().tolist() == [1, 3]
    assert set(curve.scores["method"]) == {"acot", "average"}
    sigma = sensitivity("planted", "sigma", values=(0.01, 0.5), **{**common, "seeds": 1})
    assert len(sigma.scores) == 3
    area = landscape("planted", beta1=(0.5, 1.0), beta2=(1.0, 10.0), **common)
    assert area.grid("acot")[2].shape == area.grid("order")[2].shape == (2, 2)
    plans = plan_matters("planted", plans=("emd", "uniform"), **common).plan_summary().set_index("plan")
    assert plans.loc["exact", "angle"] == pytest.approx(0, abs=0.1)
    assert plans.loc["exact", "cost"] < plans.loc["independent", "cost"]


def test_own_frame_pairs_each_negative_with_the_frame_it_came_from(tmp_path: Path) -> None:
    """It was a random pairing, 4.65 degrees from the exact plan: negatives are drawn in any order."""
    common = {"seeds": 2, "adversary": FAST, "cache": tmp_path, **TINY}
    plans = plan_matters("planted", plans=("emd", "identity", "random"), **common).plan_summary()
    cost = plans.set_index("plan")["cost"]
    assert cost["own frame"] < cost["exact"] + 0.2 * (cost["random"] - cost["exact"])
