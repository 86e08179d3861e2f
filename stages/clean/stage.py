"""Remove text from a transcript that was not spoken: recognisers invent text on silence and music, and repeat it.

Words alone never decide. Each rule needs evidence: from the sound (speech or singing at that time), from the decoder's
probabilities, or from repetition. Each removal is listed with its reason and the figures. Two rules belong to stage
`asr`, which can decode a segment again: text on silence by the decoder's own figures, and repetition inside a segment.

Sung text is marked, and sounds are noted for viewers who do not hear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from shared.documents.removals import Label, Labels, Removal, Removals
from shared.documents.sound import Sounds
from shared.documents.speech import SpeechRegions
from shared.documents.transcript import Transcript
from shared.files import write_atomically
from shared.intervals import Spans
from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Resources, Stage
from shared.text.language import UNDETERMINED
from shared.text.language_params import LanguageParams, entry_for
from shared.text.scripts import other_script, script_of_language
from shared.text.timecode import clock
from shared.text.without_text import without_text

_MOST_QUOTED = 40  # characters of a text in a message
_MOST_NAMED = 3  # regions in a message
# The mean probability of the words of 14 clips in nine languages, with Whisper base: 0.72 to 0.94 in the eight clips
# with errors in at most every sixth word, 0.48 to 0.68 in the six with errors in every third word or more.
_UNSURE_WORDS = 0.65
_ENOUGH_WORDS = 4  # for a mean
_LEAST_WITHOUT_TEXT_MS = 2_000  # a laugh or a sigh is shorter
_LEAST_VOICE = 0.1  # of a speech region: with less, the speech detector was wrong


class CleanInputs(Files):
    """`transcript`; `speech`: `shared.documents.speech.SpeechRegions`, and `sounds`: `shared.documents.sound.Sounds`,
    of its audio; `left_out`: `shared.documents.removals.Removals`, the text that stage `asr` left out."""

    transcript: Path
    left_out: Path | None = None
    speech: Path | None = None
    sounds: Path | None = None


class CleanParams(LanguageParams):
    """The kinds of text to remove."""

    hallucinations: Literal["remove", "keep"] = Field("remove", description="text that the recogniser invented")
    fillers: Literal["keep", "remove"] = Field("keep", description="words like `um`, which were spoken")
    stock_phrases: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: phrases that recognisers invent; removed only if there is no speech"
    )
    filler_words: dict[str, tuple[str, ...]] = Field({}, description="by language: the fillers")


class CleanOutputs(Files):
    """`transcript`: without the removed text; `text`: as plain text, one segment a line; `removed`:
    `shared.documents.removals.Removals`, with the text that stage `asr` left out; `labels`:
    `shared.documents.removals.Labels`."""

    transcript: Path
    text: Path
    removed: Path
    labels: Path


CleanJob = Job[CleanInputs, CleanParams]


@dataclass(frozen=True)
class Evidence:
    """Measurements of the sound; None where a measurement is missing."""

    speech: SpeechRegions | None
    sounds: Sounds | None


@dataclass(frozen=True)
class Rules:
    """The kinds of text to remove from a transcript in one language."""

    hallucinations: bool
    stock_phrases: Sequence[str]
    fillers: Sequence[str]


@dataclass(frozen=True)
class Cleaned:
    """A transcript without the removed text, the removals, and the labels of sounds."""

    transcript: Transcript
    removals: tuple[Removal, ...]
    labels: tuple[Label, ...]


class Engine(Protocol):
    """A backend."""

    def clean(self, transcript: Transcript, evidence: Evidence, rules: Rules) -> Cleaned: ...


def run(engine: Engine, job: CleanJob) -> CleanOutputs:
    """Clean the transcript, and list the removals."""
    transcript, params = Transcript.read(job.inputs.transcript), job.params
    evidence = Evidence(
        speech=SpeechRegions.read(job.inputs.speech) if job.inputs.speech else None,
        sounds=Sounds.read(job.inputs.sounds) if job.inputs.sounds else None,
    )
    fillers = entry_for(params.filler_words, transcript.language, ())
    rules = Rules(
        hallucinations=params.hallucinations == "remove",
        stock_phrases=entry_for(params.stock_phrases, transcript.language, ()),
        fillers=fillers if params.fillers == "remove" else (),
    )
    cleaned = engine.clean(transcript, evidence, rules)
    if params.fillers == "remove" and not fillers:
        job.warn(f"no fillers are known in {transcript.language}; `clean.filler_words` names them")
    _report_removals(job, cleaned.removals)
    _report_languages(job, cleaned.transcript)
    _report_speech_without_text(job, evidence, cleaned.transcript)
    return _write(job, cleaned)


def stub(job: CleanJob) -> CleanOutputs:
    """Write the transcript unchanged."""
    return _write(job, Cleaned(Transcript.read(job.inputs.transcript), (), ()))


def _report_removals(job: CleanJob, removals: Sequence[Removal]) -> None:
    """Report how many texts were removed for each reason, and warn with the first one. Fillers are only counted,
    because the user asked for their removal."""
    counts = Counter(removal.reason for removal in removals)
    for reason, count in counts.items():
        job.note(f"removed_{reason.replace('-', '_')}", count)
    invented = [removal for removal in removals if removal.reason not in {"filler", "description"}]
    if invented:
        first = invented[0]
        text = first.text if len(first.text) <= _MOST_QUOTED else f"{first.text[:_MOST_QUOTED]}..."
        kinds = ", ".join(
            f"{counts[reason]} {reason}" for reason in dict.fromkeys(removal.reason for removal in invented)
        )
        job.warn(
            f"removed text that was not said ({kinds}): {text!r} at {clock(first.start_ms)}; removed.json lists all"
        )


def _report_languages(job: CleanJob, transcript: Transcript) -> None:
    """Warn of each language that the recogniser did not understand well, which another script than the language's or a
    low mean probability of its words shows."""
    for language in dict.fromkeys(segment.language or transcript.language for segment in transcript.segments):
        own = [segment for segment in transcript.segments if (segment.language or transcript.language) == language]
        probabilities = [word.probability for segment in own for word in segment.words]
        mean = sum(probabilities) / len(probabilities) if probabilities else 1.0
        if found := other_script((segment.text for segment in own), language):
            script, share = found
            expected = (script_of_language(language) or "").capitalize()
            job.note("unexpected_script", script.lower())
            job.warn(
                f"{share:.0%} of the text in {language!r} is written in {script.capitalize()} letters instead of"
                f" {expected}: the recogniser did not understand this language well, so expect many errors"
            )
        elif len(probabilities) >= _ENOUGH_WORDS and mean < _UNSURE_WORDS:
            job.warn(f"the recogniser was unsure of its words in {language!r} ({mean:.0%}): expect many errors")


def _report_speech_without_text(job: CleanJob, evidence: Evidence, transcript: Transcript) -> None:
    """Warn of speech regions without text, because nothing was recognised or all was removed. A region in which the
    analysis of sounds finds no voice is left out: the speech detector was wrong."""
    if evidence.speech is None:
        return
    missed = without_text(evidence.speech.regions, transcript.segments, _LEAST_WITHOUT_TEXT_MS)
    if evidence.sounds:
        voices = (region for region in evidence.sounds.sounds if region.kind in {"speech", "singing"})
        voice = Spans((region.start_ms, region.end_ms) for region in voices)
        missed = tuple(region for region in missed if voice.share(region.start_ms, region.end_ms) >= _LEAST_VOICE)
    job.note("speech_without_text_ms", sum(region.end_ms - region.start_ms for region in missed))
    if missed:
        seconds = sum(region.end_ms - region.start_ms for region in missed) / 1000
        times = ", ".join(f"{clock(region.start_ms)} to {clock(region.end_ms)}" for region in missed[:_MOST_NAMED])
        more = f" and {len(missed) - _MOST_NAMED} more" if len(missed) > _MOST_NAMED else ""
        job.warn(f"{seconds:.0f} s of what sounds like speech have no text: {times}{more}")


def _write(job: CleanJob, cleaned: Cleaned) -> CleanOutputs:
    transcript = cleaned.transcript
    left_out = Removals.read(job.inputs.left_out).removals if job.inputs.left_out else ()
    removals = sorted((*left_out, *cleaned.removals), key=lambda removal: (removal.start_ms, removal.end_ms))
    if (
        not transcript.segments and transcript.language_probability < 1
    ):  # what was identified in noise is not a language
        transcript = transcript.model_copy(update={"language": UNDETERMINED, "language_probability": 0.0})
    job.note("language", transcript.language)
    job.note("removed", len(cleaned.removals))
    job.note("sung", sum(segment.sung for segment in transcript.segments))
    text = job.out_dir / "transcript.txt"
    write_atomically(text, transcript.text.encode())
    return CleanOutputs(
        transcript=transcript.write(job.out_dir / "transcript.json"),
        text=text,
        removed=Removals(removals=tuple(removals)).write(job.out_dir / "removed.json"),
        labels=Labels(labels=cleaned.labels).write(job.out_dir / "labels.json"),
    )


STAGE = Stage(
    name="clean",
    version=6,
    summary="remove text that was not said, and mark what is sung",
    inputs=CleanInputs,
    params=CleanParams,
    outputs=CleanOutputs,
    backends={
        "evidence": Backend(
            module="stages.clean.evidence",
            environment=CORE_ENVIRONMENT,
            summary="the project's own rules, each with evidence from the sound or from repetition",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
