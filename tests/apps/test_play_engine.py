"""The Play step without a browser window: its answers, and its JavaScript against the package, in node."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from acot_explorer.play import Play, PlaySettings, component
from acot_explorer.play.component import MODULES, bundle
from acot_explorer.play.engine import (
    alternation_answer,
    classes_answer,
    initial_state,
    preset_answer,
    problem_of,
    snapshots_of,
    solve_answer,
)
from acot_explorer.state import Settings

from acot_core.experiments import octant_alternation, octant_sequence, octant_view
from acot_core.experiments.views.disk import disk_grid, subspace_of, to_disk, to_sphere
from acot_core.subspace import ACOTObjective

NODE = shutil.which("node")
NAMES = "problem, termsAt, landscape, toDisk, toSphere, contours, circleOf, resample"
SETTINGS = PlaySettings(n_negatives=20)


def unit(generator: np.random.Generator, n: int) -> np.ndarray:
    points = generator.random((n, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def javascript(tmp_path_factory):
    """Run JavaScript with the functions of `math.js` at hand; what it returns comes back."""
    if NODE is None:
        pytest.skip("no node here")
    folder = tmp_path_factory.mktemp("js")
    shutil.copy(Path(component.__file__).parent / "js" / "math.js", folder / "math.mjs")

    def run(lines: str, **values) -> object:
        script = folder / "script.mjs"
        given = "".join(f"const {name} = {json.dumps(value)}\n" for name, value in values.items())
        call = f"console.log(JSON.stringify((() => {{ {lines} }})()))"
        script.write_text(f'import * as math from "./math.mjs"\nconst {{{NAMES}}} = math\n{given}{call}')
        answer = subprocess.run([NODE, str(script)], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    return run


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_browser_evaluates_what_the_package_does(javascript, k, seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 30)), int(rng.integers(1, 40))
    frames, negatives, points = unit(rng, n), unit(rng, m), unit(rng, 50) * rng.choice([-1, 1], (50, 3))
    plan = rng.random((n, m))
    plan /= plan.sum(1, keepdims=True) * n  # rows of mass 1/n, as every plan has
    weights = {"beta1": float(rng.random() * 2), "beta2": float(rng.random() * 20), "eta": 0.02}
    values = javascript(
        "const p = problem(frames, plan, negatives, weights); return points.map((x) => termsAt(x, p))",
        frames=frames.tolist(), negatives=negatives.tolist(), plan=plan.tolist(), points=points.tolist(),
        weights={"k": k, **weights},
    )  # fmt: skip
    X, Y, P = (torch.from_numpy(a)[None] for a in (frames, negatives, plan))
    objective = ACOTObjective(X, plan=P, negatives=Y, **weights)
    U = subspace_of(torch.from_numpy(points), k)
    terms = {name: value.numpy() for name, value in objective.terms(U).items()}
    for name, value in (terms | {"value": objective.value(U).numpy()}).items():
        np.testing.assert_allclose([row[name] for row in values], value, atol=1e-12)
    energies = (X @ U).square().sum(2)
    np.testing.assert_allclose([row["energies"] for row in values], energies, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("name", ["value", "contrast", "distortion", "order"])
def test_the_browsers_landscape_is_the_records(javascript, k, name):
    rng = np.random.default_rng(5)
    view = octant_view(unit(rng, 12), unit(rng, 30), n_subspaces=k, beta1=0.8, beta2=6.0, size=21)
    values = javascript(
        "const p = problem(frames, plan, negatives, weights);"
        "return [...landscape(p, name, 21)].map((v) => Number.isNaN(v) ? null : v)",
        frames=view.frames.tolist(), negatives=view.negatives.tolist(), plan=view.plan.tolist(), name=name,
        weights={"k": k, "beta1": 0.8, "beta2": 6.0, "eta": 0.01},
    )  # fmt: skip
    grid = np.array(values, dtype=float).reshape(21, 21)[::-1]  # pixels count downwards
    expected = view.landscape if name == "value" else getattr(view, name)
    np.testing.assert_allclose(grid, expected, atol=1e-12)


def test_the_browsers_disk_is_the_packages(javascript):
    places, inside = disk_grid(9)
    points = to_sphere(places[inside])
    values = javascript(
        "return points.map((p) => [toDisk(p), toSphere(toDisk(p)), toDisk(p.map((x) => -x))])",
        points=points.tolist(),
    )
    np.testing.assert_allclose([row[0] for row in values], to_disk(points), atol=1e-12)
    np.testing.assert_allclose([row[1] for row in values], points, atol=1e-12)
    np.testing.assert_allclose([row[2] for row in values], to_disk(points), atol=1e-12)


def test_level_lines_lie_on_their_level(javascript):
    lines = javascript(
        "const size = 60, f = (u, v) => u * u + 0.5 * v;"
        "const at = (i) => Math.SQRT2 * ((i + 0.5) / size * 2 - 1);"
        "const value = (_, i) => f(at(i % size), -at(Math.floor(i / size)));"
        "const values = Float64Array.from({length: size * size}, value);"
        "return contours(values, size, [0.3]).flatMap((g) => [f(g[0], g[1]), f(g[2], g[3])])"
    )
    assert len(lines) > 50
    np.testing.assert_allclose(lines, 0.3, atol=2e-3)


def test_a_planes_circle_is_normal_to_it_and_in_the_hemisphere(javascript):
    points = to_sphere(disk_grid(7)[0][disk_grid(7)[1]]).numpy()
    circles = np.array(javascript("return points.map((p) => circleOf(p, 24))", points=points.tolist()))
    np.testing.assert_allclose(np.einsum("ijk,ik->ij", circles, points), 0, atol=1e-12)
    assert circles.sum(2).min() > -1e-9


def test_a_drawn_line_becomes_frames_at_even_distances(javascript):
    frames = javascript("return resample([[0, -0.2], [0, 0], [0, 0.6]], 9)")
    places = to_disk(torch.tensor(frames, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(places[:, 1], np.linspace(-0.2, 0.6, 9), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(frames, axis=1), 1)


def test_the_bundle_is_one_module_without_imports(tmp_path):
    text = bundle()
    if NODE is not None:
        (tmp_path / "bundle.mjs").write_text(text)
        subprocess.run([NODE, "--check", str(tmp_path / "bundle.mjs")], check=True)
    assert not re.search(r"^import ", text, re.MULTILINE)
    assert re.findall(r"^export (.*)\(", text, re.MULTILINE) == ["function render"]
    assert {path.stem for path in (Path(component.__file__).parent / "js").glob("*.js")} == set(MODULES)


def test_an_answer_is_the_record():
    frames = octant_sequence("growing")
    answer = solve_answer(frames, SETTINGS, twin=True)
    view = octant_view(frames, answer["negatives"])
    np.testing.assert_allclose(answer["plan"], view.plan, atol=1e-6)
    np.testing.assert_allclose([row["p"] for row in answer["path"]], view.path[["x", "y", "z"]], atol=1e-4)
    assert answer["path"][-1]["value"] == pytest.approx(view.path["value"].iloc[-1], abs=1e-5)
    assert answer["twin"]["path"][-1]["p"] != answer["path"][-1]["p"]
    json.dumps(answer)  # the browser can have it


def test_negatives_are_those_asked_for():
    frames = octant_sequence("growing")
    given = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    mine = solve_answer(frames, dataclasses.replace(SETTINGS, negatives="own"), given=given)
    assert mine["negatives"] == given
    assert mine["madeFrom"] == [-1, -1]
    learned, random = (
        np.array(solve_answer(frames, dataclasses.replace(SETTINGS, negatives=n))["negatives"])
        for n in ("adversarial", "random")
    )
    first = np.array(solve_answer(frames, SETTINGS, snapshot=snapshots_of(0.01)[0])["negatives"])
    assert learned[:, 2].mean() < 0.15 < min(random[:, 2].mean(), first[:, 2].mean())


def test_alternation_and_classes_are_the_records():
    frames = octant_sequence("growing")
    negatives = solve_answer(frames, SETTINGS)["negatives"]
    answer, study = alternation_answer(frames, negatives, SETTINGS), octant_alternation(frames, negatives)
    np.testing.assert_allclose(answer["objective"], study.objective, atol=1e-5)
    np.testing.assert_allclose(answer["plans"], study.plans, atol=1e-8)
    strict = dataclasses.replace(SETTINGS, beta2=30.0)
    classes = classes_answer(strict, "acot")
    assert len(classes["points"]) == 60
    assert classes["accuracies"]["acot"] > 0.85 > classes["accuracies"]["average"]


def test_training_is_done_once_and_told_every_time():
    told = []
    snapshots = snapshots_of(0.02, told.append)
    again = []
    assert snapshots_of(0.02, again.append) is snapshots
    assert told == again == list(snapshots)
    assert snapshots[-1].fooling_rate > 0.7


def test_what_the_page_opens_with_is_solved():
    state = initial_state()
    json.dumps(state)
    assert len(state["frames"]) == len(state["plan"]) == 20
    assert {c["name"] for c in state["controls"]} == {"beta1", "beta2", "eta", "sigma", "n_negatives"}
    assert state["settings"] == dataclasses.asdict(PlaySettings())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta1": 3.0}, "beta1"),
        ({"beta2": "much"}, "beta2"),
        ({"n_subspaces": 3}, "n_subspaces"),
        ({"negatives": "none"}, "negatives"),
        ({"eta": float("nan")}, "eta"),
        ({"more": 1}, "settings"),
    ],
)
def test_settings_of_a_message_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        PlaySettings.of(dataclasses.asdict(PlaySettings()) | change)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solve_answer([[1, 0]], SETTINGS), "frames"),
        (lambda: solve_answer("frames", SETTINGS), "frames"),
        (lambda: solve_answer([[1.0, 0.0, 0.0]] * 65, SETTINGS), "frames"),
        (lambda: solve_answer([[1, 0, 0]], dataclasses.replace(SETTINGS, negatives="own")), "negatives"),
        (lambda: preset_answer("sideways", 0), "preset"),
        (lambda: preset_answer("growing", -1), "preset"),
        (lambda: classes_answer(SETTINGS, "sum"), "name"),
        (lambda: snapshots_of(0.3), "sigma"),
    ],
)
def test_bad_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_component_answers_and_takes_settings_on():
    taken, sent = [], []
    play = Play(on_take=taken.append)
    play._send_msg = sent.append

    async def talk() -> None:
        settings = dataclasses.asdict(dataclasses.replace(SETTINGS, beta2=3.0))
        play._handle_msg({"kind": "take", "settings": settings})
        frames = octant_sequence("reversed").tolist()
        for message in (
            {"kind": "solve", "serial": 4, "frames": frames, "settings": settings},
            {"kind": "solve", "serial": 5, "frames": [[0, 0, 0]], "settings": settings},
            {"kind": "train", "run": 1, "frames": frames, "settings": settings},
            {"kind": "nothing"},
        ):
            play._handle_msg(message)
            await asyncio.gather(*play._tasks)

    asyncio.run(talk())
    assert [s.beta2 for s in taken] == [3.0]
    assert sent[0]["kind"] == "solved"
    assert sent[0]["serial"] == 4
    assert sent[1]["kind"] == "problem"
    assert "frames" in sent[1]["text"]
    snapshots = [message for message in sent if message["kind"] == "snapshot"]
    assert [s["iteration"] for s in snapshots] == list(range(0, 241, 5))
    assert all(s["run"] == 1 for s in snapshots)
    assert sent[-2] == {"kind": "trained", "run": 1}
    assert sent[-1]["kind"] == "problem"


@pytest.mark.parametrize(
    ("saved", "problem"),
    [
        ("", None),
        ('{"settings": {"beta1": 0.5, "n_subspaces": 2}, "preset": "reversed", "seed": 3}', None),
        (json.dumps({"frames": [[0.6, 0.8, 0.0]] * 20}), None),
        (json.dumps({"settings": {"negatives": "own"}, "negatives": [[0, 0, 1]] * 3}), None),
        ("no JSON", "Expecting value"),
        ('{"code": 1}', "expected settings, preset"),
        ('{"settings": {"beta1": 7}}', "beta1: expected a number"),
        ('{"settings": {"negatives": "own"}}', "expected negatives"),
        ('{"preset": "none", "seed": 0}', "preset: expected"),
        (json.dumps({"frames": [[0.6, 0.8, 0.0]] * 3}), "expected 20 frames"),
        (json.dumps({"frames": [[0.6, "x", 0.0]] * 20}), "frames: expected a list of points"),
    ],
)
def test_a_saved_state_is_checked_and_what_is_wrong_is_said(saved, problem):
    answer = problem_of(saved)
    assert answer is None if problem is None else problem in answer
    settings = Settings()
    said = [] if answer is None else [f"play = {saved[:40]}: {answer}"]
    assert settings.from_query(urlencode({"play": saved})) == said
    assert settings.play == (saved if answer is None else "")
