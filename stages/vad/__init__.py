"""Find the regions that hold speech."""
