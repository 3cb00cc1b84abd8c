"""``python -m benchmarks``: the solvers' benchmark; the other modules have commands of their own."""

from benchmarks.solvers import main

main()
