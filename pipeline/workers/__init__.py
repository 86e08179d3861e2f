"""Run jobs in stage processes: schedule them, and start, watch and end the processes, on one machine or on many."""
