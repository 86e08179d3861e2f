"""Measure subtitles against a guide."""
