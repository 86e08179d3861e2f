"""Work on many items at once: find files, plan them, run their steps, collect results."""
