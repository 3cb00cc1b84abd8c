"""`acot experiments`: the paper's tables and figures from the shell, and those beyond it.

    acot experiments evaluate --dataset jhmdb-pose --seeds 5
    acot experiments table1 --dataset jhmdb-pose --seeds 5 --jobs 2 --out table1.json
    acot experiments compare --tune --figure compare.pdf
    acot experiments table1 --dask 2        # a Dask cluster of two worker processes

``--out x.json`` writes summary, configuration and environment as JSON, ``--record x.zip`` the whole record,
``--figure x.pdf`` the figure. An interrupted run, started again with the same ``--cache``, repeats nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from acot_core import experiments, figures
from acot_core._commands._options import check_writable, command_parser, grid_values, progress, setting
from acot_core._utils.extras import from_extra
from acot_core._utils.files import atomic_write
from acot_core.experiments import ScoreRecord
from acot_core.experiments._factorial import RESPONSES
from acot_core.experiments.record import Record

Outcome = tuple[Record, dict[str, pd.DataFrame], Callable[[Any], Any]]

_DATA = "--dataset --encoder --reversals --stream --split --k"
_SWEEP = "--seeds --adversary --cache --jobs --dask"
_TUNING = "--tune --tune-seeds --grid --folds"
_FIXED = {
    "linear": {"kind": "linear", "C": 10.0},
    "projection": {"kind": "projection", "C": 10.0},
    "kernel": {"kind": "kernel", "C": 10.0, "gamma": 1.0, "relative": True},
}
_OF_THE_MACHINE = ("--cache", "--jobs", "--dask", "--out", "--record", "--figure")
_OVER_CLIPS = "Full ACOT minus each other method, points, over test sequences and seeds"
_ONE_SPLIT = ("landscape", "plans", "embedding", "factorial")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one experiment; 0 when it was complete, 1 when it was stopped."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands = parser()
    options = commands.parse_args(given)
    if options.command in _ONE_SPLIT and len(options.split or ()) > 1:
        commands.error(f"{options.command} takes one --split")
    if options.command == "sensitivity" and options.parameter == "n_subspaces" and options.k is not None:
        commands.error("--k is what varies; name another --parameter")
    _check_outputs(options)
    with _cluster(options.dask):
        record, tables, figure = COMMANDS[options.command][2](options)
    if isinstance(record, ScoreRecord):
        tables |= {"Chosen on training sequences": record.choices()} if options.tune else {}
        if len(edges := record.edges()):
            tables["Chosen at an edge of its grid: a wider one might do better"] = edges
    for title, table in tables.items():
        print(f"\n{title}\n{table.to_string(float_format='{:.1f}'.format)}")
    if options.out:
        result = {
            "command": "acot experiments " + _command(given),
            "tables": {title: _plain(table) for title, table in tables.items()},
            "config": record.config,
            "environment": record.environment,
            "seconds": round(record.seconds, 1),
        }
        atomic_write(options.out, (json.dumps(result, indent=1, default=str) + "\n").encode())
    if options.record:
        record.save(options.record)
    if options.figure:
        atomic_write(
            options.figure, figures.render(figure(record), figures.format_of(options.figure), dpi=200)
        )
    return 0 if record.config.get("complete", True) else 1


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse a file that cannot be written before the work is done."""
    if options.figure:
        figures.format_of(options.figure)
    for name in ("out", "record", "figure"):
        check_writable(getattr(options, name), f"--{name}")


# ------------------------------------------------------------------ one function per command


