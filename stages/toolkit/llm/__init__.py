"""Ask a language model, in a process or through a service."""
