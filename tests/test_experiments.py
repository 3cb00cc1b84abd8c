"""Experiments: the protocol is blind to what it must not see, sweeps resume, records keep their numbers."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import asdict, replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.svm import SVC

from acot_core.adversary import Adversary
from acot_core.baselines import PCASubspace
from acot_core.datasets import SequenceDataset, load
from acot_core.experiments import (
    CONDITIONS,
    TABLE1,
    AblationRecord,
    ComparisonRecord,
    LeakError,
    SensitivityRecord,
    ablation,
    assert_blind,
    conditions,
    embedding,
    kept_negatives,
    landscape,
    plan_matters,
    sensitivity,
)
from acot_core.experiments.__main__ import _COMMANDS, _OPTIONS, _command, main
from acot_core.experiments.cells import fuse_cell, fusion_key
from acot_core.experiments.embedding import neighbour_purity
from acot_core.experiments.fusion import _choose
from acot_core.experiments.kept_negatives import KeptNegatives
from acot_core.experiments.memory import remember
from acot_core.experiments.methods import METHODS, method
from acot_core.experiments.parts import Source, fold_indices, load_part, share_adversary
from acot_core.experiments.protocol import Entry, Plan, judge
from acot_core.experiments.scores import confidence
from acot_core.experiments.sweep import digest, run_cells
from acot_core.figures import plot_sensitivity
from acot_core.progress import Callback, Cancelled, Progress
from acot_core.sequences import normalize_frames

TINY = {"n_sequences": 32, "n_pairs": 2, "dimension": 24, "length_range": (8, 14), "n_splits": 2}
FAST = {"n_iter": 5, "classifier_iter": 20, "hidden": 8}
LINEAR = {"kind": "linear", "C": 10.0}


def tiny(**more) -> SequenceDataset:
    return load("planted", random_state=0, **{**TINY, **more})


# ------------------------------------------------------------------ protocol


def with_labels(dataset: SequenceDataset, labels: np.ndarray, leak: bool) -> SequenceDataset:
    """The data set under other labels; with ``leak`` each label is also written into its own features."""
    sequences = []
    for frames, label in zip(dataset.streams["features"], labels, strict=True):
        frames = frames.clone()
        if leak:
            frames[:, label] += 5
        sequences.append(frames)
    return SequenceDataset("labelled", {"features": sequences}, labels, dataset.class_names, dataset.splits)


@pytest.mark.parametrize("leak", [False, True])
def test_a_leaked_label_is_caught(leak: bool) -> None:
    dataset = tiny()
    _, test = dataset.split()

    def predict(labels: np.ndarray) -> np.ndarray:
        """Correct or not, clip by clip, put back into predicted labels through the accuracy's own truth."""
        plan = Plan(Source.of(with_labels(dataset, labels, leak)), classifier=LINEAR)
        from acot_core.experiments.cells import score_cell

        cell = {
            "dataset": None, "name": "average", "setting": {}, "seed": 0, "split": None, "stream": "features",
            "fold": None, "n_folds": 3, "adversary": {}, "classifiers": [LINEAR],
        }  # fmt: skip
        found = score_cell(source=plan.source, cache=None, **cell)
        return np.array(found["decision"]["linear C=10"]).argmax(1)

    if leak:
        with pytest.raises(LeakError, match="predictions changed"):
            assert_blind(predict, dataset.labels, test)
    else:
        assert_blind(predict, dataset.labels, test)


def test_the_chosen_setting_does_not_depend_on_test_labels() -> None:
    dataset = tiny()
    _, test = dataset.split()

    def chosen(labels: np.ndarray) -> np.ndarray:
        source = Source.of(with_labels(dataset, labels, False))
        scores = judge(Plan(source), [Entry("grp", tune=True), Entry("average")])
        return np.array([s.parameters + s.classifier + str(s.cv_accuracy) for s in scores])

    assert_blind(chosen, dataset.labels, test)


