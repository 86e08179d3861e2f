"""Corrections: what people have changed in published files, kept for a media and taken into its plan.

    <results>/edits/<media's sha256>/edits.json      which file was corrected, and what it was before
    <results>/edits/<media's sha256>/<sha256>        a correction, and what was published before it

A correction stands in for what it corrects: it is an input of the steps behind it, by its content, so their keys are
exact and only they are done again. It stays until somebody drops it, whatever is run in between.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import BadInput
from pipeline.plan import AllOf, FirstOf, FromFile, FromStep, Leaf, Plan, Source, Step
from shared.document import Document, DocumentError, Frozen
from shared.files import sha256_of, write_atomically

_LIST = "edits.json"
CORRECT = "correct"
_SUBTITLE = "subtitle"
_TRANSCRIPT = "transcript"
_NOT_TAKEN = (".txt", ".whisper.json")  # they hold less than what would be corrected, or other things


class Edit(Frozen):
    """One correction: the published `name`, the output that it corrects, its content, and that of what it corrects."""

    name: str
    step: str
    role: str
    sha256: str
    base: str

    @property
    def origin(self) -> str:
        """`step.role` of what it corrects."""
        return f"{self.step}.{self.role}"


class Edits(Document):
    """`edits.json`: the corrections of a media, oldest first."""

    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Changed:
    """A published file that somebody has edited: where it is, the `step.role` that it shows, and what it was."""

    path: Path
    origin: str
    before: Path | None


class EditStore:
    """The corrections below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, media: str) -> tuple[Edit, ...]:
        """The corrections of a media, oldest first; `media` is its digest."""
        try:
            return Edits.read(self._root / media / _LIST).edits
        except FileNotFoundError:
            return ()
        except DocumentError as error:
            raise BadInput(
                "edits.damaged", str(error), hint="restore the file from a copy; the corrections lie beside it"
            ) from error

    def path(self, media: str, sha256: str) -> Path:
        """Where a correction's content lies; read it, never change it."""
        return self._root / media / sha256

    def files(self, media: str, edits: Sequence[Edit]) -> dict[str, Path]:
        """The contents of a media's corrections by digest."""
        return {digest: self.path(media, digest) for edit in edits for digest in (edit.sha256, edit.base)}

    def take_in(self, media: str, changed: Sequence[Changed]) -> tuple[Edit, ...]:
        """Keep edited files as corrections. Raises `BadInput` for what cannot be one, and then keeps none of them."""
        _check(changed)
        edits = list(self.of(media))
        for one in changed:
            edits = self._with(media, edits, one)
        self._write(media, edits)
        return tuple(edits)

    def drop(self, media: str, names: Sequence[str]) -> tuple[Edit, ...]:
        """Forget the corrections of these files, or all where none is named. Returns what was forgotten."""
        edits = self.of(media)
        dropped = tuple(edit for edit in edits if not names or edit.name in names)
        self._write(media, [edit for edit in edits if edit not in dropped])
        return dropped

    def _with(self, media: str, edits: list[Edit], changed: Changed) -> list[Edit]:
        step, _, role = changed.origin.rpartition(".")
        digest = self._keep(media, changed.path)
        base = self._keep(media, changed.before) if changed.before else digest
        older = next((edit for edit in edits if (edit.step, edit.role) == (step, role)), None)
        if older is not None:
            edits.remove(older)
        if role == _TRANSCRIPT:  # it was made with the corrections that there are, and holds them
            edits = [edit.model_copy(update={"base": edit.sha256}) for edit in edits]
        elif older is not None:  # a correction of a correction: what it corrects is still what was made
            base = older.base
        return [*edits, Edit(name=changed.path.name, step=step, role=role, sha256=digest, base=base)]

    def _keep(self, media: str, path: Path) -> str:
        digest = sha256_of(path)
        place = self.path(media, digest)
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, path.read_bytes())
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


def _check(changed: Sequence[Changed]) -> None:
    seen: dict[str, Path] = {}
    for one in changed:
        if not one.path.read_bytes().strip():
            raise BadInput(
                "edits.empty",
                f"{one.path} was edited and is empty now; expected subtitles or a transcript",
                hint="delete it, and the next run puts back what was made",
            )
        other = seen.setdefault(one.origin, one.path)
        if other is not one.path:
            raise BadInput(
                "edits.two",
                f"{other.name} and {one.path.name} were both edited, and show the same subtitles",
                hint=f"keep the one that is right, and delete the other in {one.path.parent}",
            )


def takes_edits(name: str, origin: str) -> bool:
    """Whether an edited file can be taken in: a transcript, or a subtitle in a format that holds times and text."""
    role = origin.rpartition(".")[2]
    return role == _TRANSCRIPT or (role == "files" and not name.endswith(_NOT_TAKEN))


def beside_transcript(edits: Sequence[Edit], taken_in: Sequence[str]) -> list[str]:
    """The corrected subtitles that a transcript which has just been taken in does not reach."""
    if not any(edit.role == _TRANSCRIPT and edit.name in taken_in for edit in edits):
        return []
    return [edit.name for edit in edits if edit.role != _TRANSCRIPT and edit.name not in taken_in]


def with_edits(plan: Plan, edits: Sequence[Edit], make_correct: Callable[[dict[str, Source]], Step]) -> Plan:
    """The plan for a media that has corrections.

    A corrected subtitle takes the place of the layout. A corrected transcript, and the words of a corrected subtitle in
    the spoken language, go through the stage `correct`, which then stands between the transcript and all that takes it.
    """
    steps = {step.id: step for step in plan.steps}
    corrections: dict[FromStep, dict[str, Source]] = {}
    for edit in edits:
        step = steps.get(edit.step)
        if step is None:
            continue
        content, base = FromFile(edit.sha256, edit.name), FromFile(edit.base, edit.name)
        if edit.role == _TRANSCRIPT:
            source = FromStep(step.id, _TRANSCRIPT)
            corrections.setdefault(source, {}).update(document=content, document_base=base)
        elif step.stage.name == _SUBTITLE:
            steps[step.id] = replace(step, inputs={**step.inputs, "edited": content})
            given = step.inputs.get(_TRANSCRIPT)
            laid_out = given.sources[-1] if isinstance(given, FirstOf) else given  # a shortened one stands before it
            if isinstance(laid_out, FromStep) and "translation" not in step.inputs:
                corrections.setdefault(laid_out, {}).update(cues=content, cues_base=base)
    plan = replace(plan, steps=tuple(steps.values()))
    for number, (source, inputs) in enumerate(corrections.items()):
        plan = _corrected(plan, source, make_correct({_TRANSCRIPT: source, **inputs}), number)
    return plan


def _corrected(plan: Plan, source: FromStep, correct: Step, number: int) -> Plan:
    """The plan in which what took `source` takes the corrected one."""
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
