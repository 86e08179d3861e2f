"""One virtual environment for each family of stages, built from its lock."""
