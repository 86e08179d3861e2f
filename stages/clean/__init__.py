"""Remove invented text from a transcript."""
