"""Judge whether a subtitle belongs to a film: by the words that both have, and by the speech during its cues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.cue import CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.documents.subtitle_sync import Shift, SubtitleFit, Verdict
from shared.documents.transcript import Transcript
from shared.text.language import english_name, primary
from stages.toolkit.sync.cue_words import (
    CueText,
    WordMatch,
    commonest_offset,
    cue_text,
    match_cues,
    points_of,
    recognised_words,
)
from stages.toolkit.sync.pieces import Piece, find_pieces
from stages.toolkit.sync.placing import has_rhythm, is_in_step
from stages.toolkit.sync.speech_offsets import SpeechFit, find_by_speech

_SAME_TEXT = 0.25
"""The least share of agreeing words at which a text counts as that of the film. A full subtitle has 60 to 95 % of the
recognised words, a shortened one 40 to 60 %, that of another film 1 to 8 %."""
_WORDS_OF_A_PIECE = 12  # that one more piece must explain
_FEWEST_WORDS = 8  # that agree; fewer may agree by chance
_ON_SPEECH = 0.3  # of a cue's time: with so much speech, the cue counts as shown while people speak
_AGREE_MS = 500  # two ways to find the offset agree if they differ by no more


@dataclass(frozen=True)
class Evidence:
    """The measurements and the verdict. `pieces` come from the words, or from the speech (`by_speech`) if the subtitle
    is in another language."""

    cues: tuple[CueText, ...]
    match: WordMatch
    pieces: tuple[Piece, ...]
    by_speech: SpeechFit | None
    verdict: Verdict
    reason: str

    @property
    def agreeing(self) -> float:
        """Return the share of the shorter side's words that the other side has."""
        return self.match.shared_words / max(1, min(self.match.text_words, self.match.heard_words))

    @property
    def doubtful(self) -> frozenset[int]:
        """Return the cues that speech alone placed, and that fit there no better than anywhere else."""
        return self.by_speech.doubtful if self.by_speech else frozenset()

    @property
    def is_linear(self) -> bool:
        """Tell whether one offset and one speed put every cue in step."""
        return len(self.pieces) == 1 and has_rhythm(self.pieces[0])


def cue_texts(sheet: CueSheet) -> tuple[CueText, ...]:
    """Return the cues in the form in which they are matched."""
    return tuple(cue_text(cue.start_ms, cue.end_ms, cue.lines) for cue in sheet.cues)


def judge(sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> Evidence:
    """Return the evidence and the verdict. `transcript` may hold a few stretches of the film, or all of it."""
    cues = cue_texts(sheet)
    match = match_cues(cues, transcript)
    agreeing = match.shared_words / max(1, min(match.text_words, match.heard_words))
    text, spoken = primary(sheet.language), primary(transcript.language)
    if agreeing >= _SAME_TEXT and match.shared_words >= _FEWEST_WORDS:
        match, pieces = _simplest_pieces(cues, transcript, match)
        if all(map(is_in_step, pieces)) and all(map(has_rhythm, pieces)):
            return Evidence(cues, match, pieces, None, "fits", "its words are heard when they are shown")
        return Evidence(cues, match, pieces, None, "moved", "its words are heard at other times")
    if not transcript.segments:
        reason = "no speech was recognised in the film, so nothing proves that the subtitle belongs to it"
        return Evidence(cues, match, (), None, "refused", reason)
    if text == spoken:
        reason = f"{match.shared_words} of {match.heard_words} words that are heard are its words"
        return Evidence(cues, match, (), None, "refused", reason)
    by_speech = find_by_speech(cues, speech.regions, speech.duration_ms, recognised_words(transcript))
    languages = f"it is {english_name(sheet.language)}, and {english_name(transcript.language)} is spoken"
    verdict: Verdict = "other-language" if by_speech.is_proven else "refused"
    return Evidence(cues, match, by_speech.pieces, by_speech, verdict, f"{languages}; its times {_describe(by_speech)}")


def _describe(by_speech: SpeechFit) -> str:
    """Return a phrase that says how well the times fit the speech."""
    fits = "fit the speech" if by_speech.is_better_than_chance else "fit the speech as well as chance would have it"
    phrase = f"{fits}: {by_speech.rating:.2f} where chance gives {by_speech.chance:.2f}"
    if by_speech.is_better_than_chance and by_speech.doubtful:
        phrase += f", and {len(by_speech.doubtful)} of {by_speech.cues} cues fit nowhere"
    return phrase


def _simplest_pieces(
    cues: Sequence[CueText], transcript: Transcript, match: WordMatch
) -> tuple[WordMatch, tuple[Piece, ...]]:
    """Return the pieces of a match, or a match with fewer pieces that explains nearly as many words.

    A text that the film says twice may be matched with the wrong place, which makes a piece of its own. So where there
    are several pieces, the cues are matched again along one line (one speed and one offset for all).
    """
    pieces = tuple(find_pieces(points_of(cues, match)))
    if len(pieces) < 2:
        return match, pieces
    lines = [
        Piece(0, len(cues) - 1, speed, commonest_offset(cues, transcript, speed), 0.0)
        for speed in dict.fromkeys((pieces[0].speed, 1.0))
    ]
    along_line = max((match_cues(cues, transcript, line) for line in lines), key=lambda found: found.shared_words)
    fewer = tuple(find_pieces(points_of(cues, along_line)))
    lost_words = match.shared_words - along_line.shared_words
    is_simpler = fewer and lost_words < _WORDS_OF_A_PIECE * (len(pieces) - len(fewer))
    return (along_line, fewer) if is_simpler else (match, pieces)


def as_document(evidence: Evidence, sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> SubtitleFit:
    """Return the evidence as a document."""
    return SubtitleFit(
        verdict=evidence.verdict,
        reason=evidence.reason,
        text_language=sheet.language,
        speech_language=transcript.language,
        cues=len(sheet.cues),
        on_speech=round(on_speech(evidence.cues, speech.regions), 3),
        sampled_ms=sum(one.end_ms - one.start_ms for one in transcript.segments),
        heard_words=evidence.match.heard_words,
        agreeing=round(evidence.agreeing, 3),
        shifts=shifts(evidence.cues, evidence.pieces),
        speech_rating=round(evidence.by_speech.rating, 3) if evidence.by_speech else None,
        chance_rating=round(evidence.by_speech.chance, 3) if evidence.by_speech else None,
    )


def shifts(cues: Sequence[CueText], pieces: Sequence[Piece]) -> tuple[Shift, ...]:
    """Return the pieces in the form of a report, in which cues count from 1."""
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
    spoken = [cue for cue in cues if cue.words]
    if not spoken:
        return 0.0
    return sum(_spoken_ms(cue, speech) >= _ON_SPEECH * (cue.end_ms - cue.start_ms) for cue in spoken) / len(spoken)


def _spoken_ms(cue: CueText, speech: Sequence[Region]) -> int:
    return sum(max(0, min(cue.end_ms, one.end_ms) - max(cue.start_ms, one.start_ms)) for one in speech)


def confirms(by_speech: SpeechFit, piece: Piece, cues: Sequence[CueText]) -> bool:
    """Tell whether the speech of the whole film gives the same times as the words of a few stretches of it."""
    times = [cue.start_ms for cue in (cues[0], cues[len(cues) // 2], cues[-1])]
    return (
        by_speech.is_proven
        and len(by_speech.pieces) == 1
        and all(abs(by_speech.pieces[0].film_ms(at) - piece.film_ms(at)) <= _AGREE_MS for at in times)
    )
