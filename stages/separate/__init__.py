"""Separate speech from noise and music."""
