"""Code that crosses the process boundary between the orchestrator and a stage.

A module belongs here only if both sides use it. The contracts of stages count for both, because the orchestrator
imports them. Nothing here imports another package of ours, or anything beyond the standard library and pydantic,
because this code runs in every environment.
"""
