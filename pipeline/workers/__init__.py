"""Where workers run: on this machine, or on those of a Ray cluster."""
