"""Adds the corrections of a media file to its plan."""

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
    """Corrections of one text, which is a transcript or a translation."""

    subtitle: Step | None = None  # lays out the text, if that is a translation
    edits: list[tuple[Edit, tuple[str, ...]]] = field(default_factory=list)  # oldest first, each with its languages
    shown_by: list[str] = field(default_factory=list)  # steps that lay out the corrected subtitles

    def inputs(self) -> dict[str, Source]:
        """Return the inputs of the step that applies the corrections to the text."""

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

    A step `correct` is inserted between a text, which is a transcript or a translation, and the steps that use it. It
    applies corrections of the text and of its subtitles to the text. The subtitles are laid out around the pins that it
    returns.
    """
    plan, texts = _with_edited_files(plan, edits)
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


def _with_edited_files(plan: Plan, edits: Sequence[Edit]) -> tuple[Plan, dict[FromStep, _Corrections]]:
    """Return the plan with the edited files as inputs of the steps that lay them out, and the corrections of each
    text."""
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
    return replace(plan, steps=tuple(steps.values())), texts


def _with_edited(step: Step, edit: Edit) -> Step:
    """Return the step with the corrected file as an input. A translation always is in the language of its step."""
    known = step.inputs.get("edited")
    before = known.sources if isinstance(known, AllOf) else ()
    languages = (edit.language,) if edit.language and _TRANSLATION not in step.inputs else ()
    correction = FromCorrection(edit.sha256, edit.name, languages)
    return replace(step, inputs={**step.inputs, "edited": AllOf((*before, correction))})


def _text_of(step: Step) -> FromStep | None:
    """Return the text that a step lays out: the complete one, if there may also be a shortened one."""
    source = step.inputs.get(_TRANSLATION) or step.inputs.get(TRANSCRIPT)
    source = source.sources[-1] if isinstance(source, FirstOf) else source
    return source if isinstance(source, FromStep) else None


def _languages(edit: Edit, edits: Sequence[Edit], step: Step) -> tuple[str, ...] | None:
    """Return the spoken languages for which a corrected subtitle is used; empty for any language, None for none.

    A corrected transcript may state another language than the recognised one.
    """
    if _TRANSLATION in step.inputs or edit.language is None:
        return ()
    becomes = {other.language: other.becomes for other in edits if other.language and other.becomes}
    languages = [edit.language, *(spoken for spoken, then in becomes.items() if then == edit.language)]
    return tuple(other for other in languages if becomes.get(other, edit.language) == edit.language) or None


def _corrected(plan: Plan, source: FromStep, found: _Corrections, correct: Step) -> Plan:
    """Return the plan with the step `correct`, whose output every step uses instead of `source`."""
    if without := tuple(sorted({pin for edit, _ in found.edits for pin in edit.without})):
        correct = replace(correct, params=correct.params.model_copy(update={"without": without}))
    replaced = {FromStep(source.step, role): FromStep(correct.id, role) for role in (source.role, "text")}
    turns = correct.inputs.get(_RTTM)
    published = {**replaced, **({turns: FromStep(correct.id, _RTTM)} if isinstance(turns, FromStep) else {})}

    def rewired(source: SingleSource) -> SingleSource:
        return replaced.get(source, source) if isinstance(source, FromStep) else source

    def rewired_inputs(step: Step) -> Iterator[tuple[str, Source]]:
        for role, source in step.inputs.items():
            if isinstance(source, FirstOf | AllOf):
                yield role, replace(source, sources=tuple(map(rewired, source.sources)))
            else:
                yield role, rewired(source)
        if step.id in found.shown_by:
            yield "pins", FromStep(correct.id, "pins")

    steps: list[Step] = []
    for step in plan.steps:
        steps.append(replace(step, inputs=dict(rewired_inputs(step))))
        if step.id == source.step:
            steps.append(correct)
    publications = []
    for publication in plan.publications:
        target = published.get(FromStep(publication.step, publication.role))
        if target:
            publication = replace(publication, step=target.step, role=target.role, corrects=publication.origin)
        publications.append(publication)
    return replace(plan, steps=tuple(steps), publications=tuple(publications))
