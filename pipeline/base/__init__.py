"""The base of every package of the orchestrator: errors, events, settings, folders, and facts about the machine."""