def test_inner_parts_stay_inside_the_training_clips(tmp_path: Path) -> None:
    dataset = tiny()
    source = Source.of(dataset)
    train, test = dataset.split()
    outer = load_part(source, 0, None, None, 3, tmp_path)
    np.testing.assert_array_equal(outer.train, train)
    np.testing.assert_array_equal(outer.test, test)
    judged = []
    for fold in range(3):
        part = load_part(source, 0, None, fold, 3, tmp_path)
        assert not set(part.train) & set(part.test)
        assert set(part.train) | set(part.test) == set(train)
        judged += part.test.tolist()
    assert sorted(judged) == sorted(train)
    with pytest.raises(ValueError, match="n_folds"):
        fold_indices(np.array([0, 0, 0, 1]), 3, 0)


def test_trained_features_never_see_the_clips_they_are_judged_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = [rng.normal(size=(8, 3)).astype(np.float32) + (i % 2) for i in range(24)]
    other = [x.copy() for x in raw]
    split = np.arange(24) < 16
    for i in range(16, 24):
        other[i] = other[i] * 100
    features = []
    for number, signals in enumerate((raw, other)):
        file = tmp_path / f"{number}.npz"
        np.savez(
            file, features=np.concatenate(signals), lengths=np.full(24, 8), labels=np.arange(24) % 2,
            splits=np.where(split, 1, 2)[None],
        )  # fmt: skip
        source = Source.of(str(file), {"encoder": "trained", "n_features": 12})
        part = load_part(source, 0, None, None, 3, tmp_path / f"cache{number}")
        features.append(part.take("features", part.train))
    for a, b in zip(*features, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_best_setting_wins_on_the_folds() -> None:
    """Order decides the planted classes, so a tuned GRP must not choose the weight that ignores it."""
    plan = Plan(Source.of("planted", {**TINY, "n_sequences": 64}), classifiers=("linear",))
    (tuned,) = judge(plan, [Entry("grp", {"n_subspaces": 1}, tune=True)])
    assert json.loads(tuned.parameters)["n_subspaces"] == 1
    assert tuned.cv_accuracy > 0.7
    assert tuned.accuracy > 0.7


def two_streams() -> SequenceDataset:
    """Four classes, two bits: one stream knows the first bit, the other the second."""
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 4
    streams = {}
    for name, bit in (("a", labels // 2), ("b", labels % 2)):
        centres = np.stack([np.ones(12), np.ones(12)]) + 2 * np.eye(2, 12)
        noise = 0.4 * rng.random((64, 6, 12))
        streams[name] = list(torch.from_numpy((centres[bit][:, None] + noise).astype(np.float32)))
    streams = {name: [normalize_frames(s) for s in sequences] for name, sequences in streams.items()}
    return SequenceDataset("bits", streams, labels, list("abcd"), {"1": np.arange(64) < 32})


@pytest.mark.parametrize("fusion", ["kernel", "mean"])
def test_two_streams_know_more_than_one(fusion: str) -> None:
    plan = Plan(Source.of(two_streams()), fusion=fusion, candidates=2)
    scores = {(s.method, s.stream): s for s in judge(plan, [Entry("average"), Entry("pca")])}
    for name in ("average", "pca"):
        assert max(scores[name, s].accuracy for s in "ab") < 0.8
        assert scores[name, "fused"].accuracy > 0.9
        assert ("weights" in scores[name, "fused"].classifier) == (fusion == "kernel")


def test_fusion_by_hand() -> None:
    """One stream's kernel alone is that stream; the outer weights are equal where nothing is chosen."""
    dataset = two_streams()
    from acot_core.experiments.cells import fuse_cell

    kernel = {"kind": "kernel", "C": 10.0, "gamma": 1.0}
    candidates = [{"setting": {}, "classifier": c} for c in (LINEAR, kernel)]
    streams = [{"stream": s, "candidates": candidates} for s in "ab"]
    weights = ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5])
    options = [{"pick": [0, 0], "weights": w, "C": 10.0} for w in weights]
    options.append({"pick": [1, 0], "weights": [1.0, 0.0], "C": 10.0})
    found = fuse_cell(
        source=Source.of(dataset), cache=None, dataset=None, name="average", seed=0, split=None, fold=None,
        n_folds=3, adversary={}, streams=streams, options=options,
    )["accuracy"]  # fmt: skip
    train, test = dataset.split()
    labels = dataset.labels
    for key, stream in zip(found, "ab", strict=False):
        means = np.stack([s.mean(0).numpy() for s in dataset.streams[stream]]).astype(float)
        gram = means @ means.T
        gram /= np.diag(gram)[train].mean()
        svc = SVC(C=10.0, kernel="precomputed").fit(gram[np.ix_(train, train)], labels[train])
        assert found[key] == svc.score(gram[np.ix_(test, train)], labels[test])
    means = np.stack([s.mean(0).numpy() for s in dataset.streams["a"]]).astype(float)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    gram = np.exp((means @ means.T) ** 2 - 1)  # Eq. (14) of the lines they span
    svc = SVC(C=10.0, kernel="precomputed").fit(gram[np.ix_(train, train)], labels[train])
    picked = found["weights 1:0, C=10, candidates 1:0"]
    assert picked == svc.score(gram[np.ix_(test, train)], labels[test])
    plan = Plan(Source.of(dataset), classifier=LINEAR)
    *_, fused = judge(plan, [Entry("average")])
    assert fused.accuracy == found["weights 0.5:0.5, C=10"]


def test_mean_frames_share_the_fusion_by_hand() -> None:
    dataset = two_streams()  # with labels that nobody can know, so that every kernel has its own errors
    dataset = replace(dataset, labels=np.random.default_rng(0).permutation(dataset.labels))
    kernel = {"kind": "kernel", "C": 10.0, "gamma": 20.0}
    setting = {"n_subspaces": 2}
    streams = [{"stream": s, "candidates": [{"setting": setting, "classifier": kernel}]} for s in "ab"]
    weights, C = [0.6, 0.4], 100.0
    shares = ([0.0, 0.0], [0.25, 0.5], [1.0, 1.0])
    options: list[dict] = [{"pick": [0, 0], "weights": weights, "C": C, "mean": m} for m in shares]
    options.append({"pick": [0, 0], "weights": weights, "C": C})
    found = fuse_cell(
        source=Source.of(dataset), cache=None, dataset=None, name="pca", seed=0, split=None, fold=None,
        n_folds=3, adversary={}, streams=streams, options=options,
    )["accuracy"]  # fmt: skip
    train, test = dataset.split()
    accuracies = []
    for share in shares:
        total = np.zeros((len(dataset), len(dataset)))
        for stream, weight, a in zip("ab", weights, share, strict=True):
            X = dataset.streams[stream]
            U = PCASubspace(2).fit(X).transform(X).astype(float)
            mean = np.stack([s.mean(0).numpy() for s in X]).astype(float)
            mean /= np.linalg.norm(mean, axis=1, keepdims=True)
            inner = np.einsum("idk,jdl->ijkl", U, U)
            of_U = np.exp(20.0 * (np.square(inner).sum((2, 3)) - 2))
            of_mean = np.exp(20.0 * ((mean @ mean.T) ** 2 - 1))
            total += weight * ((1 - a) * of_U + a * of_mean)
        svc = SVC(C=C, kernel="precomputed", random_state=0).fit(
            total[np.ix_(train, train)], dataset.labels[train]
        )
        accuracies.append(svc.score(total[np.ix_(test, train)], dataset.labels[test]))
    assert [found[fusion_key(option)] for option in options] == [*accuracies, accuracies[0]]
    assert len(set(accuracies)) > 1


def test_the_share_of_mean_frames_is_chosen_on_the_folds() -> None:
    plan = Plan(Source.of(two_streams()), classifiers=("kernel",))
    entries = [Entry("pca"), Entry("average")]
    without = {s.method: s for s in judge(plan, entries) if s.stream == "fused"}
    shared = {s.method: s for s in judge(replace(plan, with_mean=True), entries) if s.stream == "fused"}
    assert "shares of the mean" in shared["pca"].classifier
    assert shared["pca"].cv_accuracy >= without["pca"].cv_accuracy  # none is one of the shares
    assert shared["average"] == without["average"]  # it is a mean already
    with pytest.raises(ValueError, match="with_mean"):
        replace(plan, with_mean=True, fusion="mean")


def test_the_first_seeds_choose_for_all(tmp_path: Path) -> None:
    plan = Plan(Source.of("planted", TINY), seeds=(0, 1, 2), tune_seeds=2, cache=tmp_path)
    scores = judge(plan, [Entry("grp", tune=True)])
    assert len({(s.parameters, s.classifier, s.cv_accuracy) for s in scores}) == 1
    alone = [judge(replace(plan, seeds=(s,), tune_seeds=None), [Entry("grp", tune=True)])[0] for s in (0, 1)]
    record = ComparisonRecord(scores=pd.DataFrame([{"label": "GRP", **asdict(s)} for s in scores]))
    (choice,) = record.choices().to_dict("records")
    assert choice["n"] == 3
    assert choice["parameters"] == scores[0].parameters
    assert choice["cv_accuracy"] == pytest.approx(100 * scores[0].cv_accuracy)
    # The choice made together is no seed's best, and no better than the mean of what each would choose.
    assert scores[0].cv_accuracy <= np.mean([s.cv_accuracy for s in alone]) + 1e-12
    inner = [f for f in (tmp_path / "cells").iterdir() if "decision" not in json.loads(f.read_text())]
    assert len(inner) == 2 * 3 * 12  # no fold of the third seed


def test_a_recorded_command_names_no_path_of_the_machine() -> None:
    given = "table1 --cache /home/me --seeds 2 --jobs 2 --out=/tmp/x.json --quiet --tune --record /tmp/x.zip"
    assert _command(given.split()) == "table1 --seeds 2 --tune"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("embedding --seeds 3", "unrecognized arguments: --seeds 3"),
        ("conditions --with-mean", "unrecognized arguments: --with-mean"),
        ("table1 --condition=weak", "unrecognized arguments: --condition=weak"),
        ("evaluate --k 2", "unrecognized arguments: --k 2"),
        ("plans --split 1 --split 2", "plans takes one --split"),
        ("sensitivity --k 3", "--k is what varies"),
    ],
)
def test_the_shell_refuses_options_that_a_command_would_ignore(
    given: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(given.split())
    assert why in capsys.readouterr().err
    assert set(" ".join(options for _, options in _COMMANDS.values()).split()) == set(_OPTIONS)


def test_more_candidates_are_no_worse_on_the_folds() -> None:
    plan = Plan(Source.of(two_streams()), classifiers=("linear",))
    few, many = (
        judge(replace(plan, candidates=n), [Entry("grp", {"n_subspaces": 1}, tune=True)])[-1] for n in (1, 3)
    )
    assert few.stream == many.stream == "fused"
    assert many.cv_accuracy >= few.cv_accuracy


def test_bad_plans() -> None:
    with pytest.raises(ValueError, match="candidates"):
        Plan(Source.of(tiny()), candidates=0)
    with pytest.raises(ValueError, match="tune_seeds"):
        Plan(Source.of(tiny()), tune_seeds=2)
    with pytest.raises(ValueError, match="fusion"):
        Plan(Source.of(tiny()), fusion="sum")
    with pytest.raises(ValueError, match="method: expected one of"):
        judge(Plan(Source.of(tiny())), [Entry("agerage")])
    with pytest.raises(ValueError, match="streams"):
        judge(Plan(Source.of(tiny()), streams=("rgb",)), [Entry("average")])
    with pytest.raises(ValueError, match="seeds"):
        Plan(Source.of(tiny()), seeds=())
    with pytest.raises(ValueError, match="classifiers"):
        Plan(Source.of(tiny()), classifiers=("deep",))
    with pytest.raises(ValueError, match="options"):
        Source.of(tiny(), {"noise": 1})
    with pytest.raises(ValueError, match="parameter"):
        sensitivity(tiny(), "gamma")
    with pytest.raises(ValueError, match="plans"):
        plan_matters(tiny(), plans=("best",))
    with pytest.raises(ValueError, match="beta1"):
        landscape(tiny(), beta1=(1.0, 0.5))


def test_every_method_has_a_grid_of_its_own_parameters() -> None:
    for m in METHODS.values():
        for setting in m.settings({}, tune=True):
            m.make(**setting)
    assert len(method("grp").settings({}, tune=True)) == len(method("acot").settings({}, tune=True)) == 12
    assert len(method("acot").settings({"n_subspaces": 1}, tune=True)) == 4


# ------------------------------------------------------------------ sweeps


def square(*, x: int, log: str) -> dict[str, int]:
    with Path(log).open("a") as file:
        file.write(f"{x}\n")
    return {"square": x * x}


def die_once(*, x: int, log: str) -> dict[str, int]:
    mark = Path(log).with_suffix(".died")
    if x == 2 and not mark.exists():
        mark.touch()
        os._exit(1)
    return square(x=x, log=log)


def hang_once(*, x: int, log: str) -> dict[str, int]:
    """The first worker that takes cell 2 says who it is, and never comes back."""
    mark = Path(log).with_suffix(".pid")
    if x == 2 and not mark.exists():
        mark.with_suffix(".part").write_text(str(os.getpid()))
        mark.with_suffix(".part").rename(mark)
        time.sleep(600)
    return square(x=x, log=log)


def test_an_interrupted_sweep_repeats_nothing(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    cells = [{"x": x} for x in range(6)]

    def stop(event: Progress) -> None:
        if event.step == 3:
            raise Cancelled

    first = run_cells(square, cells, shared={"log": log}, folder=tmp_path / "cells", callback=stop)
    assert sum(result is not None for result in first) == 3
    second = run_cells(square, cells, shared={"log": log}, folder=tmp_path / "cells")
    assert second == [{"square": x * x} for x in range(6)]
    assert sorted(Path(log).read_text().split()) == list("012345")
    # A damaged file is computed again.
    damaged = next((tmp_path / "cells").iterdir())
    damaged.write_bytes(b'{"square": ')
    assert run_cells(square, cells, shared={"log": log}, folder=tmp_path / "cells") == second


def test_a_killed_process_costs_time_not_results(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    found = run_cells(
        die_once, [{"x": x} for x in range(5)], shared={"log": log}, folder=tmp_path / "cells", n_jobs=2
    )
    assert found == [{"square": x * x} for x in range(5)]
    assert (tmp_path / "log.died").exists()


def test_a_dask_worker_killed_in_mid_sweep_costs_time_not_results(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    log, mark = str(tmp_path / "log"), tmp_path / "log.pid"

    def kill() -> None:
        while not mark.exists():
            time.sleep(0.05)
        os.kill(int(mark.read_text()), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        workers = set(client.run(os.getpid).values())
        found = run_cells(
            hang_once, [{"x": x} for x in range(8)], shared={"log": log}, folder=tmp_path / "cells"
        )
    assert int(mark.read_text()) in workers  # a worker process, which SIGKILL alone could end
    assert found == [{"square": x * x} for x in range(8)]
    assert set(Path(log).read_text().split()) == set("01234567")
    assert len(list((tmp_path / "cells").iterdir())) == 8


def where(*, x: int) -> dict[str, int]:
    return {"x": x, "process": os.getpid(), "thread": threading.get_ident()}


def test_short_cells_run_in_threads_of_this_process() -> None:
    cells = [{"x": x} for x in range(4)]
    for found in (
        run_cells(where, cells, n_jobs=2, threads=True),
        run_cells(where, cells, threads=True),  # as many as torch has
    ):
        assert [f["x"] for f in found] == [0, 1, 2, 3]
        assert {f["process"] for f in found} == {os.getpid()}
    apart = run_cells(where, cells, n_jobs=2)
    assert os.getpid() not in {f["process"] for f in apart}
    with joblib.parallel_config(backend="loky"):  # what is configured goes first
        assert os.getpid() not in {f["process"] for f in run_cells(where, cells, n_jobs=2, threads=True)}


def test_threads_give_the_same_scores(tmp_path: Path) -> None:
    plan = Plan(Source.of("planted", TINY), seeds=(0, 1), adversary=FAST, classifier=LINEAR)
    entries = [Entry("acot", {"n_subspaces": k}) for k in (1, 2)] + [Entry("average")]
    for n_jobs in (1, 2):
        assert len(judge(replace(plan, cache=tmp_path / str(n_jobs), n_jobs=n_jobs), entries)) == 6
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / n / "cells").iterdir()} for n in "12")
    assert len(one) == 8  # with two adversaries; decision values and all
    assert one == two


def test_threads_that_want_the_same_make_it_once() -> None:
    memory: OrderedDict[str, int] = OrderedDict()
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    found = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(remember)(memory, key, make, 2) for key in "aaaabbbb"
    )
    assert len(made) == 2
    assert sorted(found) == [1] * 4 + [2] * 4
    remember(memory, "a", make, 2)
    remember(memory, "c", make, 2)  # b was used longest ago
    assert list(memory) == ["a", "c"]
    assert remember(memory, "d", lambda: 7, 9, size=lambda value: value) == 7  # 1 + 3 + 7 is too much
    assert list(memory) == ["d"]

    def fail() -> int:
        raise KeyError("e")

    with pytest.raises(KeyError, match="e"):
        remember(memory, "e", fail, 2)
    assert remember(memory, "e", make, 2) == 4  # a failure is not kept


def test_digest_knows_values_not_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})


