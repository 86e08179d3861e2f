"""Read and write TTML, in the text profile of IMSC 1.1, with ttconv: the exchange format of broadcasters and film
distributors."""

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
    ColorType,
    DirectionType,
    FontStyleType,
    FontWeightType,
    StyleProperties,
    TextDecorationType,
    UnicodeBidiType,
)

from shared.documents.cue import Cue, CueSheet, Style
from shared.stage import StageError
from stages.toolkit.cues.styles import PLAIN, Run, runs_of, styled
from stages.toolkit.formats import ttml_regions
from stages.toolkit.formats.direction import Direction, base_direction
from stages.toolkit.formats.parsing import parsing

_SLANT, _WEIGHT = StyleProperties.FontStyle, StyleProperties.FontWeight
_DECORATION, _COLOUR = StyleProperties.TextDecoration, StyleProperties.Color
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write(sheet: CueSheet) -> str:
    """Return the sheet as an IMSC document, with a region for each place of its cues."""
    config = IMSCWriterConfiguration(
        time_format=TimeExpressionSyntaxEnum.clock_time, profile_signaling=ContentProfilesSignaling.CONTENT_PROFILES
    )
    tree = writer.from_model(to_model(sheet), config)
    ET.indent(tree.getroot().find("./{*}head"))
    return _HEAD + ET.tostring(tree.getroot(), encoding="unicode") + "\n"


