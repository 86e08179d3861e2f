"""Subtitles that exist already against what is heard: words matched, and offsets found."""
