"""The `acot` command: `acot explore`, `acot experiments table1`, ...; `acot COMMAND --help` says more."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

from acot_core import __version__

COMMANDS = {
    "encode": "a folder of videos to features",
    "explore": "open the explorer in the browser",
    "pool": "represent each sequence of a file by its subspace",
    "evaluate": "classify the sequences of a file: averages, order, ACOT",
    "experiments": "the paper's tables and figures, and those beyond it",
}
"""What `acot --help` says of each module of `acot_core._commands`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and give its exit status.

    0: done; 1: stopped, or failed on the way; 2: a bad argument or bad data, in one line; 130: interrupted.
    """
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        prog="acot",
        description="Adversarially-Contrastive Optimal Transport: understand it, use it.",
        epilog="\n".join(["commands:", *(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"acot {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="command", help="one of those below")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="its own options: acot COMMAND --help")
    options = parser.parse_args(arguments)
    try:
        return int(import_module(f"acot_core._commands.{options.command}").main(options.options))
    except (ValueError, ImportError) as error:
        within = getattr(error, "__notes__", [])  # of a sweep: the cell that failed
        text = "; ".join([str(error), *within])
        print(f"acot {options.command}: {' '.join(text.split())}", file=sys.stderr)
        return 1 if within else 2
    except KeyboardInterrupt:
        print(f"\nacot {options.command}: interrupted", file=sys.stderr)
        return 130


def run() -> NoReturn:
    """`main` as a program: an interrupt ends it at once, without waiting for threads in native code."""
    located = warnings.formatwarning

    def plain(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if category is UserWarning:
            return f"acot: {message}\n"
        return located(message, category, filename, lineno, line)

    warnings.formatwarning = plain  # what the data were taken for is told in a line, without our source
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal, or a pipe of Windows, may know neither ± nor ü
            stream.reconfigure(errors="backslashreplace")
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if status == 130:
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
