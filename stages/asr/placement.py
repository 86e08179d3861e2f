"""Places decoded words in the audio: each belongs to the speech region that it can have been spoken in. Pure.

Whisper times a word by the attention of its tokens. The end of a word is good to some hundredths of a second, but a
pause before a word counts as part of the word. Where a long pause was cut out of a pack, the word then reaches back
into what was said before the pause. In two files of 46 clips joined at random pauses, the first word after a pause
began 0.3 to 15 s early at 12 of 45 joints, while its end lay in its own region at all but one. So the end decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from shared.documents.speech import Region
from shared.documents.transcript import Segment, Word
from shared.text.sentence_end import ends_sentence
from stages.asr.heard import Heard, HeardWord

_SHORTEST_PAUSE_MS = 100  # regions closer than this are one, which the detector cut for its length
# Silero's regions begin up to 0.1 s before their first sound, so a word that ends before that was not spoken in them.
_LEAST_INSIDE_MS = 40
_MOST_OVERHANG_MS = 150  # how far a word that ends a sentence may reach into the next region by an error of its time
_NEAR_MS = 100
_SHORTEST_WORD_MS = 60
_DIVIDING_PAUSE_MS = 700
_FEW_WORDS = 2  # more words in one pause are speech that the detector missed, and not words with wrong times


@dataclass(frozen=True)
class Span:
    """A speech region in the time of its pack; `shift` leads from there to the audio. `stretch` numbers the part of the
    pack that holds it. The pause after the region ends at `limit_ms` of the audio."""

    start_ms: int
    end_ms: int
    shift: int
    stretch: int
    limit_ms: int


def spans_of(pack: Sequence[Region], speech: Sequence[Region]) -> tuple[Span, ...]:
    """Return the speech regions in a pack, in order. A stretch of the pack in which none lies counts as one."""
    spans: list[Span] = []
    done = 0
    for number, stretch in enumerate(pack):
        shift = stretch.start_ms - done
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
        done += stretch.end_ms - stretch.start_ms
    return tuple(spans)


def place(heard: Heard, spans: Sequence[Span], before: str = "") -> Iterator[Segment]:
    """Yield a decoded segment at its place in the audio; `before` is the word before it.

    The segment is divided where a silence was cut out inside it, unless the backend did not measure which words stand
    before and after the silence.
    """
    words = [word for word in heard.words if word.text.strip()]
    numbers = [_by_middle(word, spans) for word in words] if heard.window else _numbers(words, spans, before)
    placed: list[tuple[int, Word]] = []
    for number, group in groupby(zip(numbers, _joined(heard.words), words, strict=True), key=lambda one: one[0]):
        said = [(word, joined) for _, joined, word in group]
        times = _times([word for word, _ in said], spans[number])
        for (word, joined), (start, end) in zip(said, times, strict=True):
            placed.append((spans[number].stretch, _word(word, start, end, joined, interpolated=bool(heard.window))))
    for _, part in groupby(placed, key=lambda one: -1 if heard.window else one[0]):
        yield segment_of(
            [word for _, word in part], heard.average_log_probability, heard.no_speech_probability, heard.window
        )


def sentences(segment: Segment) -> Iterator[Segment]:
    """Yield the sentences of a segment, and the parts of one that pauses divide."""
    words: list[Word] = []
    for word in segment.words:
        if words and not segment.window and word.start_ms - words[-1].end_ms >= _DIVIDING_PAUSE_MS:
            yield segment_of(words, segment.average_log_probability, segment.no_speech_probability, segment.window)
            words = []
        words.append(word)
        if ends_sentence(word.text):
            yield segment_of(words, segment.average_log_probability, segment.no_speech_probability, segment.window)
            words = []
    if words:
        yield segment_of(words, segment.average_log_probability, segment.no_speech_probability, segment.window)


def segment_of(words: Sequence[Word], log_probability: float, no_speech: float, window: Region | None) -> Segment:
    """Return a segment of these words, from the first to the last; there must be one."""
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


def _numbers(words: Sequence[HeardWord], spans: Sequence[Span], before: str) -> list[int]:
    """Return for each word the number of its region; the numbers never fall."""
    numbers: list[int] = []
    for index, word in enumerate(words):
        least = numbers[-1] if numbers else 0
        previous = words[index - 1].text if index else before
        numbers.append(max(least, _number(word, previous, spans)))
    return _without_missed_speech(words, numbers, spans)


def _number(word: HeardWord, previous: str, spans: Sequence[Span]) -> int:
    """Return the number of the region that a word can have been spoken in."""
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


def _without_missed_speech(words: Sequence[HeardWord], numbers: list[int], spans: Sequence[Span]) -> list[int]:
    """Return the numbers; where many words lie in a pause, they keep their times, as a part of the region before."""
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


def _times(words: Sequence[HeardWord], span: Span) -> list[tuple[int, int]]:
    """Return the times in the audio for the words of one region, none of which begins before it does. Words that ended
    before the region began share the time of the first word that did not, where that begins with the region."""
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


def _by_length(words: Sequence[HeardWord], start: int, end: int) -> Iterator[tuple[int, int]]:
    total, done = sum(len(word.text.strip()) for word in words), 0
    for word in words:
        begin = start + (end - start) * done // total
        done += len(word.text.strip())
        yield begin, start + (end - start) * done // total


def _by_middle(word: HeardWord, spans: Sequence[Span]) -> int:
    """Return the number of the region that holds or follows the middle of a word whose time was not measured."""
    middle = (word.start_ms + word.end_ms) // 2
    return next((number for number, span in enumerate(spans) if middle < span.end_ms), len(spans) - 1)


def _joined(words: Sequence[HeardWord]) -> list[bool]:
    """Tell for each word with text whether no white space stands before it."""
    joined: list[bool] = []
    spaced = True
    for word in words:
        if word.text.strip():
            joined.append(not spaced and not word.text[:1].isspace())
            spaced = word.text[-1:].isspace()
        elif word.text:
            spaced = True
    return joined


def _word(word: HeardWord, start: int, end: int, joined: bool, interpolated: bool) -> Word:
    return Word(
        text="".join(word.text.split()),
        start_ms=start,
        end_ms=end,
        probability=round(word.probability, 4),
        joined=joined,
        interpolated=interpolated,
    )
