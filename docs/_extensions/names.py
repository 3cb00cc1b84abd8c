"""Names of the package lead to where they are public; a name that does not exist is an error."""

from __future__ import annotations

import importlib
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def resolve(name: str) -> Any:
    """The module, class, function or attribute of that full name."""
    first, *parts = name.split(".")
    value, path = importlib.import_module(first), first
    for name in parts:
        path = f"{path}.{name}"
        value = getattr(value, name) if hasattr(value, name) else importlib.import_module(path)
    return value


def documented(env: BuildEnvironment) -> dict[int, str]:
    """The documented name of each object that has one; an attribute by its class's."""
    names = {}
    for name in env.domains["py"].objects:
        try:
            names.setdefault(id(resolve(name)), name)
        except (AttributeError, ImportError):  # an attribute of instances
            continue
    return names


def refer(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.Node) -> nodes.Node | None:
    """The public name of what is meant, or plain text where it has none; None, an error, where nothing is."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("acot_core"):
        return None
    try:
        value = resolve(target.removesuffix("()"))
    except (AttributeError, ImportError):
        return None
    if not hasattr(env, "public_names"):
        env.public_names = documented(env)  # type: ignore[attr-defined]
    name = env.public_names.get(id(value))
    if name is None:
        return shown
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, shown)


def forget(app: Sphinx, env: BuildEnvironment) -> None:
    """Make the table anew in each build."""
    vars(env).pop("public_names", None)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("missing-reference", refer)
    app.connect("env-updated", lambda app, env: forget(app, env))
    return {"parallel_read_safe": True}
