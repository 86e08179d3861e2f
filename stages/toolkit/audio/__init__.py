"""Read sound files as arrays of samples."""
