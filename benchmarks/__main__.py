"""``python -m benchmarks``: every benchmark in turn; ``--quick`` takes the small form of the solvers' one.

The result files go to benchmarks/results. `benchmarks.train_images`, which trains networks for long, is not
among them.
"""

import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

for name, arguments in {
    "solvers": sys.argv[1:],
    "adversary": [],
    "explorer": ["--out", str(RESULTS / "explorer.json")],
}.items():
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)
