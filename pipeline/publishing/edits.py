"""Finds and keeps corrections: changes that the user made to published files. They become inputs of the file's plan.

    <results>/edits/<media's sha256>/edits.json      the corrected files, with the digests before and after
    <results>/edits/<media's sha256>/<sha256>        the content of a correction, or of what it corrects

A correction consists of pins, the places where it differs from the file that was corrected (see `shared.documents.
pins`); everything else may change when it is made again. Its content is an input of the steps that follow, so only
these run again. It is kept until the user drops it.

It has the language of the corrected file. The spoken language is known only when there is a transcript, so a plan holds
the corrections in all languages, and each step takes those in the language of its transcript (see
`pipeline.engine.language_models`).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.publishing.beside import place_of
from pipeline.publishing.record import Job, read_job, write_job
from pipeline.store.results import ResultStore, StoredResult
from shared.documents.base import Document, DocumentError, Frozen
from shared.documents.transcript import Transcript
from shared.files import is_intact, sha256_of, write_atomically
from shared.text.language import UNDETERMINED, is_same, language_in_file_name

_LIST = "edits.json"
_BILINGUAL = "bilingual"  # the step
TRANSCRIPT = "transcript"
_NOT_TAKEN = (".txt", ".whisper.json")  # formats that lack a part of the output, such as its times


class Edit(Frozen):
    """Correction of the published file `name`, which is the output `role` of `step`.

    `sha256` is the digest of the corrected content, and `base` that of the content before, or the same if that is not
    known. `language` (BCP-47) is that of the corrected output; None if it is not known. `becomes` is the language that
    a corrected transcript states, if it differs. `source` is the digest of the transcript that a corrected translation
    was made for. `without` names pins that the user dropped. With `is_chained`, it was made on top of the corrections
    before it in the list; those of earlier releases were not, and their transcripts are used as a whole.
    """

    name: str
    step: str
    role: str
    sha256: str
    base: str
    language: str | None = None
    becomes: str | None = None
    source: str | None = None
    without: tuple[str, ...] = ()
    is_chained: bool = False

    @property
    def origin(self) -> str:
        """Return the corrected output as `step.role`."""
        return f"{self.step}.{self.role}"

    @property
    def known_base(self) -> str:
        """Return the digest of the content before; that of the correction itself if it is not known."""
        return self.base if self.is_chained or self.role != TRANSCRIPT else self.sha256

    @property
    def digests(self) -> tuple[str, ...]:
        """Return the digests of all contents that belong to the correction."""
        return (self.sha256, self.base, *((self.source,) if self.source else ()))

    def corrects(self, language: str | None) -> bool:
        """Tell whether it corrects a text in this language; without a language, it corrects any text."""
        return None in (self.language, language) or is_same(str(self.language), str(language))

    def applies(self, results: Mapping[str, StoredResult]) -> bool:
        """Tell whether it corrects one of these results."""
        made = results.get(self.step)
        return made is not None and self.corrects(language_of(made))


def language_of(made: StoredResult) -> str | None:
    """Return the language that a result states."""
    language = made.facts.get("language")
    return str(language) if language else None


class Edits(Document):
    """Content of `edits.json`: the corrections of a media file, oldest first."""

    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Changed:
    """Published file that was edited: its path, the `step.role` of its output, the path of its content before (None if
    not known), and its language. `source` is the path of the transcript that it translates. `called` is its published
    name, if `path` has another one."""

    path: Path
    origin: str
    before: Path | None
    language: str | None = None
    source: Path | None = None
    called: str = ""

    @property
    def name(self) -> str:
        """Return the published name."""
        return self.called or self.path.name


class EditStore:
    """Store of corrections below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, media: str) -> tuple[Edit, ...]:
        """Return the corrections of a media file, oldest first. `media` is its digest."""
        try:
            edits = Edits.read(self._root / media / _LIST).edits
        except FileNotFoundError:
            return ()
        except DocumentError as error:
            raise BadInput(
                "edits.damaged",
                str(error),
                hint="restore the file from a backup; the corrections themselves are in the same folder",
            ) from error
        return tuple(edit if edit.language else self._with_language(media, edit) for edit in edits)

    def path(self, media: str, sha256: str) -> Path:
        """Return the path of a correction's content, which must not be changed."""
        return self._root / media / sha256

    def files(self, media: str, edits: Sequence[Edit]) -> dict[str, Path]:
        """Return the paths of the corrections of a media file, by digest."""
        return {digest: self.path(media, digest) for edit in edits for digest in edit.digests}

    def take_in(self, media: str, changed: Sequence[Changed]) -> tuple[Edit, ...]:
        """Keep edited files as corrections. Raises `BadInput`, and keeps none, if one of them cannot be a
        correction."""
        _check(changed)
        edits = list(self.of(media))
        for file in changed:
            edits = self._with(media, edits, file)
        self._write(media, edits)
        return tuple(edits)

    def drop(self, media: str, names: Sequence[str]) -> tuple[Edit, ...]:
        """Delete the corrections of these files, or all if none is named. Returns the deleted ones."""
        edits = self.of(media)
        dropped = tuple(edit for edit in edits if not names or edit.name in names)
        self._write(media, [edit for edit in edits if edit not in dropped])
        return dropped

    def drop_pins(self, media: str, pins: Mapping[str, Collection[str]]) -> None:
        """Drop single pins. `pins` maps the digest of a corrected file to the ids of its pins."""
        self._write(media, [
            edit.model_copy(update={"without": tuple(dict.fromkeys((*edit.without, *pins.get(edit.sha256, ()))))})
            for edit in self.of(media)
        ])  # fmt: skip

    def _with(self, media: str, edits: list[Edit], changed: Changed) -> list[Edit]:
        step, _, role = changed.origin.rpartition(".")
        digest = self._keep(media, changed.path)
        base = self._keep(media, changed.before) if changed.before else None
        source = self._keep(media, changed.source) if changed.source else None
        becomes = _other_language(changed.path, changed.language) if role == TRANSCRIPT else None
        made = Edit(
            name=changed.name, step=step, role=role, sha256=digest, base=base or digest,
            language=changed.language, becomes=becomes, source=source, is_chained=True,
        )  # fmt: skip
        last = next((edit for edit in reversed(edits) if edit.corrects(changed.language)), None)
        if last and (last.origin, last.sha256, last.source) == (made.origin, digest, source):
            return edits  # it is kept already
        if last is None or last.origin != changed.origin or last.source != source or base not in (None, last.sha256):
            return [*edits, made]
        # The corrected file was corrected again: one correction from the same base replaces both.
        made = made.model_copy(update={"base": last.base, "without": last.without, "is_chained": last.is_chained})
        return [*(edit for edit in edits if edit is not last), made]

    def _with_language(self, media: str, edit: Edit) -> Edit:
        """Return a correction of an earlier release, which did not record languages, with the language of its document,
        its step or its name."""
        if edit.role == TRANSCRIPT:
            before, after = (_language_of(self.path(media, digest)) for digest in (edit.base, edit.sha256))
            language = before or after
            return edit.model_copy(update={"language": language, "becomes": after if after != language else None})
        _, _, target = edit.step.partition(":")
        named = language_in_file_name(edit.name)
        if named == UNDETERMINED and f".{UNDETERMINED}." not in edit.name:
            named = ""
        return edit.model_copy(update={"language": target or named or None})

    def _keep(self, media: str, path: Path) -> str:
        content = path.read_bytes()  # read once, because an editor may save again at any time
        digest = hashlib.sha256(content).hexdigest()
        place = self.path(media, digest)
        if not is_intact(place, digest):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, content)
        return digest

    def _write(self, media: str, edits: Sequence[Edit]) -> None:
        folder = self._root / media
        if not edits:
            shutil.rmtree(folder, ignore_errors=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        Edits(edits=tuple(edits)).write(folder / _LIST)
        wanted = {digest for edit in edits for digest in edit.digests}
        for left in folder.iterdir():
            if left.name != _LIST and left.name not in wanted:
                left.unlink()


def _language_of(transcript: Path) -> str | None:
    try:
        return Transcript.read(transcript).language
    except (OSError, DocumentError):
        return None


def _other_language(transcript: Path, language: str | None) -> str | None:
    """Return the language that a transcript states, if it is another than `language`; else None."""
    named = _language_of(transcript)
    return None if named is None or language is None or is_same(named, language) else named


def _check(changed: Sequence[Changed]) -> None:
    seen: dict[str, Path] = {}
    for file in changed:
        if not file.path.read_bytes().strip():
            raise BadInput(
                "edits.empty",
                f"{file.path} was edited and is now empty, expected subtitles or a transcript",
                hint="delete it; the next run publishes reel's own version again",
            )
        other = seen.setdefault(file.origin, file.path)
        if other is not file.path:
            raise BadInput(
                "edits.two",
                f"{other.name} and {file.path.name} were both edited, and contain the same subtitles",
                hint=f"keep the one that is right, and delete the other in {file.path.parent}",
            )


def changed_files(folder: Path, edits: Sequence[Edit], store: ResultStore) -> list[Changed]:
    """Return the published files in a folder that the user has edited and that can become corrections."""
    job = read_job(folder)
    if job is None:
        return []
    found = []
    for name, digest in job.files.items():
        path, origin = place_of(folder, name), job.origins.get(name, "")
        if not path.is_file() or not _takes_edits(name, origin):
            continue
        language = _stated_language(job, origin)
        known = any(edit.origin == origin and edit.corrects(language) for edit in edits)
        is_lost = name in job.edits and not known  # for example if the corrections were deleted with the results
        if sha256_of(path) != digest or is_lost:
            before = store.object_path(digest)
            known_before = before if not is_lost and is_intact(before, digest) else None
            source = _published_transcript(job, store) if ":" in origin else None  # a step with a target language
            found.append(Changed(path, origin, known_before, language, source))
    return found


def _published_transcript(job: Job, store: ResultStore) -> Path | None:
    """Return the path of the transcript that was published, as reel made it; None if it is no longer stored."""
    for name, digest in job.files.items():
        if job.origins.get(name, "").rpartition(".")[2] == TRANSCRIPT and is_intact(store.object_path(digest), digest):
            return store.object_path(digest)
    return None


def _stated_language(job: Job, origin: str) -> str | None:
    """Return the language of a published file, as the step that made it states it."""
    facts = job.steps.get(origin.rpartition(".")[0], {}).get("facts")
    language = facts.get("language") if isinstance(facts, dict) else None
    return str(language) if language else None


def forget_edits(folder: Path, names: Sequence[str]) -> None:
    """Remove these files from the corrections in the folder's record, so that the next run overwrites them."""
    job = read_job(folder)
    if job is not None:
        left = {name: digest for name, digest in job.edits.items() if Path(name).name not in names}
        write_job(folder, job.model_copy(update={"edits": left}), over=True)


def _takes_edits(name: str, origin: str) -> bool:
    """Tell whether an edited file can become a correction: a transcript, or subtitles in a format with times and
    text."""
    step, _, role = origin.rpartition(".")
    if step.partition(":")[0] == _BILINGUAL:  # the language of a changed line is not known
        return False
    return role == TRANSCRIPT or (role == "files" and not name.endswith(_NOT_TAKEN))