def test_a_long_cell_reports_and_stops_on_its_way(tmp_path: Path) -> None:
    """Stopped in the middle of an adversary, a sweep goes on from there to the same result."""
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    whole = share_adversary(part, "features", 0, {**FAST, "n_iter": 60}, None)
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
    pd.testing.assert_frame_equal(Adversary.load(file).history, whole.history)


def test_adversaries_are_trained_once_and_shared(tmp_path: Path) -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, tmp_path)
    first = share_adversary(part, "features", 0, FAST, tmp_path)
    (file,) = (tmp_path / "adversaries").iterdir()
    before = file.stat().st_mtime_ns
    again = share_adversary(part, "features", 0, FAST, tmp_path)
    assert file.stat().st_mtime_ns == before
    x = part.take("features", part.test[:2])
    np.testing.assert_array_equal(first.sample(x, 5, 0).frames, again.sample(x, 5, 0).frames)
    file.write_bytes(file.read_bytes()[:100])  # a damaged file is replaced
    np.testing.assert_array_equal(
        first.sample(x, 5, 0).frames,
        share_adversary(part, "features", 0, FAST, tmp_path).sample(x, 5, 0).frames,
    )
    share_adversary(part, "features", 0, {**FAST, "sigma": 0.1}, tmp_path)
    assert len(list((tmp_path / "adversaries").iterdir())) == 2


