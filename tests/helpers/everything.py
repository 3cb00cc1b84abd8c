"""A little of everything, the same in every process; run by `test_process` in processes of all kinds.

    python tests/helpers/everything.py ["decimal comma"]

Prints the results as JSON; exits with 77 where there is no locale with a decimal comma.
"""

from __future__ import annotations

import json
import locale
import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch

from acot_core import ACOTPooling, Adversary, GrassmannSVC
from acot_core.datasets import SequenceDataset, load, save_dataset
from acot_core.experiments import ClassificationRecord
from acot_core.figures import plot_confusion
from acot_core.transport import solve


def results() -> dict[str, str]:
    """Bytes and texts by what they are of."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = [rng.random((n, 6), np.float32) + 0.01 for n in (5, 9, 6, 8, 4, 7, 5, 6)]
    y, names = np.arange(len(X)) % 2, ["größer", "kleiner"]
    try:
        U = ACOTPooling(2, negatives="random", random_state=0).fit_transform(X)
        adversary = Adversary(n_iter=2, classifier_iter=2, random_state=0, device="cpu").fit(X, y)
        arrays = {
            "pooling": U,
            "negatives": adversary.sample(X, 3, random_state=0).frames.numpy(),
            "scores": GrassmannSVC().fit(U, y).decision_function(U),
            "plan": solve(torch.from_numpy(rng.random((4, 5)))).plan.numpy(),
        }
    finally:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the file says nothing of
        folder = Path(name)
        splits = {"1": np.arange(8) < 4}
        streams = {"α": [torch.from_numpy(x) for x in X]}
        data = load(save_dataset(folder / "mine.npz", SequenceDataset("größer", streams, y, names, splits)))
        arrays["features"] = torch.cat(data.streams["α"]).numpy()
        record = ClassificationRecord(
            config={"name": "größer"},
            environment={},
            seconds=0.0,
            accuracies=pd.DataFrame({"method": ["ä"], "accuracy": [0.5]}),
            confusion=np.array([[2, 1], [0, 3]]),
            class_names=data.class_names,
        )
        record.save(folder / "mine.json")
        again = ClassificationRecord.load(folder / "mine.json")
        with mpl.rc_context({"svg.hashsalt": "one"}):
            plot_confusion(again).savefig(folder / "figure.svg", metadata={"Date": None})
        picture = (folder / "figure.svg").read_text(encoding="utf-8")
    return {name: np.asarray(each).tobytes().hex() for name, each in arrays.items()} | {
        "record": again.to_frame().to_json(),
        "classes": json.dumps(data.class_names),
        "picture": picture,
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["decimal comma"]:
        try:
            locale.setlocale(locale.LC_ALL, "")
        except locale.Error as error:
            print(error, file=sys.stderr)
            sys.exit(77)
        if locale.localeconv()["decimal_point"] != ",":
            sys.exit(77)
    print(json.dumps(results()))
