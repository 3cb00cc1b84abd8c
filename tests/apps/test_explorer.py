"""The dashboard without a browser: settings, link, undo, jobs, caches, exports, code, upload, widgets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import io
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import acot_notebooks as widgets
import numpy as np
import pandas as pd
import pypdf
import pytest
import torch
from acot_explorer import figure_panel, jobs, page, render, state
from acot_explorer.cache_keys import AdversaryRequest, DataRequest, uploads_in
from acot_explorer.jobs import Job, JobRunner
from acot_explorer.method_map import STEPS, map_svg
from acot_explorer.page import Explorer
from acot_explorer.sequences import frames_of, negatives_of
from acot_explorer.snippets import sequence_lines
from acot_explorer.state import PRESETS, Settings
from acot_explorer.steps.base import NotReady
from acot_explorer.steps.long import results
from acot_explorer.store import (
    Adversaries,
    Cache,
    adversaries,
    cache_folder,
    growing,
    load_dataset,
    train_adversary,
    uploads,
)
from acot_explorer.upload import read_upload, template_file
from bad_uploads import good
from bokeh.document import Document
from PIL import Image

from acot_core._utils.progress import Cancelled, Clock, Progress
from acot_core.experiments.parameters import PARAMETERS
from acot_core.figures.style import drawing, new_figure
from acot_core.gan.adversary import Adversary
from acot_core.pooling import ACOTPooling

QUICK = {"n_iter": 100, "negatives": "random", "n_negatives": 20}


def wait(condition, seconds=60):
    """Wait for another thread; the bound only keeps a broken test from hanging."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def explorer():
    page = Explorer()
    page.open()
    page.settings.param.update(**QUICK)
    load_dataset(DataRequest.of(page.settings))
    return page


@pytest.fixture
def at(explorer):
    """The explorer with settings for one test."""

    def settings(**values):
        explorer.settings.param.update(**values)
        return explorer

    before = explorer.settings.snapshot()
    yield settings
    explorer.settings._assign(before)


# ---------------------------------------------------------------- settings


def test_every_parameter_of_the_table_is_a_setting_with_its_range_and_default():
    for name, row in PARAMETERS.items():
        field = Settings.param[name]
        assert field.default == row.default
        assert field.label == row.label
        if row.scale == "discrete":
            assert list(field.objects) == list(row.choices)
        else:
            assert field.bounds == (row.low, row.high)


def test_link_carries_every_setting():
    settings = Settings(step="subspace", seed=7, sequence=3, sigma=0.1, n_subspaces=4, beta2=30.0, gamma=0.3,
                        adversarial=False, n_iter=200, negatives="random", swept="beta1", C=1.0)  # fmt: skip
    again = Settings()
    assert again.from_query("?" + settings.to_query()) == []
    assert again.snapshot() == settings.snapshot()
    short = Settings()
    assert short.from_query(settings.to_query(full=False)) == []
    assert short.snapshot() == settings.snapshot()
    assert Settings().to_query(full=False) == ""


def test_a_link_may_name_a_stream_of_data_that_are_not_loaded_yet():
    page = Explorer()
    assert page.settings.from_query("dataset=basic-motions&stream=signal&sequence=3") == []
    load_dataset(DataRequest.of(page.settings))
    assert page.session.data_ready()
    assert (page.settings.stream, list(page.settings.param["stream"].objects)) == ("signal", ["signal"])
    assert page.settings.from_query("stream=nonsense") == []
    assert page.session.data_ready()
    assert page.settings.stream == "signal"


def test_undo_of_a_change_of_data_takes_back_what_came_with_it():
    page = Explorer()
    page.settings.param.update(sequence=150, **QUICK)
    load_dataset(DataRequest.of(page.settings))
    page.settings.forget()
    page.settings.dataset = "basic-motions"
    load_dataset(DataRequest.of(page.settings))
    assert page.session.data_ready()
    assert (page.settings.stream, page.settings.sequence) == ("signal", 79)
    page.settings.undo()
    assert (page.settings.dataset, page.settings.stream, page.settings.sequence) == (
        "stick-figures",
        "pose",
        150,
    )
    assert page.session.data_ready()
    assert not page.settings.can_undo


def test_a_bad_value_in_a_link_costs_only_itself():
    settings = Settings()
    problems = settings.from_query(
        "beta1=nan&beta2=7&n_subspaces=99&seed=x&sigma=0.2&nonsense=1&adversarial=maybe&eta=0.02&n_iter=-5"
    )
    assert len(problems) == 7
    assert (settings.sigma, settings.eta) == (0.2, 0.02)
    assert (settings.beta1, settings.beta2, settings.n_subspaces, settings.n_iter) == (1.0, 10.0, 1, 1000)


