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
    finder = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    return [test for test in finder if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    runner = doctest.DocTestRunner()
    for test in examples(name):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


PUBLIC = [name for name in acot_core.__all__ if name != "Cancelled"]
SHOWN = [
    "subspace.alternation.alternate",
    "baselines.averages.AveragePooling",
    "baselines.rank_pooling.GRP",
    "transport.couplings.cost_matrix",
    "datasets.loading.load",
    "datasets.storage.save_dataset",
    "transport._ipot.ipot",
    "transport._sinkhorn.sinkhorn",
    "experiments.table2_3.comparison",
    "experiments.views.one_sequence.subspace_study",
    "experiments.views.one_sequence.transport_study",
    "figures.style.render",
    "riemannian.grassmann.principal_angles",
    "riemannian.grassmann.principal_subspace",
    "riemannian.grassmann.projection_kernel",
    "gan.negatives.random_negatives",
    "subspace.objective.ACOTObjective",
    "riemannian._conjugate_gradient.conjugate_gradient",
    "subspace.theorem1.robust_distances",
    "sequences.check_sequences",
    "subspace.solve.solve_subspaces",
    "transport._emd.emd",
    "transport._solve.solve",
]


def test_every_public_name_has_an_example() -> None:
    named = {test.name for name in MODULES for test in examples(name)}
    public = [f"{getattr(acot_core, name).__module__}.{name}" for name in PUBLIC]
    names = public + [f"acot_core.{name}" for name in SHOWN]
    assert [name for name in names if name not in named] == []


def test_a_wrong_example_is_seen() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1
