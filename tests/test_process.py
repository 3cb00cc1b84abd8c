"""The user's process: its defaults change no result, and none of them is changed."""

from __future__ import annotations

import json
import locale
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from everything import results
from threadpoolctl import threadpool_info

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core.baselines import GRP, KRP, AveragePooling, DiscriminativePooling, PCASubspace, RankPooling
from acot_core.datasets import encode, planted
from acot_core.riemannian import conjugate_gradient
from acot_core.riemannian.grassmann import random_point
from acot_core.subspace.theorem1 import robust_distances
from acot_core.transport import METHODS, cost_matrix, solve

RNG = np.random.default_rng(0)
X = [RNG.random((n, 12), np.float32) + 0.01 for n in (5, 9, 14, 6, 8, 20, 3, 7)]
Y = np.arange(len(X)) % 2


def solved(transport: str) -> np.ndarray:
    g = torch.Generator().manual_seed(0)
    points = [torch.rand(2, n, 4, generator=g, dtype=torch.float32) for n in (6, 9)]
    return solve(cost_matrix(*points), transport=transport).plan.numpy()


def trained() -> np.ndarray:
    adversary = Adversary(n_iter=2, classifier_iter=2, random_state=0).fit(X, Y)
    return adversary.sample(X, 6).frames.numpy()


def dominant() -> np.ndarray:
    start = random_point(2, 6, 2, torch.Generator().manual_seed(0))
    return conjugate_gradient(lambda U: -(U * (A @ U)).sum((1, 2)), start).point.numpy()


A = torch.diag_embed(torch.tensor([[5.0, 4, 3, 2, 1, 0.5], [1, 2, 4, 8, 16, 32]], dtype=torch.float32))


def theorem() -> np.ndarray:
    g = torch.Generator().manual_seed(0)
    sets = (torch.rand(1, n, 4, generator=g, dtype=torch.float64) for n in (5, 6))
    return robust_distances(*sets, 2, n_iter=5).projection.numpy()


def kernel() -> np.ndarray:
    U = PCASubspace(2).fit_transform(X)
    return GrassmannSVC().fit(U, Y).decision_function(U)


WORK: dict[str, Callable[[], Any]] = {
    **{name: lambda name=name: solved(name) for name in METHODS},
    **{
        type(pooling).__name__ + pooling.__dict__.get("output", ""): lambda pooling=pooling: (
            pooling.fit_transform(X)
        )
        for pooling in (
            ACOTPooling(2, negatives="random", random_state=0, n_alternations=2),
            ACOTPooling(negatives="random", random_state=0, output="projection", surrogate=False),
            AveragePooling(), PCASubspace(2), GRP(2), KRP(2, n_landmarks=10), DiscriminativePooling(2),
            RankPooling(),
        )
    },
    "adversary": trained,
    "conjugate gradient": dominant,
    "Theorem 1": theorem,
    "kernel": kernel,
    "planted": lambda: torch.cat(planted(n_sequences=12, random_state=0).streams["features"]).numpy(),
    "encoder": lambda: torch.cat(encode(X, n_features=16)).numpy(),
}  # fmt: skip


def shared_state() -> dict[str, Any]:
    """What all threads of the process share; the global random generators, too."""
    os.umask(umask := os.umask(0o22))
    return {
        "default dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": (torch.get_num_threads(), [each["num_threads"] for each in threadpool_info()]),
        "warnings": list(warnings.filters),
        "errors of numpy": np.geterr(),
        "generators": (
            torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate(),  # noqa: NPY002
        ),
        "umask": umask,
        "folder": Path.cwd(),
        "locale": locale.setlocale(locale.LC_ALL),
        "variables": dict(os.environ),
        "signals": signal.getsignal(signal.SIGINT),
    }  # fmt: skip


@contextmanager
def double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


