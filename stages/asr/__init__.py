"""Recognise speech."""
