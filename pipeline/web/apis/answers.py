"""Reads what a job has published, for interfaces that answer with it: transcript, translation and subtitle file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from shared.documents.base import DocumentError
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import Translation
from shared.text.language import primary

_WITHOUT_SPACES = {"zh", "yue", "ja", "th", "lo", "km", "my"}
_OF_THE_FILE = ("media", "demux", "pages", "ocr", "serve.outside")  # codes of errors that the sender of a file can mend


@dataclass(frozen=True)
class Answer:
    """Text of a job by segments, in the language that was asked for. `transcript` is what was said."""

    transcript: Transcript
    language: str
    texts: tuple[str, ...]  # one for each segment of the transcript

    @property
    def text(self) -> str:
        """Return all of the text as one line."""
        return joined(self.texts, self.language)

    @property
    def duration_s(self) -> float:
        """Return the length of the file."""
        return self.transcript.duration_ms / 1000

    @property
    def billed_s(self) -> int:
        """Return the length in whole seconds, as OpenAI counts it."""
        return math.ceil(self.duration_s)

    @property
    def segments(self) -> tuple[tuple[Segment, str], ...]:
        """Return the segments with their texts, without those that are empty."""
        both = zip(self.transcript.segments, self.texts, strict=True)
        return tuple((segment, text) for segment, text in both if text.strip())


def joined(texts: tuple[str, ...], language: str) -> str:
    """Return texts as one, with spaces between them where the language has any."""
    space = "" if primary(language) in _WITHOUT_SPACES else " "
    return space.join(text.strip() for text in texts if text.strip())


def check_outcome(job: Job) -> None:
    """Raise `Refused` for a job that has no results."""
    if job.state == "done":
        return
    error = job.error or {"code": "serve.cancelled", "message": f"the job is {job.state} {job.reason}", "hint": None}
    code = str(error["code"])
    status = 409 if job.state == "cancelled" else 400 if code.startswith(_OF_THE_FILE) else 500
    message = str(error["message"]).replace(job.media, job.label)  # who sent a file knows it by its own name
    raise Refused(status, code, message, error["hint"])


def answer_of(job: Job, target: str | None = None) -> Answer:
    """Return the text of a job, translated to `target` where that is given. Reads the disk. Raises `Refused`."""
    check_outcome(job)
    try:
        transcript = Transcript.read(published(job, "transcript.json"))
        if target is None or primary(transcript.language) == target or not transcript.segments:
            texts = tuple(segment.text for segment in transcript.segments)
            return Answer(transcript, transcript.language, texts)
        translated = Translation.read(published(job, f"translation.{target}.json"))
    except DocumentError as error:
        raise Refused(500, "serve.result", f"the result cannot be read: {error}") from error
    by_id = {segment.id: segment.text for segment in translated.segments}
    texts = tuple(by_id.get(segment.id, "") for segment in transcript.segments)
    return Answer(transcript, target, texts)


def subtitles_of(job: Job, kind: str, target: str | None = None) -> str:
    """Return the subtitle file of a job, `srt` or `vtt`. Reads the disk. Raises `Refused`."""
    check_outcome(job)
    found = [Path(file) for file in job.files if file.endswith(f".{kind}")]
    wanted = [path for path in found if target and f".{target}." in path.name] or found
    if not wanted:
        return "WEBVTT\n" if kind == "vtt" else ""  # no speech was found
    return _text(wanted[0])


def published(job: Job, end: str) -> Path:
    """Return the file of a job whose name ends so. Raises `Refused`."""
    for file in job.files:
        if Path(file).name.endswith(end):
            return Path(file)
    raise Refused(500, "serve.result", f"the job has published no file `{end}`")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(500, "serve.result", f"{path.name} cannot be read: {error.strerror}") from error
