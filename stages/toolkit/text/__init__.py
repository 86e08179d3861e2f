"""Identify the language of a text, and give the words of a rewritten text times."""
