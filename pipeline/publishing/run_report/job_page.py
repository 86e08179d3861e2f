"""Writes the report on one job: what a person should look at first, then what was made, then how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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

Section = tuple[str, str, Html]
"""The anchor, the title and the content of a part of a page."""
SoundLink = Callable[[int], str | None]
"""Returns the address where the sound at a time, in ms, can be heard; None if there is none."""

# Characters of the lists that grow with the film: together with the rest less than 1 MB.
_CUES, _OFFENDERS, _LISTED = 400_000, 150_000, 60_000
_OPEN_CUES = 60  # of a longer list, only the title is shown at first
_KINDS: Mapping[str, str] = {
    "unsure": "unsure words", "name": "name", "number": "number", "speakers": "two speakers", "removed": "removed",
    "limit": "over a limit",
}  # fmt: skip

FOOT = element("footer", element("p", "Written by reel. This page needs no network and holds no program."))


def address_at(address: str, start_ms: int) -> str:
    """Return the address of a time in a media file or on its review page, in seconds exact to the millisecond."""
    seconds = f"{start_ms / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{address}#t={seconds}"


def job_report(facts: JobFacts, sound: SoundLink) -> str:
    """Return the report on a job as a document of its own. A page of many jobs takes its sections."""
    name = file_name(facts.job.media)
    sections = list(job_sections(facts, sound))
    links = [element("a", title, href=f"#{anchor}") for anchor, title, _ in sections]
    shown = [section(*one) for one in sections]
    head = element(
        "header", element("p", "Report on one file", class_="kicker"), element("h1", name, dir="auto"),
        element("p", _described(facts), class_="soft"), _tiles(facts),
        element("nav", links, aria_label="Sections"),
    )  # fmt: skip
    return page(f"{name}: report", head, element("main", shown), FOOT)


def section(anchor: str, title: str, content: Html) -> Html:
    """Return a section with its title, to which `#anchor` leads."""
    head = element("h2", title, id=f"{anchor}-title")
    return element("section", head, content, id=anchor, aria_labelledby=f"{anchor}-title")


def job_sections(facts: JobFacts, sound: SoundLink) -> Iterator[Section]:
    """Yield the sections as anchor, title and content. Warnings come first, of everything that follows."""
    later = list(_later_sections(facts, sound))
    yield "warnings", "Warnings", warning_list(warnings_of(facts))
    yield from later


def _later_sections(facts: JobFacts, sound: SoundLink) -> Iterator[Section]:
    if drawn := timeline(facts):
        yield "timeline", "From beginning to end", drawn
    if facts.transcript or facts.subtitles:
        yield "doubts", "Worth listening to again", _doubts(facts.doubts, sound)
    if facts.subtitles:
        yield "guide", "Limits of the guide", _guides(facts.subtitles, sound)
        yield "cues", "Subtitles", _cues(facts.subtitles, sound)
    elif facts.transcript and facts.transcript.segments:
        yield "text", "Text", _segments(facts.transcript, sound)
    if facts.pins or facts.job.edits:
        yield "corrections", "Corrections", _corrections(facts, sound)
    yield "steps", "Steps", steps_table(facts)
    yield "materials", "Made from", bill_of_materials(facts)


def _described(facts: JobFacts) -> str:
    length = [clock(facts.length_ms)] if facts.length_ms else []
    language = [english_name(facts.transcript.language)] if facts.transcript else []
    return ", ".join([*length, *language, f"recipe {facts.job.recipe}", f"profile {facts.job.profile}"])


def _tiles(facts: JobFacts) -> Html:
    cues = sum(len(one.sheet.cues) for one in facts.subtitles)
    over = sum(one.report.over_limits for one in facts.subtitles if one.report)
    figures: list[tuple[str, str, str]] = []
    if facts.subtitles:
        figures += [(str(cues), "cues", ""), (str(over), "over a limit", "bad" if over else "good")]
    if facts.transcript:
        figures.append((str(len(facts.doubts)), "to listen to again", "warning" if facts.doubts else "good"))
    if facts.speakers:
        figures.append((str(len(facts.speakers)), "speakers" if len(facts.speakers) > 1 else "speaker", ""))
    if facts.pins:
        figures.append((str(len(facts.pins)), "corrections" if len(facts.pins) > 1 else "correction", ""))
    if facts.states:
        figures.append((span(facts.seconds), "of work", ""))
    return tiles(figures)


def tiles(figures: Iterable[tuple[str, str, str]]) -> Html:
    """Return figures with their names and states, each in a tile."""
    found = [
        element("div", element("dt", name), element("dd", value), data_state=state or None)
        for value, name, state in figures
    ]
    return element("dl", found, class_="tiles")


def note(said: str) -> Html:
    """Return a sentence that says that all is well."""
    return element("p", said, data_state="good", class_="note")


def warning_list(warnings: Iterable[tuple[str, str, str]]) -> Html:
    """Return warnings, each of what it is about, what it says, and how bad it is, as a list with the worst first."""
    found = sorted(warnings, key=lambda warning: warning[2] != "bad")
    if not found:
        return note("None: every step ended well, and none had anything to say.")
    items = (
        element("li", element("span", of, class_="of"), element("span", said, dir="auto"), data_state=state)
        for of, said, state in found
    )
    kept, left = within(items, _LISTED)
    return together(element("ul", kept, class_="warnings"), _rest(left, "warning"))


def warnings_of(facts: JobFacts) -> Iterator[tuple[str, str, str]]:
    """Yield what is to be known first: the step or the file that it is about, a sentence, and how bad it is."""
    for output, code in facts.job.missing.items():
        yield output, f"could not be made: {code}", "bad"
    for step, state in facts.states.items():
        if state == "failed":
            yield step, "failed in this run", "bad"
    if gone := [step for step in facts.job.steps if step not in facts.results]:
        yield "store", f"the results of these steps are no longer stored: {', '.join(gone)}", "warning"
    for step, result in facts.results.items():
        for warning in result.warnings:
            yield step, warning, "warning"
        if result.provisional:
            yield step, f"usable for now, and made again by the next run: {result.provisional}", "warning"
    yield from restrictions(facts.job, facts.materials)
    if facts.lost:
        what = ", ".join(facts.lost)
        yield "store", f"not in the store any more, so that this page lacks what it shows: {what}", "warning"


def restrictions(job: Job, materials: Materials) -> Iterator[tuple[str, str, str]]:
    """Yield a warning for each model with a licence that restricts commercial use."""
    for name in job.licences:
        model = materials.cache.models.get(name)
        if model and model.restriction:
            yield name, f"its licence: {model.licence}, {model.restriction}", "warning"


def _at(start_ms: int, sound: SoundLink) -> Html:
    address = sound(start_ms)
    shown = clock(start_ms)
    if not address:
        return element("span", shown, class_="time")
    return element("a", shown, href=address, class_="time", aria_label=f"Listen at {shown}")


def _rest(left: int, what: str) -> Html | None:
    return element("p", f"{counted(left, f'more {what}')} not listed here.", class_="soft") if left else None


def _doubts(doubts: Sequence[Doubt], sound: SoundLink) -> Html:
    if not doubts:
        return note("Nothing: the recogniser was sure of every stretch.")
    rows = (
        element(
            "li", _at(doubt.start_ms, sound), element("q", spoken(doubt.text), dir="auto"),
            element("span", element("b", _KINDS[doubt.kind]), f": {doubt.why}", class_="why"),
        )
        for doubt in doubts
    )  # fmt: skip
    kept, left = within(rows, _LISTED)
    hint = " A time opens the sound there." if sound(0) else ""
    told = element("p", f"The most rewarding places first.{hint}", class_="soft")
    return together(told, element("ol", kept, class_="doubts"), _rest(left, "place"))


def _guides(subtitles: Sequence[Subtitles], sound: SoundLink) -> Html:
    lists = sum(len(one.report.broken) for one in subtitles if one.report)
    return together([_guide(one, _OFFENDERS // max(lists, 1), sound) for one in subtitles])


def _guide(one: Subtitles, room: int, sound: SoundLink) -> Html:
    language, report = one.sheet.language, one.report
    title = element("h3", f"Subtitles in {english_name(language)}")
    if report is None:
        return together(title, element("p", "The report on these subtitles is no longer stored.", class_="soft"))
    if not report.broken:
        return together(title, note(f"All {report.cues} cues keep to every limit."))
    rows = [
        (broken.rule, broken.severity, f"{broken.limit:g} {broken.meaning}", str(broken.count))
        for broken in report.broken
    ]
    told = f"{report.over_limits} of {report.cues} cues are over a limit."
    return together(
        title, element("p", told),
        table(("Rule", "Kind", "Limit", "Cues"), rows, f"Rules that cues in {language} break", (3,)),
        [_offenders(broken, room, sound) for broken in report.broken if broken.severity == "error"],
    )  # fmt: skip


def _offenders(broken: Broken, room: int, sound: SoundLink) -> Html:
    rows = (
        element(
            "li", _at(one.start_ms, sound), element("q", spoken(one.text), dir="auto"),
            element("span", f"{one.found:g} {broken.meaning}", f"; {one.reason}" if one.reason else "", class_="why"),
        )
        for one in broken.worst
    )  # fmt: skip
    kept, left = within(rows, room)
    title = element("summary", f"{broken.rule}: {counted(broken.count, 'cue')}, the worst first")
    return element(
        "details", title, element("ol", kept, class_="doubts"), _rest(left, "cue"), open=broken.count <= _OPEN_CUES
    )


def _cues(subtitles: Sequence[Subtitles], sound: SoundLink) -> Html:
    parts = []
    for one in subtitles:
        rows = (_cue(number, cue, one.sheet.language, sound) for number, cue in enumerate(one.sheet.cues, start=1))
        kept, left = within(rows, _CUES // len(subtitles))
        title = element("summary", f"{counted(len(one.sheet.cues), 'cue')} in {english_name(one.sheet.language)}")
        listed = element("ol", kept, class_="cues")
        parts.append(element("details", title, listed, _rest(left, "cue"), open=len(one.sheet.cues) <= _OPEN_CUES))
    return together(parts)


def _cue(number: int, cue: Cue, language: str, sound: SoundLink) -> Html:
    lines = spoken("\n".join(cue.lines))
    said = element("span", element("i", lines) if cue.italic else lines, class_="said", dir="auto", lang=language)
    return element("li", element("span", str(number), class_="count"), _at(cue.start_ms, sound), said)


def _segments(transcript: Transcript, sound: SoundLink) -> Html:
    rows = (
        element(
            "li", element("span", one.speaker or "", class_="count"), _at(one.start_ms, sound),
            element("span", spoken(one.text), class_="said", dir="auto", lang=one.language or transcript.language),
        )
        for one in transcript.segments
    )  # fmt: skip
    kept, left = within(rows, _CUES)
    title = element("summary", f"{counted(len(transcript.segments), 'segment')} in {english_name(transcript.language)}")
    listed = element("ol", kept, class_="cues segments")
    return element("details", title, listed, _rest(left, "segment"), open=len(transcript.segments) <= _OPEN_CUES)


def _corrections(facts: JobFacts, sound: SoundLink) -> Html:
    files = ", ".join(facts.job.edits)
    told = element("p", f"Corrected by hand, in {files}." if files else "Corrected by hand.", class_="soft")
    kept, left = within((_correction(pin, sound) for pin in facts.pins), _LISTED)
    return together(told, element("ol", kept, class_="doubts corrections"), _rest(left, "correction"))


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
        "li", _at(start_ms, sound), element("span", what, class_="change"),
        element("span", changed, class_="why") if changed else None,
    )  # fmt: skip
