"""Results by key, their index, and the history of runs."""
