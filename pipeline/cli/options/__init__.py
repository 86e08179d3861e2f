"""The table of commands and flags, from which parser, settings, help, documents and completion come."""
