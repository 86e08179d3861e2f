"""The ground that every package of the orchestrator stands on: errors, events, settings, folders, the machine."""
