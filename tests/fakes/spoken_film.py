"""A film without sound: the words that are said in it with their times, its subtitle, and ways to damage that.

The words are drawn from a vocabulary as skewed as a language's own, so that most of them occur many times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from shared.documents.cue import Cue, CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Segment, Transcript, Word

_LETTERS = "abcdefghijklmnoprstuvw"
_PAUSE_MS = 250  # a shorter one does not end a region of speech
PAL = 25 * 1001 / 24_000


@dataclass(frozen=True)
class Subtitled:
    """A cue of a damaged subtitle, and when it has to begin in the film; None for a cue that the film does not have."""

    start_ms: int
    end_ms: int
    text: str
    truth_ms: int | None


@dataclass(frozen=True)
class Film:
    """The truth about a film: its cues, and what a recogniser hears of it."""

    cues: tuple[Subtitled, ...]
    heard: Transcript
    vocabulary: tuple[str, ...]

    @property
    def speech(self) -> SpeechRegions:
        """Return the regions of speech, as pauses part them."""
        spans: list[list[int]] = []
        for word in (word for segment in self.heard.segments for word in segment.words):
            if spans and word.start_ms - spans[-1][1] < _PAUSE_MS:
                spans[-1][1] = max(spans[-1][1], word.end_ms)
            else:
                spans.append([word.start_ms, word.end_ms])
        regions = tuple(Region(start_ms=start, end_ms=end) for start, end in spans)
        return SpeechRegions(duration_ms=self.heard.duration_ms, regions=regions)


def film(seed: int, cues: int = 60, *, errors: float = 0.15) -> Film:
    """Return a film of so many cues. A recogniser takes a part of the words for others, and misses some."""
    chance = random.Random(seed)
    letters = iter(chance.choices(_LETTERS, k=2_000 * 8))
    vocabulary = tuple("".join(islice(letters, chance.randint(2, 8))) for _ in range(2_000))
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    at, made, heard = 3_000, [], []
    for _ in range(cues):
        words, start = chance.choices(vocabulary, weights, k=chance.randint(2, 12)), at
        for word in words:
            length = 60 * len(word) + chance.randint(20, 90)
            said = word if chance.random() > errors else chance.choice(vocabulary)
            if chance.random() > errors / 5:
                begin = max(0, at + round(chance.gauss(0, 50)))
                heard.append(Word(text=said, start_ms=begin, end_ms=begin + length - 10, probability=0.9))
            at += length
        made.append(Subtitled(start, at + 200, " ".join(words), start))
        at += 300 + round(chance.expovariate(1 / 1_500))
    heard.sort(key=lambda word: word.start_ms)
    segment = Segment(id=0, text=" ".join(word.text for word in heard), start_ms=0, end_ms=at, words=tuple(heard))
    transcript = Transcript(language="en", language_probability=1.0, duration_ms=at, segments=(segment,))
    return Film(tuple(made), transcript, vocabulary)


def said_twice(made: Film, seed: int) -> Film:
    """Return a film in which all of another one is said two times. A recogniser hears each with other errors."""
    chance, later = random.Random(seed), made.heard.duration_ms + 30_000

    def heard(segment: Segment, by: int) -> Segment:
        words = tuple(
            Word(
                text=word.text if chance.random() > 0.15 else chance.choice(made.vocabulary),
                start_ms=word.start_ms + by, end_ms=word.end_ms + by, probability=word.probability,
            )
            for word in segment.words
        )  # fmt: skip
        times = {"start_ms": segment.start_ms + by, "end_ms": segment.end_ms + by}
        return segment.model_copy(update={**times, "id": int(by > 0), "words": words})

    (segment,) = made.heard.segments
    cues = [
        Subtitled(cue.start_ms + by, cue.end_ms + by, cue.text, (cue.truth_ms or 0) + by)
        for by in (0, later) for cue in made.cues
    ]  # fmt: skip
    transcript = made.heard.model_copy(
        update={"duration_ms": 2 * later, "segments": (heard(segment, 0), heard(segment, later))}
    )
    return Film(tuple(cues), transcript, made.vocabulary)


def sheet(cues: Sequence[Subtitled], language: str = "en") -> CueSheet:
    """Return the cues as a document, in order of time."""
    made = [Cue(start_ms=cue.start_ms, end_ms=cue.end_ms, lines=(cue.text,)) for cue in in_order(cues)]
    return CueSheet(language=language, cues=tuple(made))


def in_order(cues: Sequence[Subtitled]) -> list[Subtitled]:
    """Return the cues in order of time."""
    return sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))


def translated(cues: Sequence[Subtitled]) -> list[Subtitled]:
    """Return the cues with words that the film does not have."""
    return [Subtitled(cue.start_ms, cue.end_ms, cue.text[::-1].upper(), cue.truth_ms) for cue in cues]


def moved(cue: Subtitled, offset_ms: float = 0, speed: float = 1.0) -> Subtitled:
    """Return a cue at another time of its file."""
    start, end = (round(at * speed + offset_ms) for at in (cue.start_ms, cue.end_ms))
    return Subtitled(start, end, cue.text, cue.truth_ms)


def _middle(made: Film) -> int:
    return made.cues[len(made.cues) // 2].start_ms


def _cut_out(made: Film) -> list[Subtitled]:
    """Return the cues of a cut in which a minute in the middle is missing."""
    middle = _middle(made)
    return [
        cue if cue.start_ms < middle else moved(cue, -60_000)
        for cue in made.cues if not middle <= cue.start_ms < middle + 60_000
    ]  # fmt: skip


def _inserted(made: Film) -> list[Subtitled]:
    """Return the cues of a cut in which a minute more is in the middle."""
    chance, middle = random.Random(7), _middle(made)
    scene = [
        Subtitled(at, at + 2_500, " ".join(chance.choices(made.vocabulary, k=7)), None)
        for at in range(middle, middle + 60_000, 3_000)
    ]
    before = [cue for cue in made.cues if cue.start_ms < middle]
    return [*before, *scene, *(moved(cue, 60_000) for cue in made.cues if cue.start_ms >= middle)]


def _reordered(made: Film) -> list[Subtitled]:
    """Return the cues with the second and the third quarter in each other's place."""
    edges = [made.cues[len(made.cues) * part // 4].start_ms for part in (1, 2, 3)]
    second = [moved(cue, edges[2] - edges[1]) for cue in made.cues if edges[0] <= cue.start_ms < edges[1]]
    third = [moved(cue, edges[0] - edges[1]) for cue in made.cues if edges[1] <= cue.start_ms < edges[2]]
    return [
        *(cue for cue in made.cues if cue.start_ms < edges[0]), *third, *second,
        *(cue for cue in made.cues if cue.start_ms >= edges[2]),
    ]  # fmt: skip


def _wrong(made: Film) -> list[Subtitled]:
    chance = random.Random(9)
    return [
        Subtitled(cue.start_ms, cue.end_ms, " ".join(
            word if chance.random() > 0.1 else chance.choice(made.vocabulary) for word in cue.text.split()
        ), cue.truth_ms)
        for cue in made.cues
    ]  # fmt: skip


DAMAGES: dict[str, Callable[[Film], Sequence[Subtitled]]] = {
    "none": lambda made: made.cues,
    "90 s late": lambda made: [moved(cue, 90_000) for cue in made.cues],
    "90 s early": lambda made: [moved(cue, -90_000) for cue in made.cues],
    "25 for 23.976 frames": lambda made: [moved(cue, speed=1 / PAL) for cue in made.cues],
    "23.976 for 25 frames": lambda made: [moved(cue, speed=PAL) for cue in made.cues],
    "another speed": lambda made: [moved(cue, 4_000, 1.015) for cue in made.cues],
    "24 for 25 frames and early": lambda made: [moved(cue, -5_000, 24 / 25) for cue in made.cues],
    "a scene cut out": _cut_out,
    "a scene cut out and late": lambda made: [moved(cue, 20_000) for cue in _cut_out(made)],
    "a scene inserted": _inserted,
    "every third cue missing": lambda made: [cue for number, cue in enumerate(made.cues) if number % 3],
    "10 % wrong words": _wrong,
    "parts in another order": _reordered,
}
