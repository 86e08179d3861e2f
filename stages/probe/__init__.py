"""Describe a media file."""
