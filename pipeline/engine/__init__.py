"""One run: files in, items, steps, results; many items at once."""
