"""Marks, limits, words and line breaks of subtitle cues."""
