"""Read text on screen."""
