"""The experiments from the shell.

    python -m acot_core.experiments evaluate --dataset jhmdb-pose --seeds 5
    python -m acot_core.experiments table1 --dataset jhmdb-pose --seeds 5 --jobs 2 --out table1.json
    python -m acot_core.experiments compare --tune --figure compare.pdf
    python -m acot_core.experiments table1 --dask 2        # a Dask cluster of two worker processes

``--out x.json`` writes summary, configuration and environment as JSON, ``--record x.zip`` the whole record,
``--figure x.pdf`` the figure. An interrupted run, started again with the same ``--cache``, repeats nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from acot_core import experiments, figures
from acot_core.files import atomic_write
from acot_core.progress import Progress
from acot_core.records import Record

_DATA = "--dataset --encoder --stream --split --k"
_SWEEP = "--seeds --cache --jobs --dask"
_TUNING = "--tune --tune-seeds --candidates"
_COMMANDS = {
    "evaluate": (
        "average pooling, order-constrained PCA and full ACOT, by encoder, k and classifier",
        f"--dataset --encoder --stream {_SWEEP} {_TUNING}",
    ),
    "table1": ("Table 1: what each module adds", f"{_DATA} {_SWEEP} {_TUNING} --classifier"),
    "compare": (
        "Tables 2 and 3: the full model beside other methods",
        f"{_DATA} {_SWEEP} {_TUNING} --with-mean --method",
    ),
    "sensitivity": (
        "Figure 2: accuracy against one parameter",
        f"{_DATA} {_SWEEP} --parameter",
    ),
    "landscape": (
        "accuracy over beta1 x beta2: full ACOT, GRP, order alone",
        f"{_DATA} {_SWEEP}",
    ),
    "conditions": (
        "generated data: when does the contrast pay, all methods tuned?",
        f"--condition --method {_SWEEP} --tune-seeds",
    ),
    "plans": ("does optimal transport matter?", f"{_DATA} {_SWEEP}"),
    "embedding": (
        "Figure 4: t-SNE of frames, negatives and representations",
        f"{_DATA} --cache",
    ),
}
"""What each command is for and the options it takes, beside those of its output."""

_OF_THE_MACHINE = ("--cache", "--jobs", "--dask", "--out", "--record", "--figure")
_FIXED = {"linear": {"kind": "linear", "C": 10.0}, "kernel": {"kind": "kernel", "C": 10.0, "gamma": 1.0}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one experiment; 0 when it was complete."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command in ("landscape", "plans", "embedding") and len(options.split or ()) > 1:
        parser.error(f"{options.command} takes one --split")
    if options.command == "sensitivity" and options.parameter == "n_subspaces" and options.k is not None:
        parser.error("--k is what varies; name another --parameter")
    with _cluster(options.dask):
        record, tables, figure = _run(options)
    for title, table in tables.items():
        print(f"\n{title}\n{table.to_string(float_format='{:.1f}'.format)}")
    if options.out:
        found = {
            "command": "python -m acot_core.experiments " + _command(list(arguments or sys.argv[1:])),
            "tables": {title: _plain(table) for title, table in tables.items()},
            "config": record.config,
            "environment": record.environment,
            "seconds": round(record.seconds, 1),
        }
        atomic_write(options.out, (json.dumps(found, indent=1, default=str) + "\n").encode())
    if options.record:
        record.save(options.record)
    if options.figure:
        kind = figures.format_of(options.figure)
        atomic_write(options.figure, figures.render(figure(record), kind, dpi=200))
    return 0 if record.config.get("complete", True) else 1


_OPTIONS: dict[str, dict[str, Any]] = {
    "--dataset": {"default": "jhmdb-pose", "help": "name or path"},
    "--encoder": {"help": "untrained, trained (where the data are encoded)"},
    "--stream": {"help": "one stream alone"},
    "--split": {"action": "append", "help": "name of a split; a sweep takes several"},
    "--k": {"type": int, "help": "subspace dimension (default: the grid's or 1)"},
    "--seeds": {"type": int, "default": 5, "help": "how many"},
    "--cache": {"type": Path, "default": Path.home() / ".cache" / "acot-explorer"},
    "--jobs": {"type": int, "help": "cells at once (default: as many as there are cores)"},
    "--dask": {"type": int, "metavar": "N", "help": "run on a local Dask cluster of N processes"},
    "--tune": {"action": "store_true", "help": "choose the weights by cross-validation"},
    "--tune-seeds": {"type": int, "help": "so many seeds choose the parameters for all"},
    "--candidates": {"type": int, "default": 1, "help": "settings a stream brings to the fusion"},
    "--with-mean": {"action": "store_true", "help": "subspaces may share the fusion with mean frames"},
    "--classifier": {"choices": _FIXED, "help": "one setting, nothing is searched"},
    "--method": {"action": "append", "help": "a method; may be repeated"},
    "--condition": {"action": "append", "choices": experiments.CONDITIONS, "help": "may be repeated"},
    "--parameter": {"default": "n_subspaces", "help": "which one"},
}
_OUTPUT: dict[str, dict[str, Any]] = {
    "--quiet": {"action": "store_true", "help": "no progress"},
    "--out": {"type": Path, "help": "JSON file for the tables"},
    "--record": {"type": Path, "help": "zip file for the record"},
    "--figure": {"help": "png, svg or pdf file for the figure"},
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m acot_core.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, (title, options) in _COMMANDS.items():
        subparser = commands.add_parser(command, help=title)
        taken = options.split()
        for option, settings in _OPTIONS.items():
            if option in taken:
                subparser.add_argument(option, **settings)
            else:  # for `_run`, which looks at all of them
                subparser.set_defaults(**{option[2:].replace("-", "_"): settings.get("default")})
        for option, settings in _OUTPUT.items():
            subparser.add_argument(option, **settings)
    return parser


def _run(options: argparse.Namespace) -> tuple[Record, dict[str, pd.DataFrame], Any]:
    load: dict[str, Any] = {"encoder": options.encoder} if options.encoder else {}
    shared: dict[str, Any] = {"cache": options.cache, "callback": None if options.quiet else _progress}
    jobs = options.jobs or (None if options.dask else joblib.cpu_count())
    sweep = {**shared, "seeds": options.seeds, "n_jobs": jobs}
    tuned = {**sweep, "tune": options.tune, "tune_seeds": options.tune_seeds}
    tuned["candidates"] = options.candidates
    streams = (options.stream,) if options.stream else ()
    split = options.split[0] if options.split else None
    k = {} if options.k is None else {"n_subspaces": options.k}
    tables: dict[str, pd.DataFrame]
    match options.command:
        case "evaluate":
            encoders = (options.encoder,) if options.encoder else ("untrained", "trained")
            evaluation = experiments.evaluate(options.dataset, encoders=encoders, streams=streams, **tuned)
            by = ("encoder", "kind", "label", "k", "stream")
            tables = {"Accuracy in %, over seeds": evaluation.summary(by)}
            return evaluation, tables, figures.plot_comparison
        case "table1":
            ablation = experiments.ablation(
                options.dataset, streams=streams, splits=options.split,
                n_subspaces=options.k if options.k or options.tune else 1,
                classifier=_FIXED.get(options.classifier), **tuned, **load,
            )  # fmt: skip
            tables = {
                "Table 1, accuracy in %, mean ± standard deviation": ablation.table(),
                "Summary": ablation.summary(),
                "Paired differences, points": ablation.differences(),
                "Chosen on training clips": ablation.choices(),
            }
            return ablation, tables, figures.plot_ablation
        case "compare":
            methods = tuple(options.method or experiments.COMPARED)
            comparison = experiments.comparison(
                options.dataset, methods=methods, streams=streams, splits=options.split,
                fixed={m: k for m in methods if k and experiments.METHODS[m].kind == "subspace"},
                with_mean=options.with_mean, **tuned, **load,
            )  # fmt: skip
            tables = {
                "Accuracy in %, mean ± standard deviation": comparison.with_paper(2),
                "Summary": comparison.summary(),
            }
            for baseline in ("average", "grp"):
                if baseline in methods:
                    tables[f"Paired differences to {baseline}, points"] = comparison.paired(baseline)
            tables["Chosen on training clips"] = comparison.choices()
            return comparison, tables, figures.plot_comparison
        case "sensitivity":
            sensitivity = experiments.sensitivity(
                options.dataset, options.parameter, stream=options.stream, splits=options.split, fixed=k,
                **sweep, **load,
            )  # fmt: skip
            return (
                sensitivity,
                {"Accuracy in %": sensitivity.summary(("label", "value"))},
                (figures.plot_sensitivity),
            )
        case "landscape":
            landscape = experiments.landscape(
                options.dataset, stream=options.stream, split=split, n_subspaces=options.k or 1,
                **sweep, **load,
            )  # fmt: skip
            tables = {"Accuracy in %": landscape.summary(("label", "beta1", "beta2"))}
            return landscape, tables, figures.plot_landscape
        case "conditions":
            chosen = {name: experiments.CONDITIONS[name] for name in options.condition or ()} or None
            named = {"methods": options.method} if options.method else {}
            study = experiments.conditions(chosen, tune_seeds=options.tune_seeds, **named, **sweep)
            within = ("condition", "label")
            tables = {"Accuracy in %": study.summary(within)}
            for baseline in (b for b in ("grp", "order") if (study.scores["method"] == b).any()):
                tables[f"Paired differences to {baseline}, points"] = study.paired(baseline, within)
            tables["Chosen on training clips"] = study.choices()
            return (
                study,
                tables,
                lambda r: figures.plot_comparison(
                    replace(r, scores=r.scores.assign(stream=r.scores["condition"]))
                ),
            )
        case "plans":
            plans = experiments.plan_matters(
                options.dataset, stream=options.stream, split=split, fixed=k, **sweep, **load
            )
            return plans, {"By plan": plans.plan_summary()}, figures.plot_plans
        case _:
            embedding = experiments.embedding(
                options.dataset, stream=options.stream, split=split, fixed=k, **shared, **load
            )
            return embedding, {"Separation of classes": embedding.quality}, figures.plot_embedding


def _progress(event: Progress) -> None:
    left = "" if event.remaining is None else f", {event.remaining:.0f} s left"
    print(f"\r{event.stage}: {event.step}/{event.total}{left}    ", end="", file=sys.stderr, flush=True)


@contextmanager
def _cluster(n_workers: int | None) -> Iterator[None]:
    """A local Dask cluster for the block, where asked for."""
    if not n_workers:
        yield
        return
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
    kept, skip = [], False
    for argument in arguments:
        name = argument.partition("=")[0]
        if not skip and name not in (*_OF_THE_MACHINE, "--quiet"):
            kept.append(argument)
        skip = argument in _OF_THE_MACHINE  # its value comes next
    return shlex.join(kept)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    flat = table.reset_index() if table.index.name or isinstance(table.index, pd.MultiIndex) else table
    flat.columns = [" ".join(map(str, c)).strip() if isinstance(c, tuple) else str(c) for c in flat.columns]
    rows = flat.to_dict("records")
    return [{str(key): _number(value) for key, value in row.items()} for row in rows]


def _number(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), 4)
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    sys.exit(main())