def test_negatives_are_drawn_once_and_are_the_adversarys(monkeypatch: pytest.MonkeyPatch) -> None:
    part = load_part(Source.of(tiny()), 0, None, None, 3, None)
    adversary = share_adversary(part, "features", 0, FAST, None)
    kept = KeptNegatives.of(adversary)
    assert kept.is_fitted
    assert kept.get_params() == adversary.get_params()
    drawn: list[int] = []
    draw = Adversary.draw

    def count(self: Adversary, *arguments: object) -> tuple:
        drawn.append(1)
        return draw(self, *arguments)

    x = part.take("features", part.test)
    wanted = [(x, 5, 0), (x, 6, 0), (x, 5, 1), (x[:3], 5, 0), (x[:3][::-1], 5, 0), (x, "2n", 0)]
    expected = [adversary.sample(*asked).frames for asked in wanted]
    monkeypatch.setattr(Adversary, "draw", count)
    for _ in range(2):
        for asked, frames in zip(wanted, expected, strict=True):
            np.testing.assert_array_equal(kept.sample(*asked).frames, frames)
    assert len(drawn) == len(wanted)
    # Another adversary draws its own; memory is bounded, and what was dropped is drawn again.
    other = KeptNegatives.of(share_adversary(part, "features", 0, {**FAST, "sigma": 0.1}, None))
    assert not np.array_equal(other.sample(x, 5, 0).frames, expected[0])
    monkeypatch.setattr(kept_negatives, "_BYTES", 1)
    kept.sample(x, 7, 0)
    assert len(kept_negatives._KEPT) == 1
    drawn.clear()
    for asked, frames in zip(wanted, expected, strict=True):
        np.testing.assert_array_equal(kept.sample(*asked).frames, frames)
    assert len(drawn) == len(wanted)


