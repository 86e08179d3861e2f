"""Place decoded words in the audio: each in the speech region that it can have been spoken in. Pure.

Whisper times a word by the attention of its tokens. The end of a word is exact to some hundredths of a second, but a
pause before a word counts as part of the word. If a long pause was cut out of a pack there, the word begins in the
speech before the pause. In two files of 46 clips joined at random pauses, the first word after a pause began 0.3 to
15 s early at 12 of 45 joints, while its end lay in its own region at all but one. So the end decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from shared.documents.speech import Region
from shared.documents.transcript import Segment, Word
from shared.text.sentence_end import ends_sentence
from stages.asr.decoded import DecodedSegment, DecodedWord

_SHORTEST_PAUSE_MS = 100  # closer regions are one region, which the detector cut because of its length
# Silero's regions begin up to 0.1 s before their first sound, so a word that ends before that was not spoken in them.
_LEAST_INSIDE_MS = 40
_MOST_OVERHANG_MS = 150  # how far an error of its time makes a word that ends a sentence reach into the next region
_NEAR_MS = 100  # a word that reaches into a pause of this length may belong to the region after it
_SHORTEST_WORD_MS = 60
_DIVIDING_PAUSE_MS = 700  # between two words: it divides a sentence
_FEW_WORDS = 2  # more words in one pause are speech that the detector missed, not words with wrong times


@dataclass(frozen=True)
class Span:
    """A speech region in the time of its pack."""

    start_ms: int  # in the pack, like the end
    end_ms: int
    shift: int  # ms from a time in the pack to the time in the audio
    stretch: int  # the number of the stretch that holds the region
    limit_ms: int  # in the audio: where the pause after the region ends


def spans_of(pack: Sequence[Region], speech: Sequence[Region]) -> tuple[Span, ...]:
    """Return the speech regions in a pack, in order. A stretch of the pack without any counts as one region."""
    spans: list[Span] = []
    done_ms = 0
    for number, stretch in enumerate(pack):
        shift = stretch.start_ms - done_ms
        inside: list[tuple[int, int]] = []
        for region in speech:
            start, end = max(region.start_ms, stretch.start_ms), min(region.end_ms, stretch.end_ms)
            if inside and start < end and start - inside[-1][1] < _SHORTEST_PAUSE_MS:
                inside[-1] = inside[-1][0], end
            elif start < end:
                inside.append((start, end))
        inside = inside or [(stretch.start_ms, stretch.end_ms)]
        limits = [*(start for start, _ in inside[1:]), stretch.end_ms]
        for (start, end), limit in zip(inside, limits, strict=True):
            spans.append(Span(start - shift, end - shift, shift, number, limit))
        done_ms += stretch.end_ms - stretch.start_ms
    return tuple(spans)


def place_segment(decoded: DecodedSegment, spans: Sequence[Span], before: str = "") -> Iterator[Segment]:
    """Yield a decoded segment at its place in the audio; `before` is the text of the word before it.

    The segment is divided where a silence was cut out inside it. A segment whose backend timed no words is not: nothing
    tells which of its words come before the silence.
    """
    words = [word for word in decoded.words if word.text.strip()]
    numbers = [_by_middle(word, spans) for word in words] if decoded.window else _numbers(words, spans, before)
    placed: list[tuple[int, Word]] = []
    for number, group in groupby(zip(numbers, _joined(decoded.words), words, strict=True), key=lambda one: one[0]):
        region_words = [(word, joined) for _, joined, word in group]
        times = _times([word for word, _ in region_words], spans[number])
        for (word, joined), (start, end) in zip(region_words, times, strict=True):
            placed.append((spans[number].stretch, _word(word, start, end, joined, interpolated=bool(decoded.window))))
    for _, part in groupby(placed, key=lambda one: -1 if decoded.window else one[0]):
        yield _segment(
            [word for _, word in part], decoded.average_log_probability, decoded.no_speech_probability, decoded.window
        )


def split_sentences(segment: Segment) -> Iterator[Segment]:
    """Yield the sentences of a segment. A long pause divides a sentence too."""

    def part() -> Segment:
        return _segment(words, segment.average_log_probability, segment.no_speech_probability, segment.window)

    words: list[Word] = []
    for word in segment.words:
        if words and not segment.window and word.start_ms - words[-1].end_ms >= _DIVIDING_PAUSE_MS:
            yield part()
            words = []
        words.append(word)
        if ends_sentence(word.text):
            yield part()
            words = []
    if words:
        yield part()


def _segment(words: Sequence[Word], log_probability: float, no_speech: float, window: Region | None) -> Segment:
    """Return a segment of these words, of which there must be one."""
    first, *others = words
    return Segment(
        id=0,
        text="".join(word.text if word.joined else f" {word.text}" for word in words).strip(),
        start_ms=first.start_ms,
        end_ms=max(word.end_ms for word in words),
        words=(first.model_copy(update={"joined": False}), *others),
        average_log_probability=round(log_probability, 4),
        no_speech_probability=round(no_speech, 4),
        window=window,
    )


def _numbers(words: Sequence[DecodedWord], spans: Sequence[Span], before: str) -> list[int]:
    """Return for each word the number of its region; the numbers never decrease."""
    numbers: list[int] = []
    for index, word in enumerate(words):
        least = numbers[-1] if numbers else 0
        previous = words[index - 1].text if index else before
        numbers.append(max(least, _number(word, previous, spans)))
    return _without_missed_speech(words, numbers, spans)


def _number(word: DecodedWord, previous: str, spans: Sequence[Span]) -> int:
    """Return the number of the region that a word can have been spoken in; `previous` is the word before it."""
    begins = not previous.strip() or ends_sentence(previous.strip())
    ends = ends_sentence(word.text.strip())
    reached = [number for number, span in enumerate(spans) if word.end_ms > span.start_ms + _LEAST_INSIDE_MS]
    last = max(reached, default=0)
    span, after = spans[last], spans[last + 1] if last + 1 < len(spans) else None
    if word.start_ms >= span.end_ms and after:  # it lies in a pause
        nearer = after.start_ms - word.end_ms < word.start_ms - span.end_ms
        return last + 1 if nearer or (begins and not ends) else last
    reaches_on = word.end_ms > span.end_ms and after and after.start_ms - word.end_ms <= _NEAR_MS
    if reaches_on and begins and not ends:
        return last + 1
    overhang = word.end_ms - span.start_ms
    if last and ends and overhang < _MOST_OVERHANG_MS:
        inside_before = spans[last - 1].end_ms - word.start_ms
        return last - 1 if inside_before > overhang else last
    return last


def _without_missed_speech(words: Sequence[DecodedWord], numbers: list[int], spans: Sequence[Span]) -> list[int]:
    """Return the numbers, with the region before for many words that lie in one pause: those keep their times."""
    kept = list(numbers)
    for number, span in enumerate(spans[:-1]):
        within = [
            index
            for index, word in enumerate(words)
            if word.start_ms >= span.end_ms and word.end_ms <= spans[number + 1].start_ms + _LEAST_INSIDE_MS
        ]
        if len(within) > _FEW_WORDS:
            for index in within:
                kept[index] = min(number, kept[index])
    return kept


def _times(words: Sequence[DecodedWord], span: Span) -> list[tuple[int, int]]:
    """Return the times in the audio of the words of one region, none before the region begins.

    Words whose decoded times end before the region share the beginning of it with the first word that begins there.
    """
    first, last = span.start_ms + span.shift, span.end_ms + span.shift
    times: list[tuple[int, int]] = []
    for word in words:
        start = min(max(word.start_ms + span.shift, first), span.limit_ms)
        end = min(word.end_ms + span.shift, last if start < last else span.limit_ms)
        times.append((start, max(start, end)))
    squeezed = 0
    while squeezed < len(times) and times[squeezed][1] < first + _SHORTEST_WORD_MS * (squeezed + 1):
        squeezed += 1
    if squeezed and words[0].start_ms < span.start_ms:
        until = min(first + _SHORTEST_WORD_MS * squeezed, last)
        if squeezed < len(words) and times[squeezed][0] < until:
            until = times[squeezed][1]
            squeezed += 1
        times[:squeezed] = _by_length(words[:squeezed], first, until)
    return times


def _by_length(words: Sequence[DecodedWord], start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Yield times for words that share a stretch, each in proportion to its letters."""
    total, done = sum(len(word.text.strip()) for word in words), 0
    for word in words:
        begin = start_ms + (end_ms - start_ms) * done // total
        done += len(word.text.strip())
        yield begin, start_ms + (end_ms - start_ms) * done // total


def _by_middle(word: DecodedWord, spans: Sequence[Span]) -> int:
    """Return the number of the region that holds or follows the middle of a word without a measured time."""
    middle = (word.start_ms + word.end_ms) // 2
    return next((number for number, span in enumerate(spans) if middle < span.end_ms), len(spans) - 1)


def _joined(words: Sequence[DecodedWord]) -> list[bool]:
    """Return for each word with text whether it has no white space before it."""
    joined: list[bool] = []
    spaced = True
    for word in words:
        if word.text.strip():
            joined.append(not spaced and not word.text[:1].isspace())
            spaced = word.text[-1:].isspace()
        elif word.text:
            spaced = True
    return joined


def _word(word: DecodedWord, start: int, end: int, joined: bool, interpolated: bool) -> Word:
    return Word(
        text="".join(word.text.split()),
        start_ms=start,
        end_ms=end,
        probability=round(word.probability, 4),
        joined=joined,
        interpolated=interpolated,
    )
