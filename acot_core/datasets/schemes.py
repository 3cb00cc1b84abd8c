"""Naming schemes and split lists of JHMDB, HMDB-51 and UCF-101: the source of a clip, and where it belongs.

Clips cut from one source video are near copies: where they lie on both sides of a fold, cross-validation
measures memory. HMDB-51 (and JHMDB, cut from it) names a clip
``<source>_<class>_<body>_<camera>_np<people>_<view>_<quality>_<number>``, UCF-101
``v_<Class>_g<group>_c<clip>``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acot_core.datasets.archives import read_whole

_HMDB = re.compile(r"(?P<source>.+)_[fhlu]_(nm|cm)_np\d+_(fr|ba|le|ri)_(bad|med|goo)_\d+")
_UCF = re.compile(r"(?P<source>v_.+_g\d+)_c\d+")
_TEST_SPLIT = re.compile(r"(?P<label>.+)_test_split(?P<number>\d+)")
_LIST = re.compile(r"(?P<part>train|test)list(?P<number>\d+)")
_MAX_LIST = 2**24


def source_of(name: str, label: str = "") -> str | None:
    """The source video that a clip's name tells, or None if the name follows neither scheme.

    Examples
    --------
    >>> source_of("April_09_brush_hair_u_nm_np1_ba_goo_0", "brush_hair")
    'April_09'
    >>> source_of("v_ApplyEyeMakeup_g08_c01")
    'v_ApplyEyeMakeup_g08'
    >>> source_of("holiday")
    """
    if match := _UCF.fullmatch(name):
        return match["source"]
    if match := _HMDB.fullmatch(name):
        return match["source"].removesuffix(f"_{label}")
    return None


def groups_from_names(names: Sequence[str], labels: Sequence[str]) -> np.ndarray | None:
    """Source videos of all clips (N,), or None unless every name follows a scheme."""
    sources = [source_of(name, label) for name, label in zip(names, labels, strict=True)]
    return None if not sources or None in sources else np.array(sources)


def is_split_list(file: Path) -> bool:
    """Whether a file is named like a split list of JHMDB, HMDB-51 or UCF-101."""
    named = _TEST_SPLIT.fullmatch(file.stem) or _LIST.fullmatch(file.stem)
    return file.suffix == ".txt" and named is not None and not file.name.startswith(".")


def find_splits(
    root: Path, names: Sequence[str], labels: Sequence[str], *, strict: bool = False
) -> tuple[np.ndarray, list[str]]:
    """Read the split lists in ``root`` or a folder in it: HMDB's and JHMDB's, or UCF-101's.

    Parameters
    ----------
    root : Path
        Holds ``<class>_test_split<s>.txt`` (lines ``<clip>.avi 1``: 1 train, 2 test, 0 unused) or
        ``trainlist<s>.txt`` and ``testlist<s>.txt`` (lines ``<class>/<clip>.avi``).
    names, labels : N clips' names, without suffix, and classes
    strict : bool
        Whether a clip that is not here is an error.

    Returns
    -------
    splits : int8 array (S, N)
        1 = train, 2 = test, 0 = in neither list; no row where there are no lists.
    missing : list of str
        Clips that a list names and that are not here.

    Raises
    ------
    ValueError
        A line that cannot be understood, or (``strict``) of a clip that is not here; names the file.
    """
    place = {key: i for i, key in enumerate(zip(labels, names, strict=True))}
    rows: dict[int, np.ndarray] = {}
    missing: list[str] = []

    def put(split: str, where: str, label: str, clip: str, part: int) -> None:
        row = rows.setdefault(int(split), np.zeros(len(names), np.int8))
        position = place.get((label, clip.removesuffix(Path(clip).suffix)))
        if position is not None:
            row[position] = part
        elif strict:
            raise ValueError(f"{where}: there is no clip {label}/{clip[:80]}")
        else:
            missing.append(f"{label}/{clip}")

    inside = root.resolve()
    files = [f for f in (*root.glob("*.txt"), *root.glob("*/*.txt")) if is_split_list(f)]
    for file in sorted(f for f in files if f.resolve().is_relative_to(inside)):
        if match := _TEST_SPLIT.fullmatch(file.stem):
            for where, line in _lines(file):
                fields = line.rsplit(maxsplit=1)
                if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
                    raise ValueError(f"{where}: expected '<clip>.avi 1' or 2, got {line[:80]!r}")
                put(match["number"], where, match["label"], fields[0], int(fields[1]))
        elif match := _LIST.fullmatch(file.stem):
            for where, line in _lines(file):
                label, slash, clip = line.split()[0].partition("/")
                if not slash:
                    raise ValueError(f"{where}: expected '<class>/<clip>.avi', got {line[:80]!r}")
                put(match["number"], where, label, clip, 1 if match["part"] == "train" else 2)
    splits = [rows[number] for number in sorted(rows) if (rows[number] == 1).any()]
    return np.array(splits, np.int8).reshape(-1, len(names)), missing


def _lines(file: Path) -> list[tuple[str, str]]:
    """Lines that are not blank, each with where it stands, for messages."""
    lines = read_whole(file, _MAX_LIST).decode("utf-8", "replace").splitlines()
    return [(f"{file}: line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
