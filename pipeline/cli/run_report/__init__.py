"""What is told of a run after its end, from its history alone; nothing but commands import it."""
