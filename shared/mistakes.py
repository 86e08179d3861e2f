"""Describe wrong values in our words: a translation of the pydantic errors that a user can cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "model_type": "a table",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_type": "a whole number",
    "list_type": 'a list like ["a", "b"]',
    "tuple_type": 'a list like ["a", "b"]',
    "path_type": "a path",
    "string_type": "text",
    "none_required": "nothing",
}
_BOUNDS = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "a number below {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}
_SHOWN = 60
_OUR_WORDS = ("value_error", "assertion_error")


@dataclass(frozen=True)
class Mistake:
    """The first mistake of a record: its place, and a `text` as the end of a sentence about it, without the value.

    `unknown` says that the place is a name that does not exist, `missing` that a required name is not there.
    """

    place: str
    text: str
    found: object = None
    unknown: bool = False
    missing: bool = False

    def __str__(self) -> str:
        """Return the complete sentence: `asr.beam_size cannot be 'x', expected a whole number`."""
        if self.unknown or self.missing:
            return f"`{self.place}` {self.text}"
        return f"`{self.place}` cannot be {self.shown}, {self.text}" if self.place else self.text

    @property
    def shown(self) -> str:
        """Return the value that was found, or the beginning of a long one."""
        text = repr(self.found)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def first_mistake(error: ValidationError) -> Mistake:
    """Return the first mistake of a record that did not validate."""
    mistake = error.errors(include_url=False)[0]
    kind, place = mistake["type"], ".".join(str(part) for part in mistake["loc"])
    if kind == "extra_forbidden":
        return Mistake(place, "is not a name that is known here", mistake["input"], unknown=True)
    if kind == "missing":
        return Mistake(place, "is missing", missing=True)
    return Mistake(place, _expectation(kind, mistake.get("ctx", {}), mistake["msg"]), mistake["input"])


def text_mistake(error: ValueError) -> str:
    """Return why a file is not valid text: bytes that are not UTF-8, or the message of its parser."""
    if isinstance(error, UnicodeDecodeError):
        return f"its byte {error.start} is {error.object[error.start]:#04x}, expected text in UTF-8"
    return str(error)


def _expectation(kind: str, context: Mapping[str, object], words: str) -> str:
    if kind in _OUR_WORDS:
        return words.partition(", ")[2]
    if kind in _BOUNDS:
        whole = {name: int(limit) for name, limit in context.items() if isinstance(limit, float) and limit.is_integer()}
        return f"expected {_BOUNDS[kind].format_map({**context, **whole})}"
    if kind in {"literal_error", "enum"}:
        return f"expected {context.get('expected')}"
    if kind == "json_invalid":
        return f"expected JSON: {context.get('error')}"
    return f"expected {_EXPECTED.get(kind, 'another kind of value')}"
