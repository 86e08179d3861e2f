"""Find names in a transcript."""
