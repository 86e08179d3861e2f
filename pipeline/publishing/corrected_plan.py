"""Puts the corrections of a media file into its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipeline.plan.model import AllOf, FirstOf, FromCorrection, FromStep, Plan, SingleSource, Source, Step
from pipeline.publishing.edits import TRANSCRIPT, Edit

CORRECT = "correct"
_SUBTITLE = "subtitle"
_TRANSLATION = "translation"
_RTTM = "rttm"

MakeCorrect = Callable[[dict[str, Source]], Step]


@dataclass
class _Corrections:
    """The corrections of one text, oldest first, with the languages in which each counts, and what shows it."""

    subtitle: Step | None = None
    edits: list[tuple[Edit, tuple[str, ...]]] = field(default_factory=list)
    shown_by: list[str] = field(default_factory=list)

    def inputs(self) -> dict[str, Source]:
        """Return the inputs of the step that carries the corrections into the text."""

        def files(digest: Callable[[Edit], str]) -> AllOf:
            return AllOf(tuple(FromCorrection(digest(edit), edit.name, languages) for edit, languages in self.edits))

        found: dict[str, Source] = {
            "corrections": files(lambda edit: edit.sha256), "bases": files(lambda edit: edit.known_base)
        }  # fmt: skip
        if any(edit.source for edit, _ in self.edits):
            found["sources"] = files(lambda edit: edit.source or edit.known_base)
        return found


def with_edits(plan: Plan, edits: Sequence[Edit], make_correct: MakeCorrect) -> Plan:
    """Return the plan with the corrections of its media file.

    The stage `correct` is inserted between a text, which is a transcript or a translation, and the steps that use it.
    It carries corrections of the text itself and of its subtitles into the text. The subtitles are laid out around the
    pins that it returns.
    """
    steps = {step.id: step for step in plan.steps}
    texts: dict[FromStep, _Corrections] = {}
    for edit in edits:
        step = steps.get(edit.step)
        if step is None:
            continue
        if edit.role == TRANSCRIPT:
            found = texts.setdefault(FromStep(step.id, TRANSCRIPT), _Corrections())
            found.edits.append((edit, (edit.language,) if edit.language else ()))
        elif step.stage.name == _SUBTITLE:
            steps[step.id] = _with_edited(step, edit)
            source = _text_of(step)
            languages = _languages(edit, edits, step)
            if source and languages is not None:
                found = texts.setdefault(source, _Corrections())
                found.edits.append((edit, languages))
                found.shown_by += [step.id] if step.id not in found.shown_by else []
                found.subtitle = step if source.role == _TRANSLATION else None
    plan = replace(plan, steps=tuple(steps.values()))
    rttm = next(
        (FromStep(published.step, published.role) for published in plan.publications if published.role == _RTTM), None
    )
    number = 0
    for source, found in sorted(texts.items(), key=lambda found: found[0].role != _TRANSLATION):
        inputs = found.inputs()
        if found.subtitle:
            inputs |= {TRANSCRIPT: found.subtitle.inputs[TRANSCRIPT], _TRANSLATION: source}
            name = f"{CORRECT}-translated:{found.subtitle.target or source.step}"
        else:
            number += 1
            inputs |= {TRANSCRIPT: source, **({_RTTM: rttm} if rttm and number == 1 else {})}
            name = CORRECT if number == 1 else f"{CORRECT}-{number}"
        plan = _corrected(plan, source, found, replace(make_correct(inputs), id=name))
    return plan


def _with_edited(step: Step, edit: Edit) -> Step:
    """Return the step with the file that was corrected; the language of a translation is the step's own."""
    known = step.inputs.get("edited")
    before = known.sources if isinstance(known, AllOf) else ()
    languages = (edit.language,) if edit.language and _TRANSLATION not in step.inputs else ()
    leaf = FromCorrection(edit.sha256, edit.name, languages)
    return replace(step, inputs={**step.inputs, "edited": AllOf((*before, leaf))})


def _text_of(step: Step) -> FromStep | None:
    """Return the text that a step lays out; a shortened one comes before it."""
    given = step.inputs.get(_TRANSLATION) or step.inputs.get(TRANSCRIPT)
    found = given.sources[-1] if isinstance(given, FirstOf) else given
    return found if isinstance(found, FromStep) else None


def _languages(edit: Edit, edits: Sequence[Edit], step: Step) -> tuple[str, ...] | None:
    """Return the spoken languages in which a corrected subtitle counts, none for any; None if it counts in none.

    A corrected transcript may state another language than the one that was heard.
    """
    if _TRANSLATION in step.inputs or edit.language is None:
        return ()
    becomes = {other.language: other.becomes for other in edits if other.language and other.becomes}
    languages = [edit.language, *(spoken for spoken, then in becomes.items() if then == edit.language)]
    return tuple(other for other in languages if becomes.get(other, edit.language) == edit.language) or None


def _corrected(plan: Plan, source: FromStep, found: _Corrections, correct: Step) -> Plan:
    """Return the plan in which each step that used `source` uses the corrected output."""
    if without := tuple(sorted({pin for edit, _ in found.edits for pin in edit.without})):
        correct = replace(correct, params=correct.params.model_copy(update={"without": without}))
    instead = {FromStep(source.step, role): FromStep(correct.id, role) for role in (source.role, "text")}
    turns = correct.inputs.get(_RTTM)
    published = {**instead, **({turns: FromStep(correct.id, _RTTM)} if isinstance(turns, FromStep) else {})}

    def one(leaf: SingleSource) -> SingleSource:
        return instead.get(leaf, leaf) if isinstance(leaf, FromStep) else leaf

    def rewired(step: Step) -> Iterator[tuple[str, Source]]:
        for role, given in step.inputs.items():
            if isinstance(given, FirstOf | AllOf):
                yield role, replace(given, sources=tuple(map(one, given.sources)))
            else:
                yield role, one(given)
        if step.id in found.shown_by:
            yield "pins", FromStep(correct.id, "pins")

    steps: list[Step] = []
    for step in plan.steps:
        steps.append(replace(step, inputs=dict(rewired(step))))
        if step.id == source.step:
            steps.append(correct)
    publications = []
    for publication in plan.publications:
        target = published.get(FromStep(publication.step, publication.role))
        if target:
            publication = replace(publication, step=target.step, role=target.role, corrects=publication.origin)
        publications.append(publication)
    return replace(plan, steps=tuple(steps), publications=tuple(publications))
