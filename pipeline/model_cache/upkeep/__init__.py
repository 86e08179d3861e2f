"""Check, clean, move and adopt the models that lie in the cache."""
