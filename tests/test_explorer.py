"""The dashboard without a browser: settings, link, undo, jobs, caches, exports, code, upload, widgets."""

from __future__ import annotations

import asyncio
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

import numpy as np
import pandas as pd
import panel as pn
import pypdf
import pytest
import torch
from acot_explorer import jobs, page, render, widgets
from acot_explorer.jobs import Job, JobRunner
from acot_explorer.method_map import STEPS, map_svg
from acot_explorer.page import Explorer
from acot_explorer.requests import AdversaryRequest, DataRequest, uploads_in
from acot_explorer.state import PRESETS, Settings
from acot_explorer.steps.base import NotReady
from acot_explorer.steps.long import results
from acot_explorer.store import (
    Adversaries,
    Memo,
    adversaries,
    cache_folder,
    growing,
    load_dataset,
    train_adversary,
    uploads,
)
from acot_explorer.upload import read_upload, template_file
from bad_uploads import BAD, good
from bokeh.document import Document
from panel.util import edit_readonly
from PIL import Image

from acot_core.adversary import Adversary
from acot_core.figures.style import drawing, new_figure
from acot_core.parameters import PARAMETERS
from acot_core.pooling import ACOTPooling
from acot_core.progress import Cancelled, Clock, Progress

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
    settings = Settings(step="subspace", seed=7, clip=3, sigma=0.1, n_subspaces=4, beta1=0.35, beta2=30.0,
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
    assert page.settings.from_query("dataset=basic-motions&stream=signal&clip=3") == []
    load_dataset(DataRequest.of(page.settings))
    assert page.desk.data_ready()
    assert (page.settings.stream, list(page.settings.param["stream"].objects)) == ("signal", ["signal"])
    assert page.settings.from_query("stream=nonsense") == []
    assert page.desk.data_ready()
    assert page.settings.stream == "signal"


def test_undo_of_a_change_of_data_takes_back_what_came_with_it():
    page = Explorer()
    page.settings.param.update(clip=150, **QUICK)
    load_dataset(DataRequest.of(page.settings))
    page.settings.forget()
    page.settings.dataset = "basic-motions"
    load_dataset(DataRequest.of(page.settings))
    assert page.desk.data_ready()
    assert (page.settings.stream, page.settings.clip) == ("signal", 79)
    page.settings.undo()
    assert (page.settings.dataset, page.settings.stream, page.settings.clip) == ("planted", "features", 150)
    assert page.desk.data_ready()
    assert not page.settings.can_undo


def test_a_bad_value_in_a_link_costs_only_itself():
    settings = Settings()
    problems = settings.from_query(
        "beta1=nan&beta2=7&n_subspaces=99&seed=x&sigma=0.2&nonsense=1&adversarial=maybe&eta=0.02&n_iter=-5"
    )
    assert len(problems) == 7
    assert (settings.sigma, settings.eta) == (0.2, 0.02)
    assert (settings.beta1, settings.beta2, settings.n_subspaces, settings.n_iter) == (1.0, 10.0, 1, 1000)


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
    drawing_of_map = map_svg()
    for number, (name, title) in enumerate(STEPS.items(), 1):
        assert f'data-step="{name}"' in drawing_of_map
        assert f'aria-label="Step {number}: {title}"' in drawing_of_map


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
    work.kept = kept
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
        page._closed = False  # as it was when the drawing began
        asyncio.get_running_loop().call_soon(page.close)

        async def later() -> None:
            await asyncio.sleep(0.01)
            await show()

        page._draw_once = later  # type: ignore[method-assign]
        await page._draw()

    with caplog.at_level("INFO"):
        asyncio.run(draw())
    assert "a session ended while a figure was drawn" in caplog.text
    assert not page.drawing


def test_a_session_that_ended_is_forgotten() -> None:
    page, document, other = Explorer(), Document(), Document()
    page._document = document
    pn.state._views |= {"mine": (None, None, document, None), "another's": (None, None, other, None)}
    runner = JobRunner(workers=1)
    try:
        page.close()
        assert "mine" not in pn.state._views
        assert "another's" in pn.state._views
        job = runner.submit("key", "work", lambda _: None, owner=page)
        runner.shutdown()
        assert job.settled
        assert not job.owners
    finally:
        pn.state._views.pop("another's", None)


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
        raise ValueError("expected more clips")

    def leave(callback):
        raise SystemExit

    runner = JobRunner(workers=1)
    jobs = [runner.submit(i, "Job", work) for i, work in enumerate((fail, refuse, leave, steps(1)))]
    wait(lambda: all(job.settled for job in jobs))
    assert [job.state for job in jobs] == ["failed", "failed", "failed", "done"]
    assert jobs[0].error == "RuntimeError: boom"
    assert jobs[1].error == "expected more clips"
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


def test_long_work_waits_while_a_visitor_waits_for_a_figure(monkeypatch):
    monkeypatch.setattr(jobs, "_PATIENCE", 600.0)
    runner, passed = JobRunner(workers=1), []

    def work(callback):
        for step in range(3):
            callback(Progress("step", step, 3, 0.0))
            passed.append(step)

    with jobs.visitors().waiting():
        with jobs.visitors().waiting():
            job = runner.submit("long", "Job", work)
            wait(lambda: job.latest is not None)
        time.sleep(0.1)  # would be enough for the rest; one of the two waits still
        assert (passed, job.state) == ([], "running")
    wait(lambda: job.settled)
    assert passed == [0, 1, 2]
    runner.shutdown()


def test_long_work_makes_room_from_the_moment_that_a_visitor_moves_something():
    visitors, explorer = jobs.visitors(), Explorer()
    explorer._touched(SimpleNamespace(setter=None))  # the server's own change
    assert visitors.go_first(600) < 600
    visitors.expect(0.05)
    assert 0.04 < visitors.go_first(600) < 600
    explorer._touched(SimpleNamespace(setter="the browser"))
    assert visitors.go_first(600) > 0.5 * page._SOON
    explorer.close()


def test_pages_are_not_told_of_what_other_sessions_do_nor_kept_by_it():
    def followers():
        return len(pn.state.param.watchers["busy"]["value"])

    before = followers()
    one = Explorer()
    assert followers() == before
    told = []
    one.page.param.watch(told.append, "busy")
    with edit_readonly(pn.state):
        pn.state.busy = not pn.state.busy  # as Panel does around every callback of every session
        pn.state.busy = not pn.state.busy
    assert told == []
    one.close()


def test_long_work_gets_a_fifth_of_the_time_however_many_visitors_wait(monkeypatch):
    clock = [0.0]

    def go_first(seconds):  # somebody always waits
        clock[0] += seconds
        return seconds

    def work(callback):
        for step in range(100):
            clock[0] += 0.1
            callback(Progress("step", step, 100, 0.0))

    monkeypatch.setattr(jobs, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(jobs.visitors(), "go_first", go_first)
    job = Job("long", "Job", work)
    job.run()
    assert job.state == "done"
    assert clock[0] == pytest.approx(
        10 + 1 + 99 * 0.4
    )  # work, then waits: 1 s, and four times the work since


@pytest.mark.parametrize("awaited", [True, False])
def test_a_figure_that_somebody_waits_for_has_long_work_wait(monkeypatch, awaited):
    seen = []

    def look(*_):
        seen.append(jobs.visitors().count)
        raise NotReady("Drawn")

    async def draw():
        explorer = Explorer()
        explorer._document = SimpleNamespace(add_next_tick_callback=asyncio.get_running_loop().call_soon)
        explorer.settings.param.update(step="data")
        load_dataset(DataRequest.of(explorer.settings))
        explorer.refresh(awaited=awaited)
        await explorer._task
        return [panel.view.message for panel in explorer.step.panels]

    monkeypatch.setattr(page, "picture", look)
    messages = asyncio.run(draw())
    assert set(messages) == {"Drawn"}
    assert set(seen) == {int(awaited)}
    assert jobs.visitors().count == 0


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

    desk, request = explorer.desk, AdversaryRequest.of(explorer.settings)
    job = desk.submit(("adversary", request), "Training", fail)
    wait(lambda: job.settled)
    desk.settle()
    with pytest.raises(NotReady, match=r"(?s)none left.*Press Train to try again"):
        explorer.steps["adversary"].request()
    advice = r"(?s)none left.*Train it again in step 2, or choose random negatives"
    with pytest.raises(NotReady, match=advice):
        explorer.steps["subspace"].request()
    explorer.close()


def test_memo_forgets_what_was_not_used_for_longest():
    memo: Memo[int] = Memo(2)
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
    whole = train_adversary(request, 60, reports.append)
    assert resumed is not whole
    pd.testing.assert_frame_equal(resumed.history, whole.history)
    assert adversaries().iterations(request) == 60
    assert adversaries().get(request, 60) is whole
    assert adversaries().get(request, 40) is left


def test_adversaries_are_read_back_when_others_have_taken_their_place_in_memory():
    settings = Settings(seed=4, **QUICK)
    request = AdversaryRequest.of(settings)
    whole = train_adversary(request, 40, lambda progress: None)
    others = [replace(request, sigma=0.1 + 0.01 * i) for i in range(20)]
    for other in others:
        adversaries().put(other, whole)
    assert adversaries().iterations(request) == 40
    again = adversaries().get(request, 40)
    assert again is not whole
    assert again.get_params() == whole.get_params()
    pd.testing.assert_frame_equal(again.history, whole.history)
    clip = load_dataset(request.data).streams[request.stream][:1]
    assert torch.equal(again.sample(clip, 30, 0).frames, whole.sample(clip, 30, 0).frames)
    longer = train_adversary(request, 60, lambda progress: None)
    adversaries().restart(request)
    pd.testing.assert_frame_equal(longer.history, train_adversary(request, 60, lambda progress: None).history)


def test_an_adversary_whose_file_was_taken_away_is_trained_anew_and_a_full_disk_loses_none(monkeypatch):
    request = AdversaryRequest.of(Settings(seed=5, **QUICK))
    folder = cache_folder(request.data) / "adversaries"
    before = set(folder.glob("*"))
    whole = train_adversary(request, 20, lambda progress: None)
    others = [replace(request, sigma=0.1 + 0.01 * i) for i in range(20)]
    for other in others:
        adversaries().put(other, whole)
    for file in set(folder.iterdir()) - before:
        file.unlink()
    with pytest.raises(ValueError, match="train it again"):
        train_adversary(request, 40, lambda progress: None)
    assert growing().get(request) is None  # nothing is left of the attempt
    assert adversaries().iterations(request) is None
    with pytest.raises(ValueError, match="train it again"):
        adversaries().get(request, 20)

    def full(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Adversary, "save", full)
    trained = train_adversary(request, 20, lambda progress: None)
    assert adversaries().iterations(request) == 20
    assert adversaries().get(request, 20) is trained


def test_the_file_of_a_forgotten_adversary_is_removed():
    request = AdversaryRequest.of(Settings(seed=6, **QUICK))
    adversary = train_adversary(request, 20, lambda progress: None)
    kept, folder = Adversaries(), cache_folder(request.data) / "adversaries"
    before = set(folder.iterdir())
    kept.put(request, adversary)
    (file,) = set(folder.iterdir()) - before
    kept.put(request, adversary)
    assert not file.exists()
    assert len(set(folder.iterdir()) - before) == 1
    del kept
    gc.collect()
    assert set(folder.iterdir()) == before


# ---------------------------------------------------------------- figures, exports, code


def panels(page, step):
    page.settings.step = step
    here = page.steps[step]
    request = here.request()
    return here, request, [(p.spec, here.request_of(p, request)) for p in here.panels]


@pytest.mark.parametrize("step", ["data", "transport", "subspace", "classification"])
def test_exports_are_what_is_shown(at, step):
    page = at(clip=2)
    here, request, shown = panels(page, step)
    assert here.remark(request)
    for spec, wanted in shown:
        table = pd.read_csv(io.BytesIO(render.export(spec, wanted, "csv")))
        expected = render.record(spec, wanted).to_frame().reset_index(drop=True)
        pd.testing.assert_frame_equal(table, expected, check_dtype=False, rtol=1e-6)
        with Image.open(io.BytesIO(render.export(spec, wanted, "png"))) as image:
            assert round(image.info["dpi"][0]) == 300
            assert image.width == round(6.75 * 300)
        svg = render.export(spec, wanted, "svg").decode()
        assert svg.count("<path") > 10
        page_of_pdf = pypdf.PdfReader(io.BytesIO(render.export(spec, wanted, "pdf"))).pages[0]
        assert abs(page_of_pdf.mediabox.width - 6.75 * 72) < 1
        assert len(page_of_pdf.extract_text()) > 20  # text is text, so the file is no picture of a page
        for theme in ("light", "dark"):
            drawn = render.picture(spec, wanted, theme)
            assert drawn.source.startswith("data:image/png;base64,")
            assert len(drawn.alt) > 20
        assert render.picture(spec, wanted, "light") is render.picture(spec, wanted, "light")


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
MOVED = {"clip": 5, "beta1": 0.5, "beta2": 30.0, "eta": 0.02, "n_subspaces": 2, "seed": 1, "C": 1.0,
         "sigma": 0.05, "lambda1": 0.3, "lambda2": 0.5, "pivot": "frame", "n_iter": 100,
         "n_negatives": 30, "transport": "ipot", "swept": "eta", "n_seeds": 1,
         "image": 9, "draw": 2}  # fmt: skip
VARIABLES = {"data": "clip", "adversary": "view", "transport": "plan", "subspace": "study",
             "classification": "result", "sensitivity": "result", "embedding": "result",
             "images": "result"}  # fmt: skip


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
            wanted = page.steps[name].wanted()
            results().put(wanted, page.steps[name].work(wanted, lambda progress: None))
        here, _, shown = panels(page, name)
        todo[name] = (here.code(), variable)
        expected[name] = render.export(*shown[1 if name == "adversary" else 0], "csv")
    todo["random"] = (at(negatives="random").steps["subspace"].code(), "study")
    page.settings.step = "subspace"
    expected["random"] = render.export(*panels(page, "subspace")[2][0], "csv")
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
    "data": {"clip": 7, "seed": 1, "dataset": "basic-motions"},
    "transport": {"clip": 7, "n_negatives": 30, "transport": "sinkhorn", "negatives": "adversarial"},
    "subspace": {"n_subspaces": 3, "beta1": 0.3, "beta2": 100.0, "eta": 0.05, "n_negatives": 30,
                 "negatives": "adversarial", "transport": "ipot", "clip": 7},
    "classification": {"n_subspaces": 3, "beta1": 0.3, "beta2": 0.0, "eta": 0.1, "n_negatives": 10,
                       "negatives": "adversarial", "C": 0.1},
    "adversary": {"sigma": 0.5, "lambda1": 1.0, "lambda2": 0.0, "pivot": "frame", "adversarial": False,
                  "n_iter": 200},
}  # fmt: skip


@pytest.mark.parametrize("step", CONTROLS)
def test_every_control_changes_the_record_and_nothing_else_does(at, step):
    page = at(step=step, n_iter=100)

    def tables():
        load_dataset(DataRequest.of(page.settings))
        page.desk.data_ready()
        adversary = AdversaryRequest.of(page.settings)
        n_iter = page.settings.n_iter
        learned = step == "adversary" or page.settings.negatives == "adversarial"
        if learned and adversaries().iterations(adversary, n_iter) != n_iter:
            train_adversary(adversary, n_iter, lambda progress: None)
        return [render.export(*which, "csv") for which in panels(page, step)[2]]

    before = tables()
    controls = set(page.steps[step].shown)
    for name, value in CONTROLS[step].items():
        controls.discard(name)
        page.settings.param.update(**{name: value})
        assert tables() != before, name
        page.settings.undo()
        assert tables() == before, name
    # What has no effect on these data, or is another control's: the rest of the row.
    assert controls <= {"stream", "encoder", "clip"}
    for name in sorted(set(MOVED) - set(page.steps[step].inputs)):
        if getattr(page.settings, name) == MOVED[name]:
            continue  # no change, and none to undo
        page.settings.param.update(**{name: MOVED[name]})
        assert tables() == before, name
        page.settings.undo()


def test_the_subspace_shown_is_the_one_of_the_pooling(at):
    page = at(clip=1, n_subspaces=2)
    _, request, shown = panels(page, "subspace")
    from acot_explorer.clips import frames_of, negatives_of

    from acot_core.experiments import subspace_study

    values = {"n_subspaces": 2, "beta1": 1.0, "beta2": 10.0, "eta": 0.01}
    pooling = ACOTPooling(negatives="random", n_negatives=20, transport="emd", device="cpu", **values)
    pooling.set_params(random_state=0).fit([frames_of(request.clip)])
    batch, negatives, found = pooling.explain(frames_of(request.clip))
    study = subspace_study(batch.frames[0], negatives.frames[0], **values)
    overlap = torch.linalg.svdvals(found.subspace[0].T @ torch.from_numpy(study.subspace))
    assert overlap.min() > 1 - 1e-5
    assert negatives_of(request.clip).shape == negatives.frames[0].shape
    assert render.record(*shown[0]).subspace.shape == study.subspace.shape


def test_steps_say_what_to_do_while_something_is_missing(at):
    page = at(seed=11, negatives="adversarial")
    with pytest.raises(NotReady, match="being prepared"):
        page.steps["data"].request()
    load_dataset(DataRequest.of(page.settings))
    with pytest.raises(NotReady, match="Press Train"):
        page.steps["adversary"].request()
    with pytest.raises(NotReady, match="being trained"):
        page.steps["subspace"].request()
    job = page.desk.training(AdversaryRequest.of(page.settings))
    assert job is not None
    page.desk.release(job)
    with pytest.raises(NotReady, match="Run the sweep"):
        page.steps["sensitivity"].request()


def one_class():
    return good(labels=np.zeros(24, int), class_names=np.array(["only"]))


def test_one_class_can_be_looked_at_but_not_learned_from():
    page = Explorer()
    page.open()
    page.adopt_upload(*read_upload(one_class(), "one.npz"), "one.npz")
    page.settings.param.update(n_negatives=20, n_iter=100)
    for name in ("adversary", "transport", "subspace", "classification", "sensitivity", "embedding"):
        with pytest.raises(NotReady, match=r"(?s)all of one class.*another data set in step 1"):
            page.steps[name].request()
    page.steps["adversary"].begin()
    page.steps["sensitivity"].run()
    assert page.desk.jobs == []
    assert page.steps["adversary"].train.disabled
    assert page.steps["sensitivity"].run_button.disabled
    page.settings.negatives = "random"
    for name in ("data", "transport", "subspace"):
        here, request, shown = panels(page, name)
        assert here.remark(request)
        assert all(render.picture(spec, wanted, "light").source for spec, wanted in shown)
    with pytest.raises(NotReady, match="nothing to tell apart"):
        page.steps["classification"].request()
    page.close()


def test_nothing_is_left_of_an_upload_when_the_last_session_that_brought_it_ends(tmp_path):
    one, two = Explorer(), Explorer()
    request, dataset = read_upload(template_file(), "mine.npz")
    for visitor in (one, two):
        visitor.open()
        visitor.adopt_upload(request, dataset, "mine.npz")
        visitor.settings.param.update(**QUICK)
    for step in ("data", "transport", "subspace", "classification"):
        _, _, shown = panels(one, step)
        for spec, wanted in shown:
            render.picture(spec, wanted, "light")
    train_adversary(AdversaryRequest.of(one.settings), 20, lambda progress: None)
    step = one.steps["embedding"]
    step.work(step.wanted(), lambda progress: None)
    folder = cache_folder(request)

    def left():
        return [key for memo in Memo._all for key in memo.known() if request in uploads_in(key)]

    assert len(left()) > 10
    assert list(folder.rglob("*.safetensors"))
    one.close()
    assert len(left()) > 10  # the other session still works on it
    assert render.picture(spec, wanted, "light").source
    two.close()
    assert left() == []
    assert not folder.exists()
    Memo(3).put(("late", request), "made by work that ended after its session")
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
    page.settings.dataset = "planted"
    page.steps["adversary"].begin()
    job = page.desk.training(AdversaryRequest.of(page.settings))
    page.close()
    wait(lambda: job.settled)
    assert job.state == "cancelled"
    assert uploads().get(request) is None


# ---------------------------------------------------------------- upload


def test_a_good_upload_is_read_as_it_is():
    request, dataset = read_upload(template_file(), "mine.npz")
    assert len(dataset) == 24
    assert dataset.class_names == ["rising", "falling"]
    assert request.dataset.startswith("upload:")
    assert read_upload(template_file(), "other.npz")[0] == request


@pytest.mark.parametrize("kind", BAD)
def test_bad_uploads_are_refused_with_a_reason(kind):
    with pytest.raises(ValueError, match=r"mine\.npz|labels|clips|features|expected") as error:
        read_upload(BAD[kind](), "mine.npz")
    assert "acot-upload" not in str(error.value)  # no path of the server


def test_too_large_an_upload_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr("acot_explorer.upload.MAX_UPLOAD", 1000)
    with pytest.raises(ValueError, match="more than the"):
        read_upload(template_file(), "mine.npz")


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
