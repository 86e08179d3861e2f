"""Correct the text of a transcript or translation."""
