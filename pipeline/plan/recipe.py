"""Recipes: the steps of a job, the inputs of each, and the results that the user gets.

A step's input is `media`, `glossary` or `subtitles` of the job, or `<step>.<output>` of another step. Of a list, the
first that exists is used, or all of them if the stage takes several files. A step with `each = "target"` is done for
every target language; inside it, a reference to another such step means the one for the same language.

A step without a required input is left out, and so is every step that requires its result: without a film nothing is
recognised, and without an existing subtitle none is read.

A recipe may extend another: `extends = "transcribe"`. It then contains only the steps that it adds or replaces, and
the results that it publishes. A recipe that publishes nothing makes results for reel's own page.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from pipeline.base.config_files import read_config
from pipeline.base.errors import UsageError
from pipeline.plan.registry import BROKEN, STAGES, StageBroken
from shared.documents.base import Frozen
from shared.mistakes import first_mistake, text_mistake

MEDIA = "media"
GLOSSARY = "glossary"
SUBTITLES = "subtitles"


class RecipeStep(Frozen):
    """One step: a stage, its inputs by role, and the parameters that this recipe sets.

    `only_with` names a stage: the step is done only if the user names a backend of that stage. `requires` names inputs
    that this recipe requires, although the stage does not.
    """

    stage: str
    each: Literal["target"] | None = None
    only_with: str | None = None
    requires: tuple[str, ...] = ()
    inputs: dict[str, str | list[str]]
    params: dict[str, JsonValue] = {}


class PublishRule(Frozen):
    """Published result. The name `as` may contain `{name}` of the media file, and of the result `{language}`, `{kind}`
    (`.sdh`, `.forced` or nothing) and `{suffix}` (with its dot)."""

    file: str
    name: str = Field(alias="as")

    @field_validator("name")
    @classmethod
    def _is_one_name(cls, name: str) -> str:
        try:
            filled = name.format(name="film", language="en", kind="", suffix=".srt")
        except (LookupError, ValueError) as error:
            raise ValueError(f"`as = {name!r}` may hold {{name}}, {{language}}, {{kind}} and {{suffix}}") from error
        if filled.startswith(".") or any(mark in filled for mark in "/\\\0") or not filled:
            raise ValueError(f"`as = {name!r}` is not the name of a file in the folder of the media file")
        return name


class Recipe(Frozen):
    """Steps by name, and the results to publish."""

    summary: str
    needs_target: bool = False
    steps: dict[str, RecipeStep]
    publish: tuple[PublishRule, ...] = ()

    @model_validator(mode="after")
    def _everything_exists(self) -> Self:
        for name, step in self.steps.items():
            stage = BROKEN.get(step.stage) or STAGES.get(step.stage)
            if isinstance(stage, StageBroken):
                raise stage
            if stage is None:
                raise ValueError(f"step `{name}` wants the stage `{step.stage}`; the stages are {', '.join(STAGES)}")
            if unknown := set(step.inputs) - set(stage.inputs.model_fields):
                raise ValueError(f"step `{name}`: the stage {step.stage} has no input `{sorted(unknown)[0]}`")
            if unwritten := set(step.requires) - set(step.inputs):
                raise ValueError(f"step `{name}` requires `{sorted(unwritten)[0]}`, which is not among its inputs")
            if step.only_with is not None and step.only_with not in {*STAGES, *BROKEN}:
                raise ValueError(f"step `{name}` is there only with the stage `{step.only_with}`, and there is none")
            for reference in references(step):
                self._check_reference(name, reference)
            for role, written in step.inputs.items():
                if written == GLOSSARY and stage.inputs.model_fields[role].is_required():
                    raise ValueError(f"step `{name}` needs its input `{role}`, and a job may have no glossary")
        for rule in self.publish:
            self._check_reference("publish", rule.file)
        return self

    def _check_reference(self, where: str, reference: str) -> None:
        if reference in {MEDIA, GLOSSARY, SUBTITLES}:
            return
        step, _, role = reference.partition(".")
        if step not in self.steps:
            raise ValueError(f"`{reference}` in `{where}` names no step of this recipe")
        if role not in STAGES[self.steps[step].stage].outputs.model_fields:
            raise ValueError(f"`{reference}` in `{where}`: the stage {self.steps[step].stage} has no output `{role}`")


def references(step: RecipeStep) -> list[str]:
    """Return the references of all inputs of a step."""
    return [name for value in step.inputs.values() for name in as_list(value)]


def as_list(written: str | list[str]) -> list[str]:
    """Return the references of an input, the first choice first."""
    return [written] if isinstance(written, str) else written


def load_recipe(name: str, folder: Path) -> Recipe:
    """Load the recipe `name` from `folder`, or from the file that `name` is the path of. Raises `UsageError`."""
    path, table = _read_extended(name, folder, ())
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise UsageError("recipe.invalid", f"{path}: {first_mistake(error)}") from error


def _read_extended(name: str, folder: Path, below: tuple[Path, ...]) -> tuple[Path, dict[str, Any]]:
    """Return the path of a recipe and its table, with the steps of the recipe that it extends before its own. A step of
    the same name replaces the other. Published results are not inherited."""
    path, content = read_config("recipe.unknown", name, folder)
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))  # some editors write a byte order mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("recipe.syntax", f"{path} is not TOML: {text_mistake(error)}") from error
    base, steps = table.pop("extends", None), table.get("steps")
    if base is None or not isinstance(steps, dict):
        return path, table
    if not isinstance(base, str) or path.resolve() in below:
        raise UsageError("recipe.invalid", f"{path} extends `{base}`; expected the name of another recipe")
    _, under = _read_extended(base, folder, (*below, path.resolve()))
    return path, {**table, "steps": {**under["steps"], **steps}}