STATES: dict[str, Any] = {
    "default dtype float64": double,
    "gradients off": lambda: torch.set_grad_enabled(False),
    "inference mode": torch.inference_mode,
    "deterministic algorithms": deterministic,
    "warnings are errors": strict,
    "numpy raises": lambda: np.errstate(divide="raise", invalid="raise", over="raise"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", WORK)
def test_the_processs_defaults_change_no_result(name: str, state: str) -> None:
    expected = WORK[name]()

    with STATES[state]():
        np.testing.assert_array_equal(WORK[name](), expected)
        before = shared_state()
        np.testing.assert_array_equal(WORK[name](), expected)
        assert shared_state() == before


def _pooled(queue: Any) -> None:
    queue.put(WORK["ACOTPoolingsubspace"]().sum())
    queue.put(trained().sum())


@pytest.mark.skipif(not hasattr(sys, "getandroidapilevel") and sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_work_after_a_fork_does_not_hang_and_is_the_same() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)  # OpenMP's threads are there, and are gone in the child
    try:
        torch.rand(500, 500, dtype=torch.float32) @ torch.rand(500, 500, dtype=torch.float32)
        expected = WORK["ACOTPoolingsubspace"]().sum(), trained().sum()
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_pooled, args=(queue,))
        child.start()
        try:
            assert (queue.get(timeout=60), queue.get(timeout=60)) == pytest.approx(expected, rel=1e-6)
        finally:
            child.kill()
            child.join()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("how", ["spawn", "loky"])
def test_work_in_another_process_is_the_same(how: str) -> None:
    if how == "spawn":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            there = pool.apply(results)
    else:
        there = joblib.Parallel(2)(joblib.delayed(results)() for _ in range(2))[1]
    assert there == results()


def test_threads_share_an_estimator() -> None:
    """Fitted, and while each of them fits it."""
    pooling = ACOTPooling(2, negatives="random", random_state=0)
    expected, before = pooling.fit_transform(X), shared_state()
    for work in (lambda _: pooling.transform(X), lambda _: pooling.fit(X).transform(X)):
        with ThreadPoolExecutor(4) as pool:
            for pooled in pool.map(work, range(8)):
                np.testing.assert_array_equal(pooled, expected)
    assert shared_state() == before


def comma(folder: Path) -> dict[str, str]:
    """Variables of a process whose numbers are written with a comma."""
    command = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    if shutil.which("localedef") and not subprocess.run(command, capture_output=True, check=False).returncode:
        return {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder)}
    return {"LC_ALL": "German_Germany.1252" if sys.platform == "win32" else "de_DE.UTF-8"}


@pytest.mark.parametrize("where", ["ASCII", "decimal comma", "-O"])
def test_locale_and_optimisation_change_no_result(tmp_path: Path, where: str) -> None:
    """The encoding of files and of the output, and how C libraries read and write numbers."""
    variables = {
        "ASCII": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        "decimal comma": comma(tmp_path),
        "-O": {},
    }[where]
    script = str(Path(__file__).parent / "helpers" / "everything.py")
    command = [sys.executable, *(["-O"] if where == "-O" else []), script, where]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **variables}, check=False)
    if done.returncode == 77:
        pytest.skip(done.stderr.decode())
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert json.loads(done.stdout) == results()


def test_what_a_terminal_cannot_show_is_written_otherwise(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "acot_core", "experiments", "compare", "--dataset", "planted", "--quiet",
               "--method", "average", "--seeds", "1", "--cache", str(tmp_path)]  # fmt: skip
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "mean \\xb1 standard deviation" in done.stdout


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_python_without_asserts_and_docstrings(flag: str) -> None:
    code = (
        "import numpy as np, acot_core as acot\n"
        "X = [np.ones((3, 4)) + i for i in range(4)]\n"
        "U = acot.ACOTPooling(negatives='random', random_state=0).fit_transform(X)\n"
        "print(U.shape, acot.transport.solve(np.eye(3)).value.item())\n"
        "try: acot.ACOTPooling(beta1=None).fit(X)\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, flag, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(4, 4, 1) 0.0\nbeta1: expected a finite non-negative number, got None\n"


def test_importing_the_package_takes_no_time_and_reaches_every_part() -> None:
    code = (
        "import torch, time\n"
        "start = time.process_time()\n"
        "import acot_core as acot\n"
        "print(time.process_time() - start)\n"
        "names = 'baselines datasets experiments figures gan images pooling riemannian subspace transport'\n"
        "assert all(getattr(acot, name).__name__ == f'acot_core.{name}' for name in names.split())\n"
        "assert set(names.split()) <= set(dir(acot))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.3
