"""Publishes results as files of the user, beside files that are not reel's, and keeps the record of what it wrote."""
