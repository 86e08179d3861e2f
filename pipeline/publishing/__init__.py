"""The only package that writes where the user looks: published files, corrections, what may be deleted."""
