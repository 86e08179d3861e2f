"""Stores results by key, with their index and the history of runs."""
