"""Intervals of time, and words that keep theirs."""
