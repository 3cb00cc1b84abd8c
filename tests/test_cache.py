"""The LRU cache."""

from __future__ import annotations

import time
from collections import OrderedDict

import joblib
import pytest

from acot_core._utils.cache import cached


def test_a_value_is_made_once_by_one_thread() -> None:
    memory: OrderedDict[str, int] = OrderedDict()
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    values = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(cached)(memory, key, make, 2) for key in "aaaabbbb"
    )
    assert len(made) == 2
    assert sorted(values) == [1] * 4 + [2] * 4
    cached(memory, "a", make, 2)
    cached(memory, "c", make, 2)  # b was used longest ago
    assert list(memory) == ["a", "c"]
    assert cached(memory, "d", lambda: 7, 9, size=lambda value: value) == 7  # 1 + 3 + 7 is too much
    assert list(memory) == ["d"]

    def fail() -> int:
        raise KeyError("e")

    with pytest.raises(KeyError, match="e"):
        cached(memory, "e", fail, 2)
    assert cached(memory, "e", make, 2) == 4  # a failure is not cached
