"""Read and write subtitle files."""
