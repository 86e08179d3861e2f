"""The model cache: its models, their paths, how they are fetched, and whether they are complete."""
