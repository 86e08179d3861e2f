"""Remove from a transcript what was not said."""