# ------------------------------------------------------------------ experiments


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[AblationRecord, Path]:
    cache = tmp_path_factory.mktemp("cache")
    record = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, cache=cache, **TINY)
    return record, cache


def test_table1(table: tuple[AblationRecord, Path]) -> None:
    record, _ = table
    assert record.complete
    assert list(dict.fromkeys(record.scores["method"])) == [*TABLE1, "grp"]
    assert len(record.to_frame()) == 7 * 2
    assert record.table().shape == (7, 1)
    differences = record.differences()
    own = differences[(differences["label"] == "GRP") & (differences["baseline"] == "grp")]
    assert own["mean"].tolist() == [0]
    first = record.scores.pivot_table(index="method", columns="seed", values="accuracy")
    by_hand = 100 * (first.loc["acot"] - first.loc["average"]).mean()
    found = differences[
        (differences["label"] == METHODS["acot"].label) & (differences["baseline"] == "average")
    ]
    assert found["mean"].item() == pytest.approx(by_hand)


def test_the_cache_gives_the_same_table_without_work(table: tuple[AblationRecord, Path]) -> None:
    record, cache = table
    files = {f: f.stat().st_mtime_ns for f in cache.rglob("*") if f.is_file()}
    again = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, cache=cache, **TINY)
    pd.testing.assert_frame_equal(again.scores, record.scores)
    assert {f: f.stat().st_mtime_ns for f in cache.rglob("*") if f.is_file()} == files


