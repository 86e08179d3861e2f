"""Read an existing subtitle: its cues, its language and its kind."""
