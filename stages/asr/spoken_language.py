"""Decide which languages are spoken: the main language of a recording, and those of stretches in another language.

Every stretch is probed, not only the opening: an opening in another language would decide for the whole film. A probe
has six seconds, for which Whisper's encoder takes a tenth of the time of half a minute. With them, 24 clips of 1 to 5 s
in eight languages and 26 English stretches were identified as well as with ten seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from shared.documents.speech import Region
from shared.text.language import primary
from stages.asr.packs import leading_stretches

Pack = tuple[Region, ...]
Identify = Callable[[Pack], Mapping[str, float]]
"""Return the probable languages of a pack with their probabilities; none if the recogniser does not report them."""

_PROBE_MS = 6_000  # of a stretch
_JOINT_PROBE_MS = 30_000  # of all stretches together, if each is too short for a probe of its own
_SHORTEST_MS = 5_000  # a shorter stretch is in the main language: every third clip of 1 to 4 s is misidentified
_TWO_PROBES_MS = 20_000  # a longer stretch may change its language, so its end is probed too
_FOREIGN = 0.8  # the least probability at which a stretch is in another language than the main one


@dataclass(frozen=True)
class Rules:
    """A stretch of at least `shortest_ms` is foreign if another language has at least the probability `foreign`."""

    foreign: float = _FOREIGN
    shortest_ms: int = _SHORTEST_MS


@dataclass(frozen=True)
class Survey:
    """The main language, its probability in the stretches that are in it, and the second most probable one. `passages`
    are the packs, in order, each with its language."""

    language: str
    probability: float
    second: tuple[str, float] | None
    passages: tuple[tuple[str, Pack], ...]

    def foreign(self) -> tuple[tuple[str, Region], ...]:
        """Return the passages in other languages, in order, each from its first to its last stretch."""
        found: list[tuple[str, Region]] = []
        for tag, pack in self.passages:
            if primary(tag) == primary(self.language):
                continue
            begin = found.pop()[1].start_ms if found and found[-1][0] == tag else pack[0].start_ms
            found.append((tag, Region(start_ms=begin, end_ms=pack[-1].end_ms)))
        return tuple(found)


def survey(
    packs: Sequence[Pack], speech: Sequence[Region], identify: Identify, rules: Rules, requested: str | None = None
) -> Survey | None:
    """Return the languages of the packs; None if the recogniser does not report any. `requested` is the main language,
    if it is known."""
    stretches = [stretch for pack in packs for stretch in pack]
    probes = _probes([stretch for stretch in stretches if _length(stretch) >= rules.shortest_ms], identify)
    if not probes:
        return _survey_jointly(packs, identify(leading_stretches(stretches, _JOINT_PROBE_MS)), requested)
    if not any(probe for found in probes.values() for probe in found):
        return None
    overall = _average(probes.items())
    language = requested or _most_likely(overall)[0]
    passages: list[tuple[str, Pack]] = []
    in_main: list[tuple[Region, Sequence[Mapping[str, float]]]] = []
    for pack in packs:
        parts: list[tuple[str, Region]] = []
        for stretch in pack:
            found = list(_parts(stretch, probes.get(stretch, []), speech, identify, rules, language))
            if stretch in probes and all(tag == language for tag, _ in found):
                in_main.append((stretch, probes[stretch]))
            parts += found
        for tag, group in groupby(parts, key=lambda part: part[0]):
            passages.append((tag, tuple(region for _, region in group)))
    average = _average(in_main) if in_main else overall
    reported = next((tag for tag in average if primary(tag) == primary(language)), language)
    return Survey(language, average.get(reported, 0.0), _second(average, reported), tuple(passages))


def _survey_jointly(packs: Sequence[Pack], probe: Mapping[str, float], requested: str | None) -> Survey | None:
    """Return the survey of stretches that are all too short for probes of their own, by one probe of them together."""
    if not probe:
        return None
    tag, probability = _most_likely(probe)
    return Survey(requested or tag, probability, _second(probe, tag), in_one_language(requested or tag, packs))


def _probes(stretches: Sequence[Region], identify: Identify) -> dict[Region, list[Mapping[str, float]]]:
    """Return the probable languages at the beginning of each stretch. A long stretch has those at its end too, if the
    next stretch begins in another language or there is none."""
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
    tags = [_language_of(probe, rules, language) for probe in probes] or [language]
    cut = _change(stretch, tags[0], tags[-1], speech, identify) if tags[0] != tags[-1] else None
    if cut is None:
        yield tags[0], stretch
    else:
        yield tags[0], Region(start_ms=stretch.start_ms, end_ms=cut)
        yield tags[-1], Region(start_ms=cut, end_ms=stretch.end_ms)


def _language_of(probe: Mapping[str, float], rules: Rules, language: str) -> str:
    """Return the language of a probe: the main language unless another one is probable enough."""
    tag, probability = _most_likely(probe)
    return language if primary(tag) == primary(language) or probability < rules.foreign else tag


def _change(stretch: Region, before: str, after: str, speech: Sequence[Region], identify: Identify) -> int | None:
    """Return when one language gives way to the other, in ms: the middle of the pause that divides the speech regions
    best by their languages."""
    regions = [one for one in speech if stretch.start_ms <= one.start_ms and one.end_ms <= stretch.end_ms]
    pauses = [(one.end_ms + other.start_ms) // 2 for one, other in pairwise(regions)]
    if not pauses:
        return (stretch.start_ms + stretch.end_ms) // 2
    probes = [identify((region,)) for region in regions]
    leaning = [probe.get(after, 0.0) - probe.get(before, 0.0) for probe in probes]
    wrong = [sum(leaning[: index + 1]) - sum(leaning[index + 1 :]) for index in range(len(pauses))]
    return pauses[wrong.index(min(wrong))]


def _average(probes: Iterable[tuple[Region, Sequence[Mapping[str, float]]]]) -> dict[str, float]:
    """Return the mean probabilities, each stretch weighted by its length."""
    total: dict[str, float] = {}
    weight = 0.0
    for stretch, found in probes:
        weight += _length(stretch)
        for probe in found:
            for tag, probability in probe.items():
                total[tag] = total.get(tag, 0.0) + probability * _length(stretch) / len(found)
    return {tag: probability / weight for tag, probability in total.items()}


def _most_likely(probe: Mapping[str, float]) -> tuple[str, float]:
    """Return the most probable language and its probability; an empty tag for a probe without any."""
    return max(probe.items(), key=lambda item: item[1], default=("", 0.0))


def _second(probe: Mapping[str, float], language: str) -> tuple[str, float] | None:
    """Return the most probable language beside this one."""
    others = {tag: probability for tag, probability in probe.items() if primary(tag) != primary(language)}
    return _most_likely(others) if others else None


def in_one_language(language: str, packs: Sequence[Pack]) -> tuple[tuple[str, Pack], ...]:
    """Return the packs as passages in one language."""
    return tuple((language, pack) for pack in packs)


def _length(region: Region) -> int:
    return region.end_ms - region.start_ms
