"""Stick figures: bodies hold together, pairs are each other's reversal, order tells them apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acot_core.datasets import SequenceDataset, load
from acot_core.datasets._stick_figures import _MOVES, ACTIONS, _angles, _Person, stick_figure_signals
from acot_core.datasets.skeletons import JHMDB, MSR_ACTION3D, joints_of
from acot_core.experiments.views.one_fit import classification

STILL = {"sway": 0.0, "camera": 0.0, "background": 0.0, "noise": 0.0}


def test_load_gives_features_of_the_papers_kind_and_keeps_what_is_shown() -> None:
    dataset = load("stick-figures")
    assert len(dataset) == 192
    assert dataset.class_names == list(ACTIONS)
    assert np.bincount(dataset.labels).tolist() == [24] * 8
    for i in (0, 77, 191):
        frames = dataset.streams["pose"][i]
        assert bool((frames >= 0).all())
        assert torch.allclose(frames.norm(dim=1), torch.ones(len(frames), dtype=torch.float32), atol=1e-6)
        places, skeleton = joints_of(dataset, i)  # type: ignore[misc]
        assert places.shape == (len(frames), 15, 2)
        assert skeleton is JHMDB
        assert dataset.raw["bystanders"][i].shape == (len(frames), 12)


def test_seeds() -> None:
    one, same, other = (load("stick-figures", random_state=s, n_people=8) for s in (3, 3, 4))
    again = stick_figure_signals(n_people=8, random_state=3)
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert torch.equal(again.extra["joints"][5], one.raw["joints"][5])


def test_bones_keep_their_lengths_and_feet_their_place() -> None:
    generator = torch.Generator().manual_seed(1)
    for move in _MOVES:
        body = _Person.draw(generator).act(_angles(move, 30, 1.0, generator))
        for a, b in JHMDB.bones:
            length = (body[:, a] - body[:, b]).norm(dim=1)
            assert float(length.std()) < 1e-5
            assert 0.03 < float(length[0]) < 0.4
        feet = body[:, 13:15].mean(1)
        assert float(feet[:, :2].abs().max()) < 1e-5
        assert bool((body[:, 2, 1] > body[:, 13:15, 1].amax(1)).all())  # no head below the feet


def test_the_actions_of_a_pair_are_each_others_reversal() -> None:
    """With nothing in the way one begins as the other ends, over people."""
    signals = stick_figure_signals(n_people=60, length_range=(20, 20), **STILL)  # type: ignore[arg-type]
    joints = torch.stack(signals.extra["joints"]).reshape(60, 8, 20, 30).mean(0)
    for label in range(0, 8, 2):
        forwards, backwards = joints[label], joints[label + 1].flip(0)
        assert float((forwards - backwards).abs().max()) < 0.06
        assert float((forwards[0] - forwards[-1]).abs().max()) > 0.15  # something does happen


def test_sitting_is_low_and_standing_is_tall() -> None:
    dataset = load("stick-figures")

    def height(i: int, t: int) -> float:
        places = joints_of(dataset, i)[0][t]  # type: ignore[index]
        return float(places[13:15, 1].mean() - places[2, 1])

    down = [i for i, label in enumerate(dataset.labels) if ACTIONS[label] == "sit down"]
    assert np.mean([height(i, -1) / height(i, 0) for i in down]) < 0.8
    up = [i for i, label in enumerate(dataset.labels) if ACTIONS[label] == "stand up"]
    assert np.mean([height(i, -1) / height(i, 0) for i in up]) > 1.25


def test_people_are_on_one_side_of_a_split() -> None:
    signals = stick_figure_signals(n_people=10, n_splits=3)
    assert signals.splits.shape == (3, 80)
    for row in signals.splits.reshape(3, 10, 8):
        assert bool((row == row[:, :1]).all())
        assert int((row[:, 0] == 1).sum()) == 5


def test_averages_guess_between_partners_and_order_does_not() -> None:
    """The best that knowledge of the pair alone can give is one half; the margins are of four standard errors
    of that half (2 x 96 test sequences: 3.6 points) above it, and far below what order reaches."""
    accuracies: dict[str, list[float]] = {}
    for seed in (0, 1):
        record = classification(
            load("stick-figures", random_state=seed), "pose", n_negatives=50, random_state=seed
        )
        for name, value in zip(record.accuracies["method"], record.accuracies["accuracy"], strict=True):
            accuracies.setdefault(name, []).append(value)
    for name in ("average", "max", "pca"):
        assert np.mean(accuracies[name]) < 0.64, name
    for name in ("grp", "acot"):
        assert np.mean(accuracies[name]) > 0.85, name


def test_in_the_motion_stream_an_average_knows_the_direction() -> None:
    record = classification(load("stick-figures"), "motion", n_negatives=20)
    assert record.accuracies.set_index("method").loc["average", "accuracy"] > 0.85


def test_joints_of() -> None:
    planted = load("planted", n_sequences=12, n_pairs=2)
    assert joints_of(planted, 0) is None
    frames = [torch.rand(4, 60, dtype=torch.float32) + 0.1]
    kinect = SequenceDataset(
        "msr", {"features": frames}, np.zeros(1, int), ["a"], {}, raw={"joints": [frames[0] * 2]}
    )
    places, skeleton = joints_of(kinect, 0)  # type: ignore[misc]
    assert skeleton is MSR_ACTION3D
    assert places.shape == (4, 20, 2)
    np.testing.assert_allclose(places[2, 5], 2 * frames[0][2, 15:17].numpy() * [1, -1], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_people": 3}, "n_people: expected an integer of at least 4, got 3"),
        ({"n_people": 4.5}, "n_people: expected an integer of at least 4, got 4.5"),
        ({"length_range": (9, 8)}, r"length_range\[1\]: expected an integer of at least 9, got 8"),
        ({"length_range": 9}, "length_range: expected two numbers of frames, got 9"),
        ({"sway": -1}, "sway: expected a finite non-negative number, got -1"),
        ({"noise": "much"}, "noise: expected a finite non-negative number, got 'much'"),
        ({"camera": float("inf")}, "camera: expected a finite non-negative number, got inf"),
    ],
)
def test_a_parameter_out_of_range_is_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stick_figure_signals(**options)
