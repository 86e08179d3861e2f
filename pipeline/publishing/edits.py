"""Keeps corrections: changes that people made to published files. They become inputs of the file's plan.

    <results>/edits/<media's sha256>/edits.json      the corrected files, with the digests before and after
    <results>/edits/<media's sha256>/<sha256>        the content of a correction, or of what it corrects

A correction replaces what it corrects. It is an input of the steps that follow, by its content, so their keys are exact
and only they are done again. It stays until the user drops it.

It belongs to the language of the corrected file. The spoken language is known only when there is a transcript, so a
plan holds the corrections in every language, and each step takes those in the language of its transcript (see
`pipeline.engine.language_models`). The others are not used.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.plan.model import AllOf, FirstOf, FromFile, FromStep, Leaf, Plan, Source, Step
from pipeline.store.results import StoredResult
from shared.documents.base import Document, DocumentError, Frozen
from shared.documents.transcript import Transcript
from shared.files import is_sound, write_atomically
from shared.text.language import UNDETERMINED, is_same, language_in_file_name

_LIST = "edits.json"
CORRECT = "correct"
_SUBTITLE = "subtitle"
_TRANSCRIPT = "transcript"
_NOT_TAKEN = (".txt", ".whisper.json")  # they hold less than the corrected output, or something else


class Edit(Frozen):
    """Correction of the published file `name`: the output that it corrects, and the digests of its content and the old.

    `language` (BCP-47) is that of the corrected output, or None if it is not known. `becomes` is the language that a
    corrected transcript states, if it differs.
    """

    name: str
    step: str
    role: str
    sha256: str
    base: str
    language: str | None = None
    becomes: str | None = None

    @property
    def origin(self) -> str:
        """Return the corrected output as `step.role`."""
        return f"{self.step}.{self.role}"

    def corrects(self, language: str | None) -> bool:
        """Tell whether it corrects a text in this language; a correction without a language corrects any."""
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
    """Published file that was edited: its path, the `step.role` that it shows, its content before, and its language."""

    path: Path
    origin: str
    before: Path | None
    language: str | None = None


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
        """Return the path of a correction's content; read it, never change it."""
        return self._root / media / sha256

    def files(self, media: str, edits: Sequence[Edit]) -> dict[str, Path]:
        """Return the paths of the corrections of a media file, by digest."""
        return {digest: self.path(media, digest) for edit in edits for digest in (edit.sha256, edit.base)}

    def take_in(self, media: str, changed: Sequence[Changed]) -> tuple[Edit, ...]:
        """Keep edited files as corrections. Raises `BadInput` if one of them cannot be a correction, and then keeps
        none."""
        _check(changed)
        edits = list(self.of(media))
        for one in changed:
            edits = self._with(media, edits, one)
        self._write(media, edits)
        return tuple(edits)

    def drop(self, media: str, names: Sequence[str]) -> tuple[Edit, ...]:
        """Delete the corrections of these files, or all if none is named. Returns the deleted ones."""
        edits = self.of(media)
        dropped = tuple(edit for edit in edits if not names or edit.name in names)
        self._write(media, [edit for edit in edits if edit not in dropped])
        return dropped

    def _with(self, media: str, edits: list[Edit], changed: Changed) -> list[Edit]:
        step, _, role = changed.origin.rpartition(".")
        digest = self._keep(media, changed.path)
        base = self._keep(media, changed.before) if changed.before else digest
        older = next(
            (one for one in edits if (one.step, one.role) == (step, role) and one.corrects(changed.language)), None
        )
        if older is not None:
            edits.remove(older)
        becomes = _other_language(changed.path, changed.language) if role == _TRANSCRIPT else None
        if role == _TRANSCRIPT:  # it was made with the existing corrections in its language, and contains them
            own = (changed.language, becomes)
            edits = [
                edit.model_copy(update={"base": edit.sha256}) if any(map(edit.corrects, filter(None, own))) else edit
                for edit in edits
            ]
        elif older is not None:  # a correction of a correction: its base is still the output of the step
            base = older.base
        made = Edit(
            name=changed.path.name, step=step, role=role, sha256=digest, base=base, language=changed.language,
            becomes=becomes,
        )  # fmt: skip
        return [*edits, made]

    def _with_language(self, media: str, edit: Edit) -> Edit:
        """Return a correction from a release that did not keep languages, with the language of its document, its
        translation or its name."""
        if edit.role == _TRANSCRIPT:
            before, after = (_language_of(self.path(media, digest)) for digest in (edit.base, edit.sha256))
            language = before or after
            return edit.model_copy(update={"language": language, "becomes": after if after != language else None})
        _, _, target = edit.step.partition(":")
        named = language_in_file_name(edit.name)
        if named == UNDETERMINED and f".{UNDETERMINED}." not in edit.name:
            named = ""
        return edit.model_copy(update={"language": target or named or None})

    def _keep(self, media: str, path: Path) -> str:
        content = path.read_bytes()  # read once: an editor may save again between two readings
        digest = hashlib.sha256(content).hexdigest()
        place = self.path(media, digest)
        if not is_sound(place, digest):
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
        wanted = {digest for edit in edits for digest in (edit.sha256, edit.base)}
        for left in folder.iterdir():
            if left.name != _LIST and left.name not in wanted:
                left.unlink()


def _language_of(transcript: Path) -> str | None:
    try:
        return Transcript.read(transcript).language
    except (OSError, DocumentError):
        return None


