"""Files, checkpoints, block sizes, threads and progress: what every folder uses and no paper needs."""
