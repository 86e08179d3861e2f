"""Find changes of shot."""
