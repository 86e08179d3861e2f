"""Lay a transcript out as subtitle cues."""
