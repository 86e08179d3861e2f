"""Serves reel over HTTP: a queue on disk, one process that works on it, and the interfaces that other programs use."""
