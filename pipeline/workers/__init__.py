"""Stage processes: scheduled, started, given jobs, watched and ended, on this machine or on many."""
