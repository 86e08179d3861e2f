"""TTML after IMSC 1.1, text profile, by ttconv: what broadcasters and film markets exchange."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from fractions import Fraction

from ttconv import model
from ttconv.imsc import reader, writer
from ttconv.imsc.attributes import TimeExpressionSyntaxEnum
from ttconv.imsc.config import ContentProfilesSignaling, IMSCWriterConfiguration
from ttconv.imsc.designators import IMSC_11_TEXT_PROFILE_DESIGNATOR
from ttconv.style_properties import (
    CoordinateType,
    DisplayAlignType,
    ExtentType,
    FontStyleType,
    LengthType,
    NamedColors,
    StyleProperties,
    TextAlignType,
)

from shared.documents.cue import Cue, CueSheet
from shared.stage import StageError

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write(sheet: CueSheet) -> str:
    """The sheet as an IMSC document: one region at the foot of the picture."""
    config = IMSCWriterConfiguration(
        time_format=TimeExpressionSyntaxEnum.clock_time, profile_signaling=ContentProfilesSignaling.CONTENT_PROFILES
    )
    tree = writer.from_model(to_model(sheet), config)
    ET.indent(tree.getroot().find("./{*}head"))
    return _HEAD + ET.tostring(tree.getroot(), encoding="unicode") + "\n"


def read(text: str) -> tuple[Cue, ...]:
    """The cues of a TTML document. Raises `StageError` with the line where it is no XML, or no TTML."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise StageError("check.format", "the TTML declares entities, which no subtitles need", "remove its DOCTYPE")
    try:
        document = reader.to_model(ET.ElementTree(ET.fromstring(text)))
    except ET.ParseError as error:
        line, _ = error.position
        raise StageError("check.format", f"line {line} of the TTML is not XML: {error}", "correct that line") from error
    if document is None:
        raise StageError("check.format", "the file is XML, but no TTML", "convert it to TTML or SubRip first")
    return tuple(cues_of(document))


def to_model(sheet: CueSheet) -> model.ContentDocument:
    """The sheet as ttconv sees it: a paragraph for each cue."""
    document = model.ContentDocument()
    document.set_lang(sheet.language)
    document.set_content_profiles({IMSC_11_TEXT_PROFILE_DESIGNATOR})
    region = _region(document)
    document.put_region(region)
    body = model.Body(document)
    body.set_region(region)
    document.set_body(body)
    division = model.Div(document)
    body.push_child(division)
    for cue in sheet.cues:
        division.push_child(_paragraph(document, cue))
    return document


def _region(document: model.ContentDocument) -> model.Region:
    region = model.Region("bottom", document)
    part = LengthType.Units.pct
    inset, extent = LengthType(10, part), LengthType(80, part)
    region.set_style(StyleProperties.Origin, CoordinateType(x=inset, y=inset))
    region.set_style(StyleProperties.Extent, ExtentType(height=extent, width=extent))
    region.set_style(StyleProperties.DisplayAlign, DisplayAlignType.after)
    region.set_style(StyleProperties.TextAlign, TextAlignType.center)
    region.set_style(StyleProperties.Color, NamedColors.white.value)
    return region


def _paragraph(document: model.ContentDocument, cue: Cue) -> model.P:
    paragraph = model.P(document)
    paragraph.set_space(model.WhiteSpaceHandling.PRESERVE)
    paragraph.set_begin(Fraction(cue.start_ms, 1000))
    paragraph.set_end(Fraction(cue.end_ms, 1000))
    if cue.italic:
        paragraph.set_style(StyleProperties.FontStyle, FontStyleType.italic)
    for number, line in enumerate(cue.lines):
        if number:
            paragraph.push_child(_preserving(model.Br(document)))
        span = _preserving(model.Span(document))
        span.push_child(model.Text(document, line))
        paragraph.push_child(span)
    return paragraph


def _preserving(element: model.ContentElement) -> model.ContentElement:
    element.set_space(model.WhiteSpaceHandling.PRESERVE)
    return element


def cues_of(document: model.ContentDocument) -> Iterator[Cue]:
    """A cue for each paragraph with a text; its times are those of all that it stands in, added up."""
    body = document.get_body()
    if body is not None:
        yield from _cues_in(body, Fraction(0), None)


def _cues_in(element: model.ContentElement, offset: Fraction, end: Fraction | None) -> Iterator[Cue]:
    begin = offset + (element.get_begin() or 0)
    if (own_end := element.get_end()) is not None:
        end = offset + own_end if end is None else min(end, offset + own_end)
    if not isinstance(element, model.P):
        for child in element:
            yield from _cues_in(child, begin, end)
        return
    text = "".join(_text(element, preserved=element.get_space() is model.WhiteSpaceHandling.PRESERVE))
    lines = tuple(line.strip() for line in text.split("\n") if line.strip())
    if lines and end is not None:
        yield Cue(start_ms=round(begin * 1000), end_ms=round(end * 1000), lines=lines)


def _text(element: model.ContentElement, *, preserved: bool) -> Iterator[str]:
    for child in element:
        if isinstance(child, model.Br):
            yield "\n"
        elif isinstance(child, model.Text):
            text = child.get_text()
            yield text if preserved else " ".join(f"_{text}_".split())[1:-1]
        else:
            yield from _text(child, preserved=child.get_space() is model.WhiteSpaceHandling.PRESERVE)
