"""Remove text from a transcript that nobody spoke."""