def test_records_survive_the_disk(table: tuple[AblationRecord, Path], tmp_path: Path) -> None:
    record, _ = table
    loaded = AblationRecord.load(record.save(tmp_path / "table.zip"))
    pd.testing.assert_frame_equal(loaded.summary(), record.summary())
    assert loaded.config["seeds"] == [0, 1]


def test_cancelled_ablation_returns_what_is_complete() -> None:
    def stop(event: Progress) -> None:
        if event.stage == "test" and event.step == 2:
            raise Cancelled

    record = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, callback=stop, **TINY)
    assert not record.complete
    assert len(record.scores) == 2


def test_two_dask_processes_give_the_same_record(table: tuple[AblationRecord, Path], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    record, _ = table
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        remote = ablation("planted", seeds=2, adversary=FAST, classifier=LINEAR, cache=tmp_path, **TINY)
    pd.testing.assert_frame_equal(remote.scores, record.scores)


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


@pytest.mark.parametrize("tune", [True, False])
def test_conditions_tune_every_method_where_asked(tune: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def collect(_: Plan, entries: list[Entry], __: Callback | None) -> None:
        raise Cancelled([(entry.method, entry.tune) for entry in entries])

    monkeypatch.setattr(sys.modules["acot_core.experiments.conditions"], "collect", collect)
    with pytest.raises(Cancelled) as asked:
        conditions({"tiny": TINY}, methods=("average", "grp"), seeds=1, tune=tune)
    assert asked.value.args == ([("average", tune), ("grp", tune)],)


def test_conditions_are_compared_within_themselves(tmp_path: Path) -> None:
    asked = {"as it is": TINY, "no cue": {**TINY, "cue_strength": 0.0}}
    run = {"methods": ("average", "grp"), "seeds": 2, "cache": tmp_path, "n_folds": 2}
    record = conditions(asked, **run)
    assert record.complete
    assert list(record.scores["condition"].unique()) == list(asked)
    differences = record.paired("average", ("condition", "label"))
    wide = record.scores.pivot(index="seed", columns=["condition", "label"], values="accuracy")
    for row in differences.itertuples():
        gained = wide[row.condition][row.label] - wide[row.condition]["Avg. Pool"]
        assert row.mean == pytest.approx(100 * gained.mean())
        assert row.n == 2
    # A condition by itself gives what it gives among others.
    alone = conditions({"no cue": asked["no cue"]}, **run).scores
    among = record.scores[record.scores["condition"] == "no cue"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)
    with pytest.raises(ValueError, match="at least one"):
        conditions({})

    def stop(event: Progress) -> None:
        if event.stage == "test":
            raise Cancelled

    stopped = conditions(asked, **{**run, "cache": tmp_path / "other"}, callback=stop)
    assert not stopped.complete


def test_every_condition_can_be_generated() -> None:
    for options in CONDITIONS.values():
        assert len(load("planted", **options)) == options.get("n_sequences", 192)


def test_embedding(tmp_path: Path) -> None:
    record = embedding("planted", adversary=FAST, cache=tmp_path, frames_per_class=6, perplexity=5, **TINY)
    assert list(record.quality["panel"]) == ["frames", "average", "cot-random", "acot"]
    frames = record.points[record.points["panel"] == "frames"]
    assert (frames["kind"] == "negative").sum() == (frames["kind"] == "frame").sum()


def test_purity_by_hand() -> None:
    points = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 0.15])
    distance = abs(points[:, None] - points)
    assert neighbour_purity(distance, np.array([0, 0, 0, 1, 1, 1]), 1) == pytest.approx(3 / 6)


