"""Weigh the evidence that a subtitle belongs to a film: its words against those that were heard, its times against
speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.cue import CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.documents.subtitle_sync import Shift, SubtitleFit, Verdict
from shared.documents.transcript import Transcript
from shared.text.language import english_name, primary
from stages.toolkit.sync.cue_words import CueText, Heard, commonest_offset, cue_text, hear, points_of, said_words
from stages.toolkit.sync.pieces import Piece, find_pieces
from stages.toolkit.sync.placing import has_rhythm, stays
from stages.toolkit.sync.speech_offsets import SpeechFit, find_by_speech

_SAME_TEXT = 0.25
"""The share of words that agree from which a text is taken for that of the film. A person's text has 60 to 95 % of what
a recogniser hears, a shortened one 40 to 60 %, that of another film 1 to 8 %."""
_WORDS_OF_A_PIECE = 12  # that it must explain
_FEWEST_WORDS = 8  # that agree; fewer may by chance
_ON_SPEECH = 0.3  # of a cue's time
_AGREE_MS = 500  # two ways to find the offset that differ by less agree


@dataclass(frozen=True)
class Evidence:
    """All that was measured. `pieces` are those by words, or by speech where the words are of another language."""

    cues: tuple[CueText, ...]
    heard: Heard
    pieces: tuple[Piece, ...]
    by_speech: SpeechFit | None
    verdict: Verdict
    reason: str

    @property
    def agreeing(self) -> float:
        """Return the share of the shorter side's words that the other side has."""
        return self.heard.shared_words / max(1, min(self.heard.text_words, self.heard.heard_words))

    @property
    def doubtful(self) -> frozenset[int]:
        """Return the cues that speech alone put into their places, where they fit no better than anywhere else."""
        return self.by_speech.doubtful if self.by_speech else frozenset()

    @property
    def is_one_line(self) -> bool:
        """Tell whether one offset and one speed put every cue in step."""
        return len(self.pieces) == 1 and has_rhythm(self.pieces[0])


def cue_texts(sheet: CueSheet) -> tuple[CueText, ...]:
    """Return the cues as they are matched."""
    return tuple(cue_text(cue.start_ms, cue.end_ms, cue.lines) for cue in sheet.cues)


def judge(sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> Evidence:
    """Return the evidence and the verdict. `transcript` may hold a few stretches of the film, or all of it."""
    cues = cue_texts(sheet)
    heard = hear(cues, transcript)
    agreeing = heard.shared_words / max(1, min(heard.text_words, heard.heard_words))
    text, spoken = primary(sheet.language), primary(transcript.language)
    if agreeing >= _SAME_TEXT and heard.shared_words >= _FEWEST_WORDS:
        heard, pieces = _simplest(cues, transcript, heard)
        if all(map(stays, pieces)) and all(map(has_rhythm, pieces)):
            return Evidence(cues, heard, pieces, None, "fits", "its words are heard when they are shown")
        return Evidence(cues, heard, pieces, None, "moved", "its words are heard at other times")
    if not transcript.segments:
        reason = "no speech was recognised in the film, so nothing proves that the subtitle belongs to it"
        return Evidence(cues, heard, (), None, "refused", reason)
    if text == spoken:
        reason = f"{heard.shared_words} of {heard.heard_words} words that are heard are its words"
        return Evidence(cues, heard, (), None, "refused", reason)
    by_speech = find_by_speech(cues, speech.regions, speech.duration_ms, said_words(transcript))
    languages = f"it is {english_name(sheet.language)}, and {english_name(transcript.language)} is spoken"
    verdict: Verdict = "other-language" if by_speech.is_proven else "refused"
    return Evidence(cues, heard, by_speech.pieces, by_speech, verdict, f"{languages}; its times {_told(by_speech)}")


def _told(by_speech: SpeechFit) -> str:
    """Return how well times fit the speech."""
    fits = "fit the speech" if by_speech.is_better_than_chance else "fit the speech as well as chance would have it"
    told = f"{fits}: {by_speech.rating:.2f} where chance gives {by_speech.chance:.2f}"
    if by_speech.is_better_than_chance and by_speech.doubtful:
        told += f", and {len(by_speech.doubtful)} of {by_speech.cues} cues fit nowhere"
    return told


def _simplest(cues: Sequence[CueText], transcript: Transcript, heard: Heard) -> tuple[Heard, tuple[Piece, ...]]:
    """Return the words that were heard and their pieces. What a film says twice is matched with one place or the other;
    where one line explains nearly as many words as several pieces, each cue has the words that are on it."""
    pieces = tuple(find_pieces(points_of(cues, heard)))
    if len(pieces) < 2:
        return heard, pieces
    lines = [
        Piece(0, len(cues) - 1, speed, commonest_offset(cues, transcript, speed), 0.0)
        for speed in dict.fromkeys((pieces[0].speed, 1.0))
    ]
    again = max((hear(cues, transcript, one) for one in lines), key=lambda found: found.shared_words)
    line = tuple(find_pieces(points_of(cues, again)))
    worth = _WORDS_OF_A_PIECE * (len(pieces) - len(line))
    return (again, line) if line and heard.shared_words - again.shared_words < worth else (heard, pieces)


def as_document(evidence: Evidence, sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> SubtitleFit:
    """Return the evidence as the document that tells it."""
    return SubtitleFit(
        verdict=evidence.verdict,
        reason=evidence.reason,
        text_language=sheet.language,
        speech_language=transcript.language,
        cues=len(sheet.cues),
        on_speech=round(on_speech(evidence.cues, speech.regions), 3),
        sampled_ms=sum(one.end_ms - one.start_ms for one in transcript.segments),
        heard_words=evidence.heard.heard_words,
        agreeing=round(evidence.agreeing, 3),
        shifts=shifts(evidence.cues, evidence.pieces),
        speech_rating=round(evidence.by_speech.rating, 3) if evidence.by_speech else None,
        chance_rating=round(evidence.by_speech.chance, 3) if evidence.by_speech else None,
    )


def shifts(cues: Sequence[CueText], pieces: Sequence[Piece]) -> tuple[Shift, ...]:
    """Return the pieces as a report tells them."""
    return tuple(
        Shift(
            first=piece.first + 1, last=piece.last + 1,
            start_ms=cues[piece.first].start_ms, end_ms=cues[piece.last].end_ms,
            speed=round(piece.speed, 6), offset_ms=round(piece.offset_ms), spread_ms=round(piece.spread_ms),
        )
        for piece in pieces
    )  # fmt: skip


def on_speech(cues: Sequence[CueText], speech: Sequence[Region]) -> float:
    """Return the share of the cues with words that are shown while people speak."""
    said = [cue for cue in cues if cue.words]
    if not said:
        return 0.0
    return sum(_spoken_ms(cue, speech) >= _ON_SPEECH * (cue.end_ms - cue.start_ms) for cue in said) / len(said)


def _spoken_ms(cue: CueText, speech: Sequence[Region]) -> int:
    return sum(max(0, min(cue.end_ms, one.end_ms) - max(cue.start_ms, one.start_ms)) for one in speech)


def confirms(by_speech: SpeechFit, piece: Piece, cues: Sequence[CueText]) -> bool:
    """Tell whether the times of speech in the whole film give the same line as words in a few stretches of it."""
    middle = [cue.start_ms for cue in (cues[0], cues[len(cues) // 2], cues[-1])]
    return (
        by_speech.is_proven
        and len(by_speech.pieces) == 1
        and all(abs(by_speech.pieces[0].film_ms(at) - piece.film_ms(at)) <= _AGREE_MS for at in middle)
    )
