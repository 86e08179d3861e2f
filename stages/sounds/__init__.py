"""Find speech, singing and music."""