def test_the_steps_of_a_slider_add_up_to_decimals():
    settings = Settings()
    for _ in range(2):
        settings.beta1 -= 0.05
    assert settings.to_query(full=False) == "beta1=0.9"


def test_a_drag_is_one_change_to_undo(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(state, "monotonic", lambda: clock[0])
    settings = Settings()
    for value in (0.9, 0.8, 0.7):
        clock[0] += 0.3
        settings.beta1 = value
    clock[0] += 0.3
    settings.eta = 0.05
    settings.undo()
    assert (settings.beta1, settings.eta) == (0.7, 0.01)
    settings.undo()
    assert settings.beta1 == 1.0


def test_back_takes_over_the_settings_of_its_entry_and_the_defaults_of_all_others():
    settings = Settings(beta1=0.5, n_subspaces=3, step="data")
    settings.replace("?step=subspace&beta2=30.0")
    assert settings.pick("step", "beta1", "beta2", "n_subspaces") == {
        "step": "subspace", "beta1": 1.0, "beta2": 30.0, "n_subspaces": 1,
    }  # fmt: skip


def test_undo_takes_back_one_change_at_a_time_and_leaves_the_step_open():
    settings = Settings()
    settings.beta1 = 0.5
    settings.param.update(beta2=30.0, n_subspaces=3)
    settings.step = "images"
    settings.undo()
    assert (settings.beta1, settings.beta2, settings.n_subspaces, settings.step) == (0.5, 10.0, 1, "images")
    settings.undo()
    assert settings.beta1 == 1.0
    assert not settings.can_undo
    settings.undo()
    settings.beta1 = 2.0
    settings.reset()
    assert settings.beta1 == 1.0
    settings.undo()
    assert settings.beta1 == 2.0


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_one_change(name):
    settings = Settings(beta1=0.55, beta2=3.0, n_subspaces=2, n_iter=2000, sigma=0.5)
    settings.forget()
    settings.apply_preset(name)
    assert PRESETS[name].items() <= settings.snapshot().items()
    settings.undo()
    assert (settings.beta1, settings.beta2, settings.n_iter, settings.sigma) == (0.55, 3.0, 2000, 0.5)


def test_paper_preset_is_section_4():
    settings = Settings(beta1=0.0)
    settings.apply_preset("Paper")
    chosen = settings.pick("sigma", "lambda1", "lambda2", "beta1", "beta2", "eta", "transport", "n_iter")
    assert list(chosen.values()) == [0.01, 0.1, 1.0, 1.0, 10.0, 0.01, "ipot", 1000]


def test_map_has_a_place_for_every_step():
    page = Explorer()
    assert [place[:2] for place in page.map.places] == [list(step) for step in STEPS.items()]
    assert list(page.steps) == list(STEPS)
    assert all(title in map_svg() for name, title in STEPS.items() if name not in ("play", "results"))


# ---------------------------------------------------------------- jobs and memory


def steps(n, gate=None):
    """Work of n steps; waits for ``gate`` before the last."""

    def work(callback):
        clock, done = Clock("work", n, callback), []
        try:
            for step in range(1, n + 1):
                if gate is not None and step == n:
                    gate.wait(60)
                done.append(step)
                clock.report(step)
        except Cancelled:
            kept.append(list(done))
            raise
        return done

    kept: list[list[int]] = []
    work.kept = kept  # type: ignore[attr-defined]
    return work


def test_a_figure_under_way_when_its_session_ends_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    page = Explorer()
    page._document = Document()
    page.close()

    async def show() -> None:
        await page.locked(lambda: None)

    with pytest.raises(TimeoutError, match="has ended"):
        asyncio.run(show())

    async def draw() -> None:
        page.closed = False  # as it was when the drawing began
        asyncio.get_running_loop().call_soon(page.close)

        async def later(awaited: bool) -> None:
            await asyncio.sleep(0.01)
            await show()

        page.drawer._draw_once = later  # type: ignore[assignment]
        await page.drawer._draw()

    with caplog.at_level("INFO"):
        asyncio.run(draw())
    assert "a session ended while a figure was drawn" in caplog.text
    assert not page.drawing


def test_a_session_that_ended_is_forgotten() -> None:
    page = Explorer()
    page._document = Document()
    runner = JobRunner(workers=1)
    page.close()
    job = runner.submit("key", "work", lambda _: None, owner=page)
    runner.shutdown()
    assert job.settled
    assert not job.owners


def test_jobs_run_in_order_and_tell_how_many_are_ahead():
    runner, gate = JobRunner(workers=1), threading.Event()
    first = runner.submit("a", "First", steps(3, gate), owner=1)
    wait(lambda: first.latest is not None)
    second, third = (runner.submit(k, k, steps(2), owner=1) for k in "bc")
    assert [runner.ahead(j) for j in (first, second, third)] == [0, 1, 2]
    assert "2 ahead" in third.describe(2)
    assert "2 of 3" in first.describe(0)
    gate.set()
    wait(lambda: third.settled)
    assert (first.state, first.result, second.result) == ("done", [1, 2, 3], [1, 2])
    runner.shutdown()


def test_equal_jobs_are_shared_and_stop_only_when_nobody_wants_them():
    runner, gate = JobRunner(workers=1), threading.Event()
    work = steps(2, gate)
    job = runner.submit("same", "Job", work, owner="one")
    assert runner.submit("same", "Job", work, owner="two") is job
    waiting = runner.submit("other", "Other", steps(1), owner="two")
    job.release("one")
    assert job.active
    runner.release_all("two")
    assert not job.active
    gate.set()
    wait(lambda: job.settled and waiting.settled)
    assert (job.state, waiting.state) == ("cancelled", "cancelled")
    assert work.kept == [[1, 2]]
    again = runner.submit("same", "Job", steps(1), owner="three")
    assert again is not job
    wait(lambda: again.settled)
    assert again.state == "done"
    runner.shutdown()


def test_a_failing_job_is_reported_and_the_next_one_runs(caplog):
    def fail(callback):
        raise RuntimeError("boom")

    def refuse(callback):
        raise ValueError("expected more sequences")

    def leave(callback):
        raise SystemExit

    runner = JobRunner(workers=1)
    jobs = [runner.submit(i, "Job", work) for i, work in enumerate((fail, refuse, leave, steps(1)))]
    wait(lambda: all(job.settled for job in jobs))
    assert [job.state for job in jobs] == ["failed", "failed", "failed", "done"]
    assert jobs[0].error == "RuntimeError: boom"
    assert jobs[1].error == "expected more sequences"
    runner.shutdown()


def test_work_ends_with_the_server_that_was_asked_for_it_and_what_is_queued_never_begins():
    runner, begun = JobRunner(workers=1), []

    def endless(callback):
        for step in itertools.count():
            callback(Progress("step", step, 0, 0.0))

    async def serve():
        jobs = [runner.submit("endless", "Job", endless)]
        jobs.append(runner.submit("next", "Job", lambda _: begun.append(1)))
        while jobs[0].latest is None or jobs[0].latest.step < 100:
            await asyncio.sleep(0.01)
        assert [job.state for job in jobs] == ["running", "queued"]
        return jobs

    jobs = asyncio.run(serve())
    wait(lambda: all(job.settled for job in jobs))
    assert [job.state for job in jobs] == ["cancelled", "cancelled"]
    assert begun == []
    runner.shutdown()


def test_long_work_waits_while_a_session_waits_for_a_figure(monkeypatch):
    monkeypatch.setattr(jobs, "_LONGEST_WAIT", 600.0)
    runner, passed = JobRunner(workers=1), []

    def work(callback):
        for step in range(3):
            callback(Progress("step", step, 3, 0.0))
            passed.append(step)

    with jobs.foreground().waiting():
        with jobs.foreground().waiting():
            job = runner.submit("long", "Job", work)
            wait(lambda: job.latest is not None)
        time.sleep(0.1)  # would be enough for the rest; one of the two waits still
        assert (passed, job.state) == ([], "running")
    wait(lambda: job.settled)
    assert passed == [0, 1, 2]
    runner.shutdown()


def test_long_work_gives_way_from_the_moment_that_a_setting_moves():
    foreground, explorer = jobs.foreground(), Explorer()
    explorer._touched(SimpleNamespace(setter=None))  # the server's own change
    assert foreground.give_way(600) < 600
    foreground.expect(0.05)
    assert 0.04 < foreground.give_way(600) < 600
    explorer._touched(SimpleNamespace(setter="the browser"))
    assert foreground.give_way(600) > 0.5 * page._SOON
    explorer.close()


def test_long_work_gets_a_tenth_of_the_time_however_many_sessions_wait(monkeypatch):
    clock = [0.0]

    def give_way(seconds):  # somebody always waits
        clock[0] += seconds
        return seconds

    def work(callback):
        for step in range(100):
            clock[0] += 0.1
            callback(Progress("step", step, 100, 0.0))

    monkeypatch.setattr(jobs, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(jobs.foreground(), "give_way", give_way)
    job = Job("long", "Job", work)
    job.run()
    assert job.state == "done"
    assert clock[0] == pytest.approx(
        10 + 1 + 99 * 0.9
    )  # work, then waits: 1 s, and nine times the work since


@pytest.mark.parametrize("awaited", [True, False])
def test_a_figure_that_somebody_waits_for_has_long_work_wait(monkeypatch, awaited):
    seen = []

    def look(*_):
        seen.append(jobs.foreground().count)
        raise NotReady("Drawn")

    async def draw():
        explorer = Explorer()
        explorer._document = Document()
        soon = asyncio.get_running_loop().call_soon
        monkeypatch.setattr(explorer._document, "add_next_tick_callback", soon)
        explorer.settings.param.update(step="data")
        load_dataset(DataRequest.of(explorer.settings))
        explorer.refresh(awaited=awaited)
        await explorer.drawer.task
        return [panel.view.message for panel in explorer.step.panels]

    monkeypatch.setattr(figure_panel, "record", look)
    messages = asyncio.run(draw())
    assert set(messages) == {"Drawn"}
    assert set(seen) == {int(awaited)}
    assert jobs.foreground().count == 0


def test_a_part_of_long_work_says_that_the_time_left_is_its_own():
    job = Job("key", "Sweeping", lambda callback: None)
    job.state, job.latest = "running", Progress("fold 1 of 30, adversary", 100, 2000, 1.0, 19.0)
    assert job.describe(0) == "Sweeping: fold 1 of 30, adversary 100 of 2000, about 19 s left in this part"
    job.latest = Progress("adversary", 100, 2000, 1.0, 19.0)
    assert job.describe(0) == "Sweeping: adversary 100 of 2000, about 19 s left"


def test_a_training_that_failed_says_why_and_what_to_do_in_every_step_that_needs_it():
    explorer = Explorer()
    explorer.settings.param.update(seed=77, n_iter=100)
    load_dataset(DataRequest.of(explorer.settings))

    def fail(callback):
        raise MemoryError("none left")

    session, request = explorer.session, AdversaryRequest.of(explorer.settings)
    job = session.submit(("adversary", request), "Training", fail)
    wait(lambda: job.settled)
    session.settle()
    with pytest.raises(NotReady, match=r"(?s)none left.*Press Train to try again"):
        explorer.steps["adversary"].request()
    advice = r"(?s)none left.*Train it again in the step Adversary, or choose random negatives"
    with pytest.raises(NotReady, match=advice):
        explorer.steps["subspace"].request()
    explorer.close()


def test_memo_forgets_what_was_not_used_for_longest():
    memo: Cache[int] = Cache(2)
    for key in "ab":
        memo.make(key, lambda key=key: ord(key))
    memo.get("a")
    memo.put("c", 0)
    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (97, None, 0)


def test_training_resumes_to_the_same_adversary_and_keeps_what_a_stop_left():
    settings = Settings(seed=3, **QUICK)
    request = AdversaryRequest.of(settings)
    reports = []

    def stop_at_40(progress):
        reports.append(progress)
        if progress.stage == "adversary" and progress.step >= 40:
            raise Cancelled

    with pytest.raises(Cancelled):
        train_adversary(request, 60, stop_at_40)
    left = adversaries().get(request, 40)
    assert left.n_iter_ == 40
    resumed = train_adversary(request, 60, reports.append)
    adversaries().restart(request)
    uninterrupted = train_adversary(request, 60, reports.append)
    assert resumed is not uninterrupted
    pd.testing.assert_frame_equal(resumed.history_, uninterrupted.history_)
    assert adversaries().has(request, 60)
    assert adversaries().get(request, 60) is uninterrupted
    assert adversaries().get(request, 40) is left


def test_adversaries_are_read_back_when_others_have_taken_their_place_in_memory():
    settings = Settings(seed=4, **QUICK)
    request = AdversaryRequest.of(settings)
    trained = train_adversary(request, 40, lambda progress: None)
    others = [replace(request, sigma=0.1 + 0.01 * i) for i in range(20)]
    for other in others:
        adversaries().put(other, trained)
    assert adversaries().has(request, 40)
    again = adversaries().get(request, 40)
    assert again is not trained
    assert again.get_params() == trained.get_params()
    pd.testing.assert_frame_equal(again.history_, trained.history_)
    sequence = load_dataset(request.data).streams[request.stream][:1]
    assert torch.equal(again.sample(sequence, 30, 0).frames, trained.sample(sequence, 30, 0).frames)
    longer = train_adversary(request, 60, lambda progress: None)
    adversaries().restart(request)
    anew = train_adversary(request, 60, lambda progress: None)
    pd.testing.assert_frame_equal(longer.history_, anew.history_)


def test_an_adversary_whose_file_was_taken_away_is_trained_anew_and_a_full_disk_loses_none(monkeypatch):
    request = AdversaryRequest.of(Settings(seed=5, **QUICK))
    folder = cache_folder(request.data) / "adversaries"
    before = set(folder.glob("*"))
    trained = train_adversary(request, 20, lambda progress: None)
    others = [replace(request, sigma=0.1 + 0.01 * i) for i in range(20)]
    for other in others:
        adversaries().put(other, trained)
    for file in set(folder.iterdir()) - before:
        file.unlink()
    with pytest.raises(ValueError, match="train it again"):
        train_adversary(request, 40, lambda progress: None)
    assert growing().get(request) is None  # nothing is left of the attempt
    assert not adversaries().has(request, 20)
    assert adversaries().begun(request, 40) == 0
    with pytest.raises(ValueError, match="train it again"):
        adversaries().get(request, 20)

    def full(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Adversary, "save", full)
    trained = train_adversary(request, 20, lambda progress: None)
    assert adversaries().has(request, 20)
    assert adversaries().get(request, 20) is trained


def test_the_file_of_a_forgotten_adversary_is_removed():
    request = AdversaryRequest.of(Settings(seed=6, **QUICK))
    adversary = train_adversary(request, 20, lambda progress: None)
    cached, folder = Adversaries(), cache_folder(request.data) / "adversaries"
    before = set(folder.iterdir())
    cached.put(request, adversary)
    (file,) = set(folder.iterdir()) - before
    cached.put(request, adversary)
    assert not file.exists()
    assert len(set(folder.iterdir()) - before) == 1
    del cached
    gc.collect()
    assert set(folder.iterdir()) == before


# ---------------------------------------------------------------- figures, exports, code


def panels(page, step):
    page.settings.step = step
    here = page.steps[step]
    request = here.request()
    return here, request, [(p.spec, here.request_of(p, request)) for p in here.panels]


def drawn(page, step):
    """The panels that have something to draw: without joints there is no person."""
    shown = []
    for spec, request in panels(page, step)[2]:
        with contextlib.suppress(NotReady):
            render.record(spec, request)
            shown.append((spec, request))
    assert shown
    return shown


@pytest.mark.parametrize("step", ["data", "transport", "subspace", "classification"])
def test_exports_are_what_is_shown(at, step):
    page = at(sequence=2)
    here, request, shown = panels(page, step)
    assert here.remark(request)
    for spec, request in shown:
        table = pd.read_csv(io.BytesIO(render.export(spec, request, "csv")))
        expected = spec.data(request).reset_index(drop=True)
        pd.testing.assert_frame_equal(table, expected, check_dtype=False, rtol=1e-6)
        with Image.open(io.BytesIO(render.export(spec, request, "png"))) as image:
            assert round(image.info["dpi"][0]) == 300
            assert image.width == round(6.75 * 300)
        svg = render.export(spec, request, "svg").decode()
        assert svg.count("<path") > 10
        page_of_pdf = pypdf.PdfReader(io.BytesIO(render.export(spec, request, "pdf"))).pages[0]
        assert abs(page_of_pdf.mediabox.width - 6.75 * 72) < 1
        assert len(page_of_pdf.extract_text()) > 20  # text is text, so the file is no picture of a page
        for theme in ("light", "dark"):
            drawn = render.picture(spec, request, theme)
            assert drawn.source.startswith("data:image/png;base64,")
            assert len(drawn.alt) > 20
        assert render.picture(spec, request, "light") is render.picture(spec, request, "light")


def test_archive_holds_figures_data_settings_and_code(at):
    page = at(beta2=30.0)
    here, _, shown = panels(page, "subspace")
    content = render.archive(shown, page.settings.snapshot(), here.code())
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert {f"energies.{f}" for f in ("png", "svg", "pdf", "csv")} <= set(file.namelist())
        assert json.loads(file.read("settings.json"))["settings"]["beta2"] == 30.0
        assert b"subspace_study" in file.read("reproduce.py")


CODE = """
import json, os, sys
todo = json.loads(sys.stdin.read())
for name, (lines, variable) in todo.items():
    os.makedirs(name)
    os.chdir(name)
    scope = {}
    exec(compile(lines, name, "exec"), scope)
    scope[variable].to_frame().to_csv("record.csv", index=False)
    os.chdir("..")
"""
MOVED = {"sequence": 5, "beta1": 0.5, "beta2": 30.0, "eta": 0.02, "n_subspaces": 2, "seed": 1, "C": 1.0,
         "sigma": 0.05, "lambda1": 0.3, "lambda2": 0.5, "pivot": "frame", "n_iter": 100, "gamma": 0.3,
         "n_negatives": 30, "transport": "ipot", "swept": "eta", "n_seeds": 1,
         "image": 9, "draw": 2}  # fmt: skip
VARIABLES = {"data": "sequence", "adversary": "view", "transport": "plan", "subspace": "study",
             "classification": "result", "sensitivity": "result", "embedding": "result",
             "images": "result"}  # fmt: skip


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")  # IPOT's limit of iterations
def test_copied_code_reproduces_every_step_in_a_process_of_its_own(at, tmp_path, request):
    if "ACOT_FRESH" not in os.environ:
        # Training is repeatable to the bit in a fresh process, not after hundreds of other tests in this one.
        fresh = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", request.node.nodeid]
        environment = {**os.environ, "ACOT_FRESH": "1", "OMP_NUM_THREADS": "1"}
        environment = {n: v for n, v in environment.items() if not n.startswith("PYTEST_")}
        done = subprocess.run(
            fresh, cwd=request.config.rootpath, env=environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
        return
    page = at(negatives="adversarial", **MOVED)
    load_dataset(DataRequest.of(page.settings))
    train_adversary(AdversaryRequest.of(page.settings), 100, lambda progress: None)
    todo, expected = {}, {}
    for name, variable in VARIABLES.items():
        if name in ("sensitivity", "embedding", "images"):
            page.settings.transport = "emd"  # the quickest
            page.settings.step = name
            request = page.steps[name].wanted()
            results().put(request, page.steps[name].work(request, lambda progress: None))
        here, _, shown = panels(page, name)
        todo[name] = (here.code(), variable)
        spec, request = shown[1 if name == "adversary" else 0]
        expected[name] = render.export(spec, request, "csv")
    todo["random"] = (at(negatives="random").steps["subspace"].code(), "study")
    page.settings.step = "subspace"
    spec, request = panels(page, "subspace")[2][0]
    expected["random"] = render.export(spec, request, "csv")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], input=json.dumps(todo), text=True, cwd=tmp_path, env=environment,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name, table in expected.items():
        made = pd.read_csv(tmp_path / name / "record.csv")
        pd.testing.assert_frame_equal(made, pd.read_csv(io.BytesIO(table)), rtol=1e-4, atol=1e-5, obj=name)
        assert list((tmp_path / name).glob("*.pdf"))


CONTROLS = {
    "data": {"sequence": 7, "seed": 1, "dataset": "basic-motions"},
    "transport": {"sequence": 7, "n_negatives": 30, "transport": "sinkhorn", "negatives": "adversarial"},
    "subspace": {"n_subspaces": 3, "beta1": 0.3, "beta2": 100.0, "eta": 0.05, "n_negatives": 30,
                 "negatives": "adversarial", "transport": "ipot", "sequence": 7},
    "classification": {"n_subspaces": 3, "beta1": 0.3, "beta2": 0.0, "eta": 0.1, "n_negatives": 10,
                       "negatives": "adversarial", "C": 0.1, "gamma": 1.0},
    "adversary": {"sigma": 0.5, "lambda1": 1.0, "lambda2": 0.0, "pivot": "frame", "adversarial": False,
                  "n_iter": 200},
}  # fmt: skip


@pytest.mark.parametrize("step", CONTROLS)
def test_every_control_changes_the_record_and_nothing_else_does(at, step):
    page = at(step=step, n_iter=100)

    def tables():
        load_dataset(DataRequest.of(page.settings))
        page.session.data_ready()
        adversary = AdversaryRequest.of(page.settings)
        n_iter = page.settings.n_iter
        learned = step == "adversary" or page.settings.negatives == "adversarial"
        if learned and not adversaries().has(adversary, n_iter):
            train_adversary(adversary, n_iter, lambda progress: None)
        return [render.export(spec, requested, "csv") for spec, requested in drawn(page, step)]

    before = tables()
    controls = set(page.steps[step].shown)
    for name, value in CONTROLS[step].items():
        controls.discard(name)
        page.settings.param.update(**{name: value})
        assert tables() != before, name
        page.settings.undo()
        assert tables() == before, name
    # What has no effect on these data, or is another control's: the rest of the row.
    assert controls <= {"stream", "encoder", "sequence"}
    for name in sorted(set(MOVED) - set(page.steps[step].inputs)):
        if getattr(page.settings, name) == MOVED[name]:
            continue  # no change, and none to undo
        page.settings.param.update(**{name: MOVED[name]})
        assert tables() == before, name
        page.settings.undo()


def test_the_subspace_shown_is_the_one_of_the_pooling(at):
    page = at(sequence=1, n_subspaces=2)
    _, request, shown = panels(page, "subspace")
    from acot_core.experiments import subspace_study

    values = {"n_subspaces": 2, "beta1": 1.0, "beta2": 10.0, "eta": 0.01}
    pooling = ACOTPooling(negatives="random", n_negatives=20, transport="emd", device="cpu", **values)
    pooling.set_params(random_state=0).fit([frames_of(request.sequence)])
    batch, negatives, alternation = pooling.explain(frames_of(request.sequence))
    study = subspace_study(batch.frames[0], negatives.frames[0], **values)
    overlap = torch.linalg.svdvals(alternation.subspace[0].T @ torch.from_numpy(study.subspace))
    assert overlap.min() > 1 - 1e-5
    assert negatives_of(request.sequence).shape == negatives.frames[0].shape
    assert render.record(*shown[0]).subspace.shape == study.subspace.shape


@pytest.mark.parametrize("kind", ["random", "others", "self"])
def test_negatives_of_each_kind_are_those_of_the_pooling_and_of_the_copied_code(at, kind):
    page = at(negatives=kind, sequence=2)
    request = page.steps["subspace"].request().sequence
    dataset = load_dataset(request.data)
    sequences = dataset.streams[request.stream]
    pooling = ACOTPooling(negatives=kind, n_negatives=20, device="cpu", random_state=0)
    pooling.fit([sequences[i] for i in dataset.split()[0]])
    expected = pooling.sample_negatives([sequences[2]]).frames[0]
    assert torch.equal(negatives_of(request), expected)
    scope: dict[str, Any] = {"dataset": dataset}
    exec("\n".join(sequence_lines(page.settings, None)), scope)
    assert torch.equal(scope["negatives"], expected)
    for spec, requested in panels(page, "transport")[2][:2]:
        assert spec.describe(render.record(spec, requested))


def test_steps_say_what_to_do_while_something_is_missing(at):
    page = at(seed=11, negatives="adversarial")
    with pytest.raises(NotReady, match="being prepared"):
        page.steps["data"].request()
    load_dataset(DataRequest.of(page.settings))
    with pytest.raises(NotReady, match="being trained"):
        page.steps["subspace"].request()
    with pytest.raises(NotReady, match=r"being trained|has come"):
        page.steps["adversary"].request()
    page.steps["adversary"].end(stop=True)
    with pytest.raises(NotReady, match="Press Train"):
        page.steps["adversary"].request()
    assert page.session.training(AdversaryRequest.of(page.settings)) is None
    with pytest.raises(NotReady, match=r"see the bar below|has come"):
        page.steps["sensitivity"].request()
    page.steps["sensitivity"].stop()
    with pytest.raises(NotReady, match="Press Run the sweep"):
        page.steps["sensitivity"].request()


def one_class():
    return good(labels=np.zeros(24, int), class_names=np.array(["only"]))


def test_one_class_can_be_looked_at_but_not_learned_from():
    page = Explorer()
    page.open()
    page.adopt_upload(*read_upload(one_class(), "one.npz"), "one.npz")
    page.settings.param.update(n_negatives=20, n_iter=100)
    for name in ("adversary", "transport", "subspace", "classification", "sensitivity", "embedding"):
        with pytest.raises(NotReady, match=r"(?s)all of one class.*another in the step Data"):
            page.steps[name].request()
    steps: dict[str, Any] = dict(page.steps)
    steps["adversary"].begin()
    steps["sensitivity"].run()
    assert page.session.jobs == []
    assert steps["adversary"].train.disabled
    assert steps["sensitivity"].run_button.disabled
    page.settings.negatives = "random"
    for name in ("data", "transport", "subspace"):
        here, request, shown = panels(page, name)
        assert here.remark(request)
        figures = [(spec, request) for spec, request in shown if spec.name != "person"]  # there are no joints
        assert all(render.picture(spec, request, "light").source for spec, request in figures)
    with pytest.raises(NotReady, match="nothing to tell apart"):
        page.steps["classification"].request()
    page.close()


def test_nothing_is_left_of_an_upload_when_the_last_session_that_brought_it_ends(tmp_path):
    one, two = Explorer(), Explorer()
    request, dataset = read_upload(template_file(), "mine.npz")
    for session in (one, two):
        session.open()
        session.adopt_upload(request, dataset, "mine.npz")
        session.settings.param.update(**QUICK)
    for step in ("data", "transport", "subspace", "classification"):
        for spec, shown in drawn(one, step):
            render.picture(spec, shown, "light")
    train_adversary(AdversaryRequest.of(one.settings), 20, lambda progress: None)
    embedding: Any = one.steps["embedding"]
    embedding.work(embedding.wanted(), lambda progress: None)
    folder = cache_folder(request)

    def left():
        return [key for memo in Cache._all for key in memo.requests() if request in uploads_in(key)]

    assert len(left()) > 10
    assert list(folder.rglob("*.safetensors"))
    one.close()
    assert len(left()) > 10  # the other session still works on it
    assert render.picture(spec, shown, "light").source
    two.close()
    assert left() == []
    assert not folder.exists()
    Cache(3).put(("late", request), "made by work that ended after its session")
    assert left() == []


def test_a_closed_session_stops_its_jobs_and_forgets_its_uploads():
    page = Explorer()
    page.open()
    page.settings.param.update(seed=12, n_iter=2000)
    load_dataset(DataRequest.of(page.settings))
    request, dataset = read_upload(template_file(), "mine.npz")
    page.adopt_upload(request, dataset, "mine.npz")
    assert page.settings.dataset == request.dataset
    assert uploads().get(request) is dataset
    page.settings.param.update(**Settings().pick("dataset", "stream"))
    adversary: Any = page.steps["adversary"]
    adversary.begin()
    job = page.session.training(AdversaryRequest.of(page.settings))
    page.close()
    wait(lambda: job.settled)
    assert job.state == "cancelled"
    assert uploads().get(request) is None


# ---------------------------------------------------------------- notebooks' widgets


@pytest.mark.parametrize("name", PARAMETERS)
def test_notebook_sliders_come_from_the_table(name):
    row, made = PARAMETERS[name], widgets.slider(name)
    assert made.value == row.default
    assert made.description == row.label
    assert made.continuous_update is False


def test_explore_redraws_and_exports(tmp_path):
    def draw(beta2, n_subspaces):
        if n_subspaces > 5:
            raise ValueError("k is <too> large")
        with drawing():
            figure, (axes,) = new_figure()
            axes.plot([0, beta2], [0, n_subspaces])
            return figure

    shown = widgets.explore(draw, "beta2", "n_subspaces", file=str(tmp_path / "figure.pdf"))
    before = shown.image.value
    shown.controls["beta2"].value = 100.0
    assert shown.image.value != before
    now = shown.image.value
    shown.controls["n_subspaces"].value = 8
    assert shown.image.value == now
    assert "&lt;too&gt;" in shown.message.value
    shown.controls["n_subspaces"].value = 2
    shown.button.click()
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    shown.file.value = "figure.exe"
    shown.button.click()
    assert "Not saved" in shown.message.value
    with pytest.raises(ValueError, match="expected one of"):
        widgets.slider("beta3")


def test_classification_and_sensitivity_agree_to_the_last_digit(at):
    page = at(negatives="adversarial", **MOVED)
    load_dataset(DataRequest.of(page.settings))
    train_adversary(AdversaryRequest.of(page.settings), 100, lambda progress: None)
    page.settings.param.update(swept="eta", eta=0.02, n_seeds=1, transport="emd")
    sweep = page.steps["sensitivity"]
    scores = sweep.work(sweep.wanted(), lambda progress: None).scores
    _, _, shown = panels(page, "classification")
    rows = shown[0][0].data(shown[0][1]).set_index("method")["accuracy"]
    assert rows["acot"] == scores.loc[scores["value"] == 0.02, "accuracy"].item()
    assert rows["average"] == scores.loc[scores["value"].isna(), "accuracy"].item()


def test_a_page_makes_only_the_figures_that_it_shows():
    page = Explorer()
    page.open()
    assert not any("panels" in vars(step) for name, step in page.steps.items() if name != "play")
    page.settings.step = "data"
    page._view("data")
    assert {name for name, step in page.steps.items() if vars(step).get("panels")} == {"data"}
