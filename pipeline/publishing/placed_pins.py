"""Finds the pins of a published job: the single corrections that its results contain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.publishing.corrected_plan import CORRECT
from pipeline.publishing.edits import Edit
from pipeline.publishing.record import read_job
from pipeline.store.results import ResultStore, StoredFile
from shared.documents.base import DocumentError
from shared.documents.pins import Pin, Pins


@dataclass(frozen=True)
class PlacedPin:
    """Pin, with the correction of a file that it belongs to."""

    pin: Pin
    edit: Edit


def placed_pins(folder: Path, edits: Sequence[Edit], store: ResultStore) -> list[PlacedPin]:
    """Return the pins in the results of the job in a folder, in order of time, without those that were dropped
    since."""
    job = read_job(folder)
    found = [
        PlacedPin(pin, edit)
        for step, record in (job.steps.items() if job else ())
        if step.startswith(CORRECT)
        for pin, digest in _pins(str(record.get("key")), store)
        for edit in edits
        if edit.sha256 == digest and pin.id not in edit.without
    ]
    return sorted(found, key=lambda placed: (placed.pin.cues or placed.pin.before)[0].start_ms)


def _pins(key: str, store: ResultStore) -> Iterator[tuple[Pin, object]]:
    """Yield the pins of a result, each with the digest of the corrected file."""
    result = store.lookup(key)
    file = result.outputs.get("pins") if result else None
    inputs = result.ingredients.get("inputs") if result else None
    corrections = inputs.get("corrections") if isinstance(inputs, dict) else None
    if not isinstance(file, StoredFile) or not isinstance(corrections, list):
        return
    try:
        pins = Pins.read(store.path(file)).pins
    except (OSError, DocumentError):
        return
    for pin in pins:
        if pin.correction < len(corrections):
            yield pin, corrections[pin.correction]
