"""The measured answer whether a subtitle belongs to a film, and the report on how it was put in step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Document, Frozen

Verdict = Literal["fits", "moved", "other-language", "refused"]
"""`fits`: the text is what is heard, when it is heard. `moved`: the text is heard at other times. `other-language`: the
cues stand where speech is, in a language that is not heard. `refused`: none of these is proven."""


class Shift(Frozen):
    """Cues from number `first` to `last`, counted from 1, that moved together: their time in the film is `speed` times
    that in the file and `offset_ms` more. `spread_ms` is by how much single cues differ from that, as a standard
    deviation; 0 where speech regions alone gave the times."""

    first: int
    last: int
    start_ms: int
    end_ms: int
    speed: float
    offset_ms: int
    spread_ms: int


class SubtitleFit(Document):
    """The evidence and the verdict. Shares are from 0 to 1.

    `on_speech` is the share of the cues that are shown while people speak, `agreeing` the share of the words heard
    in `sampled_ms` of the film that the text has in the same order. `speech_rating` is how well the times fit the
    speech after a shift, `chance_rating` how well they fit by chance; None where the words decided.
    """

    verdict: Verdict
    reason: str
    text_language: str
    speech_language: str
    cues: int
    on_speech: float
    sampled_ms: int
    heard_words: int
    agreeing: float
    proven: bool = False
    shifts: tuple[Shift, ...] = ()
    speech_rating: float | None = None
    chance_rating: float | None = None


Basis = Literal["unchanged", "rhythm", "words", "neighbours", "nowhere"]


class MovedCue(Frozen):
    """A cue's number in the file's order of time, from 1, its beginning in the file and in the film, and why there.

    `rhythm`: it moved with the cues around it, and its words are heard there. `words`: it begins with its own first
    word. `neighbours`: its words were not heard, so it keeps its distance to the cues beside it. `nowhere`: the film
    has no room for it, as for a scene that was cut out. `heard` is the share of its words that were heard.
    """

    number: int
    file_ms: int
    film_ms: int
    basis: Basis
    heard: float


class SyncReport(Document):
    """A report on how far each cue moved, and how sure that is.

    `method` says by what: words that were heard, speech regions, or nothing, where the file fits or was refused.
    `sure` is the share of the cues that were placed by what is heard, not by their neighbours.
    """

    verdict: Verdict
    reason: str
    method: Literal["none", "words", "speech"]
    language: str
    cues: int
    moved: int
    median_ms: int
    farthest_ms: int
    sure: float
    agreeing: float
    shifts: tuple[Shift, ...] = ()
    placed: tuple[MovedCue, ...] = Field(default=())


REFUSED_HINT = "look for the subtitle of this film or episode; nothing was written"


def refusal(fit: SubtitleFit) -> str:
    """Return a sentence that says why a subtitle is not used."""
    return f"the subtitle does not belong to this film, and not to another cut of it: {fit.reason}"
