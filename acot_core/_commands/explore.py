"""`acot explore`: serve the explorer and open it in the browser."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    taken = argparse.ArgumentParser(
        prog="acot explore",
        description=__doc__,
        epilog="What follows -- goes on to `panel serve`: a prefix, origins, a password.",
    )
    taken.add_argument("data", nargs="?", help="sequences of your own: an .npz, a folder, ...")
    taken.add_argument("--port", type=int, default=5006)
    taken.add_argument("--address", default="127.0.0.1", help="where to listen (default: this machine only)")
    taken.add_argument("--no-show", action="store_true", help="do not open a browser")
    return taken


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments before ``--``, and those after it, which go on to `panel serve`."""
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted; 2 where the extra ``app`` is not installed."""
    words, panel = split(arguments)
    options = parser().parse_args(words)
    explorer = find_spec("acot_explorer")
    missing = [name for name in ("panel", "panel_material_ui") if find_spec(name) is None]
    if missing or explorer is None or explorer.origin is None:
        print("acot explore: not installed; pip install 'acot-explorer[app]' adds it", file=sys.stderr)
        return 2
    if options.data is not None:
        from acot_core.datasets import load  # here, since it imports torch: --help is quick

        try:
            load(options.data)
        except (OSError, ValueError) as error:
            print(f"acot explore: {error}", file=sys.stderr)
            return 2
        os.environ["ACOT_EXPLORE"] = options.data
    script = Path(explorer.origin).with_name("explorer.py")
    serve = ["serve", str(script), "--address", options.address, "--port", str(options.port), "--warm"]
    show = [] if options.no_show else ["--show"]
    sys.argv = ["panel", *serve, *show, *panel]
    try:
        runpy.run_module("panel", run_name="__main__", alter_sys=True)  # in this process: signals reach it
    except KeyboardInterrupt:
        return 130
    return 0
