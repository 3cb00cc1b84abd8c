"""Modules and names of 0.1 under their present ones, with a `DeprecationWarning` that says where they are."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Where the names of a module of 0.1 are now, for those that are elsewhere; all below acot_core.
MOVED = {
    "adversary": "gan.adversary",
    "adversary_checks": "gan._checks gan._checkpoint",
    "adversary_data": "gan.training",
    "adversary_training": "gan.training",
    "alternation": "subspace.alternation",
    "baselines.base": "pooling.base",
    "baselines.ranking": "baselines.rank_pooling",
    "baselines.subspaces": "baselines.rank_pooling baselines.principal_subspace",
    "checkpoints": "_utils.checkpoints",
    "couplings": "transport.couplings",
    "datasets.planted": "datasets._planted",
    "datasets.storage": "datasets.folders",
    "entropic": "transport",
    "experiments": "experiments.record experiments.views.one_sequence",
    "experiments.ablation": "experiments.table1",
    "experiments.bounds": "experiments.views.bounds",
    "experiments.cells": "experiments._protocol.cells experiments._protocol.classifiers",
    "experiments.classification": "experiments.views.one_fit",
    "experiments.comparison": "experiments.table2_3",
    "experiments.conditions": "experiments.beyond.conditions",
    "experiments.descent_checks": "experiments.views.descent",
    "experiments.embedding": "experiments.figure4",
    "experiments.fooling": "experiments.figure5",
    "experiments.fusion": "experiments._protocol.fusion",
    "experiments.kept_negatives": "experiments._protocol.cached_negatives",
    "experiments.landscape": "experiments.beyond.landscape",
    "experiments.one_clip": "experiments.views.one_sequence",
    "experiments.parts": "experiments._protocol.parts",
    "experiments.perturb": "experiments.figure3",
    "experiments.plan": "experiments._protocol.study experiments._protocol.classifiers",
    "experiments.plan_matters": "experiments.beyond.plan_matters",
    "experiments.protocol": "experiments._protocol.evaluation experiments._protocol.study",
    "experiments.reference": "experiments.paper_numbers",
    "experiments.rounds": "experiments.views.rounds",
    "experiments.scores": "experiments._protocol.scores",
    "experiments.sensitivity": "experiments.figure2",
    "experiments.sweep": "experiments._protocol.sweep",
    "experiments.training": "experiments.views.adversary",
    "figures": "figures.sequences",
    "figures.clips": "figures.sequences",
    "figures.perturb": "figures.perturbations",
    "files": "_utils.files",
    "frame_classifier": "gan.frame_classifier",
    "grassmann": "riemannian.grassmann",
    "line_search": "riemannian.line_search",
    "memory": "_utils.blocks",
    "negatives": "gan.negatives",
    "objective": "subspace.objective",
    "parameters": "experiments.parameters",
    "progress": "_utils.progress",
    "quality": "gan.quality",
    "records": "experiments.record",
    "reduced": "subspace._reduced",
    "reference": "riemannian.pymanopt_reference",
    "response_line": "subspace.objective",
    "riemannian": "riemannian.problem",
    "rmsprop": "gan._rmsprop",
    "robust": "subspace.theorem1",
    "subspace_problem": "riemannian.problem",
    "subspaces": "subspace.solve",
    "threads": "_utils.threads",
    "transport": "transport.couplings",
    "two_sample": "gan.two_sample",
    "wgan": "gan.wgan",
}
RENAMED = {
    **dict.fromkeys(("AngleStudy", "BatchStudy", "BoundStudy", "GradientCheck", "RoundStudy"), "TableRecord"),
    "ClipView": "SequenceView",
    "FAITHFUL": "PAPER",
    "Judged": "Evaluated",
    "KeptNegatives": "CachedNegatives",
    "Plan": "Study",
    "RCGResult": "DescentResult",
    "TransportPlan": "TransportResult",
    "clip_view": "sequence_view",
    "judge": "evaluate_entries",
    "keep_adversary": "cached_adversary",
    "mlp": "MLP",
    "one_thread": "single_threaded",
    "plot_clip": "plot_sequence",
    "side_by_side": "parallel_map",
}


def getter(module: str, shadowed: Any = None) -> Callable[[str], Any]:
    """A module's ``__getattr__`` for the names that it had in 0.1.

    ``shadowed`` is the function of its package that bears the module's name: it stays what the name means.
    """
    package, _, child = module.rpartition(".")
    homes = [f"acot_core.{home}" for home in MOVED[module.removeprefix("acot_core.")].split()]

    def find(name: str) -> Any:
        if shadowed is not None:
            setattr(sys.modules[package], child, shadowed)
        if name == "__all__":
            return sorted({each for home in homes for each in dir(import_module(home)) if each[0] != "_"})
        present = RENAMED.get(name, name)
        for home in homes if name[0] != "_" else ():
            if hasattr(import_module(home), present):
                text = f"{module}.{name} is {home}.{present} since 0.2"
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                return getattr(import_module(home), present)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find


class _Old(Loader):
    def exec_module(self, module: ModuleType) -> None:
        package, _, child = module.__name__.rpartition(".")
        module.__dict__["__getattr__"] = getter(module.__name__, getattr(sys.modules[package], child, None))


def find_spec(name: str) -> ModuleSpec | None:
    """The specification of a module of 0.1 that is no file now."""
    return ModuleSpec(name, _Old()) if name.removeprefix("acot_core.") in MOVED else None
