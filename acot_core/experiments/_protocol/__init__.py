"""The protocol of every experiment: studies, parts, cells, evaluation, fusion, scores, sweeps (Sec. 4)."""
