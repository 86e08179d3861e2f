"""Languages, widths, sentences and glossaries: text without a stage's library."""
