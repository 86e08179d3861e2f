"""Decides which languages are spoken: in most of a recording, and in stretches that are foreign to the rest.

Every stretch is heard, not the opening alone, because an opening in another language would make the whole film that
language. A Whisper hears six seconds of a stretch for this: the encoder takes a tenth of the time that half a minute
costs. 24 clips of 1 to 5 s in eight languages and 26 English stretches were told apart as by ten seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from shared.documents.speech import Region
from shared.text.language import primary
from stages.asr.packs import first

Pack = tuple[Region, ...]
Identify = Callable[[Pack], Mapping[str, float]]
"""Gives the probable languages of a pack with their probabilities; none if the recogniser does not report them."""

_PROBE_MS = 6_000
_TOGETHER_MS = 30_000
_SHORTEST_MS = 5_000  # what is shorter is in the main language: of clips of 1 to 4 s, every third is taken for another
_TWO_PROBES_MS = 20_000
FOREIGN = 0.8  # from this probability on, a stretch is in another language than the rest


@dataclass(frozen=True)
class Rules:
    """A stretch of at least `shortest_ms` is foreign if another language has at least the probability `foreign`."""

    foreign: float = FOREIGN
    shortest_ms: int = _SHORTEST_MS


@dataclass(frozen=True)
class Survey:
    """The language of most of the speech, its probability there, and the next probable one. `passages` are the packs,
    in order, each in one language."""

    language: str
    probability: float
    second: tuple[str, float] | None
    passages: tuple[tuple[str, Pack], ...]

    def foreign(self) -> tuple[tuple[str, Region], ...]:
        """Return what is spoken in other languages, in order, each from its first to its last stretch."""
        found: list[tuple[str, Region]] = []
        for tag, pack in self.passages:
            if primary(tag) == primary(self.language):
                continue
            begin = found.pop()[1].start_ms if found and found[-1][0] == tag else pack[0].start_ms
            found.append((tag, Region(start_ms=begin, end_ms=pack[-1].end_ms)))
        return tuple(found)


def survey(
    packs: Sequence[Pack], speech: Sequence[Region], identify: Identify, rules: Rules, wanted: str | None = None
) -> Survey | None:
    """Return the languages of the packs; None if the recogniser does not report any. `wanted` is the main language,
    if it is known."""
    stretches = [stretch for pack in packs for stretch in pack]
    probes = _probes([one for one in stretches if _length(one) >= rules.shortest_ms], identify)
    if not probes:  # all of the speech together, as far as one window goes
        together = identify(first(stretches, _TOGETHER_MS))
        tag, likely = _most_likely(together)
        return Survey(wanted or tag, likely, _second(together, tag), in_one(wanted or tag, packs)) if together else None
    if not any(one for found in probes.values() for one in found):
        return None
    total = _average(probes.items())
    language = wanted or _most_likely(total)[0]
    passages: list[tuple[str, Pack]] = []
    own: list[tuple[Region, Sequence[Mapping[str, float]]]] = []
    for pack in packs:
        parts: list[tuple[str, Region]] = []
        for stretch in pack:
            found = list(_parts(stretch, probes.get(stretch, []), speech, identify, rules, language))
            if stretch in probes and all(tag == language for tag, _ in found):
                own.append((stretch, probes[stretch]))
            parts += found
        for tag, group in groupby(parts, key=lambda part: part[0]):
            passages.append((tag, tuple(region for _, region in group)))
    in_main = _average(own) if own else total
    known = next((tag for tag in in_main if primary(tag) == primary(language)), language)
    return Survey(language, in_main.get(known, 0.0), _second(in_main, known), tuple(passages))


def _probes(stretches: Sequence[Region], identify: Identify) -> dict[Region, list[Mapping[str, float]]]:
    """Return the languages at the beginning of each stretch; at the end too where the next stretch, or none, begins in
    another language."""
    heads = [
        identify((Region(start_ms=one.start_ms, end_ms=min(one.start_ms + _PROBE_MS, one.end_ms)),))
        for one in stretches
    ]
    tags = [_most_likely(head)[0] for head in heads]
    probes: dict[Region, list[Mapping[str, float]]] = {}
    for index, stretch in enumerate(stretches):
        probes[stretch] = [heads[index]]
        if _length(stretch) >= _TWO_PROBES_MS and tags[index + 1 : index + 2] != tags[index : index + 1]:
            probes[stretch].append(identify((Region(start_ms=stretch.end_ms - _PROBE_MS, end_ms=stretch.end_ms),)))
    return probes


def _parts(
    stretch: Region,
    probes: Sequence[Mapping[str, float]],
    speech: Sequence[Region],
    identify: Identify,
    rules: Rules,
    language: str,
) -> Iterator[tuple[str, Region]]:
    """Yield a stretch with its language, or its two parts if the language changes inside it."""
    tags = [_spoken(probe, rules, language) for probe in probes] or [language]
    cut = _change(stretch, tags[0], tags[-1], speech, identify) if tags[0] != tags[-1] else None
    if cut is None:
        yield tags[0], stretch
    else:
        yield tags[0], Region(start_ms=stretch.start_ms, end_ms=cut)
        yield tags[-1], Region(start_ms=cut, end_ms=stretch.end_ms)


def _spoken(probe: Mapping[str, float], rules: Rules, language: str) -> str:
    tag, likely = _most_likely(probe)
    return language if primary(tag) == primary(language) or likely < rules.foreign else tag


def _change(stretch: Region, before: str, after: str, speech: Sequence[Region], identify: Identify) -> int | None:
    """Return when one language gives way to the other: at the pause that parts the regions best by their languages."""
    inside = [one for one in speech if stretch.start_ms <= one.start_ms and one.end_ms <= stretch.end_ms]
    pauses = [(one.end_ms + other.start_ms) // 2 for one, other in pairwise(inside)]
    if not pauses:
        return (stretch.start_ms + stretch.end_ms) // 2
    leaning = [heard.get(after, 0.0) - heard.get(before, 0.0) for heard in (identify((one,)) for one in inside)]
    wrong = [sum(leaning[: index + 1]) - sum(leaning[index + 1 :]) for index in range(len(pauses))]
    return pauses[wrong.index(min(wrong))]


def _average(probes: Iterable[tuple[Region, Sequence[Mapping[str, float]]]]) -> dict[str, float]:
    """Return the mean probabilities, each stretch weighted by its length."""
    total: dict[str, float] = {}
    weight = 0.0
    for stretch, found in probes:
        weight += _length(stretch)
        for probe in found:
            for tag, likely in probe.items():
                total[tag] = total.get(tag, 0.0) + likely * _length(stretch) / len(found)
    return {tag: likely / weight for tag, likely in total.items()}


def _most_likely(probe: Mapping[str, float]) -> tuple[str, float]:
    return max(probe.items(), key=lambda one: one[1], default=("", 0.0))


def _second(probe: Mapping[str, float], language: str) -> tuple[str, float] | None:
    others = {tag: likely for tag, likely in probe.items() if primary(tag) != primary(language)}
    return _most_likely(others) if others else None


def in_one(language: str, packs: Sequence[Pack]) -> tuple[tuple[str, Pack], ...]:
    """Return the packs as passages in one language."""
    return tuple((language, pack) for pack in packs)


def _length(region: Region) -> int:
    return region.end_ms - region.start_ms
