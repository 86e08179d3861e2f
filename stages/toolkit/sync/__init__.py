"""Compare an existing subtitle with the speech of a film: match words, and find offsets."""
