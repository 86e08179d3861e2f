"""Code that crosses the process boundary between the orchestrator and a stage.

A module is admitted only if both sides use it. Nothing here imports another package of ours, and nothing
beyond the standard library and pydantic, because this code runs in every environment.
"""
