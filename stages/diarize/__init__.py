"""Find who speaks when."""
