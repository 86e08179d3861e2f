"""Draw the pages of a document."""