def read(text: str) -> tuple[Cue, ...]:
    """Return the cues of a TTML document. Raises `StageError` with the line if it is not XML, or not TTML."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise StageError("check.format", "the TTML declares entities, which no subtitles need", "remove its DOCTYPE")
    try:
        tree = ET.ElementTree(ET.fromstring(text))
    except ET.ParseError as error:
        line, _ = error.position
        raise StageError("check.format", f"line {line} of the TTML is not XML: {error}", "correct that line") from error
    with parsing("the TTML file", "export it again"):
        document = reader.to_model(tree)
        cues = tuple(cues_of(document)) if document is not None else None
    if cues is None:
        raise StageError("check.format", "the file is XML, but not TTML", "convert it to TTML or SubRip first")
    return cues


def to_model(sheet: CueSheet) -> model.ContentDocument:
    """Return the sheet in the model of ttconv: a paragraph for each cue."""
    document = model.ContentDocument()
    document.set_lang(sheet.language)
    document.set_content_profiles({IMSC_11_TEXT_PROFILE_DESIGNATOR})
    body = model.Body(document)
    document.set_body(body)
    places = dict.fromkeys(cue.place for cue in sheet.cues) or {None: None}
    regions = {place: ttml_regions.make(document, place) for place in places}
    if set(regions) == {None}:
        body.set_region(regions[None])
    division = model.Div(document)
    body.push_child(division)
    for cue in sheet.cues:
        paragraph = _paragraph(document, cue, base_direction(cue.lines, sheet.language))
        if body.get_region() is None:  # a region of the body would exclude paragraphs in other regions
            paragraph.set_region(regions[cue.place])
        division.push_child(paragraph)
    return document


def _paragraph(document: model.ContentDocument, cue: Cue, direction: Direction) -> model.P:
    paragraph = model.P(document)
    paragraph.set_space(model.WhiteSpaceHandling.PRESERVE)
    paragraph.set_begin(Fraction(cue.start_ms, 1000))
    paragraph.set_end(Fraction(cue.end_ms, 1000))
    if direction == "rtl":
        paragraph.set_style(StyleProperties.Direction, DirectionType.rtl)
        paragraph.set_style(StyleProperties.UnicodeBidi, UnicodeBidiType.embed)
    if cue.italic:
        paragraph.set_style(StyleProperties.FontStyle, FontStyleType.italic)
    for number, runs in enumerate(runs_of(cue)):
        if number:
            paragraph.push_child(_preserving(model.Br(document)))
        for text, style in runs:
            span = _preserving(model.Span(document))
            _put_on(span, style)
            span.push_child(model.Text(document, text))
            paragraph.push_child(span)
    return paragraph


def _put_on(span: model.ContentElement, style: Style) -> None:
    if style.italic:
        span.set_style(StyleProperties.FontStyle, FontStyleType.italic)
    if style.bold:
        span.set_style(StyleProperties.FontWeight, FontWeightType.bold)
    if style.underline:
        span.set_style(StyleProperties.TextDecoration, TextDecorationType(underline=True))
    if style.colour:
        parts = (*bytes.fromhex(style.colour[1:]), 255)
        span.set_style(StyleProperties.Color, ColorType(parts))


def _preserving(element: model.ContentElement) -> model.ContentElement:
    element.set_space(model.WhiteSpaceHandling.PRESERVE)
    return element


def cues_of(document: model.ContentDocument, *, plain: bool = False) -> Iterator[Cue]:
    """Yield a cue for each paragraph with text. Times are relative to the elements around it. `plain` cues have neither
    styles nor places."""
    body = document.get_body()
    if body is not None:
        for cue in _cues_in(body, Fraction(0), None, PLAIN, None):
            yield cue.model_copy(update={"italic": False, "spans": (), "place": None}) if plain else cue


def _cues_in(
    element: model.ContentElement, offset: Fraction, end: Fraction | None, style: Style, region: model.Region | None
) -> Iterator[Cue]:
    begin = offset + (element.get_begin() or 0)
    if (own_end := element.get_end()) is not None:
        end = offset + own_end if end is None else min(end, offset + own_end)
    region = region if (own := element.get_region()) is None else own  # a region without children is false
    if not isinstance(element, model.P):
        style = _style_of(element, style, with_colour=False)  # the colour of a whole file has no meaning for a word
        for child in element:
            yield from _cues_in(child, begin, end, style, region)
        return
    preserved = element.get_space() is model.WhiteSpaceHandling.PRESERVE
    lines: list[list[Run]] = [[]]
    for text, look in _runs(element, _style_of(element, style), preserved=preserved):
        first, *others = text.split("\n")
        lines[-1].append((first, look))
        lines += [[(other, look)] for other in others]
    fields = styled(lines)
    if fields["lines"] and end is not None:
        place = ttml_regions.place(region) if region is not None else None
        yield Cue(start_ms=round(begin * 1000), end_ms=round(end * 1000), place=place, **fields)


def _runs(element: model.ContentElement, style: Style, *, preserved: bool) -> Iterator[Run]:
    for child in element:
        if isinstance(child, model.Br):
            yield "\n", style
        elif isinstance(child, model.Text):
            text = child.get_text()
            yield text if preserved else " ".join(f"_{text}_".split())[1:-1], style
        else:
            is_preserved = child.get_space() is model.WhiteSpaceHandling.PRESERVE
            yield from _runs(child, _style_of(child, style), preserved=is_preserved)


def _style_of(element: model.ContentElement, outer: Style, *, with_colour: bool = True) -> Style:
    """Return the style of an element: its own, and for the rest that of the element around it."""
    styles = {name: element.get_style(name) for name in (_SLANT, _WEIGHT, _DECORATION, _COLOUR)}
    changed: dict[str, object] = {}
    if styles[_SLANT] is not None:
        changed["italic"] = styles[_SLANT] is not FontStyleType.normal
    if styles[_WEIGHT] is not None:
        changed["bold"] = styles[_WEIGHT] is FontWeightType.bold
    if styles[_DECORATION] is not None and styles[_DECORATION].underline is not None:
        changed["underline"] = styles[_DECORATION].underline
    if with_colour and styles[_COLOUR] is not None:
        changed["colour"] = "#" + bytes(styles[_COLOUR].components[:3]).hex()
    return outer.model_copy(update=changed) if changed else outer
