"""Give every word its speaker."""
