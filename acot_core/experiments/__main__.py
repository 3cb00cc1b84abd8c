"""``python -m acot_core.experiments``, the command of 0.1: `acot experiments`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "experiments")
    runpy.run_module("acot_core", run_name="__main__", alter_sys=True)
