"""Pages in Markdown: the examples and commands that they hold, run and checked."""

from __future__ import annotations

import importlib.util
import re
import shlex
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from acot_core import __main__ as acot

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"```python\n(.*?)```", re.S)
BASH = re.compile(r"```bash\n(.*?)```", re.S)
INLINE = re.compile(r"`((?:acot|make|python|panel|conda|docker) [^`\n]+(?:\n[^`\n]+)?)`")
INDENTED = re.compile(r"^    ((?:acot|make|pip|panel|python) .+)$", re.M)


def examples(text: str) -> list[str]:
    """The Python code of a page."""
    return CODE.findall(text)


def run(text: str, before: str = "") -> None:
    """Run a page's code, in order and in one namespace, but what the page ``known`` holds as well.

    What stands under ``if __name__ == "__main__":`` is compiled, not run.
    """
    names: dict[str, object] = {"__name__": "page"}
    for code in examples(text):
        compiled = compile(code, "<page>", "exec")
        if code not in examples(before):
            exec(compiled, names)


def commands(text: str) -> list[str]:
    """The commands that a page names, each on one line without its comment."""
    lines = [*INLINE.findall(text), *INDENTED.findall(CODE.sub("", text))]
    for block in BASH.findall(text):
        lines += block.replace("\\\n", " ").splitlines()
    plain = (" ".join(command.split("  #")[0].split()) for command in lines)
    return sorted({command for command in plain if command})


def check(command: str) -> None:
    """Fail where a command names no target, module, subcommand or option that there is."""
    program, *words = shlex.split(command)
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = [word for word in words if "=" not in word]
        assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets), command
    elif program == "acot":
        _check_acot(words, command)
    elif program == "python" and words[0] == "-m":
        assert importlib.util.find_spec(words[1]), command
    elif program == "python":
        assert (ROOT / words[0]).exists(), command


def _check_acot(words: list[str], command: str) -> None:
    if words == ["--help"]:
        return
    name, *options = words
    assert name in acot.COMMANDS, command
    module = import_module(f"acot_core._commands.{name}")
    if not hasattr(module, "parser"):  # its options are not to be had without running it
        return
    parser = module.parser()
    parser.exit_on_error = False
    if name == "explore":
        options, _ = import_module("acot_core._commands.explore").split(options)
    with suppress(SystemExit):  # --help; errors are raised below
        parser.parse_args(options)
        return
    assert "--help" in options, command
