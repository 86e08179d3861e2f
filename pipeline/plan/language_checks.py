"""Checks the languages of a job before its first step: the spoken one, if the user states it, and the target languages
against those that the chosen backends support. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.base.errors import UsageError
from pipeline.plan.model import Plan, Step
from pipeline.plan.registry import ASR, MUX, TRANSLATE, translates, translators_for
from shared.stage import STUB_BACKEND
from shared.text.heard_languages import hears
from shared.text.language import english_name, primary


def check_languages(plan: Plan, targets: Sequence[str]) -> None:
    """Raise `UsageError` for a language that a step of the plan does not support, or that no step produces."""
    parameters = {step.stage.name: step.params.model_dump() for step in plan.steps}
    spoken: str | None = parameters.get(ASR, {}).get("language")
    for step in plan.steps:
        if step.stage.name == ASR and step.backend_name != STUB_BACKEND:
            _check_heard(step, spoken)
        elif step.stage.name == TRANSLATE and step.backend_name != STUB_BACKEND:
            _check_pair(step, spoken)
    burnt: str | None = parameters.get(MUX, {}).get("burn_in")
    if burnt is not None and spoken is not None:
        _check_burnt(burnt, [spoken, *targets])


def _check_heard(step: Step, spoken: str | None) -> None:
    if spoken is None or hears(step.backend_name, spoken):
        return
    capable = [name for name in step.stage.backends if hears(name, spoken)]
    raise UsageError(
        "language.unheard",
        f"the recogniser {step.backend_name} does not know {_named(spoken)}",
        hint=f"choose another with `--set asr.backend={capable[0]}`" if capable else
        "no recogniser in reel does; without `--language`, the language is identified",
    )  # fmt: skip


def _named(language: str) -> str:
    name = english_name(language)
    return f"the language `{language}`" if name == language else f"{name} (`{language}`)"


def _check_pair(step: Step, spoken: str | None) -> None:
    target = step.params.model_dump()["target"]
    if translates(step.backend_name, spoken, target):
        return
    capable = translators_for(spoken, target)
    source = f"{english_name(spoken)} " if spoken else ""
    raise UsageError(
        "translate.pair",
        f"the backend {step.backend_name} does not translate {source}into {_named(target)}",
        hint=f"choose another with `--set translate.backend={capable[0]}`" if capable else
        "a language model does: see docs/how-to/use-a-language-model.md",
    )  # fmt: skip


def _check_burnt(burnt: str, made: Sequence[str]) -> None:
    if primary(burnt) in map(primary, made):
        return
    raise UsageError(
        "language.not-made",
        f"subtitles in {english_name(burnt)} are to be burnt in, and what is made is in"
        f" {', '.join(map(english_name, made))}",
        hint=f"add `--to {burnt}`",
    )
