"""Makes the page of the report on one job: first what needs attention, then what was made, then how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.base.display import counted
from pipeline.publishing.doubts import Doubt, Subtitles
from pipeline.publishing.record import Job
from pipeline.publishing.run_report.html import Html, Part, element, page, spoken, table, together, within
from pipeline.publishing.run_report.job_facts import JobFacts, Materials, file_name
from pipeline.publishing.run_report.materials import bill_of_materials
from pipeline.publishing.run_report.steps_table import steps_table
from pipeline.publishing.run_report.timeline import timeline
from shared.documents.cue import Cue
from shared.documents.pins import Pin
from shared.documents.quality_report import Broken
from shared.documents.transcript import Transcript
from shared.text.language import english_name
from shared.text.timecode import clock, span

SoundLink = Callable[[int], str | None]
"""Returns the address that plays the sound from a time on, in ms; None if there is none."""

# Limits of the lists that grow with the film, in characters: the page has less than 1 MB.
_CUES, _OFFENDERS, _LISTED = 400_000, 150_000, 60_000
_OPEN_CUES = 60  # a longer list is folded at first
_KINDS: Mapping[str, str] = {
    "unsure": "unsure words", "name": "name", "number": "number", "speakers": "two speakers", "removed": "removed",
    "limit": "over a limit",
}  # fmt: skip


class Section(NamedTuple):
    """Part of a page, to which `#anchor` leads."""

    anchor: str
    title: str
    content: Html


class Figure(NamedTuple):
    """Number with its name, for a tile. `state` is `good`, `warning`, `bad` or empty."""

    value: str
    name: str
    state: str = ""


class ReportWarning(NamedTuple):
    """Warning about a step, a file or the store. `state` is `warning` or `bad`."""

    subject: str
    text: str
    state: str = "warning"


FOOT = element("footer", element("p", "Written by reel. This page needs no network and holds no program."))


def address_at(address: str, start_ms: int) -> str:
    """Return the address of a time in a media file or on its review page, in seconds exact to the millisecond."""
    seconds = f"{start_ms / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{address}#t={seconds}"


def job_report(facts: JobFacts, sound: SoundLink) -> str:
    """Return the report on a job as a complete document."""
    name = file_name(facts.job.media)
    sections = list(job_sections(facts, sound))
    head = element(
        "header", element("p", "Report on one file", class_="kicker"), element("h1", name, dir="auto"),
        element("p", _description(facts), class_="soft"), _tiles(facts), navigation(sections),
    )  # fmt: skip
    return page(f"{name}: report", head, main_part(sections), FOOT)


def navigation(sections: Iterable[Section]) -> Html:
    """Return the links to the sections of a page."""
    links = [element("a", section.title, href=f"#{section.anchor}") for section in sections]
    return element("nav", links, aria_label="Sections")


def main_part(sections: Iterable[Section]) -> Html:
    """Return the sections of a page, each with its title."""
    return element("main", [_section(section) for section in sections])


def _section(section: Section) -> Html:
    title_id = f"{section.anchor}-title"
    head = element("h2", section.title, id=title_id)
    return element("section", head, section.content, id=section.anchor, aria_labelledby=title_id)


def job_sections(facts: JobFacts, sound: SoundLink) -> Iterator[Section]:
    """Yield the sections of the report on a job. The warnings come first, but are gathered last, because reading the
    facts for the other sections may find lost outputs."""
    later = list(_later_sections(facts, sound))
    yield Section("warnings", "Warnings", warning_list(warnings_of(facts)))
    yield from later


def _later_sections(facts: JobFacts, sound: SoundLink) -> Iterator[Section]:
    if drawn := timeline(facts):
        yield Section("timeline", "From beginning to end", drawn)
    if facts.transcript or facts.subtitles:
        yield Section("doubts", "Worth listening to again", _doubts(facts.doubts, sound))
    if facts.subtitles:
        yield Section("guide", "Limits of the guide", _guides(facts.subtitles, sound))
        yield Section("cues", "Subtitles", _cues(facts.subtitles, sound))
    elif facts.transcript and facts.transcript.segments:
        yield Section("text", "Text", _segments(facts.transcript, sound))
    if facts.pins or facts.job.edits:
        yield Section("corrections", "Corrections", _corrections(facts, sound))
    yield Section("steps", "Steps", steps_table(facts))
    yield Section("materials", "Made from", bill_of_materials(facts))


def _description(facts: JobFacts) -> str:
    length = [clock(facts.length_ms)] if facts.length_ms else []
    language = [english_name(facts.transcript.language)] if facts.transcript else []
    return ", ".join([*length, *language, f"recipe {facts.job.recipe}", f"profile {facts.job.profile}"])


def _tiles(facts: JobFacts) -> Html:
    return tiles(_figures(facts))


def _figures(facts: JobFacts) -> Iterator[Figure]:
    if facts.subtitles:
        over = sum(subtitles.report.over_limits for subtitles in facts.subtitles if subtitles.report)
        yield Figure(str(sum(len(subtitles.sheet.cues) for subtitles in facts.subtitles)), "cues")
        yield Figure(str(over), "over a limit", "bad" if over else "good")
    if facts.transcript:
        yield Figure(str(len(facts.doubts)), "to listen to again", "warning" if facts.doubts else "good")
    if facts.speakers:
        yield Figure(str(len(facts.speakers)), "speakers" if len(facts.speakers) > 1 else "speaker")
    if facts.pins:
        yield Figure(str(len(facts.pins)), "corrections" if len(facts.pins) > 1 else "correction")
    if facts.states:
        yield Figure(span(facts.seconds), "of work")


def tiles(figures: Iterable[Figure]) -> Html:
    """Return figures, each in a tile."""
    found = [
        element("div", element("dt", figure.name), element("dd", figure.value), data_state=figure.state or None)
        for figure in figures
    ]
    return element("dl", found, class_="tiles")


def _all_well(sentence: str) -> Html:
    return element("p", sentence, data_state="good", class_="note")


def warning_list(warnings: Iterable[ReportWarning]) -> Html:
    """Return warnings as a list, the worst first."""
    found = sorted(warnings, key=lambda warning: warning.state != "bad")
    if not found:
        return _all_well("None: every step ended well, and none had anything to say.")
    items = (
        element(
            "li", element("span", warning.subject, class_="of"), element("span", warning.text, dir="auto"),
            data_state=warning.state,
        )
        for warning in found
    )  # fmt: skip
    kept, left = within(items, _LISTED)
    return together(element("ul", kept, class_="warnings"), _rest(left, "warning"))


def warnings_of(facts: JobFacts) -> Iterator[ReportWarning]:
    """Yield the warnings about a job: missing outputs, failed steps, lost results, notices, and licences."""
    for output, code in facts.job.missing.items():
        yield ReportWarning(output, f"could not be made: {code}", "bad")
    for step, state in facts.states.items():
        if state == "failed":
            yield ReportWarning(step, "failed in this run", "bad")
    if gone := [step for step in facts.job.steps if step not in facts.results]:
        yield ReportWarning("store", f"the results of these steps are no longer stored: {', '.join(gone)}")
    for step, result in facts.results.items():
        for text in result.warnings:
            yield ReportWarning(step, text)
        if result.provisional:
            yield ReportWarning(step, f"usable for now, and made again by the next run: {result.provisional}")
    yield from restrictions(facts.job, facts.materials)
    if facts.lost:
        lost = ", ".join(facts.lost)
        yield ReportWarning("store", f"not in the store any more, so that this page lacks what it shows: {lost}")


def restrictions(job: Job, materials: Materials) -> Iterator[ReportWarning]:
    """Yield a warning for each model with a licence that restricts commercial use."""
    for name in job.licences:
        model = materials.cache.models.get(name)
        if model and model.restriction:
            yield ReportWarning(name, f"its licence: {model.licence}, {model.restriction}")


def _time(start_ms: int, sound: SoundLink) -> Html:
    """Return a time, which is a link if its sound can be played."""
    address = sound(start_ms)
    shown = clock(start_ms)
    if not address:
        return element("span", shown, class_="time")
    return element("a", shown, href=address, class_="time", aria_label=f"Listen at {shown}")


def _rest(left: int, what: str) -> Html | None:
    return element("p", f"{counted(left, f'more {what}')} not listed here.", class_="soft") if left else None


def _doubts(doubts: Sequence[Doubt], sound: SoundLink) -> Html:
    if not doubts:
        return _all_well("Nothing: the recogniser was sure of every stretch.")
    rows = (
        element(
            "li", _time(doubt.start_ms, sound), element("q", spoken(doubt.text), dir="auto"),
            element("span", element("b", _KINDS[doubt.kind]), f": {doubt.why}", class_="why"),
        )
        for doubt in doubts
    )  # fmt: skip
    kept, left = within(rows, _LISTED)
    hint = " A time opens the sound there." if sound(0) else ""
    explanation = element("p", f"The most rewarding places first.{hint}", class_="soft")
    return together(explanation, element("ol", kept, class_="doubts"), _rest(left, "place"))


def _guides(subtitles: Sequence[Subtitles], sound: SoundLink) -> Html:
    lists = sum(len(in_language.report.broken) for in_language in subtitles if in_language.report)
    return together([_guide(in_language, _OFFENDERS // max(lists, 1), sound) for in_language in subtitles])


def _guide(subtitles: Subtitles, size: int, sound: SoundLink) -> Html:
    """Return the broken rules of subtitles in one language, with lists of at most `size` characters."""
    language, report = subtitles.sheet.language, subtitles.report
    title = element("h3", f"Subtitles in {english_name(language)}")
    if report is None:
        return together(title, element("p", "The report on these subtitles is no longer stored.", class_="soft"))
    if not report.broken:
        return together(title, _all_well(f"All {report.cues} cues keep to every limit."))
    rows = [
        (broken.rule, broken.severity, f"{broken.limit:g} {broken.meaning}", str(broken.count))
        for broken in report.broken
    ]
    return together(
        title, element("p", f"{report.over_limits} of {report.cues} cues are over a limit."),
        table(("Rule", "Kind", "Limit", "Cues"), rows, f"Rules that cues in {language} break", (3,)),
        [_offenders(broken, size, sound) for broken in report.broken if broken.severity == "error"],
    )  # fmt: skip


def _offenders(broken: Broken, size: int, sound: SoundLink) -> Html:
    rows = (
        element(
            "li", _time(cue.start_ms, sound), element("q", spoken(cue.text), dir="auto"),
            element("span", f"{cue.found:g} {broken.meaning}", f"; {cue.reason}" if cue.reason else "", class_="why"),
        )
        for cue in broken.worst
    )  # fmt: skip
    kept, left = within(rows, size)
    title = element("summary", f"{broken.rule}: {counted(broken.count, 'cue')}, the worst first")
    return element(
        "details", title, element("ol", kept, class_="doubts"), _rest(left, "cue"), open=broken.count <= _OPEN_CUES
    )


def _cues(subtitles: Sequence[Subtitles], sound: SoundLink) -> Html:
    parts = []
    for sheet in (in_language.sheet for in_language in subtitles):
        rows = (_cue(number, cue, sheet.language, sound) for number, cue in enumerate(sheet.cues, start=1))
        kept, left = within(rows, _CUES // len(subtitles))
        title = element("summary", f"{counted(len(sheet.cues), 'cue')} in {english_name(sheet.language)}")
        listed = element("ol", kept, class_="cues")
        parts.append(element("details", title, listed, _rest(left, "cue"), open=len(sheet.cues) <= _OPEN_CUES))
    return together(parts)


def _cue(number: int, cue: Cue, language: str, sound: SoundLink) -> Html:
    lines = spoken("\n".join(cue.lines))
    text = element("span", element("i", lines) if cue.italic else lines, class_="said", dir="auto", lang=language)
    return element("li", element("span", str(number), class_="count"), _time(cue.start_ms, sound), text)


def _segments(transcript: Transcript, sound: SoundLink) -> Html:
    rows = (
        element(
            "li", element("span", segment.speaker or "", class_="count"), _time(segment.start_ms, sound),
            element(
                "span", spoken(segment.text), class_="said", dir="auto", lang=segment.language or transcript.language
            ),
        )
        for segment in transcript.segments
    )  # fmt: skip
    kept, left = within(rows, _CUES)
    title = element("summary", f"{counted(len(transcript.segments), 'segment')} in {english_name(transcript.language)}")
    listed = element("ol", kept, class_="cues segments")
    return element("details", title, listed, _rest(left, "segment"), open=len(transcript.segments) <= _OPEN_CUES)


def _corrections(facts: JobFacts, sound: SoundLink) -> Html:
    files = ", ".join(facts.job.edits)
    explanation = element("p", f"Corrected by hand, in {files}." if files else "Corrected by hand.", class_="soft")
    kept, left = within((_correction(pin, sound) for pin in facts.pins), _LISTED)
    return together(explanation, element("ol", kept, class_="doubts corrections"), _rest(left, "correction"))


def _correction(pin: Pin, sound: SoundLink) -> Html:
    def words(cues: Sequence[Cue]) -> Html:
        return spoken(" / ".join(line for cue in cues for line in cue.lines))

    before, after = words(pin.before), words(pin.cues)
    if before and before == after:
        what: Part = [element("span", "the times of ", class_="why"), element("ins", after, dir="auto")]
    else:
        removed = [element("del", before, dir="auto")] if before else []
        added = [element("ins", after, dir="auto")] if after else []
        what = [*removed, *added]
    changed = f"made for `{pin.source}`, which is now `{pin.source_now}`; check it" if pin.source_now else None
    start_ms = (*pin.cues, *pin.before)[0].start_ms if pin.cues or pin.before else 0
    return element(
        "li", _time(start_ms, sound), element("span", what, class_="change"),
        element("span", changed, class_="why") if changed else None,
    )  # fmt: skip