def test_confidence_by_hand() -> None:
    found = confidence(np.array([1.0, 2.0, 3.0]))
    assert found["mean"] == 2
    assert found["high"] - 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert np.isnan(confidence(np.array([1.0]))["low"])


def test_the_fusion_takes_what_was_best_on_the_folds():
    options = [{"pick": [0, 0], "weights": [w, 1 - w], "C": C} for w in (0.3, 0.7) for C in (1.0, 10.0)]
    folds = [
        {fusion_key(o): a for o, a in zip(options, row, strict=True)} for row in ((1, 2, 6, 4), (3, 5, 4, 4))
    ]
    assert _choose(folds, options) == (options[2], 5.0)


def test_the_fusion_judges_the_candidates_that_an_option_picks():
    candidates = [
        {"setting": {}, "classifier": {"kind": "linear", "C": 1.0}},
        {"setting": {}, "classifier": {"kind": "kernel", "gamma": 30.0, "C": 1.0}},
    ]

    def accuracies(own):
        options = [{"pick": [i], "weights": [1.0], "C": 10.0} for i in range(2)]
        cell = fuse_cell(
            source=Source("planted"), cache=None, dataset="planted", name="average", seed=0, split=None,
            fold=None, n_folds=3, adversary={}, options=options,
            streams=[{"stream": "features", "candidates": own}],
        )  # fmt: skip
        return [cell["accuracy"][fusion_key(option)] for option in options]

    found = accuracies(candidates)
    assert found[0] != found[1]
    assert accuracies(candidates[::-1]) == found[::-1]
