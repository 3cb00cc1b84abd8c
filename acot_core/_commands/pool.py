"""`acot pool`: represent every sequence of a file by its subspace, and save them as .npz.

    acot pool mine.npz --out subspaces.npz
    acot pool mine.npz --out subspaces.npz --k 4 --negatives random
    acot pool jhmdb-pose --out pose.npz --stream pose --adversary n_iter=300

The file holds, for each stream, its subspaces (N, d, k), and ``labels``, ``class_names``, ``groups`` and
``names`` as the data have them. The adversary is trained on the training sequences of the split.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acot_core._commands._options import check_writable, command_parser, end_line, progress, setting
from acot_core._utils.files import atomic_write
from acot_core.datasets import load
from acot_core.gan.adversary import Adversary
from acot_core.pooling import ACOTPooling


def main(arguments: Sequence[str] | None = None) -> int:
    """Pool one data set; 0 when the file was written."""
    parser = command_parser("pool", __doc__)
    parser.add_argument("data", help="a file or folder of sequences, or the name of a data set")
    parser.add_argument("--out", type=Path, required=True, help=".npz file for the subspaces")
    parser.add_argument("--stream", help="one stream alone")
    parser.add_argument("--split", help="whose training sequences are fitted on (default: the first)")
    parser.add_argument("--encoder", default="auto", help="auto, none, untrained, trained")
    parser.add_argument("--gamma", choices=("split", "relu"), help="for signed features: both parts, or one")
    parser.add_argument("--k", type=int, default=1, help="subspace dimension (default: 1)")
    parser.add_argument("--beta1", type=float, default=1.0, help="weight of distortion (default: 1)")
    parser.add_argument("--beta2", type=float, default=10.0, help="weight of order (default: 10)")
    parser.add_argument("--eta", type=float, default=0.01, help="margin of order (default: 0.01)")
    parser.add_argument("--negatives", default="adversarial", help="adversarial (default), random, ...")
    parser.add_argument("--n-negatives", default="2n", help="a number, or a multiple such as 2n (default)")
    parser.add_argument(
        "--adversary", type=setting, action="append", metavar="NAME=VALUE",
        help="a parameter of the adversary, such as n_iter=300; may be repeated",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    options = parser.parse_args(arguments)
    check_writable(options.out, "--out")
    callback = None if options.quiet else progress()
    data = load(options.data, encoder=options.encoder, gamma=options.gamma, random_state=options.seed)
    streams = (options.stream,) if options.stream else tuple(data.streams)
    if unknown := set(streams) - set(data.streams):
        raise ValueError(f"--stream: expected one of {list(data.streams)}, got {sorted(unknown)[0]!r}")
    train = data.split(options.split)[0] if data.splits else np.arange(len(data))
    n_negatives = int(options.n_negatives) if options.n_negatives.isdecimal() else options.n_negatives
    arrays: dict[str, Any] = {"labels": data.labels, "class_names": np.array(data.class_names)}
    if data.groups is not None:
        arrays["groups"] = data.groups
    if data.shown.names is not None:
        arrays["names"] = np.array(data.shown.names)
    for stream in streams:
        sequences = data.streams[stream]
        adversary = Adversary(
            **{"random_state": options.seed, "device": options.device, **dict(options.adversary or ())}
        )
        pooling = ACOTPooling(
            options.k, beta1=options.beta1, beta2=options.beta2, eta=options.eta,
            negatives=options.negatives, n_negatives=n_negatives, adversary=adversary,
            device=options.device, random_state=options.seed,
        )  # fmt: skip
        pooling.fit([sequences[i] for i in train], data.labels[train], callback=callback)
        arrays[stream] = pooling.transform(sequences, callback=callback)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    atomic_write(options.out, buffer.getvalue())
    shapes = ", ".join(f"{stream} {arrays[stream].shape}" for stream in streams)
    end_line(options.quiet)
    print(f"{options.out}: {shapes}", file=sys.stderr if options.quiet else sys.stdout)
    return 0
