"""`acot evaluate`: how well do averages, order and ACOT classify the sequences of a file?

    acot evaluate mine.npz
    acot evaluate mine.npz --k 4 --seeds 3 --out result.json

Every method's parameters are chosen by cross-validation on the training sequences, over grids of the same
size; sequences of one group are never on both sides. It is `acot experiments compare` with the methods that
matter first; that command takes all others.
"""

from __future__ import annotations

from collections.abc import Sequence

from acot_core._commands import experiments
from acot_core._commands._options import command_parser

METHODS = ("average", "pca", "grp", "acot-random", "acot")


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate one data set; 0 when it was complete."""
    parser = command_parser("evaluate", __doc__)
    parser.add_argument("data", help="a file or folder of sequences, or the name of a data set")
    parser.add_argument(
        "--no-tune", action="store_true", help="the paper's weights: only the classifier is chosen"
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1)")
    options, rest = parser.parse_known_args(arguments)
    named = [] if "--method" in rest else [word for name in METHODS for word in ("--method", name)]
    tuned = [] if options.no_tune else ["--tune"]
    return experiments.main(
        ["compare", "--dataset", options.data, "--seeds", str(options.seeds), *tuned, *named, *rest]
    )
