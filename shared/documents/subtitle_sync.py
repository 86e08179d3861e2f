"""The verdict whether a subtitle belongs to a film, and the report on how it was synchronised."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Document, Frozen

Verdict = Literal["fits", "moved", "other-language", "refused"]
"""`fits`: the text is spoken at its times. `moved`: the text is spoken at other times. `other-language`: the cues are
where people speak, in another language. `refused`: none of these is proven."""


class Shift(Frozen):
    """Cues from number `first` to `last`, counted from 1, that moved together: their time in the film is `speed` times
    their time in the file, plus `offset_ms`. `spread_ms` is the standard deviation of single cues from that; 0 if the
    times come from speech regions alone."""

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
    """A cue's number in the file's order of time, from 1, its start in the file and in the film, and the basis of that.

    `rhythm`: it moved with the cues around it, and its words are heard there. `words`: it starts with its own first
    word. `neighbours`: its words were not heard, so it keeps its distance from the cues beside it. `nowhere`: the film
    has no room for it, because its scene was cut out. `heard` is the share of its words that were heard.
    """

    number: int
    file_ms: int
    film_ms: int
    basis: Basis
    heard: float


class SyncReport(Document):
    """A report on how far each cue moved, and how sure that is.

    `method` is what placed the cues: recognised words, speech regions, or nothing if the file fits or was refused.
    `sure` is the share of the cues that were placed by words or speech, not by their neighbours.
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