def _other_language(transcript: Path, language: str | None) -> str | None:
    """Return the language that a transcript states, if it is another one."""
    named = _language_of(transcript)
    return None if named is None or language is None or is_same(named, language) else named


def _check(changed: Sequence[Changed]) -> None:
    seen: dict[str, Path] = {}
    for one in changed:
        if not one.path.read_bytes().strip():
            raise BadInput(
                "edits.empty",
                f"{one.path} was edited and is now empty, expected subtitles or a transcript",
                hint="delete it; the next run publishes reel's own version again",
            )
        other = seen.setdefault(one.origin, one.path)
        if other is not one.path:
            raise BadInput(
                "edits.two",
                f"{other.name} and {one.path.name} were both edited, and contain the same subtitles",
                hint=f"keep the one that is right, and delete the other in {one.path.parent}",
            )


def takes_edits(name: str, origin: str) -> bool:
    """Tell whether an edited file can be a correction: a transcript, or a subtitle in a format with times and text."""
    role = origin.rpartition(".")[2]
    return role == _TRANSCRIPT or (role == "files" and not name.endswith(_NOT_TAKEN))


def beside_transcript(edits: Sequence[Edit], taken_in: Sequence[str]) -> list[str]:
    """Return the corrected subtitles to which the changes of a new corrected transcript do not apply."""
    if not any(edit.role == _TRANSCRIPT and edit.name in taken_in for edit in edits):
        return []
    return [edit.name for edit in edits if edit.role != _TRANSCRIPT and edit.name not in taken_in]


def with_edits(plan: Plan, edits: Sequence[Edit], make_correct: Callable[[dict[str, Source]], Step]) -> Plan:
    """Return the plan with the corrections of its media file.

    A corrected subtitle replaces the layout. A corrected transcript, and the words of a corrected subtitle in the
    spoken language, go through the stage `correct`, which is inserted between the transcript and the steps that use it.
    """
    steps = {step.id: step for step in plan.steps}
    corrections: dict[FromStep, _Inputs] = {}
    becomes = {edit.language: edit.becomes for edit in edits if edit.language and edit.becomes}
    for edit in edits:
        step = steps.get(edit.step)
        if step is None:
            continue
        if edit.role == _TRANSCRIPT:
            found = corrections.setdefault(FromStep(step.id, _TRANSCRIPT), _Inputs())
            found.add("document", edit, [edit.language])
        elif step.stage.name == _SUBTITLE:
            is_translated = "translation" in step.inputs  # its language is the step's own, whatever is spoken
            content = _Inputs(step.inputs)
            content.add("edited", edit, [None if is_translated else edit.language])
            steps[step.id] = replace(step, inputs=content)
            given = step.inputs.get(_TRANSCRIPT)
            laid_out = given.sources[-1] if isinstance(given, FirstOf) else given  # a shortened one comes before it
            if isinstance(laid_out, FromStep) and not is_translated:
                spoken = [edit.language, *(heard for heard, then in becomes.items() if then == edit.language)]
                spoken = [heard for heard in spoken if becomes.get(heard or "", edit.language) == edit.language]
                if spoken:
                    corrections.setdefault(laid_out, _Inputs()).add("cues", edit, spoken)
    plan = replace(plan, steps=tuple(steps.values()))
    for number, (source, inputs) in enumerate(corrections.items()):
        plan = _corrected(plan, source, make_correct({_TRANSCRIPT: source, **inputs}), number)
    return plan


class _Inputs(dict[str, Source]):
    """Inputs of a step by role, to which corrections are added."""

    def add(self, role: str, edit: Edit, languages: Sequence[str | None]) -> None:
        """Add the correction of a transcript in one of these languages, and the content before it."""
        named = tuple(language for language in languages if language)
        self._put(role, FromFile(edit.sha256, edit.name, named))
        if role != "edited":
            self._put(f"{role}_base", FromFile(edit.base, edit.name, named))

    def _put(self, role: str, leaf: FromFile) -> None:
        known = self.get(role)
        others = known.sources if isinstance(known, FirstOf) else (known,) if isinstance(known, FromFile) else ()
        self[role] = FirstOf((*others, leaf)) if others else leaf


def _corrected(plan: Plan, source: FromStep, correct: Step, number: int) -> Plan:
    """Return the plan in which each step that used `source` uses the corrected output."""
    correct = replace(correct, id=CORRECT if number == 0 else f"{CORRECT}-{number + 1}")
    instead = {FromStep(source.step, role): FromStep(correct.id, role) for role in (source.role, "text")}

    def one(leaf: Leaf) -> Leaf:
        return instead.get(leaf, leaf) if isinstance(leaf, FromStep) else leaf

    def rewired(given: Source) -> Source:
        if isinstance(given, FirstOf | AllOf):
            return replace(given, sources=tuple(map(one, given.sources)))
        return one(given)

    steps: list[Step] = []
    for step in plan.steps:
        steps.append(replace(step, inputs={role: rewired(given) for role, given in step.inputs.items()}))
        if step.id == source.step:
            steps.append(correct)
    publications = []
    for publication in plan.publications:
        target = instead.get(FromStep(publication.step, publication.role))
        if target:
            publication = replace(publication, step=target.step, role=target.role, corrects=publication.origin)
        publications.append(publication)
    return replace(plan, steps=tuple(steps), publications=tuple(publications))
