"""Proofs that a library computes on this machine's card."""
