"""Find the videos to encode: folders ``<class>/<clip>``, or a CSV of paths, classes, splits and groups."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from acot_core.datasets.archives import read_whole
from acot_core.datasets.folders import VIDEO_SUFFIXES, visible
from acot_core.datasets.schemes import find_splits, groups_from_names, is_split_list
from acot_core.datasets.video.decoding import pictures_in

_PARTS = {"train": 1, "test": 2, "unused": 0, "": 0, "1": 1, "2": 2, "0": 0}
_PATHS, _CLASSES = ("path", "file", "video", "filename"), ("class", "label", "action")
_GROUPS = ("group", "source", "subject")
_MAX_CSV = 2**26


@dataclass
class Listing:
    """Videos that were found, and what was left out and why.

    Attributes
    ----------
    paths : list of N Path
    names : list of N str
        ``<class>/<clip>``, each once.
    labels : list of N str
    splits : int8 array (S, N)
        1 = train, 2 = test, 0 = unused.
    groups : array (N,) or None
    skipped : list of (what, reason)
    path_of : dict of str to Path
        The path of each name.
    """

    paths: list[Path]
    names: list[str]
    labels: list[str]
    splits: np.ndarray
    groups: np.ndarray | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    path_of: dict[str, Path] = field(default_factory=dict, repr=False)


def list_videos(source: str | os.PathLike[str]) -> Listing:
    """List the videos of a folder or CSV.

    Parameters
    ----------
    source : str or path-like
        A folder of ``<class>/<clip>.avi`` (or .mp4, .mkv, .webm, .mov, .m4v, .gif) or of pictures
        ``<class>/<clip>/<number>.png`` (or .jpg, .bmp; JHMDB's ``Rename_Images``), at most one level further
        down (``videos/<class>/...``), with HMDB-51's, JHMDB's or UCF-101's split lists beside the classes, if
        there are any; or a CSV, or a folder with a ``clips.csv``, with columns ``path`` (or file; relative to
        the CSV), ``class``, and, if wanted, ``group`` and one or more columns ``split...`` of train / test /
        unused. Groups are read from the names where all follow a known scheme. Hidden files are passed over.

    Raises
    ------
    ValueError
        No video there, or a CSV that cannot be understood.
    """
    root = Path(source)
    if root.is_dir() and (root / "clips.csv").is_file():
        return _from_csv(root / "clips.csv")
    if root.is_dir():
        return _from_folder(root)
    if root.suffix.lower() in (".csv", ".tsv") and root.is_file():
        return _from_csv(root)
    raise ValueError(f"{source}: expected a folder of <class>/<clip>.mp4 or a CSV of path and class")


def _from_folder(root: Path) -> Listing:
    classes = _folders(root)
    if not any(_videos(c) for c in classes):
        # JHMDB's ReCompress_Videos, UCF-101's UCF-101 ...: the classes lie a folder further down
        inner = [f for f in classes if any(_videos(c) for c in _folders(f))]
        if len(inner) == 1:
            listing = _from_folder(inner[0])
            if not len(listing.splits):
                listing.splits, missing = find_splits(root, _stems(listing.paths), listing.labels)
                listing.skipped += [(clip, "is in a split list and not in the folder") for clip in missing]
            return listing
    listing = Listing([], [], [], np.zeros((0, 0), np.int8))
    inside = root.resolve()
    lists = {f.parent for f in root.glob("*/*.txt") if is_split_list(f)}
    for folder in classes:
        clips = _videos(folder)
        others = [f for f in _files(folder) if f not in set(clips)]
        if not clips and folder not in lists:
            listing.skipped.append((f"{folder.name}/", "no video in this folder"))
        for file in clips:
            if not file.resolve().is_relative_to(inside):
                listing.skipped.append((str(file), f"leads out of {root}"))
                continue
            _add(listing, file, folder.name)
        if folder not in lists:
            listing.skipped += [(str(f), f"is none of {', '.join(VIDEO_SUFFIXES)}") for f in others]
    listing.skipped += [(str(f), "lies in no class folder") for f in _videos(root)]
    if not listing.paths:
        reasons = "".join(f"; {what}: {reason}" for what, reason in listing.skipped[:5])
        raise ValueError(f"{root}: expected videos <class>/<clip>.mp4 in this folder, got none{reasons}")
    stems = _stems(listing.paths)
    listing.groups = groups_from_names(stems, listing.labels)
    listing.splits, missing = find_splits(root, stems, listing.labels)
    listing.skipped += [(clip, "is in a split list and not in the folder") for clip in missing]
    return listing


def _add(listing: Listing, file: Path, label: str) -> bool:
    name = f"{label}/{_stem(file)}"
    first = listing.path_of.setdefault(name, file)
    if first is not file:
        listing.skipped.append((str(file), f"has the same name as {first}"))
        return False
    listing.paths.append(file)
    listing.names.append(name)
    listing.labels.append(label)
    return True


def _from_csv(path: Path) -> Listing:
    lines = read_whole(path, _MAX_CSV).decode("utf-8-sig", "replace").splitlines()
    rows = csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",")
    columns = [(c or "").strip() for c in rows.fieldnames or []]
    rows.fieldnames = columns
    where = _column(path, columns, _PATHS)
    label = _column(path, columns, _CLASSES)
    group = next((c for c in columns if c.lower() in _GROUPS), None)
    parts = [c for c in columns if c.lower().startswith("split")]
    listing = Listing([], [], [], np.zeros((0, 0), np.int8))
    groups: list[str] = []
    splits: list[list[int]] = []
    for number, row in enumerate(rows, 2):
        if not row[where] or not row[label]:
            raise ValueError(f"{path}: line {number}: expected a path and a class, got {dict(row)}")
        given = [(row[c] or "").strip().lower() for c in parts]
        for column, part in zip(parts, given, strict=True):
            if part not in _PARTS:
                raise ValueError(
                    f"{path}: line {number}: {column}: expected train, test or unused, got {part[:40]!r}"
                )
        file = path.parent / row[where].strip()
        if not file.exists():
            listing.skipped.append((str(file), f"is not there (line {number} of {path.name})"))
        elif _add(listing, file, row[label].strip()):
            groups.append((row[group] or "").strip() if group else "")
            splits.append([_PARTS[part] for part in given])
    if not listing.paths:
        reasons = "".join(f"; {what}: {reason}" for what, reason in listing.skipped[:5])
        raise ValueError(f"{path}: lists no video that is there{reasons}")
    if group is not None and not all(groups):
        raise ValueError(f"{path}: {group}: {listing.names[groups.index('')]} has none, others have")
    listing.groups = np.array(groups) if group else groups_from_names(_stems(listing.paths), listing.labels)
    listing.splits = np.array(splits, np.int8).reshape(len(listing.paths), -1).T
    for name, row_ in zip(parts, listing.splits, strict=True):
        if not (row_ == 1).any():
            raise ValueError(f"{path}: {name}: no video to train on")
    return listing


def _column(path: Path, columns: Sequence[str], names: Sequence[str]) -> str:
    match = next((c for c in columns if c.lower() in names), None)
    if match is None:
        raise ValueError(f"{path}: expected a column {names[0]!r} (or {', '.join(names[1:])}), got {columns}")
    return match


def _folders(folder: Path) -> list[Path]:
    return [p for p in visible(folder) if p.is_dir()]


def _files(folder: Path) -> list[Path]:
    return [p for p in visible(folder) if not p.is_dir()]


def _videos(folder: Path) -> list[Path]:
    """Files of videos, and folders of pictures."""
    files = [p for p in _files(folder) if p.suffix.lower() in VIDEO_SUFFIXES]
    return sorted([*files, *(p for p in _folders(folder) if pictures_in(p))])


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _stems(paths: Sequence[Path]) -> list[str]:
    return [_stem(p) for p in paths]
