"""The stages: one file each, declarations and the work that needs no library; `backends` holds what does."""
