"""Take a person's corrections into a transcript."""
