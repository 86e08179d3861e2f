"""What every package of the orchestrator uses: errors, events, settings, folders, and facts about the machine."""
