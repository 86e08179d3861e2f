"""Workers on many machines, through Ray."""
