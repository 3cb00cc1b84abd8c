"""Options of several commands: settings as NAME=VALUE, files checked before the work, progress."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from acot_core._utils.progress import Progress


def command_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of ``acot name``, whose help shows a module's docstring as it is written."""
    return argparse.ArgumentParser(
        prog=f"acot {name}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def setting(text: str) -> tuple[str, Any]:
    """Name and value of "NAME=VALUE"; a number or boolean where it is one in JSON."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def grid_values(text: str) -> tuple[str, list[Any]]:
    """Name and values of "NAME=V1,V2,...", each as in `setting`."""
    name, values = text.partition("=")[::2]
    return name, [setting(f"{name}={value}")[1] for value in values.split(",") if value]


def check_writable(path: str | os.PathLike[str] | None, option: str) -> None:
    """Refuse a file that cannot be written, before the work is done."""
    if path is None:
        return
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"{option}: {path} is no file that can be written")


def progress(told: Callable[[Progress], str] | None = None) -> Callable[[Progress], None]:
    """A callback that tells progress on standard error: on one line of a terminal, else every ten seconds."""
    terminal, last = sys.stderr.isatty(), -math.inf

    def show(event: Progress) -> None:
        nonlocal last
        now = monotonic()
        if now - last < (0.2 if terminal else 10) and not (terminal and event.step >= event.total):
            return
        last = now
        left = "" if event.remaining is None else f", {duration(event.remaining)} left"
        text = (told(event) if told else f"{event.stage}: {event.step}/{event.total}") + left
        line = f"\r{text:<78}" if terminal else f"{text}\n"
        print(line, end="", file=sys.stderr, flush=True)

    return show


def duration(seconds: float) -> str:
    """Seconds in words: "2 h 5 min", "3 min 20 s", "7 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def end_line(quiet: bool) -> None:
    """What is printed next begins below the line of progress."""
    if sys.stderr.isatty() and not quiet:
        print(file=sys.stderr)
