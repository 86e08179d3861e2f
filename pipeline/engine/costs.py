"""Estimates the use of services by the steps of a plan, before anything is sent.

The amount of text is that of the transcript that a step will get, else of an earlier transcript of the same file, else
that of average speech of the file's length. Every figure is an estimate: tokenizers differ, and so do retries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.engine.preview import StepPreview
from pipeline.plan.llm_services import UsedService, service_of
from pipeline.plan.model import FromStep
from pipeline.store.results import ResultStore, StoredFile, StoredResult
from shared.documents.base import DocumentError
from shared.documents.media import Media
from shared.documents.transcript import Transcript
from shared.language_model import LanguageModelParams, Usage, expected_usage, tokens_in

_TOKENS_PER_SECOND, _SECONDS_PER_LINE = 4.0, 4.0  # of speech, with its pauses


@dataclass(frozen=True)
class Estimate:
    """Estimate of a step's requests to a service. `usage` is None as long as the length of the media file is not
    known."""

    step: str
    service: UsedService
    usage: Usage | None
    cost: float | None


def estimates(previews: Sequence[StepPreview], store: ResultStore) -> list[Estimate]:
    """Return an estimate for each step that will run and uses a service."""
    results = {preview.step.id: preview.result for preview in previews if preview.result}
    found = []
    for preview in previews:
        step = preview.step
        service = service_of(step) if preview.is_due else None
        if service is None or not isinstance(step.params, LanguageModelParams):
            continue
        source = step.inputs.get("transcript")
        direct = results.get(source.step) if isinstance(source, FromStep) else None
        text = _text_size([*filter(None, [direct]), *reversed(results.values())], store)
        usage = expected_usage(*text, step.params) if text else None
        found.append(Estimate(step.id, service, usage, usage.cost(step.params) if usage else None))
    return found


def _text_size(results: Iterable[StoredResult], store: ResultStore) -> tuple[int, float] | None:
    """Return the numbers of lines and tokens: of the first transcript, else of average speech of the file's length."""
    length_ms: int | None = None
    for result in results:
        try:
            if isinstance(file := result.outputs.get("transcript"), StoredFile):
                texts = [segment.text for segment in Transcript.read(store.path(file)).segments]
                return len(texts), sum(map(tokens_in, texts))
            if isinstance(file := result.outputs.get("media"), StoredFile):
                length_ms = Media.read(store.path(file)).decoded_ms
        except DocumentError:
            continue
    if length_ms is None:
        return None
    return round(length_ms / 1000 / _SECONDS_PER_LINE) or 1, length_ms / 1000 * _TOKENS_PER_SECOND
