"""Decide when a card that fails is left alone for the rest of a run, and which proofs of it are still to be made."""

from __future__ import annotations

from collections import Counter

from pipeline.base.errors import StepFailed
from pipeline.plan.model import Step
from pipeline.store.card_proofs import CardProofs

PROOF_FAILED = "stage.card-proof"
_FAILURES = 3  # of jobs, after which a library computes on the processor for the rest of the run


class CardFailures:
    """Libraries, each of an environment, that do not compute on the card in this run.

    One that cannot prove that it computes is left alone at once. A job that fails may be the fault of its file.
    """

    def __init__(self, proofs: CardProofs | None = None) -> None:
        self._proofs = proofs
        self._failures: Counter[tuple[str, str]] = Counter()
        self._given_up: dict[tuple[str, str], str] = {}
        self._told: set[str] = set()

    def to_prove(self, step: Step) -> str:
        """Return the library of the step that is to prove first that it computes on the card; empty if none is."""
        library = step.backend.card_library if step.device == "cuda" else ""
        if not library or self._proofs is None:
            return ""
        return "" if self._proofs.problem(step.environment, library) == "" else library

    def proved(self, environment: str, library: str) -> None:
        """Record that a library has proved that it computes on the card."""
        if self._proofs:
            self._proofs.record(environment, library, "")

    def given_up(self, step: Step) -> str | None:
        """Return why the step does not compute on the card any more; None if it still does."""
        return self._given_up.get(_library(step)) if step.device == "cuda" else None

    def record(self, step: Step, error: StepFailed) -> str:
        """Record that the step failed on the card. Return the sentence to tell; empty where it was told already."""
        library = _library(step)
        self._failures[library] += 1
        if error.code == PROOF_FAILED and self._proofs:
            self._proofs.record(*library, error.message)
        if error.code == PROOF_FAILED or self._failures[library] >= _FAILURES:
            self._given_up[library] = error.message
        sentence = f"the card failed, so {step.stage.name} computes on the processor: {error.message}"
        if sentence in self._told:
            return ""
        self._told.add(sentence)
        return sentence


def _library(step: Step) -> tuple[str, str]:
    return step.environment, step.backend.card_library
