"""The examples in the docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import acot_core

MODULES = [
    info.name
    for info in pkgutil.walk_packages(acot_core.__path__, "acot_core.")
    if not info.name.endswith("__main__")
]


def examples(name: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    runner = doctest.DocTestRunner()
    for test in examples(name):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


PUBLIC = [name for name in acot_core.__all__ if name != "Cancelled"]
SHOWN = [
    "alternation.alternate",
    "baselines.averages.AveragePooling",
    "baselines.subspaces.GRP",
    "couplings.cost_matrix",
    "datasets.loading.load",
    "datasets.storage.save_dataset",
    "entropic.ipot",
    "entropic.sinkhorn",
    "experiments.comparison.comparison",
    "experiments.one_clip.subspace_study",
    "experiments.one_clip.transport_study",
    "figures.style.render",
    "grassmann.principal_angles",
    "grassmann.principal_subspace",
    "grassmann.projection_kernel",
    "negatives.random_negatives",
    "objective.ACOTObjective",
    "riemannian.conjugate_gradient",
    "robust.robust_distances",
    "sequences.check_sequences",
    "subspaces.solve_subspaces",
    "transport.emd",
    "transport.solve",
]


def test_every_public_name_has_an_example() -> None:
    named = {test.name for name in MODULES for test in examples(name)}
    public = [f"{getattr(acot_core, name).__module__}.{name}" for name in PUBLIC]
    wanted = public + [f"acot_core.{name}" for name in SHOWN]
    assert [name for name in wanted if name not in named] == []


def test_a_wrong_example_is_seen() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1
