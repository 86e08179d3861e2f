"""Give every word its time."""
