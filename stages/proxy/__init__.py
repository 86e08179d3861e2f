"""Make a small copy of the picture."""
