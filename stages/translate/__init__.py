"""Translate a transcript."""