def _study(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of the study, and options of `load`, from what a command takes."""
    jobs = options.jobs or (None if options.dask else joblib.cpu_count())
    study: dict[str, Any] = {
        "cache": options.cache, "n_jobs": jobs, "adversary": dict(options.adversary or ()),
        "callback": None if options.quiet else progress(),
    }  # fmt: skip
    if options.seeds is not None:
        study["seeds"] = options.seeds
    if options.folds is not None:
        study["n_folds"] = options.folds
    if options.grid:
        study["grid"] = dict(options.grid)
    if options.encoder and options.command != "evaluate":
        study["encoder"] = options.encoder
    if options.reversals:
        study["reversals"] = True
    return study


def _tuned(options: argparse.Namespace) -> dict[str, Any]:
    tuning = {"tune": options.tune, "tune_seeds": options.tune_seeds, "candidates": options.candidates}
    return _study(options) | tuning | _streams(options)


def _streams(options: argparse.Namespace) -> dict[str, Any]:
    return {"streams": (options.stream,) if options.stream else ()}


def _split(options: argparse.Namespace) -> str | None:
    return options.split[0] if options.split else None


def _k(options: argparse.Namespace) -> dict[str, int]:
    return {} if options.k is None else {"n_subspaces": options.k}


def _evaluate(options: argparse.Namespace) -> Outcome:
    encoders = (options.encoder,) if options.encoder else ("untrained", "trained")
    record = experiments.evaluate(options.dataset, encoders=encoders, **_tuned(options))
    summary = record.summary(("encoder", "kind", "label", "k", "stream"))
    return record, {"Accuracy in %, over seeds": summary}, figures.plot_comparison


def _table1(options: argparse.Namespace) -> Outcome:
    record = experiments.ablation(
        options.dataset, splits=options.split, classifier=_FIXED.get(options.classifier),
        n_subspaces=options.k if options.k or options.tune else 1, **_tuned(options),
    )  # fmt: skip
    tables = {
        "Table 1, accuracy in %, mean ± standard deviation": record.table(),
        "Summary": record.summary(),
        "Paired differences, points": record.differences(),
        _OVER_CLIPS: record.differences_of() if record.complete else pd.DataFrame(),
    }
    return record, tables, figures.plot_ablation


def _compare(options: argparse.Namespace) -> Outcome:
    methods = tuple(options.method or experiments.COMPARED)
    record = experiments.comparison(
        options.dataset, methods=methods, splits=options.split, with_mean=options.with_mean,
        fixed=_fixed(options, methods),
        **_tuned(options),
    )  # fmt: skip
    tables = {
        "Accuracy in %, mean ± standard deviation": record.with_paper(2),
        "Summary": record.summary(),
    }
    for baseline in (b for b in ("average", "grp", "acot-random") if b in methods):
        tables[f"Paired differences to {baseline}, points"] = record.paired(baseline)
    if record.complete and "acot" in methods:
        tables[_OVER_CLIPS] = record.differences_of()
    return record, tables, figures.plot_comparison


def _retrieval(options: argparse.Namespace) -> Outcome:
    methods = tuple(options.method or experiments.RETRIEVED)
    record = experiments.retrieval(
        options.dataset, methods=methods, splits=options.split, tune=options.tune,
        tune_seeds=options.tune_seeds, per_class=options.per_class, unseen=options.unseen,
        fixed=_fixed(options, methods), **_study(options), **_streams(options),
    )  # fmt: skip
    tables = {"Retrieval, in % (silhouette x 100), mean over seeds": record.summary()}
    if record.complete and "acot" in methods:
        differences = record.differences()
        for measure in dict.fromkeys(differences["measure"]):
            title = f"Full ACOT minus each other method, points of {experiments.MEASURES[measure]}"
            tables[title] = differences[differences["measure"] == measure].drop(columns="measure")
    tables["Chosen on training sequences"] = record.choices()
    if len(edges := record.edges()):
        tables["Chosen at an edge of its grid: a wider one might do better"] = edges
    return record, tables, figures.plot_retrieval


def _factorial(options: argparse.Namespace) -> Outcome:
    with from_extra("statistics", "the analysis of variance"):
        import statsmodels  # noqa: F401 - said before anything is computed
    record = experiments.factorial(
        options.dataset, stream=options.stream, split=_split(options), n_subspaces=options.k or 4,
        **_study(options),
    )  # fmt: skip
    tables = {"Mean response in % at each level": record.levels()}
    if record.complete:
        tables |= {f"Analysis of variance: {name}": record.anova(name) for name in RESPONSES}
        tables["Gain over no contrast, points of mean average precision"] = record.contrast()
    return record, tables, figures.plot_factorial


def _fixed(options: argparse.Namespace, methods: Sequence[str]) -> dict[str, dict[str, int]]:
    """What is not searched: k of every subspace, folds of the adversary where there is one."""
    fixed: dict[str, dict[str, int]] = {}
    for name in methods:
        how = experiments.METHODS[name]
        fixed[name] = _k(options) if how.kind == "subspace" else {}
        if options.cross_fit and how.needs_adversary(how.defaults):
            fixed[name]["cross_fit"] = options.cross_fit
    return fixed


def _sensitivity(options: argparse.Namespace) -> Outcome:
    record = experiments.sensitivity(
        options.dataset, options.parameter, stream=options.stream, splits=options.split, fixed=_k(options),
        **_study(options),
    )  # fmt: skip
    return record, {"Accuracy in %": record.summary(("label", "value"))}, figures.plot_sensitivity


def _landscape(options: argparse.Namespace) -> Outcome:
    record = experiments.landscape(
        options.dataset, stream=options.stream, splits=(_split(options),), n_subspaces=options.k or 1,
        **_study(options),
    )  # fmt: skip
    summary = record.summary(("label", "beta1", "beta2"))
    return record, {"Accuracy in %": summary}, figures.plot_landscape


def _conditions(options: argparse.Namespace) -> Outcome:
    chosen = {name: experiments.CONDITIONS[name] for name in options.condition or ()} or None
    named = {"methods": options.method} if options.method else {}
    record = experiments.conditions(chosen, tune_seeds=options.tune_seeds, **named, **_study(options))
    within = ("condition", "label")
    tables = {"Accuracy in %": record.summary(within)}
    for baseline in (b for b in ("grp", "order") if (record.scores["method"] == b).any()):
        tables[f"Paired differences to {baseline}, points"] = record.paired(baseline, within)
    tables["Chosen on training sequences"] = record.choices()

    def plot(record: Any) -> Any:
        by_condition = record.scores.assign(stream=record.scores["condition"])
        return figures.plot_comparison(replace(record, scores=by_condition))

    return record, tables, plot


def _plans(options: argparse.Namespace) -> Outcome:
    record = experiments.plan_matters(
        options.dataset, stream=options.stream, split=_split(options), fixed=_k(options), **_study(options)
    )
    return record, {"By plan": record.plan_summary()}, figures.plot_plans


def _embedding(options: argparse.Namespace) -> Outcome:
    record = experiments.embedding(
        options.dataset, stream=options.stream, split=_split(options), fixed=_k(options), **_study(options)
    )
    return record, {"Separation of classes": record.quality}, figures.plot_embedding


COMMANDS: dict[str, tuple[str, str, Callable[[argparse.Namespace], Outcome]]] = {
    "evaluate": (
        "average pooling, order-constrained PCA and full ACOT, by encoder, k and classifier",
        f"--dataset --encoder --reversals --stream {_SWEEP} {_TUNING} --candidates", _evaluate,
    ),
    "table1": ("Table 1, part by part", f"{_DATA} {_SWEEP} {_TUNING} --classifier --candidates", _table1),
    "compare": (
        "Tables 2 and 3: the full model and other methods",
        f"{_DATA} {_SWEEP} {_TUNING} --candidates --with-mean --method --cross-fit", _compare,
    ),
    "retrieval": (
        "representations compared without a classifier: nearest neighbours, rankings, clusters",
        f"{_DATA} {_SWEEP} {_TUNING} --method --per-class --unseen --cross-fit", _retrieval,
    ),
    "factorial": (
        "what each term of Eq. (10) buys: negatives x plan x order x beta1", f"{_DATA} {_SWEEP}", _factorial
    ),
    "sensitivity": (
        "Figure 2: accuracy against one parameter", f"{_DATA} {_SWEEP} --parameter", _sensitivity
    ),
    "landscape": (
        "accuracy over beta1 x beta2: full ACOT, GRP, order alone", f"{_DATA} {_SWEEP}", _landscape
    ),
    "conditions": (
        "generated data: when does the contrast pay, all methods tuned?",
        f"--condition --method {_SWEEP} --tune-seeds --grid", _conditions,
    ),
    "plans": ("does optimal transport matter?", f"{_DATA} {_SWEEP}", _plans),
    "embedding": (
        "Figure 4: t-SNE of frames, negatives and representations", f"{_DATA} --adversary --cache", _embedding
    ),
}  # fmt: skip
"""What each command is for, the options it takes beside those of its output, and what runs it."""


# ------------------------------------------------------------------ options


_OPTIONS: dict[str, dict[str, Any]] = {
    "--dataset": {"default": "jhmdb-pose", "help": "name or path"},
    "--encoder": {"help": "untrained, trained (where the data are encoded)"},
    "--stream": {"help": "one stream alone"},
    "--split": {"action": "append", "help": "name of a split; a sweep takes several"},
    "--k": {"type": int, "help": "subspace dimension (default: the grid's or 1)"},
    "--seeds": {"type": int, "help": "how many (default: 5; landscape: 3)"},
    "--adversary": {
        "type": setting, "action": "append", "metavar": "NAME=VALUE",
        "help": "a parameter of the adversary, such as n_iter=300; may be repeated",
    },
    "--cache": {"type": Path, "default": Path.home() / ".cache" / "acot-explorer"},
    "--jobs": {"type": int, "help": "cells in parallel (default: as many as there are cores)"},
    "--dask": {"type": int, "metavar": "N", "help": "run on a local Dask cluster of N processes"},
    "--tune": {"action": "store_true", "help": "choose the weights by cross-validation"},
    "--tune-seeds": {"type": int, "help": "so many seeds choose the parameters for all"},
    "--grid": {
        "type": grid_values, "action": "append", "metavar": "NAME=V1,V2,...",
        "help": "values of a parameter to search, for every method that searches it; may be repeated",
    },
    "--candidates": {"type": int, "default": 1, "help": "settings a stream brings to the fusion"},
    "--with-mean": {"action": "store_true", "help": "subspaces may share the fusion with mean frames"},
    "--classifier": {"choices": _FIXED, "help": "one setting, nothing is searched"},
    "--method": {"action": "append", "help": "a method; may be repeated"},
    "--folds": {"type": int, "help": "inner folds of the training sequences (default: 3)"},
    "--reversals": {"action": "store_true", "help": "every class and its time reversal is a class"},
    "--per-class": {"type": int, "metavar": "N", "help": "only N training sequences of each class"},
    "--unseen": {"type": int, "metavar": "N", "help": "leave each N-th of the classes out of training"},
    "--cross-fit": {
        "type": int, "metavar": "N",
        "help": "a training sequence's negatives come from an adversary of N folds without it",
    },
    "--condition": {"action": "append", "choices": experiments.CONDITIONS, "help": "may be repeated"},
    "--parameter": {"default": "n_subspaces", "help": "which one"},
}  # fmt: skip
_OUTPUT: dict[str, dict[str, Any]] = {
    "--quiet": {"action": "store_true", "help": "no progress"},
    "--out": {"type": Path, "help": "JSON file for the tables"},
    "--record": {"type": Path, "help": "zip file for the record"},
    "--figure": {"help": "png, svg or pdf file for the figure"},
}


def parser() -> argparse.ArgumentParser:
    """The commands with their options."""
    parser = command_parser("experiments", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, (title, options, _) in COMMANDS.items():
        subparser = commands.add_parser(command, help=title)
        taken = options.split()
        for option, settings in _OPTIONS.items():
            if option in taken:
                subparser.add_argument(option, **settings)
            else:  # the functions above look at them
                subparser.set_defaults(**{option[2:].replace("-", "_"): settings.get("default")})
        for option, settings in _OUTPUT.items():
            subparser.add_argument(option, **settings)
    return parser


@contextmanager
def _cluster(n_workers: int | None) -> Iterator[None]:
    """A local Dask cluster for the block, where asked for."""
    if not n_workers:
        yield
        return
    with from_extra("cluster", "--dask"):
        from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        yield


def _command(arguments: list[str]) -> str:
    """The arguments that decide a result: no path and no number of processes, which are the machine's own."""
    deciding, skip = [], False
    for argument in arguments:
        name = argument.partition("=")[0]
        if not skip and name not in (*_OF_THE_MACHINE, "--quiet"):
            deciding.append(argument)
        skip = argument in _OF_THE_MACHINE  # its value comes next
    return shlex.join(deciding)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    flat = table.reset_index() if table.index.name or isinstance(table.index, pd.MultiIndex) else table
    flat.columns = [" ".join(map(str, c)).strip() if isinstance(c, tuple) else str(c) for c in flat.columns]
    rows = flat.to_dict("records")
    return [{str(key): _number(value) for key, value in row.items()} for row in rows]


def _number(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), 4)
    return value.item() if isinstance(value, np.generic) else value
