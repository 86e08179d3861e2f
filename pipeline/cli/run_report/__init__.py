"""Report a run after its end, from its history alone; only commands import it."""
