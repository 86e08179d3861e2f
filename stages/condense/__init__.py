"""Shorten segments that are too fast to read."""
