"""Times for a translation: a sentence takes the time of the one that it translates, and pauses stay where they were.

Sentences are paired in order. Where a translator made one sentence of two, or two of one, the pairs are found by length
(Gale and Church 1993); the words inside a pair have their time by proportion, cut at the pauses of the speaker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import Translation
from shared.text.joining_words import JoiningWords
from shared.text.sentence_end import ends_sentence
from shared.text.text_width import places
from stages.toolkit.cues.line_breaks import breaks_of
from stages.toolkit.cues.words import Piece, by_proportion, glued, spoken, spread

_LONGEST_PAUSE_MS = 2_000  # no sentence is translated across a longer one
_PAUSE_MS = 400  # the text is cut at a pause that is not shorter
_MOST_JOINED = 3  # sentences in the place of one
_UNEVEN_PAIR = 0.4  # what it costs to take two sentences for one, in lengths of a pair that are off by their whole
_TWO_VOICES = 4.0  # what it costs if they are said by two speakers
_OFF_SHARE = 400.0  # as when a translated sentence is shared out among segments

Run = Sequence[Piece]


def translated(transcript: Transcript, translation: Translation, joining: JoiningWords) -> Iterator[Piece]:
    """Yield the words of a translation in the time, and by the speaker, of what they translate. `joining` are
    words of its language."""
    texts = {segment.id: segment.text for segment in translation.segments}
    said = [list(glued(spoken([segment]))) for segment in transcript.segments]
    told = [list(spread(texts.get(segment.id, ""), segment)) for segment in transcript.segments]
    for begin, end in _stretches(transcript.segments, said, told):
        words, tokens = _joined(said[begin:end]), _joined(told[begin:end])
        sentences, renderings = _sentences(words, voices=True), _sentences(tokens, voices=False)
        if not words:
            yield from tokens
        elif len(sentences) == len(renderings) == 1:
            for one, other in zip(said[begin:end], told[begin:end], strict=True):
                yield from _placed(one, other, joining) if one else other
        else:
            for bead, texts_of in _pairs(sentences, renderings):
                yield from _placed(_joined(bead), _joined(texts_of), joining)


def _stretches(segments: Sequence[Segment], said: Sequence[Run], told: Sequence[Run]) -> Iterator[tuple[int, int]]:
    """Yield runs of segments that begin and end with a sentence in both languages."""
    begin = 0
    for index in range(1, len(segments) + 1):
        if index < len(segments):
            before, after = segments[index - 1], segments[index]
            apart = before.speaker != after.speaker or after.start_ms - before.end_ms > _LONGEST_PAUSE_MS
            if not apart and not (_is_ended(said[index - 1]) and _is_ended(told[index - 1])):
                continue
        yield begin, index
        begin = index


def _is_ended(pieces: Run) -> bool:
    return not pieces or ends_sentence(pieces[-1].text)


def _joined(parts: Iterable[Run]) -> list[Piece]:
    return [piece for part in parts for piece in part]


def _sentences(pieces: Run, *, voices: bool) -> list[list[Piece]]:
    """Return the sentences of a text; with `voices`, one also ends where the speaker changes."""
    found: list[list[Piece]] = []
    ended = True
    for piece in pieces:
        if ended or (voices and piece.speaker != found[-1][-1].speaker):
            found.append([])
        found[-1].append(piece)
        ended = ends_sentence(piece.text)
    return found


def _pairs(sentences: Sequence[Run], renderings: Sequence[Run]) -> list[tuple[Sequence[Run], Sequence[Run]]]:
    """Return sentences with what translates them: one and one where their numbers agree, otherwise as their lengths
    tell, one with up to three. All with all where that leads nowhere."""
    if len(sentences) == len(renderings):
        return [([one], [other]) for one, other in zip(sentences, renderings, strict=True)]
    ours, theirs = [_width(one) for one in sentences], [_width(one) for one in renderings]
    ratio = sum(theirs) / max(sum(ours), 1)
    beads = [(1, 1)] + [bead for count in range(2, _MOST_JOINED + 1) for bead in ((1, count), (count, 1))]
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for i in range(len(sentences) + 1):
        for j in range(len(renderings) + 1):
            for a, b in beads:
                if (before := best.get((i - a, j - b))) is None:
                    continue
                expected, found = sum(ours[i - a : i]) * ratio, sum(theirs[j - b : j])
                cost = before[0] + abs(expected - found) / max(expected, found, 1) + _UNEVEN_PAIR * (max(a, b) - 1)
                cost += _TWO_VOICES * (len({one[0].speaker for one in sentences[i - a : i]}) - 1)
                if (i, j) not in best or cost < best[i, j][0]:
                    best[i, j] = cost, (a, b)
    at = len(sentences), len(renderings)
    if at not in best:
        return [(sentences, renderings)]
    pairs: list[tuple[Sequence[Run], Sequence[Run]]] = []
    while at != (0, 0):
        a, b = best[at][1]
        pairs.append((sentences[at[0] - a : at[0]], renderings[at[1] - b : at[1]]))
        at = at[0] - a, at[1] - b
    return pairs[::-1]


def _width(pieces: Run) -> int:
    return sum(places(piece.text) + (not piece.joined) for piece in pieces)


def _placed(words: Run, tokens: Run, joining: JoiningWords) -> Iterator[Piece]:
    """Yield the tokens in the time of the words, without the pauses between those."""
    waiting = [(words, tokens)]
    while waiting:
        words, tokens = waiting.pop()
        cut = _gap_near_the_middle(words) if len(tokens) > 1 else None
        if cut is None:
            texts = [(piece.text, piece.joined) for piece in tokens]
            yield from by_proportion(texts, words[0].start_ms, max(word.end_ms for word in words), _voice(words))
            continue
        at = _cut_near(tokens, _width(words[:cut]) / max(_width(words), 1), joining)
        waiting += [(words[cut:], tokens[at:]), (words[:cut], tokens[:at])]


def _voice(words: Run) -> str | None:
    """Return who says most of the words."""
    said: Counter[str | None] = Counter()
    for word in words:
        said[word.speaker] += _width([word])
    return said.most_common(1)[0][0]


def _gap_near_the_middle(words: Run) -> int | None:
    """Return the place of the change of speaker nearest the middle; where there is none, of the longest pause; None
    without one."""
    edges = range(1, len(words))
    if changes := [place for place in edges if words[place].speaker != words[place - 1].speaker]:
        return min(changes, key=lambda place: abs(2 * place - len(words)))
    gap, place = max(((words[place].start_ms - words[place - 1].end_ms, place) for place in edges), default=(0, 0))
    return place if gap >= _PAUSE_MS else None


def _cut_near(tokens: Run, share: float, joining: JoiningWords) -> int:
    """Return where a line could end near a share of the text, from 1 to the last but one."""
    costs = breaks_of([replace(token, start_ms=0, end_ms=0, speaker=None) for token in tokens], joining).line
    ends = list(accumulate(_width([token]) for token in tokens))

    def cost(place: int) -> float:
        off = ends[place - 1] / max(ends[-1], 1) - share
        return _OFF_SHARE * off * off + costs[place]

    return min(range(1, len(tokens)), key=cost)
