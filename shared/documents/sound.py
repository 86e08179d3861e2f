"""The stretches of speech, singing and music in a file."""

from __future__ import annotations

from typing import Literal

from shared.documents.base import Document, Frozen

SoundKind = Literal["speech", "singing", "music"]


class Sound(Frozen):
    """A stretch of one kind, `start_ms` inclusive, `end_ms` exclusive."""

    kind: SoundKind
    start_ms: int
    end_ms: int


class Sounds(Document):
    """The sounds of one audio file, in order of time. Those of one kind do not overlap; those of two kinds may."""

    duration_ms: int
    sounds: tuple[Sound, ...]

    def of_kind(self, *kinds: SoundKind) -> tuple[Sound, ...]:
        """Return the sounds of these kinds, in order of time."""
        return tuple(sound for sound in self.sounds if sound.kind in kinds)
