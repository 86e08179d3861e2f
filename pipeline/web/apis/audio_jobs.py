"""Jobs of the interfaces that send a file and wait for its text: what is asked, and the job for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.datastructures import FormData, UploadFile

from pipeline.web.job_maker import Ordered
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.service import Service

_SUBTITLES = {"srt", "vtt"}
ENGLISH = "en"


@dataclass(frozen=True)
class Wanted:
    """Text that is asked for. `form` is `srt`, `vtt`, or anything else for the text itself; `settings` are further
    settings by their short names. Its times are `delay_ms` later than in the samples that are sent."""

    form: str
    translate: bool
    settings: Mapping[str, JsonValue]
    delay_ms: int = 0

    @property
    def target(self) -> str | None:
        """Return the language that the text is wanted in; None for the spoken one."""
        return ENGLISH if self.translate else None

    def fields(self) -> dict[str, JsonValue]:
        """Return the settings of the job."""
        fields = {name: value for name, value in self.settings.items() if value not in (None, "")}
        fields["to"] = [ENGLISH] if self.translate else []
        if self.form in _SUBTITLES:
            return {**fields, "recipe": "subtitle", "film": False, "subtitle.formats": [self.form]}
        return {**fields, "recipe": "translate" if self.translate else "transcribe"}


async def submit(service: Service, file: UploadFile, label: str, wanted: Wanted, *, samples: bool, source: str) -> Job:
    """Store an uploaded file and queue its job. Raises `Refused`, before the file is stored for a mistake in the
    settings."""
    overrides = service.maker.overrides(wanted.fields())
    upload = await service.store(file.file, label, samples=samples, delay_ms=wanted.delay_ms)
    ordered = Ordered(upload.path, label, "answers", source, 1.0, upload.digest)  # a client waits for the answer
    return service.submit(service.maker.job(ordered, overrides))


def file_in(form: FormData, name: str) -> UploadFile:
    """Return the file that a form brings. Raises `Refused`."""
    file = form.get(name)
    if not isinstance(file, UploadFile):
        raise Refused(400, "missing_required_parameter", f"the form has no file `{name}`", param=name)
    if not file.size:
        raise Refused(400, "media.empty", f"the file `{name}` is empty", param=name)
    return file
