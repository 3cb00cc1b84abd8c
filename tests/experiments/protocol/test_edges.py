"""A best value at an edge of its grid is reported."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from tiny_studies import TINY

from acot_core.experiments import ScoreRecord, Study
from acot_core.experiments._protocol import study
from acot_core.experiments._protocol.edges import edges_of_choice
from acot_core.experiments._protocol.evaluation import evaluate_entries
from acot_core.experiments._protocol.study import Entry


def tried(**values: list[tuple[float, float]]) -> list[tuple[dict[str, float], float]]:
    ((name, pairs),) = values.items()
    return [({name: value}, accuracy) for value, accuracy in pairs]


@pytest.mark.parametrize(
    ("values", "accuracies", "edges"),
    [
        ((1.0, 10.0, 100.0), (0.5, 0.6, 0.7), ["beta2 = 100 (greatest of 3)"]),
        ((1.0, 10.0, 100.0), (0.7, 0.6, 0.5), ["beta2 = 1 (least of 3)"]),
        ((1.0, 10.0, 100.0), (0.5, 0.7, 0.6), []),
        ((1.0, 10.0, 100.0), (0.5, 0.7, 0.7), []),  # 10 does as well
        ((0.0, 10.0, 100.0), (0.7, 0.6, 0.5), []),  # no weight lies below zero
    ],
)
def test_an_edge_is_reported_where_nothing_inside_is_as_good(
    values: tuple[float, ...], accuracies: tuple[float, ...], edges: list[str]
) -> None:
    pairs = list(zip(values, accuracies, strict=True))
    best = max(accuracies)
    chosen = next(v for v, a in reversed(pairs) if a == best)
    assert edges_of_choice({"beta2": chosen}, best, tried(beta2=pairs)) == edges


def test_nothing_is_reported_where_nothing_was_chosen() -> None:
    assert edges_of_choice({"beta2": 1.0}, math.nan, [({"beta2": 1.0}, math.nan)]) == []


def test_a_grid_that_is_too_narrow_is_named_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated classes are told apart by order alone, which a weight of at most 0.001 ignores."""
    narrow = [{"n_subspaces": 1, "beta1": 1.0, "beta2": b} for b in (1e-5, 1e-4, 3.0)]
    monkeypatch.setattr(study.Run, "settings", property(lambda self: narrow))
    linear = {"kind": "linear", "C": 10.0}
    chosen = Study.of("planted", seeds=1, classifier=linear, **{**TINY, "n_sequences": 64})
    scores = evaluate_entries(chosen, [Entry("grp", tune=True)])
    table = pd.DataFrame([{**vars(s), "label": "GRP"} for s in scores])
    (edge,) = ScoreRecord(scores=table).edges().to_dict("records")
    assert edge == {"label": "GRP", "stream": "features", "edge": "beta2 = 3 (greatest of 3)", "n": 1}
