"""Views: what the explorer and the notebooks show of one sequence, one adversary, one descent, one fit."""
