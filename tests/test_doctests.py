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


def test_there_are_examples() -> None:
    named = {test.name for name in MODULES for test in examples(name)}
    for name in ("transport.emd", "transport.solve", "couplings.cost_matrix", "grassmann.principal_angles",
                 "classify.GrassmannSVC", "pooling.ACOTPooling"):  # fmt: skip
        assert f"acot_core.{name}" in named
