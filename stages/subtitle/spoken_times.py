"""Give the words of a translation times: a sentence takes the time of the sentence that it translates.

Sentences are paired in order. If a translator made one sentence of two, or two of one, the pairs are found by length
(Gale and Church, "A program for aligning sentences in bilingual corpora", 1993). The words of a pair share its time in
proportion to their length, and the pauses of the speaker stay.
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
from stages.toolkit.cues.words import Piece, join_inseparable, pieces_of, spread_text, spread_tokens

_LONGEST_PAUSE_MS = 2_000  # no sentence goes on after a longer pause
_PAUSE_MS = 400  # the shortest pause at which a translated sentence is divided
_MOST_JOINED = 3  # sentences that one sentence translates, at most
# The costs of a pair. Two sentences of which one has no length cost 1.
_UNEVEN_PAIR = 0.4  # of each sentence beyond one
_TWO_SPEAKERS = 4.0  # of each change of speaker among the sentences
_OFF_SHARE = 400.0  # of a cut that is off its share of the text, by the square of the distance

Run = Sequence[Piece]


def time_translation(transcript: Transcript, translation: Translation, joining: JoiningWords) -> Iterator[Piece]:
    """Yield the words of a translation with the times and the speakers of the words that they translate. `joining` are
    words of the translation's language."""
    texts = {segment.id: segment.text for segment in translation.segments}
    spoken = [list(join_inseparable(pieces_of([segment]))) for segment in transcript.segments]
    translated = [list(spread_text(texts.get(segment.id, ""), segment)) for segment in transcript.segments]
    for begin, end in _sentence_runs(transcript.segments, spoken, translated):
        words, tokens = _flat(spoken[begin:end]), _flat(translated[begin:end])
        sentences = _sentences(words, by_speaker=True)
        translations = _sentences(tokens, by_speaker=False)
        if not words:
            yield from tokens
        elif len(sentences) == len(translations) == 1:
            for own, other in zip(spoken[begin:end], translated[begin:end], strict=True):
                yield from _place_tokens(own, other, joining) if own else other
        else:
            for paired, their_translations in _pairs(sentences, translations):
                yield from _place_tokens(_flat(paired), _flat(their_translations), joining)


def _sentence_runs(
    segments: Sequence[Segment], spoken: Sequence[Run], translated: Sequence[Run]
) -> Iterator[tuple[int, int]]:
    """Yield the runs of segments that end with a sentence in both languages, at a pause, or at a change of speaker."""
    begin = 0
    for index in range(1, len(segments) + 1):
        if index < len(segments):
            before, after = segments[index - 1], segments[index]
            apart = before.speaker != after.speaker or after.start_ms - before.end_ms > _LONGEST_PAUSE_MS
            if not apart and not (
                _ends_with_sentence(spoken[index - 1]) and _ends_with_sentence(translated[index - 1])
            ):
                continue
        yield begin, index
        begin = index


def _ends_with_sentence(pieces: Run) -> bool:
    return not pieces or ends_sentence(pieces[-1].text)


def _flat(parts: Iterable[Run]) -> list[Piece]:
    return [piece for part in parts for piece in part]


def _sentences(pieces: Run, *, by_speaker: bool) -> list[list[Piece]]:
    """Return the sentences of a text; with `by_speaker`, a sentence also ends where the speaker changes."""
    found: list[list[Piece]] = []
    ended = True
    for piece in pieces:
        if ended or (by_speaker and piece.speaker != found[-1][-1].speaker):
            found.append([])
        found[-1].append(piece)
        ended = ends_sentence(piece.text)
    return found


def _pairs(sentences: Sequence[Run], translations: Sequence[Run]) -> list[tuple[Sequence[Run], Sequence[Run]]]:
    """Return sentences with their translations.

    If there are as many of both, they are paired one by one. Otherwise their lengths decide, and one may be paired with
    up to three. If there is no such pairing, all sentences are paired with all translations.
    """
    if len(sentences) == len(translations):
        return [([own], [other]) for own, other in zip(sentences, translations, strict=True)]
    ours, theirs = [_width(run) for run in sentences], [_width(run) for run in translations]
    ratio = sum(theirs) / max(sum(ours), 1)
    steps = [(1, 1)] + [step for count in range(2, _MOST_JOINED + 1) for step in ((1, count), (count, 1))]
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for i in range(len(sentences) + 1):
        for j in range(len(translations) + 1):
            for a, b in steps:
                if (before := best.get((i - a, j - b))) is None:
                    continue
                expected, found = sum(ours[i - a : i]) * ratio, sum(theirs[j - b : j])
                cost = before[0] + abs(expected - found) / max(expected, found, 1) + _UNEVEN_PAIR * (max(a, b) - 1)
                cost += _TWO_SPEAKERS * (len({run[0].speaker for run in sentences[i - a : i]}) - 1)
                if (i, j) not in best or cost < best[i, j][0]:
                    best[i, j] = cost, (a, b)
    at = len(sentences), len(translations)
    if at not in best:
        return [(sentences, translations)]
    pairs: list[tuple[Sequence[Run], Sequence[Run]]] = []
    while at != (0, 0):
        a, b = best[at][1]
        pairs.append((sentences[at[0] - a : at[0]], translations[at[1] - b : at[1]]))
        at = at[0] - a, at[1] - b
    return pairs[::-1]


def _width(pieces: Run) -> int:
    return sum(places(piece.text) + (not piece.joined) for piece in pieces)


def _place_tokens(words: Run, tokens: Run, joining: JoiningWords) -> Iterator[Piece]:
    """Yield the tokens with the times of the words, divided at the pauses between these."""
    waiting = [(words, tokens)]
    while waiting:
        words, tokens = waiting.pop()
        cut = _best_split(words) if len(tokens) > 1 else None
        if cut is None:
            texts = [(piece.text, piece.joined) for piece in tokens]
            yield from spread_tokens(texts, words[0].start_ms, max(word.end_ms for word in words), _main_speaker(words))
            continue
        at = _cut_at_share(tokens, _width(words[:cut]) / max(_width(words), 1), joining)
        waiting += [(words[cut:], tokens[at:]), (words[:cut], tokens[:at])]


def _main_speaker(words: Run) -> str | None:
    """Return the speaker of most of the words."""
    widths: Counter[str | None] = Counter()
    for word in words:
        widths[word.speaker] += _width([word])
    return widths.most_common(1)[0][0]


def _best_split(words: Run) -> int | None:
    """Return the place of the change of speaker nearest the middle, or else of the longest pause; None if neither."""
    edges = range(1, len(words))
    if changes := [place for place in edges if words[place].speaker != words[place - 1].speaker]:
        return min(changes, key=lambda place: abs(2 * place - len(words)))
    gap, place = max(((words[place].start_ms - words[place - 1].end_ms, place) for place in edges), default=(0, 0))
    return place if gap >= _PAUSE_MS else None


def _cut_at_share(tokens: Run, share: float, joining: JoiningWords) -> int:
    """Return the place nearest to a share of the text at which a line could well end, from 1 to the last token."""
    costs = breaks_of([replace(token, start_ms=0, end_ms=0, speaker=None) for token in tokens], joining).line
    ends = list(accumulate(_width([token]) for token in tokens))

    def cost(place: int) -> float:
        off = ends[place - 1] / max(ends[-1], 1) - share
        return _OFF_SHARE * off * off + costs[place]

    return min(range(1, len(tokens)), key=cost)
