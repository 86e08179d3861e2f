"""Remembers which libraries were proved to compute on the cards of this machine, and what the others said.

A proof holds for an environment as it was built, the cards, and their driver: with another of these it is made again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from shared.documents.base import Document, DocumentError, Frozen

FILE = "cards.json"


class CardProof(Frozen):
    """The outcome for a library of an environment; `problem` is empty where it computes."""

    environment: str
    library: str
    digest: str  # of the environment
    cards: str  # with their driver
    problem: str = ""


class CardProofsFile(Document):
    """Content of `cards.json`."""

    proofs: tuple[CardProof, ...] = ()


class CardProofs:
    """Proofs, kept in one folder, for these `cards`. `digest` returns that of an environment."""

    def __init__(self, folder: Path, cards: str, digest: Callable[[str], str]) -> None:
        self._file, self._cards, self._digest = folder / FILE, cards, digest
        self._proofs: tuple[CardProof, ...] = ()
        if cards:
            with contextlib.suppress(OSError, DocumentError):
                self._proofs = CardProofsFile.read(self._file).proofs

    def problem(self, environment: str, library: str) -> str | None:
        """Return what kept the library from computing on the cards, an empty text if it does compute, or None if that
        is still to be proved."""
        wanted = environment, library
        return next((proof.problem for proof in self._holding() if (proof.environment, proof.library) == wanted), None)

    def problems(self) -> dict[str, str]:
        """Return the problem of each library that does not compute, by `environment/library`."""
        return {f"{proof.environment}/{proof.library}": proof.problem for proof in self._holding() if proof.problem}

    def record(self, environment: str, library: str, problem: str) -> None:
        """Record the outcome of a proof. A folder that cannot be written only has the proof made again."""
        proof = CardProof(
            environment=environment, library=library, digest=self._digest(environment), cards=self._cards,
            problem=problem,
        )  # fmt: skip
        others = (
            other
            for other in self._proofs
            if (other.environment, other.library, other.cards) != (environment, library, self._cards)
        )
        self._proofs = (*others, proof)
        if self._cards:
            with contextlib.suppress(OSError):
                CardProofsFile(proofs=self._proofs).write(self._file)

    def forget(self) -> int:
        """Forget the proofs for all cards, and return their number."""
        try:
            number = len(CardProofsFile.read(self._file).proofs)
        except (OSError, DocumentError):
            number = 0
        self._file.unlink(missing_ok=True)
        self._proofs = ()
        return number

    def _holding(self) -> list[CardProof]:
        return [
            proof
            for proof in self._proofs
            if proof.cards == self._cards and proof.digest == self._digest(proof.environment)
        ]
