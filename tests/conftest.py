"""What belongs to the whole process is after each test as it was before: none changes another's numbers.

``ACOT_TEST_PROCESS`` sets the process as some users do: ``float64`` (torch's default dtype), ``no_grad``
(gradients off) or ``warnings`` (every warning is an error), or several with commas. The same tests pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch

torch.set_num_threads(1)  # the same last bits, however pytest is called
PROCESS = set(filter(None, os.environ.get("ACOT_TEST_PROCESS", "").split(",")))
assert not PROCESS - {"float64", "no_grad", "warnings"}, PROCESS
if "float64" in PROCESS:
    torch.set_default_dtype(torch.float64)
torch.set_grad_enabled("no_grad" not in PROCESS)


def pytest_configure(config: pytest.Config) -> None:
    """Let every warning be an error where the process says so, but what is told about a file's data."""
    if "warnings" in PROCESS:
        config.addinivalue_line("filterwarnings", "error")
        config.addinivalue_line("filterwarnings", "default::acot_core.datasets.DataWarning")


def process_state() -> dict[str, object]:
    """What decides the last bits of a result and is no argument of any function."""
    smallest = np.float64(5e-324)  # subnormal: zero, once a library built with -ffast-math has been loaded
    return {
        "threads of torch": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "precision of float32 products": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "oneDNN": torch.backends.mkldnn.enabled,
        "gradients": torch.is_grad_enabled(),
        "subnormal numbers in numpy": bool(smallest * 1 > 0),
        "subnormal numbers in torch": bool(torch.tensor(smallest) * 1 > 0),
        "numpy's errors": tuple(np.geterr().items()),
        "folder": os.getcwd(),  # noqa: PTH109
    }


BEFORE = process_state()


@pytest.fixture(autouse=True)
def process_is_left_as_it_was() -> Iterator[None]:
    """Name the test that leaves anything changed; global random generators are put back."""
    generators = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    yield
    torch.set_rng_state(generators[0])
    np.random.set_state(generators[1])  # noqa: NPY002
    after = process_state()
    changed = {name: (BEFORE[name], after[name]) for name in BEFORE if after[name] != BEFORE[name]}
    BEFORE.update(after)
    assert not changed, f"left changed (before, after): {changed}"
