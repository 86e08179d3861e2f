"""Speaker turns, with RTTM, the exchange format of the NIST evaluations."""

from __future__ import annotations

from collections.abc import Iterable

from shared.documents.base import Document, Frozen


class Turn(Frozen):
    """A stretch in which one speaker speaks. Turns of different speakers may overlap."""

    start_ms: int
    end_ms: int
    speaker: str


class Diarization(Document):
    """The turns of one audio file, in order of time; speakers are named `SPEAKER_00` on, by first appearance.

    `turns` may overlap. `exclusive` gives overlapping time to one speaker, whose words were recognised there; it is
    None for a backend whose turns never overlap.
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...] | None = None

    @property
    def one_at_a_time(self) -> tuple[Turn, ...]:
        """Return the turns without overlap, for words, each of which has one speaker."""
        return self.turns if self.exclusive is None else self.exclusive

    @property
    def speakers(self) -> tuple[str, ...]:
        """Return the speakers by first appearance."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))


def speaker_label(index: int) -> str:
    """Return the name of the speaker who appears as number `index`, from 0."""
    return f"SPEAKER_{index:02d}"


def speaker_number(label: str) -> int | None:
    """Return the number in a label of `speaker_label`; None for a name that a person gave."""
    number = label.removeprefix("SPEAKER_")
    return int(number) if number != label and number.isdecimal() else None


def to_rttm(turns: Iterable[Turn], file_id: str) -> str:
    """Return RTTM lines: ten fields, with times in seconds. White space in `file_id` is replaced by `_`, because it
    separates fields."""
    name = "_".join(file_id.split()) or "audio"
    return "".join(
        f"SPEAKER {name} 1 {turn.start_ms / 1000:.3f} {(turn.end_ms - turn.start_ms) / 1000:.3f}"
        f" <NA> <NA> {turn.speaker} <NA> <NA>\n"
        for turn in turns
    )


def from_rttm(text: str) -> tuple[Turn, ...]:
    """Return the turns of an RTTM text in its order. Lines of other types are skipped. Raises `ValueError`."""
    turns = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        if len(fields) < 8:
            raise ValueError(f"line {number} of the RTTM has {len(fields)} fields, expected ten: {line!r}")
        try:
            start_ms, length_ms = round(float(fields[3]) * 1000), round(float(fields[4]) * 1000)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"line {number} of the RTTM has no times in fields 4 and 5: {line!r}") from error
        turns.append(Turn(start_ms=start_ms, end_ms=start_ms + length_ms, speaker=fields[7]))
    return tuple(turns)
