"""Compare subtitles with a reference."""
